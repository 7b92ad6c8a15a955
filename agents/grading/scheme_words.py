"""Whether a marking scheme's step is in an answer: all of its numbers, and half of what it names."""

import re
import unicodedata
from functools import lru_cache

from clients.llm.study_words import alike_among, tokens

_ENOUGH = 0.5
"""Share of a step's words and numbers that an answer has to hold."""
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_ANSWERS_REMEMBERED = 64
"""An answer is looked at by every step of its scheme, one after the other."""
_LATEX = re.compile(r"\\[a-zA-Z]+|\$")
_FILLERS = frozenset(
    """
    a an and any are as at be by correct correctly evidence find finds for from full give gives has have identify
    identifies if in into is it its know mark marks of on one or process show shows start state states step strategy
    student that the their then this to two use uses valid value with work write
    award criteria criterion grader grading ignore instruction instructions prompt scheme
    """.split()  # noqa: SIM905
)


def step_is_met(step: str, answer: str) -> tuple[str, ...]:
    """The step's words and numbers that the answer holds; nothing when they are too few, or a number is missing."""
    step = _plain(step)
    held, vocabulary = _read(answer)
    numbers = list(dict.fromkeys(_NUMBER.findall(step)))
    words = [word for word in tokens(step) if word not in _FILLERS and len(word) > 1 and not word[0].isdigit()]
    if not held.issuperset(numbers):
        return ()
    alike = alike_among(words, vocabulary)
    found = [*numbers, *(word for word in words if word in alike)]
    return tuple(found) if found and len(found) >= _ENOUGH * (len(numbers) + len(words)) else ()


@lru_cache(maxsize=_ANSWERS_REMEMBERED)
def _read(answer: str) -> tuple[frozenset[str], tuple[str, ...]]:
    """The numbers and the words of an answer."""
    plain = _plain(answer)
    return frozenset(_NUMBER.findall(plain)), tokens(plain)


def _plain(text: str) -> str:
    return _LATEX.sub(" ", unicodedata.normalize("NFKC", text)).replace("\u2044", "/")
