"""From a checked answer of a model to the feedback a student reads: where the key decides, the key wins."""

from collections.abc import Callable

from pydantic import BaseModel

from agents.grading.batches import Batch, Item
from agents.grading.key import is_answered, is_right_by_key, marks_by_key
from agents.grading.offline import grade_item
from schemas.evaluation import MarkingCriterionResult, MisconceptionFeedback, QuestionFeedback
from schemas.grading import GradedBatch, GradedQuestion

_PROBLEMS_NAMED = 5


class GradedFeedback(BaseModel):
    """A batch's complete feedback, in its order, and what is to be said about how it came about."""

    feedback: list[QuestionFeedback]
    warnings: list[str]


def batch_check(batch: Batch) -> Callable[[GradedBatch], str | None]:
    """Build the check of a model's answer to a batch.

    Every question once; marks within what is possible, zero for no answer; criteria that follow the scheme and add up;
    an explanation wherever marks were lost.
    """
    items = {item.question.question_number: item for item in batch.items}

    def check(graded: GradedBatch) -> str | None:
        numbers = [entry.question_number for entry in graded.questions]
        problems = [f"question {number} is not among those to grade" for number in numbers if number not in items]
        problems += [
            f"question {number} is there {numbers.count(number)} times, once is needed"
            for number in items
            if numbers.count(number) != 1
        ]
        for entry in graded.questions:
            if entry.question_number in items:
                problems += _problems(items[entry.question_number], entry)
        return "; ".join(problems[:_PROBLEMS_NAMED]) or None

    return check


def feedback_from(batch: Batch, graded: GradedBatch) -> GradedFeedback:
    """Turn a checked answer into feedback; where the key gives other marks, the key wins and a warning says so.

    The model's words on such a question would praise or blame what is not so: they are replaced too.
    """
    by_number = {entry.question_number: entry for entry in graded.questions}
    feedback, warnings = [], []
    for item in batch.items:
        entry = by_number[item.question.question_number]
        by_key = marks_by_key(item.question, item.response)
        if by_key is not None and by_key != entry.marks_earned:
            warnings.append(
                f"question {entry.question_number}: the model gave {entry.marks_earned} of {item.question.marks} marks,"
                f" the answer key gives {by_key}; the key was followed"
            )
            feedback.append(grade_item(item))
        elif is_right_by_key(item.question, item.response) is (not _says_right(item, entry)):  # worth no marks
            feedback.append(grade_item(item))
        else:
            feedback.append(_feedback(item, entry))
    return GradedFeedback(feedback=feedback, warnings=warnings)


def _problems(item: Item, entry: GradedQuestion) -> list[str]:
    question, number = item.question, entry.question_number
    problems = []
    if entry.marks_earned > question.marks:
        problems.append(f"question {number}: marks_earned is {entry.marks_earned} of {question.marks} possible")
    if entry.marks_earned < question.marks and not (entry.where_you_went_wrong or "").strip():
        problems.append(f"question {number}: where_you_went_wrong is missing though marks were lost")
    if question.question_type == "structured_response" and is_answered(question, item.response):
        problems += _criteria_problems(item, entry)
    return problems


def _criteria_problems(item: Item, entry: GradedQuestion) -> list[str]:
    scheme, criteria, number = item.question.key.marking_scheme, entry.marking_breakdown or [], entry.question_number
    if not criteria and not scheme:
        return []
    problems = [
        f"question {number}: criterion {place} earned {criterion.marks_earned} of {criterion.marks_possible} possible"
        for place, criterion in enumerate(criteria, start=1)
        if criterion.marks_earned > criterion.marks_possible
    ]
    if scheme and [criterion.marks_possible for criterion in criteria] != [step.marks for step in scheme]:
        problems.append(
            f"question {number}: marking_breakdown needs one entry per step of the marking scheme, in its order,"
            f" with marks_possible {', '.join(str(step.marks) for step in scheme)}"
        )
    if (total := sum(criterion.marks_earned for criterion in criteria)) != entry.marks_earned:
        problems.append(f"question {number}: the criteria add up to {total}, marks_earned is {entry.marks_earned}")
    if (possible := sum(criterion.marks_possible for criterion in criteria)) != item.question.marks:
        problems.append(f"question {number}: the criteria offer {possible} marks, the question {item.question.marks}")
    return problems


def _says_right(item: Item, entry: GradedQuestion) -> bool:
    """Whether the model found all of it right; where there are no marks, by its words."""
    if item.question.marks:
        return entry.marks_earned == item.question.marks
    return not (entry.where_you_went_wrong or "").strip()


def _feedback(item: Item, entry: GradedQuestion) -> QuestionFeedback:
    question, structured = item.question, item.question.question_type == "structured_response"
    lost = not _says_right(item, entry)
    found, criteria = entry.misconception_detected, entry.marking_breakdown or []
    answered = is_answered(question, item.response)
    return QuestionFeedback(
        question_id=question.question_id,
        question_number=question.question_number,
        section_id=item.section_id,
        marks_earned=entry.marks_earned,
        marks_possible=question.marks,
        is_correct=not lost,
        is_partially_correct=0 < entry.marks_earned < question.marks,
        feedback_summary=entry.feedback_summary,
        what_you_did_well=entry.what_you_did_well or None,
        where_you_went_wrong=entry.where_you_went_wrong if lost else None,
        correct_approach=entry.correct_approach,
        marking_breakdown=(
            [MarkingCriterionResult.model_validate(criterion.model_dump()) for criterion in criteria]
            if structured and answered and criteria
            else None
        ),
        misconception_detected=(
            MisconceptionFeedback.model_validate(found.model_dump()) if lost and answered and found else None
        ),
        related_concept=entry.related_concept,
        suggested_review=entry.suggested_review or None,
    )
