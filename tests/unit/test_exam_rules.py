"""Seed 003's error table: what is answered with a rejection, with its code and what is wrong where."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.grading.rules import answers_do_not_match, exam_missing, too_late
from schemas.evaluation import RejectionDetails
from schemas.submission import ExamSubmission
from tests.exams import NAMES, made_exam, submission_json


def read(content: dict[str, Any]) -> ExamSubmission:
    return ExamSubmission.model_validate(content)


def mismatch(content: dict[str, Any]) -> RejectionDetails | None:
    submission = read(content)
    assert submission.mock_exam is not None
    return answers_do_not_match(submission, submission.mock_exam)


def late(content: dict[str, Any], grace: float = 2) -> RejectionDetails | None:
    submission = read(content)
    assert submission.mock_exam is not None
    return too_late(submission, submission.mock_exam, grace_minutes=grace)


@pytest.mark.parametrize("name", NAMES)
def test_the_fixtures_break_no_rule(name: str) -> None:
    assert mismatch(submission_json(name)) is None
    assert late(submission_json(name)) is None


def test_a_submission_without_its_exam_names_the_exam() -> None:
    found = exam_missing(read(made_exam([("a", "mcq", 1)]) | {"mock_exam": None}))

    assert (found.code, found.message, found.details) == ("EXAM_NOT_FOUND", "Exam not found", {"exam_id": "exam-1"})


def tampered(place: int, **changes: Any) -> dict[str, Any]:
    content = made_exam([("a", "mcq", 2), ("b", "mcq_multiselect", 1), ("b", "numeric", 1)])
    content["answers"][place] |= changes
    return content


MISMATCHES = {
    "a question of another exam": (tampered(0, question_id="q99"), "answers.0.question_id: q99 is not a question"),
    "the same question twice": (
        tampered(1, question_id="q1", question_number=1),
        "answers.1.question_id: q1 is answered at answers.0 already",
    ),
    "another section": (tampered(0, section_id="b"), "answers.0.section_id: question q1 is in section a"),
    "another number": (tampered(0, question_number=7), "answers.0.question_number: question q1 is number 1"),
    "another type": (tampered(0, question_type="numeric"), "answers.0.question_type: question q1 is mcq"),
    "an option that does not exist": (
        tampered(0, response={"selected_option": "Z"}),
        "answers.0.response: question q1 has no such option",
    ),
    "an option of several that does not exist": (
        tampered(2, response={"selected_options": ["A", "Z"]}),
        "answers.2.response: question q3 has no such option",
    ),
    "two options for one": (
        tampered(0, response={"selected_options": ["A", "B"]}),
        "answers.0.response: 2 options for question q1, which takes one",
    ),
    "another exam": (tampered(0) | {"exam_id": "exam-2"}, "exam_id: the submission is for exam-2"),
    "another course": (tampered(0) | {"course_id": "c2"}, "course_id: the submission is for c2"),
}


@pytest.mark.parametrize(("content", "problem"), MISMATCHES.values(), ids=MISMATCHES.keys())
def test_answers_that_are_not_to_this_exam_are_refused_and_named(content: dict[str, Any], problem: str) -> None:
    found = mismatch(content)

    assert found is not None
    assert found.code == "ANSWERS_DO_NOT_MATCH_EXAM"
    assert found.details["problems"][0].startswith(problem)


def test_a_hundred_wrong_answers_are_not_all_told() -> None:
    content = made_exam([("a", "mcq", 100)])
    for answer in content["answers"]:
        answer["section_id"] = "other"

    found = mismatch(content)

    assert found is not None
    assert len(found.details["problems"]) == 20
    assert found.details["more_problems"] == 80


@pytest.mark.parametrize("answers", [[], None])
def test_nothing_answered_is_no_mismatch(answers: list[Any] | None) -> None:
    assert mismatch(made_exam([("a", "mcq", 3)]) | {"answers": answers}) is None


def timed(minutes: float, **changes: Any) -> dict[str, Any]:
    content = made_exam([("a", "mcq", 1)])
    content["submission_metadata"] |= {
        "submitted_at": (datetime(2025, 5, 6, 9, tzinfo=UTC) + timedelta(minutes=minutes)).isoformat(),
        "time_spent_minutes": 0,
    } | changes
    return content


@given(st.integers(0, 400), st.integers(0, 30))
def test_late_is_what_is_beyond_limit_and_grace(minutes: int, grace: int) -> None:
    found = late(timed(minutes), grace)

    assert (found is not None) == (minutes > 60 + grace)
    if found is not None:
        assert found.code == "TIME_LIMIT_EXCEEDED"
        assert found.details["overage_minutes"] == minutes - 60


def test_an_attempt_that_the_timer_handed_in_is_not_late() -> None:
    assert late(timed(200, was_auto_submitted=True)) is None


def test_the_limit_and_the_times_that_a_submission_claims_do_not_help_it() -> None:
    assert late(timed(200, time_limit_minutes=999)) is not None
    assert late(timed(10, time_spent_minutes=200)) is not None
    assert late(timed(62.5)) is not None
    assert late(timed(62)) is None


def test_an_exam_without_a_limit_is_never_late() -> None:
    content = timed(300)
    content["mock_exam"]["metadata"]["timeLimit"] = 0

    assert late(content) is None


def test_times_without_a_zone_are_utc() -> None:
    assert late(timed(61, started_at="2025-05-06T09:00:00")) is None
    assert late(timed(63, started_at="2025-05-06T09:00:00")) is not None


@pytest.mark.parametrize("auto", [True, False])
def test_an_attempt_that_ends_before_it_begins_is_no_valid_submission(*, auto: bool) -> None:
    content = made_exam([("a", "mcq", 1)])
    content["submission_metadata"] |= {"submitted_at": "2025-05-06T08:59:59Z", "was_auto_submitted": auto}

    found = mismatch(content)

    assert found is not None
    assert found.message == "Validation failed"
    assert found.details == {"problems": ["submission_metadata.submitted_at: is before started_at"]}
