"""The exam fixtures, exams that a test makes up, and answers that a model might give to a batch."""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from schemas.exam import MockExam
from schemas.submission import ExamSubmission

FOLDER = Path(__file__).parent / "fixtures" / "exams"
NAMES = ("national_5_mathematics", "national_5_biology_60", "unusual_content")
WORD_FIELDS = ("feedback_summary", "correct_approach", "related_concept")


class Mark(NamedTuple):
    """What a teacher gave a question of a fixture, and the misconception they saw, in their own words.

    `known` is the error pattern of the question's known misconception that they mean, where it has that one.
    """

    marks: int
    misconception: str | None = None
    known: str | None = None


@cache
def _fixture(name: str) -> str:
    return (FOLDER / f"{name}.json").read_text(encoding="utf-8")


def submission_json(name: str) -> dict[str, Any]:
    """A fixture's event, as the front end sends it; the caller may change it."""
    content: dict[str, Any] = json.loads(_fixture(name))["submission"]
    return content


def submission_of(name: str) -> tuple[ExamSubmission, MockExam]:
    """A fixture's submission and its exam."""
    submission = ExamSubmission.model_validate(submission_json(name))
    assert submission.mock_exam is not None
    return submission, submission.mock_exam


def teacher_marks(name: str) -> dict[int, Mark]:
    """A fixture's marks by question number, as a teacher gave them."""
    marked = json.loads(_fixture(name))["marked"]
    return {entry.pop("question_number"): Mark(**entry) for entry in marked}


def made_exam(groups: Sequence[tuple[str, str, int]], *, marks: int = 2, words: int = 0) -> dict[str, Any]:
    """A submission to an exam of (section, question type, count) groups; every second question is answered rightly.

    `words` lengthens every structured answer.
    """
    sections: dict[str, dict[str, Any]] = {}
    answers = []
    number = 0
    for section_id, question_type, count in groups:
        section = sections.setdefault(section_id, {"section_id": section_id, "section_label": section_id.title()})
        for _ in range(count):
            number += 1
            section.setdefault("questions", []).append(_question(number, question_type, marks))
            answers.append(_answer(number, section_id, question_type, right=number % 2 == 0, words=words))
    for order, section in enumerate(sections.values(), start=1):
        section |= {"section_order": order, "section_marks": marks * len(section["questions"])}
    metadata: dict[str, Any] = {
        "title": "Made up",
        "subject": "Any",
        "level": "National 5",
        "timeLimit": 60,
        "totalMarks": marks * number,
    }
    return {
        "submission_id": "sub-1", "exam_id": "exam-1", "attempt_id": "att-1", "student_id": "s1", "course_id": "c1",
        "submission_metadata": {
            "started_at": "2025-05-06T09:00:00Z", "submitted_at": "2025-05-06T09:50:00Z",
            "time_limit_minutes": 60, "time_spent_minutes": 50, "was_auto_submitted": False,
        },
        "answers": answers,
        "exam_context": {},
        "mock_exam": {"examId": "exam-1", "courseId": "c1", "metadata": metadata, "sections": list(sections.values())},
    }  # fmt: skip


def _question(number: int, question_type: str, marks: int) -> dict[str, Any]:
    config: dict[str, Any] = {"type": question_type, "answer_key": {"correct_answer": f"{number}"}}
    if question_type.startswith("mcq"):
        config["options"] = [{"label": "A", "text": "right", "is_correct": True}, {"label": "B", "text": "wrong"}]
        config["answer_key"] = {"correct_answer": "A"}
    if question_type == "structured_response":
        steps = [{"step": f"Name the term word{number}", "marks": 1}] * marks
        config["answer_key"] = {"correct_answer": f"word{number}", "marking_scheme": steps}
    return {
        "question_id": f"q{number}", "question_number": number, "marks": marks, "difficulty": "easy",
        "question_stem": f"Question {number}?", "question_stem_plain": "", "question_type": question_type,
        "cfu_config": config,
    }  # fmt: skip


def _answer(number: int, section_id: str, question_type: str, *, right: bool, words: int) -> dict[str, Any]:
    text = f"word{number}" if right else "nothing of it"
    responses: dict[str, dict[str, Any]] = {
        "mcq": {"selected_option": "A" if right else "B"},
        "mcq_multiselect": {"selected_options": ["A"] if right else ["B"]},
        "numeric": {"numeric_value": number if right else number + 1},
        "short_text": {"response_text": f"{number}" if right else "no idea"},
        "structured_response": {"response_text": " ".join([text, *["and so on"] * (words // 3)])},
    }
    return {
        "question_id": f"q{number}", "question_number": number, "section_id": section_id,
        "question_type": question_type, "response": responses[question_type],
    }  # fmt: skip


def _front_end_question(number: int, **changes: Any) -> dict[str, Any]:
    """A multiple-choice question as the front end writes it."""
    return {
        "question_id": f"q{number}",
        "question_number": number,
        "marks": 2,
        "difficulty": "easy",
        "question_stem": "What is the probability of a red ball?",
        "question_stem_plain": "What is the probability of a red ball?",
        "question_type": "mcq",
        "cfu_config": {
            "type": "mcq",
            "options": [
                {"label": "A", "text": "3/8", "is_correct": True},
                {"label": "B", "text": "5/8", "is_correct": False, "feedback": "That is the blue ones."},
            ],
            "answer_key": {"correct_answer": "A", "acceptable_variations": [], "marking_scheme": []},
        },
        "hints": [],
        "misconceptions": [{"error_pattern": "5/8", "feedback": "Count the reds."}],
    } | changes


def front_end_submission(**changes: Any) -> dict[str, Any]:
    """What seed 003's `buildExamSubmissionWithExam` sends, `is_flagged`, `sections_completed` as a number and all."""
    return {
        "submission_id": "sub_1705312200000",
        "exam_id": "exam-1",
        "attempt_id": "attempt-1",
        "student_id": "student-1",
        "course_id": "course-1",
        "submission_metadata": {
            "started_at": "2024-01-15T09:00:00.000Z",
            "submitted_at": "2024-01-15T09:40:00.000Z",
            "time_limit_minutes": 60,
            "time_spent_minutes": 40,
            "time_overage_minutes": 0,
            "was_auto_submitted": False,
        },
        "answers": [
            {
                "question_id": "q1",
                "question_number": 1,
                "section_id": "a",
                "question_type": "mcq",
                "response": {"selected_option": "A"},
                "time_spent_seconds": 41.5,
                "is_flagged": True,
                "was_changed": True,
                "change_count": 2,
            }
        ],
        "exam_context": {
            "total_questions": 2,
            "questions_answered": 1,
            "questions_skipped": 1,
            "questions_flagged": 1,
            "sections_completed": 0,
        },
        "mock_exam": {
            "examId": "exam-1",
            "courseId": "course-1",
            "sowId": "sow-1",
            "sowEntryOrder": 3,
            "metadata": {
                "title": "Probability",
                "subject": "Mathematics",
                "level": "National 5",
                "totalMarks": 4,
                "timeLimit": 60,
                "instructions": "Answer all.",
                "calculator_policy": "non_calc",
            },
            "sections": [
                {
                    "section_id": "a",
                    "section_label": "Section A",
                    "section_order": 1,
                    "section_marks": 4,
                    "section_instructions": "",
                    "questions": [_front_end_question(1), _front_end_question(2)],
                }
            ],
            "summary": {"total_questions": 2},
            "version": "1",
            "status": "published",
        },
    } | changes


def graded_question(question: Mapping[str, Any], earned: int) -> dict[str, Any]:
    """A model's answer to one question of a prompt's data that gives it `earned` marks."""
    entry: dict[str, Any] = {
        "question_number": question["number"],
        "marks_earned": earned,
        "feedback_summary": f"You did question {question['number']}.",
        "what_you_did_well": "You wrote clearly.",
        "where_you_went_wrong": "One step is missing." if earned < question["marks"] else None,
        "correct_approach": "Do it step by step.",
        "related_concept": "The topic",
    }
    if question["type"] == "structured_response":
        left, breakdown = earned, []
        for step in question.get("marking_scheme", []):
            given = min(left, step["marks"])
            left -= given
            breakdown.append(
                {
                    "criterion_name": step["step"],
                    "criterion_description": step["step"],
                    "marks_earned": given,
                    "marks_possible": step["marks"],
                    "feedback": "Seen." if given else "Not seen.",
                }
            )
        entry["marking_breakdown"] = breakdown or None
    return entry
