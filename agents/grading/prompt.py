"""What a model is shown to grade: questions with their keys, answers as data, no id and no name of the student."""

from collections.abc import Sequence

from agents.grading.batches import LONGEST_LIST, LONGEST_TEXT, Batch, Item
from agents.grading.key import is_answered, selected
from agents.grading.orders import LONGEST_ANSWER, answer_in
from agents.grading.summary import lost_questions
from agents.grading.totals import overall_result
from agents.path_prompt import without_mail
from schemas.evaluation import QuestionFeedback
from schemas.exam import MockExam, Question
from schemas.outputs import JsonObject

_LOST_SHOWN = 40
_LONGEST_REASON = 400


def batch_data(exam: MockExam, batch: Batch) -> JsonObject:
    """Build the prompt's data for one batch."""
    return {"exam": _exam(exam), "questions": [_question(item) for item in batch.items]}


def batch_warnings(batch: Batch) -> list[str]:
    """Say what of the answers is not graded: orders to the grader, drawings, the end of a very long text."""
    warnings = []
    for item in batch.items:
        number, response = item.question.question_number, item.response
        if response is None or item.question.question_type in ("mcq", "mcq_multiselect"):
            continue
        if (orders := answer_in(response).orders) > 0:
            warnings.append(f"question {number}: {orders} passages addressed to the grader were not graded")
        if len(response.text) > LONGEST_ANSWER:
            warnings.append(f"question {number}: only the first {LONGEST_ANSWER} characters were graded")
        if response.drawing_data:
            warnings.append(f"question {number}: the drawing was not graded")
    return warnings


def summary_data(exam: MockExam, feedback: Sequence[QuestionFeedback]) -> JsonObject:
    """Build the prompt's data for the summary: the result, and what was lost."""
    lost, result = lost_questions(feedback), overall_result(feedback)
    return {
        "exam": _exam(exam),
        "result": {
            "marks_earned": result.total_marks_earned,
            "marks_possible": result.total_marks_possible,
            "percentage": result.percentage,
            "grade": result.grade,
        },
        "lost": [_lost(entry) for entry in lost[:_LOST_SHOWN]],
        "more_lost": len(lost) > _LOST_SHOWN,
    }


def _exam(exam: MockExam) -> JsonObject:
    told = exam.metadata
    return {"title": _cut(told.title), "subject": _cut(told.subject), "level": _cut(told.level)}


def _question(item: Item) -> JsonObject:
    question, key = item.question, item.question.key
    shown: JsonObject = {
        "number": question.question_number,
        "type": question.question_type,
        "marks": question.marks,
        "stem": _cut(question.question_stem),
        "options": _options(question),
        "correct_answer": _cut(key.correct_answer),
        "acceptable_variations": [_cut(text) for text in key.acceptable_variations[:LONGEST_LIST]],
        "marking_scheme": [{"step": _cut(step.step), "marks": step.marks} for step in key.marking_scheme],
        "known_misconceptions": [
            {"error_pattern": _cut(known.error_pattern), "feedback": _cut(known.feedback)}
            for known in question.misconceptions[:LONGEST_LIST]
        ],
    }
    return {name: value for name, value in shown.items() if value not in ("", [])} | {"student_answer": _answer(item)}


def _options(question: Question) -> list[JsonObject]:
    correct = question.correct_labels
    return [
        {"label": option.label, "text": _cut(option.text), "correct": option.label in correct}
        for option in question.cfu_config.options
    ]


def _answer(item: Item) -> JsonObject | None:
    """Return the fields that this type of question reads; null where nothing is left to grade."""
    question, response = item.question, item.response
    if response is None or not is_answered(question, response):
        return None
    if question.question_type in ("mcq", "mcq_multiselect"):
        return {"selected": sorted(selected(question, response))}
    answer: JsonObject = {}
    if response.numeric_value is not None:
        answer["number"] = response.numeric_value
    if text := without_mail(answer_in(response).text):
        answer["text"] = text
    return answer or None


def _lost(entry: QuestionFeedback) -> JsonObject:
    found = entry.misconception_detected
    shown = {
        "number": entry.question_number,
        "marks_earned": entry.marks_earned,
        "marks_possible": entry.marks_possible,
        "concept": _cut(entry.related_concept, _LONGEST_REASON),
        "what_went_wrong": _cut(entry.where_you_went_wrong or "", _LONGEST_REASON),
        "misconception": _cut(found.common_error, _LONGEST_REASON) if found else "",
    }
    return {name: value for name, value in shown.items() if value != ""}


def _cut(text: str, longest: int = LONGEST_TEXT) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"
