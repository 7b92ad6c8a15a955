"""Sentences in an answer that speak to the grader instead of answering: they are neither graded nor shown to a model.

The first defence is that answers are data between markers; this is the second. It knows what such sentences are
about (marks, grading), so that "ignore air resistance" stays an answer; rules, instructions and systems are also what
exams ask about: with those, the sentence has to name grading too.
"""

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

from schemas.submission import AnswerResponse

LONGEST_ANSWER = 20_000
"""Characters of one answer that are graded; there are no longer ones in an exam hall."""

_IGNORE = r"\b(?:ignore|disregard|forget|override|bypass|do(?:\s+not|n['\u2019]?t)\s+(?:use|apply|follow))\b"
_GRADING = r"(?:marking|(?:mark|marking)\s+schemes?|rubrics?|answer\s+keys?)"
_RULES = r"(?:instructions?|prompts?|rules|guidelines)"
_EARLIER = r"(?:previous|prior|above|earlier|preceding)\s+(?:instructions|prompts|rules|guidelines)"
_ALL = r"(?:full|maximum|max|all|top|complete|perfect|\d+|100\s*%(?:\s+of)?)"
_TO_END = r"[^.!?\n]{0,60}\b"
_PATTERNS = (
    rf"{_IGNORE}{_TO_END}{_GRADING}\b",
    rf"{_IGNORE}\s+(?:(?:all|any|of|the|your|my|these)\s+){{0,3}}{_EARLIER}\b",
    rf"\b(?:award|give|grant|assign|deserves?)\b{_TO_END}{_ALL}\s+(?:(?:possible|available|of|the)\s+)*(?:marks?|credit)\b",
    rf"\b(?:award|give|grant|deserves?)\b{_TO_END}(?:full|maximum|max|perfect|top)\s+(?:points|scores?)\b",
    r"\b(?:mark|grade|score|count)\s+(?:me|this|it|everything|my)\b[^.!?\n]{0,40}\b(?:correct|as\s+right|full|highest)\b",
    r"(?:\b(?:return|output|respond|reply|answer)\b[^\n]{0,200}|[\[{\"'][^\n]{0,200})?\bmarks_?\s?earned\b",
    r"\byou\s+are\s+(?:now|an?|the)\b[^.!?\n]{0,40}\b(?:grader|examiner|marker|assistant|model|pirate|mode)\b",
    r"\b(?:act\s+as|pretend\s+to\s+be|behave\s+as)\b[^.!?\n]{0,40}\b(?:grader|examiner|marker|assistant|model)\b",
    r"</?\s*data\s*>",
)
_WITH_GRADING = (
    rf"{_IGNORE}{_TO_END}{_RULES}\b",
    r"\b(?:system|developer)\s*(?:prompt|message|override|instructions?)\b",
    r"^[ \t]*(?:system|assistant|developer)[ \t]*:",
    r"\b(?:dear|attention|hey|note\s+(?:to|for))\s+(?:the\s+|my\s+)?(?:grader|examiner|marker|ai|assistant|model)\b",
    r"\bas\s+an?\s+(?:ai|language\s+model|grader)\b",
)
_ABOUT_GRADING = re.compile(
    r"\b(?:marks?|marked|marking|markers?|grad(?:e|es|ed|er|ers|ing)|scor(?:e|es|ed|ing)|schemes?|rubrics?|award\w*|credit"
    r"|examiners?|assessors?|answers?\s+(?:is|are|as)\s+(?:correct|right))\b",
    re.IGNORECASE,
)
_ORDERS = re.compile("|".join(_PATTERNS), re.IGNORECASE | re.MULTILINE)
_PERHAPS_ORDERS = re.compile("|".join(_WITH_GRADING), re.IGNORECASE)
_INVISIBLE = re.compile("[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_STYLED = re.compile("[\uff01-\uff5e\U0001d400-\U0001d7ff]+")
"""Full-width and mathematical letters: words to a model, and to whoever reads."""
_SENTENCES = re.compile(r"(?<=[.!?])\s+|\n+")
_ANSWERS_REMEMBERED = 256
"""An answer is looked at by the key, the prompt and the warnings, one after the other."""
_LEADING_SIGNS = frozenset(",;:([{\"'-")
_LEADING_WORDS = frozenset("and but so now please also then i you must should this it my answer".split())  # noqa: SIM905


class Answered(NamedTuple):
    """An answer's text without what was said to the grader, and how many sentences that was."""

    text: str
    orders: int


def answer_in(response: AnswerResponse | None) -> Answered:
    """What a response says in words, as far as it is graded; an empty text where there is none."""
    return without_orders(response.text[:LONGEST_ANSWER]) if response is not None else Answered("", 0)


@lru_cache(maxsize=_ANSWERS_REMEMBERED)
def without_orders(text: str) -> Answered:
    """Cut sentences (or lines) from where they give the grader orders; an answer without any stays as it is."""
    found = _cut(_STYLED.sub(lambda styled: unicodedata.normalize("NFKC", styled[0]), _INVISIBLE.sub("", text)))
    return found if found.orders else Answered(text, 0)


def _cut(text: str) -> Answered:
    kept, orders = [], 0
    for sentence in _SENTENCES.split(text):
        start = _order_in(sentence)
        orders += start is not None
        kept.append(sentence if start is None else _without_lead_in(sentence[:start]))
    rest = " ".join(filter(None, kept)).strip() if orders else text
    rest, wrapped = _without_wrapped(rest)
    if (found := _ORDERS.search(_on_one_line(rest))) is not None:  # one that came together by the cuts
        rest, wrapped = _without_lead_in(rest[: found.start()]), wrapped + 1
    return Answered(rest, orders + wrapped)


def _without_wrapped(text: str) -> Answered:
    """Cut orders that stand over several lines, each up to the end of its last line or sentence."""
    kept, orders, position = [], 0, 0
    for found in _ORDERS.finditer(_on_one_line(text)):
        if found.start() < position:
            continue
        kept.append(_without_lead_in(text[position : found.start()]))
        end = _SENTENCES.search(text, found.end())
        position = end.end() if end is not None else len(text)
        orders += 1
    return Answered(" ".join(filter(None, [*kept, text[position:]])).strip() if orders else text, orders)


def _on_one_line(text: str) -> str:
    """The text with its places kept: a line's end is no sentence's end where an order was wrapped."""
    return text.replace("\n", " ")


def _order_in(sentence: str) -> int | None:
    """Where an order to the grader begins."""
    found = [_ORDERS.search(sentence), _ABOUT_GRADING.search(sentence) and _PERHAPS_ORDERS.search(sentence)]
    return min((match.start() for match in found if match is not None), default=None)


def _without_lead_in(text: str) -> str:
    """Take off the words and signs that lead up to an order, from the end on, so that the time grows with the text."""
    end = len(text)
    while True:
        while end and (text[end - 1].isspace() or text[end - 1] in _LEADING_SIGNS):
            end -= 1
        start = end
        while start and text[start - 1].isalnum():
            start -= 1
        if text[start:end].casefold() not in _LEADING_WORDS:
            return text[:end]
        end = start
