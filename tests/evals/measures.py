"""What is measured of a graded exam. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from schemas.evaluation import QuestionFeedback
from schemas.exam import Question
from tests.evals.misconceptions import is_same_misconception
from tests.exams import Mark

_DISCOURAGING = re.compile(
    r"\b(?:stupid|lazy|careless|hopeless|terrible|awful|useless|obviously|you failed|should have known|bad answer)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Shares from 0 to 1, and how many of the misconceptions that the teacher saw were found."""

    questions: int
    exact: float
    within_one: float
    tone: float
    misconceptions_seen: int
    misconceptions_found: int


def scores_of(feedback: Sequence[QuestionFeedback], questions: Sequence[Question], marks: Mapping[int, Mark]) -> Scores:
    """Compare feedback with a teacher's marks, by question number."""
    off = [abs(entry.marks_earned - marks[entry.question_number].marks) for entry in feedback]
    return Scores(
        questions=len(feedback),
        exact=_share(sum(distance == 0 for distance in off), len(off)),
        within_one=_share(sum(distance <= 1 for distance in off), len(off)),
        tone=_share(sum(is_constructive(entry) for entry in feedback), len(feedback)),
        misconceptions_seen=sum(marks[entry.question_number].misconception is not None for entry in feedback),
        misconceptions_found=len(misconceptions_found(feedback, questions, marks)),
    )


def misconceptions_found(
    feedback: Sequence[QuestionFeedback], questions: Sequence[Question], marks: Mapping[int, Mark]
) -> list[int]:
    """The numbers of the questions whose feedback names the misconception that the teacher saw, and no other one."""
    known = {question.question_number: question.misconceptions for question in questions}
    return [
        number
        for entry in feedback
        if (named := entry.misconception_detected) is not None
        and is_same_misconception(named, marks[number := entry.question_number], known[number])
    ]


def is_constructive(entry: QuestionFeedback) -> bool:
    """Acknowledge, explain, guide: no word that hurts, an explanation for lost marks, a way to the answer."""
    return (
        not is_discouraging(entry)
        and bool(entry.feedback_summary and entry.correct_approach)
        and (bool(entry.where_you_went_wrong) or entry.marks_earned == entry.marks_possible)
    )


def is_discouraging(entry: QuestionFeedback) -> bool:
    """Whether a word of the feedback hurts."""
    texts = [entry.feedback_summary, entry.what_you_did_well, entry.where_you_went_wrong, entry.correct_approach]
    return any(_DISCOURAGING.search(text or "") for text in texts)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
