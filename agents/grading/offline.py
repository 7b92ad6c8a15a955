"""Grading without a model: by key and variations; structured responses by the marking scheme's own words.

Used when no key is set and in an outage. It says what it is: where it had to guess, the feedback tells the student.
"""

from agents.grading.batches import Batch, Item
from agents.grading.key import is_answered, is_right_by_key, marks_by_key, selected
from agents.grading.orders import answer_in
from agents.grading.scheme_words import step_is_met
from agents.grading.texts import one_way
from schemas.evaluation import MarkingCriterionResult, MisconceptionFeedback, QuestionFeedback
from schemas.exam import Misconception, Question
from schemas.submission import AnswerResponse

BY_WORDS = "Graded without a model, by the words of the marking scheme"
_CONCEPT_CHARS = 80


def grade_offline(batch: Batch) -> list[QuestionFeedback]:
    """Grade a batch, every question of it; never fails, and gives the same every time."""
    return [grade_item(item) for item in batch.items]


def grade_item(item: Item) -> QuestionFeedback:
    """Grade one question by its key, or by its scheme's words where it takes a reader."""
    question = item.question
    answered = is_answered(question, item.response)
    breakdown = _breakdown(item) if answered and question.question_type == "structured_response" else None
    by_key = marks_by_key(question, item.response)
    earned = sum(entry.marks_earned for entry in breakdown) if breakdown else by_key or 0
    right = earned == question.marks if question.marks else is_right_by_key(question, item.response) is True
    lost = not right
    known = _misconception(item) if lost and answered else None
    return QuestionFeedback(
        question_id=question.question_id,
        question_number=question.question_number,
        section_id=item.section_id,
        marks_earned=earned,
        marks_possible=question.marks,
        is_correct=right,
        is_partially_correct=0 < earned < question.marks,
        feedback_summary=_summary(item, earned, right=right, answered=answered),
        what_you_did_well=_what_went_well(item, some_right=right or earned > 0, answered=answered),
        where_you_went_wrong=_what_went_wrong(item, known, answered=answered) if lost else None,
        correct_approach=_approach(question),
        marking_breakdown=breakdown,
        misconception_detected=_told(known) if known is not None else None,
        related_concept=_concept(question),
        suggested_review=f"Go through question {question.question_number} again." if lost else None,
    )


def _breakdown(item: Item) -> list[MarkingCriterionResult]:
    answer = _written(item.response)
    results = []
    for number, step in enumerate(item.question.key.marking_scheme, start=1):
        found = step_is_met(step.step, answer)
        results.append(
            MarkingCriterionResult(
                criterion_name=f"Step {number}",
                criterion_description=step.step,
                marks_earned=step.marks if found else 0,
                marks_possible=step.marks,
                feedback=f"{BY_WORDS}: {'they are in your answer.' if found else 'they were not found.'}",
                evidence_seen=", ".join(found) or None,
            )
        )
    return results


def _summary(item: Item, earned: int, *, right: bool, answered: bool) -> str:
    question = item.question
    if not answered and item.response is not None and item.response.drawing_data:
        return "Drawings are not graded here: show yours to a teacher, it may be worth marks."
    if not answered:
        return "You left this one open. An attempt can only gain marks: have a go next time."
    took = f"{earned} of {question.marks} marks"
    if question.question_type == "structured_response":
        return f"{BY_WORDS}: {took}. Ask a teacher to look at it; your working may be worth more."
    if right:
        return "That is right, well done."
    if earned:
        return f"Partly right: {took}. You are on the way."
    return "Not right yet, and a good one to learn from."


def _what_went_well(item: Item, *, some_right: bool, answered: bool) -> str | None:
    if not answered:
        return None
    if item.question.question_type in ("mcq", "mcq_multiselect"):
        right = sorted(selected(item.question, item.response) & item.question.correct_labels)
        if right:
            return f"You found {', '.join(right)}."
    return (
        "You earned marks here: keep doing what you did." if some_right else "You had a go at it, and that is a start."
    )


def _what_went_wrong(item: Item, known: Misconception | None, *, answered: bool) -> str:
    question = item.question
    if not answered:
        return "There is no answer to give marks for."
    if known is not None:
        return known.feedback
    if question.question_type in ("mcq", "mcq_multiselect"):
        chosen = selected(question, item.response)
        told = [option.feedback for option in question.cfu_config.options if option.label in chosen and option.feedback]
        picked = f"You chose {', '.join(sorted(chosen))}; correct is {', '.join(sorted(question.correct_labels))}."
        return " ".join([picked, *told])
    if question.question_type == "structured_response":
        return "Some of what the marking scheme asks for was not found in your answer; see the single steps."
    return "Your answer is not the one in the key, nor one of its accepted variations."


def _approach(question: Question) -> str:
    if question.question_type in ("mcq", "mcq_multiselect"):
        correct = question.correct_labels
        told = [option for option in question.cfu_config.options if option.label in correct]
        answer = "; ".join(f"{option.label}: {option.text}" for option in told)
    else:
        answer = question.key.correct_answer
    steps = [step.step for step in question.key.marking_scheme]
    path = " Step by step: " + "; ".join(steps) + "." if steps else ""
    return f"The answer is {answer}.{path}"


def _misconception(item: Item) -> Misconception | None:
    """The known misconception whose error pattern is what the student gave."""
    given = {one_way(text) for text in _given_texts(item)}
    for known in item.question.misconceptions:
        if one_way(known.error_pattern) in given:
            return known
    return None


def _told(known: Misconception) -> MisconceptionFeedback:
    return MisconceptionFeedback(
        misconception_type="known_misconception",
        common_error=known.error_pattern,
        why_its_wrong=known.feedback,
        correct_thinking=known.feedback,
        practice_suggestion="Try two more questions of this kind and say each step aloud.",
    )


def _given_texts(item: Item) -> list[str]:
    question, response = item.question, item.response
    chosen = selected(question, response)
    texts = [
        text for option in question.cfu_config.options if option.label in chosen for text in (option.text, option.label)
    ]
    if response is not None and response.numeric_value is not None:
        texts.append(_digits(response.numeric_value))
    return [*texts, written] if (written := _written(response)) else texts


def _written(response: AnswerResponse | None) -> str:
    number = "" if response is None or response.numeric_value is None else f" {_digits(response.numeric_value)}"
    return answer_in(response).text + number


def _digits(value: float) -> str:
    """A number with all of its digits, as it would be written."""
    return repr(value).removesuffix(".0")


def _concept(question: Question) -> str:
    stem = " ".join((question.question_stem_plain or question.question_stem).split())
    return stem if len(stem) <= _CONCEPT_CHARS else stem[: _CONCEPT_CHARS - 1].rstrip() + "…"
