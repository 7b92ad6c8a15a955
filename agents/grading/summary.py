"""What a student takes away from an evaluation: 2 to 4 recommendations for questions really lost, and a message.

A model may word it; what it may point at is checked here. Without one, or when it fails, it is computed.
"""

from collections.abc import Callable, Sequence
from itertools import groupby

from agents.grading.totals import overall_result
from schemas.evaluation import Grade, LearningRecommendation, QuestionFeedback
from schemas.exam import MockExam
from schemas.grading import RecommendedStep, Summary

FEWEST, MOST = 2, 4
"""Recommendations (seed 003), where anything was lost."""
_QUESTIONS_NAMED = 10
_MESSAGES: dict[Grade, str] = {
    "A": "An excellent result. You have a firm hold on this; keep it warm with a question or two a week.",
    "B": "A good result. You are close to the top band: the questions you lost show exactly where to look.",
    "C": "A solid result. You have the basics; work on the points below and the next band is within reach.",
    "D": "You have passed, and there is more in you: take the points below one at a time.",
    "No Award": "This was a hard one, and every mark you earned is a start. Take the points below one at a time:"
    " you can do this.",
}


def lost_questions(feedback: Sequence[QuestionFeedback]) -> list[QuestionFeedback]:
    """The questions that lost marks, those that lost most first."""
    lost = [entry for entry in feedback if entry.marks_earned < entry.marks_possible]
    return sorted(lost, key=lambda entry: (entry.marks_earned - entry.marks_possible, entry.question_number))


def summary_check(feedback: Sequence[QuestionFeedback]) -> Callable[[Summary], str | None]:
    """Build the check of a model's summary: 2 to 4 recommendations, each for questions really lost; none for none."""
    lost = {entry.question_number for entry in lost_questions(feedback)}

    def check(summary: Summary) -> str | None:
        if not lost:
            return None
        count = len(summary.recommendations)
        if not FEWEST <= count <= MOST:
            return f"{count} recommendations; {FEWEST} to {MOST} are needed"
        for place, step in enumerate(summary.recommendations, start=1):
            if strange := sorted(set(step.related_questions) - lost):
                return f"recommendation {place} names question {strange[0]}, which lost no marks"
        return None

    return check


def recommendations_from(summary: Summary, feedback: Sequence[QuestionFeedback]) -> list[LearningRecommendation]:
    """Number the checked recommendations from 1; none where nothing was lost."""
    if not lost_questions(feedback):
        return []
    return [
        LearningRecommendation(
            priority=priority,
            topic=step.topic,
            reason=step.reason,
            action=step.action,
            related_questions=sorted(set(step.related_questions)),
        )
        for priority, step in enumerate(summary.recommendations, start=1)
    ]


def summarise_offline(exam: MockExam, feedback: Sequence[QuestionFeedback]) -> Summary:
    """Compute the summary from the marks alone; it passes `summary_check`."""
    lost = lost_questions(feedback)
    steps = _by_section(exam, lost)
    if len(steps) < FEWEST:
        steps = [_for_question(entry) for entry in lost[:MOST]]
    if len(steps) == 1:
        steps.append(_once_more(lost[0]))
    return Summary(recommendations=steps, encouragement_message=_message(feedback))


def _message(feedback: Sequence[QuestionFeedback]) -> str:
    result = overall_result(feedback)
    if not result.total_marks_possible:
        return "There were no marks to earn here: use the explanations to see where you stand."
    if result.total_marks_earned == result.total_marks_possible:
        return "Full marks: nothing was lost. Well done!"
    return _MESSAGES[result.grade]


def _by_section(exam: MockExam, lost: Sequence[QuestionFeedback]) -> list[RecommendedStep]:
    """One recommendation for each of the sections that lost most."""
    labels = {section.section_id: section.section_label or section.section_id for section in exam.sections}
    ordered = sorted(lost, key=lambda entry: entry.section_id)
    groups = [list(group) for _, group in groupby(ordered, key=lambda entry: entry.section_id)]
    groups.sort(key=lambda group: sum(entry.marks_earned - entry.marks_possible for entry in group))
    return [_for_section(labels[group[0].section_id], lost_questions(group)) for group in groups[:MOST]]


def _for_section(label: str, lost: Sequence[QuestionFeedback]) -> RecommendedStep:
    marks = sum(entry.marks_possible - entry.marks_earned for entry in lost)
    numbers = [entry.question_number for entry in lost[:_QUESTIONS_NAMED]]
    return RecommendedStep(
        topic=label,
        reason=f"{marks} marks were lost here, most of them in question {numbers[0]}.",
        action=f"Do questions {_listed(numbers)} again with their explanations at hand, then once more without.",
        related_questions=numbers,
    )


def _for_question(entry: QuestionFeedback) -> RecommendedStep:
    number, lost = entry.question_number, entry.marks_possible - entry.marks_earned
    return RecommendedStep(
        topic=entry.related_concept,
        reason=f"Question {number} lost {lost} of {entry.marks_possible} marks.",
        action=f"Read the explanation of question {number} and write out its steps without looking.",
        related_questions=[number],
    )


def _once_more(entry: QuestionFeedback) -> RecommendedStep:
    return RecommendedStep(
        topic=f"Practice: {entry.related_concept}",
        reason=f"Question {entry.question_number} is the only one that lost marks: one more like it makes it safe.",
        action="Make up a question of the same kind with other numbers or words, and solve it.",
        related_questions=[entry.question_number],
    )


def _listed(numbers: Sequence[int]) -> str:
    *first, last = [str(number) for number in numbers]
    return f"{', '.join(first)} and {last}" if first else last
