"""Whether the misconception that a grader names is the one that the teacher saw. Pure.

Wordings differ, so words that carry meaning are compared, by their stems. What a grader says is close to the teacher's
words, or to those of the exam's own known misconception that the teacher means; where it is closer to another known one
of that question, it is another one. A paraphrase in quite other words, or in another language, is not recognised: the
figure is a lower bound.
"""

from collections.abc import Sequence

from agents.grading.texts import one_way
from clients.llm.study_words import alike_among, tokens, weights
from schemas.evaluation import MisconceptionFeedback
from schemas.exam import Misconception
from tests.exams import Mark

_ENOUGH = 0.5
"""Of the words of a wording, more than this share has to be in what is named."""


def is_same_misconception(named: MisconceptionFeedback, seen: Mark, known: Sequence[Misconception]) -> bool:
    """Compare what a grader names with what the teacher saw; `known` are the question's known misconceptions."""
    if seen.misconception is None:
        return False
    meant = [_likeness(named, entry) for entry in known if entry.error_pattern == seen.known]
    others = [_likeness(named, entry) for entry in known if entry.error_pattern != seen.known]
    likeness = max([_share(seen.misconception, _told(named)), *meant])
    return likeness > _ENOUGH and likeness >= max(others, default=0.0)


def _likeness(named: MisconceptionFeedback, known: Misconception) -> float:
    """1 for the error pattern to the letter, else the share of the exam's words for it."""
    if one_way(named.common_error) == one_way(known.error_pattern):
        return 1.0
    return _share(known.feedback, _told(named))


def _told(named: MisconceptionFeedback) -> str:
    return f"{named.misconception_type} {named.common_error} {named.why_its_wrong}"


def _share(wording: str, told: str) -> float:
    words = list(weights((wording,)))
    return len(alike_among(words, tokens(told))) / len(words) if words else 0.0
