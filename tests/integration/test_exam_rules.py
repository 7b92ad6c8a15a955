"""Submissions that are not graded: rejected by a rule, ignored as known, or no valid event at all."""

import json
from typing import Any

import pytest

from clients.content_service_stub import ContentServiceStub
from consumers.topics import EVALUATION
from tests.exam_grader import ExamGrader
from tests.exams import made_exam
from tests.gemini_server import GeminiServer
from tests.integration.exam_service import DEAD_LETTERS, grading
from tests.kafka import KafkaUnderTest


def small(submission_id: str = "sub-1", **changes: Any) -> dict[str, Any]:
    return made_exam([("a", "mcq", 2), ("b", "numeric", 2)]) | {"submission_id": submission_id} | changes


def with_metadata(submission_id: str, **changes: Any) -> dict[str, Any]:
    content = small(submission_id, attempt_id=f"att-{submission_id}")
    content["submission_metadata"] |= changes
    return content


def with_answer(submission_id: str, **changes: Any) -> dict[str, Any]:
    content = small(submission_id, attempt_id=f"att-{submission_id}")
    content["answers"][0] |= changes
    return content


LATE = {"submitted_at": "2025-05-06T11:00:00Z", "time_spent_minutes": 120}
REJECTED = {
    "no exam": (small("no exam", mock_exam=None), "EXAM_NOT_FOUND"),
    "too late": (with_metadata("too late", **LATE), "TIME_LIMIT_EXCEEDED"),
    "another question": (with_answer("another question", question_id="q9"), "ANSWERS_DO_NOT_MATCH_EXAM"),
    "another option": (with_answer("another option", response={"selected_option": "Z"}), "ANSWERS_DO_NOT_MATCH_EXAM"),
}


async def test_a_submission_that_breaks_a_rule_is_answered_with_a_rejection_and_no_model_call(
    service: KafkaUnderTest,
) -> None:
    async with GeminiServer() as gemini, grading(service, gemini=gemini) as exams:
        for content, _ in REJECTED.values():
            await exams.send(content)
        evaluations = {entry["submission_id"]: entry for entry in await exams.evaluations(len(REJECTED))}
    assert gemini.requests == []
    for name, (content, code) in REJECTED.items():
        evaluation = evaluations[name]
        assert (evaluation["status"], evaluation["error"]["code"]) == ("rejected", code), name
        assert evaluation["error"]["message"], name
        assert evaluation["overall_result"] is None, name
        assert evaluation["question_feedback"] == evaluation["batches"] == [], name
        assert evaluation["attempt_id"] == content["attempt_id"], name


async def test_an_attempt_that_the_timer_handed_in_is_graded_however_late(embedded_service: KafkaUnderTest) -> None:
    async with grading(embedded_service) as exams:
        await exams.send(with_metadata("auto", was_auto_submitted=True, **LATE))
        (evaluation,) = await exams.evaluations()
    assert evaluation["status"] == "completed"


async def test_grace_is_a_setting(embedded_service: KafkaUnderTest) -> None:
    async with grading(embedded_service, time_limit_grace_minutes=60) as exams:
        await exams.send(with_metadata("late", **LATE))
        (evaluation,) = await exams.evaluations()
    assert evaluation["status"] == "completed"


async def test_the_same_submission_is_ignored_and_another_one_for_its_attempt_is_rejected(
    service: KafkaUnderTest,
) -> None:
    grader = ExamGrader()
    async with GeminiServer(text=grader.text) as gemini, grading(service, gemini=gemini) as exams:
        await exams.send(small("first"))
        await exams.send(small("first"))
        await exams.send(small("first") | {"answers": []})
        await exams.send(small("second"))
        await exams.send(small("third", attempt_id="att-2"))
        evaluations = await exams.evaluations(3)
    assert [(e["submission_id"], e["status"]) for e in evaluations] == [
        ("first", "completed"),
        ("second", "rejected"),
        ("third", "completed"),
    ]
    assert evaluations[1]["error"] == {
        "code": "ATTEMPT_ALREADY_SUBMITTED",
        "message": "Attempt already submitted",
        "details": {"attempt_id": "att-1", "graded_submission_id": "first"},
    }
    assert set(grader.paid.values()) == {2}, "only the first and the third were graded"


async def test_a_rejected_submission_leaves_its_attempt_free(embedded_service: KafkaUnderTest) -> None:
    async with grading(embedded_service) as exams:
        await exams.send(small("wrong", exam_id="another"))
        await exams.send(small("right"))
        evaluations = await exams.evaluations(2)
    assert [e["status"] for e in evaluations] == ["rejected", "completed"]


async def test_who_is_not_enrolled_is_rejected_only_where_it_is_asked_for(
    embedded_service: KafkaUnderTest, content: ContentServiceStub
) -> None:
    content.not_enrolled = frozenset({"s1"})
    async with grading(embedded_service, content.base_url, require_enrollment=True) as exams:
        await exams.send(small("not asked", attempt_id="x"))
        await exams.send(small("other", student_id="s2"))
        evaluations = {e["submission_id"]: e for e in await exams.evaluations(2)}
    assert evaluations["not asked"]["error"]["code"] == "NOT_ENROLLED"
    assert evaluations["not asked"]["error"]["details"] == {"course_id": "c1"}
    assert evaluations["other"]["status"] == "completed"
    assert content.calls == {f"/users/{who}/courses/c1/enrollment": 1 for who in ("s1", "s2")}


async def test_without_the_setting_nobody_asks_for_the_enrolment(
    embedded_service: KafkaUnderTest, content: ContentServiceStub
) -> None:
    content.not_enrolled = frozenset({"s1"})
    async with grading(embedded_service, content.base_url) as exams:
        await exams.send(small())
        (evaluation,) = await exams.evaluations()
    assert evaluation["status"] == "completed"
    assert content.calls == {}


async def test_an_enrolment_that_nobody_answers_for_is_a_dead_letter_and_no_rejection(
    embedded_service: KafkaUnderTest, content: ContentServiceStub
) -> None:
    content.fault = "denied"
    async with grading(embedded_service, content.base_url, require_enrollment=True) as exams:
        await exams.send(small())
        (letter,) = await exams.read(DEAD_LETTERS)
        (failed,) = await exams.evaluations()
        content.fault = None
        await exams.replay(letter)
        _, complete = await exams.evaluations(2)
    assert dict(letter.headers)["pathstream-error-code"] == b"CONTENT_SERVICE_UNAVAILABLE"
    assert (failed["status"], failed["error"]) == ("failed", None)
    assert (complete["status"], complete["revision"]) == ("completed", 2)


async def test_a_rejection_after_a_failed_evaluation_is_its_next_revision(
    embedded_service: KafkaUnderTest, content: ContentServiceStub
) -> None:
    content.fault = "denied"
    async with grading(embedded_service, content.base_url, require_enrollment=True) as exams:
        await exams.send(small())
        (letter,) = await exams.read(DEAD_LETTERS)
        content.fault = None
        await exams.send(small("second"))
        await exams.evaluations(2)
        await exams.replay(letter)
        failed, _, rejected = await exams.evaluations(3)
    assert (failed["status"], failed["revision"]) == ("failed", 1)
    assert (rejected["status"], rejected["revision"]) == ("rejected", 2)
    assert rejected["error"]["code"] == "ATTEMPT_ALREADY_SUBMITTED"
    assert rejected["evaluation_id"] == failed["evaluation_id"]


async def test_an_evaluation_that_is_gone_on_with_is_not_judged_again(
    embedded_service: KafkaUnderTest, content: ContentServiceStub
) -> None:
    grader = ExamGrader(failing={3, 4})
    async with (
        GeminiServer(text=grader.text) as gemini,
        grading(embedded_service, content.base_url, gemini=gemini, require_enrollment=True, max_attempts=1) as exams,
    ):
        await exams.send(small())
        (letter,) = await exams.read(DEAD_LETTERS)
        grader.failing.clear()
        content.not_enrolled = frozenset({"s1"})
        await exams.replay(letter)
        evaluations = await exams.evaluations(2)
    assert [(e["status"], e["revision"]) for e in evaluations] == [("partial", 1), ("completed", 2)]


def _broken() -> dict[str, tuple[dict[str, Any], str]]:
    totals, marks, twice = small(), small(), small()
    totals["mock_exam"]["metadata"]["totalMarks"] = 7
    marks["mock_exam"]["sections"][1]["section_marks"] = 7
    twice["mock_exam"]["sections"][1]["questions"][0]["question_number"] = 1
    return {
        "total marks": (totals, "mock_exam: metadata.totalMarks is 7, the sections have 8"),
        "section marks": (marks, "mock_exam.sections.1: section_marks is 7, its questions have 4"),
        "a number twice": (twice, "mock_exam: sections.1.questions.0.question_number stands at"),
        "no attempt": ({k: v for k, v in small().items() if k != "attempt_id"}, "ttempt"),
    }


@pytest.mark.parametrize(("content", "message"), _broken().values(), ids=_broken().keys())
async def test_an_exam_that_does_not_fit_together_is_a_dead_letter_that_names_the_place(
    embedded_service: KafkaUnderTest, content: dict[str, Any], message: str
) -> None:
    async with grading(embedded_service) as exams:
        await exams.send(content)
        await exams.send(small("after"))
        (letter,) = await exams.read(DEAD_LETTERS)
        (evaluation,) = await exams.evaluations()
    headers = dict(letter.headers)
    assert headers["pathstream-error-code"] == b"INVALID_EVENT"
    assert message in headers["kafka_dlt-exception-message"].decode()
    assert json.loads(letter.value) == content
    assert evaluation["submission_id"] == "after"


async def test_an_envelope_and_a_record_without_a_key_are_taken(service: KafkaUnderTest) -> None:
    envelope = {"eventId": "e-1", "eventType": "EXAM_SUBMITTED", "userId": "s1", "eventData": small()}
    async with grading(service) as exams:
        await exams.send(json.dumps(envelope).encode(), key=None)
        (record,) = await exams.read(EVALUATION)
    assert record.key == b"s1"
    assert dict(record.headers)["source-event-id"] == b"e-1"
    assert dict(record.headers)["source-topic"] == b"exam_submitted"


NOTHING = "nothing answered"


@pytest.mark.parametrize("case", [NOTHING, "everything flagged", "no marks possible"])
async def test_odd_but_valid_submissions_are_evaluated(embedded_service: KafkaUnderTest, case: str) -> None:
    marks = 0 if case == "no marks possible" else 2
    groups = [(s, k, 2) for s, k in (("a", "mcq"), ("a", "mcq_multiselect"), ("b", "numeric"), ("b", "short_text"))]
    content = made_exam([*groups, ("c", "structured_response", 2)], marks=marks)
    if case == NOTHING:
        content["answers"] = []
    for answer in content["answers"]:
        answer["is_flagged"] = case == "everything flagged"
    async with grading(embedded_service) as exams:
        await exams.send(content)
        (evaluation,) = await exams.evaluations()
    overall = evaluation["overall_result"]
    assert evaluation["status"] == "completed"
    assert len(evaluation["question_feedback"]) == 10
    if case == NOTHING:
        assert (overall["total_marks_earned"], overall["grade"], overall["pass_status"]) == (0, "No Award", False)
        assert overall["total_marks_possible"] == 20
    elif case == "everything flagged":
        assert overall["total_marks_earned"] == 10
        assert overall["percentage"] == 50.0
        assert overall["grade"] == "C"
    else:
        assert (overall["total_marks_possible"], overall["percentage"], overall["grade"]) == (0, 0.0, "No Award")
        assert evaluation["learning_recommendations"] == []
        assert "no marks are possible in this exam" in evaluation["warnings"]
