"""What is measured of a graded exam. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from schemas.evaluation import QuestionFeedback
from tests.exams import Mark

_DISCOURAGING = re.compile(
    r"\b(?:stupid|lazy|careless|hopeless|terrible|awful|useless|obviously|you failed|should have known|bad answer)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Shares from 0 to 1; `misconceptions` is of those that the teacher saw, None where they saw none."""

    questions: int
    exact: float
    within_one: float
    misconceptions: float | None
    tone: float


def scores_of(feedback: Sequence[QuestionFeedback], marks: Mapping[int, Mark]) -> Scores:
    """Compare feedback with a teacher's marks."""
    off = [abs(entry.marks_earned - marks[entry.question_number].marks) for entry in feedback]
    seen = [entry for entry in feedback if marks[entry.question_number].misconception]
    found = sum(entry.misconception_detected is not None for entry in seen)
    return Scores(
        questions=len(feedback),
        exact=_share(sum(distance == 0 for distance in off), len(off)),
        within_one=_share(sum(distance <= 1 for distance in off), len(off)),
        misconceptions=_share(found, len(seen)) if seen else None,
        tone=_share(sum(is_constructive(entry) for entry in feedback), len(feedback)),
    )


def is_constructive(entry: QuestionFeedback) -> bool:
    """Acknowledge, explain, guide: no word that hurts, an explanation for lost marks, a way to the answer."""
    texts = [entry.feedback_summary, entry.what_you_did_well, entry.where_you_went_wrong, entry.correct_approach]
    if any(_DISCOURAGING.search(text or "") for text in texts):
        return False
    explained = bool(entry.where_you_went_wrong) or entry.marks_earned == entry.marks_possible
    return bool(entry.feedback_summary and entry.correct_approach) and explained


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
