"""The demo's exam: five questions, one of each type, and the answers of one student."""

import json
from typing import Any, Final

from consumers.topics import EXAM_SUBMITTED
from schemas.exam import QuestionType

STUDENT: Final = "katherine"
TOPIC: Final = EXAM_SUBMITTED

_EXAM_ID: Final = "demo-exam"
_COURSE_ID: Final = "demo-course"


def submission() -> bytes:
    """The event, as the exam front end sends it (seed 003)."""
    questions = [question for question, _ in _QUESTIONS]
    answers = [
        {
            "question_id": question["question_id"],
            "question_number": question["question_number"],
            "section_id": "section_a",
            "question_type": question["question_type"],
            "response": response,
        }
        for question, response in _QUESTIONS
    ]
    total = sum(question["marks"] for question in questions)
    section = {"section_id": "section_a", "section_label": "Orbits", "section_marks": total, "questions": questions}
    metadata = {"title": "Orbits, a short exam", "subject": "Mathematics", "totalMarks": total, "timeLimit": 30}
    event = {
        "submission_id": "demo-submission",
        "exam_id": _EXAM_ID,
        "attempt_id": "demo-attempt",
        "student_id": STUDENT,
        "course_id": _COURSE_ID,
        "submission_metadata": {
            "started_at": "2025-05-06T09:00:00Z",
            "submitted_at": "2025-05-06T09:25:00Z",
            "time_limit_minutes": 30,
            "time_spent_minutes": 25,
        },
        "answers": answers,
        "mock_exam": {"examId": _EXAM_ID, "courseId": _COURSE_ID, "metadata": metadata, "sections": [section]},
    }
    return json.dumps(event).encode()


def _question(number: int, kind: QuestionType, stem: str, key: str, **more: Any) -> dict[str, Any]:
    scheme = [{"step": step, "marks": 1} for step in more.get("steps", ())]
    options = [{"label": label, "text": text} for label, text in more.get("options", {}).items()]
    return {
        "question_id": f"q{number}",
        "question_number": number,
        "marks": len(scheme) or 1,
        "difficulty": "easy",
        "question_stem": stem,
        "question_type": kind,
        "cfu_config": {
            "type": kind,
            "options": options,
            "answer_key": {
                "correct_answer": key,
                "acceptable_variations": more.get("variations", []),
                "marking_scheme": scheme,
            },
        },
        "misconceptions": [{"error_pattern": p, "feedback": f} for p, f in more.get("misconceptions", {}).items()],
    }


_QUESTIONS: Final[tuple[tuple[dict[str, Any], dict[str, Any]], ...]] = (
    (
        _question(
            1, "mcq", "What shape is an orbit of a planet?", "B", options={"A": "circle", "B": "ellipse", "C": "spiral"}
        ),
        {"selected_option": "B"},
    ),
    (
        _question(
            2,
            "mcq_multiselect",
            "Which of these are conic sections?",
            "A, C",
            options={"A": "ellipse", "B": "spiral", "C": "parabola"},
        ),
        {"selected_options": ["A", "C"]},
    ),
    (
        _question(
            3,
            "numeric",
            "A circle has radius 2. What is its circumference, to 2 decimal places?",
            "12.57",
            misconceptions={"6.28": "That is 2π, without the radius: the circumference is 2πr."},
        ),
        {"numeric_value": 6.28},
    ),
    (
        _question(4, "short_text", "Which force keeps a satellite in orbit?", "gravity", variations=["gravitation"]),
        {"response_text": "Gravity."},
    ),
    (
        _question(
            5,
            "structured_response",
            "Explain why an astronaut in orbit feels weightless.",
            "Astronaut and station fall together",
            steps=("Gravity still acts in orbit", "Astronaut and station fall together at the same rate"),
        ),
        {"response_text": "She and the station fall at the same rate, so the floor does not push her."},
    ),
)
