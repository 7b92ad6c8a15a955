"""Exams end to end: `exam_submitted` in, `evaluation` out, batch by batch; nothing graded is ever graded again."""

import json
from collections import Counter
from typing import Any

import pytest

from consumers.topics import EVALUATION
from tests.exam_grader import ExamGrader
from tests.exams import NAMES, made_exam, submission_json
from tests.gemini_server import GeminiServer
from tests.integration.exam_service import DEAD_LETTERS, grading
from tests.integration.lab import until
from tests.kafka import KafkaUnderTest


def check_sums(evaluation: dict[str, Any]) -> None:
    """Every total of the evaluation is the sum of its questions' marks, added up by hand."""
    questions, overall = evaluation["question_feedback"], evaluation["overall_result"]
    earned = possible = 0
    for question in questions:
        earned += question["marks_earned"]
        possible += question["marks_possible"]
    assert (overall["total_marks_earned"], overall["total_marks_possible"]) == (earned, possible)
    assert sum(section["marks_earned"] for section in evaluation["section_results"]) == earned
    assert sum(section["marks_possible"] for section in evaluation["section_results"]) == possible
    assert evaluation["progress"]["questions_graded"] == len(questions)


@pytest.mark.parametrize("name", NAMES)
async def test_a_submission_becomes_an_evaluation_with_everything_that_the_contract_names(
    service: KafkaUnderTest, name: str
) -> None:
    submission = submission_json(name)
    async with grading(service) as exams:
        await exams.send(submission, headers=[("traceparent", b"00-abc-def-01")])
        (record,) = await exams.read(EVALUATION)
    evaluation = json.loads(record.value)
    assert set(evaluation) == {
        "evaluation_id", "submission_id", "evaluated_at", "overall_result", "section_results", "question_feedback",
        "learning_recommendations", "encouragement_message", "exam_id", "attempt_id", "student_id", "course_id",
        "status", "revision", "progress", "batches", "warnings", "generated_by", "error",
    }  # fmt: skip
    assert record.key.decode() == submission["student_id"]
    assert (evaluation["status"], evaluation["revision"], evaluation["generated_by"]) == ("completed", 1, "offline")
    for field in ("submission_id", "exam_id", "attempt_id", "student_id", "course_id"):
        assert evaluation[field] == submission[field]
    questions = [q for section in submission["mock_exam"]["sections"] for q in section["questions"]]
    assert [q["question_id"] for q in evaluation["question_feedback"]] == [q["question_id"] for q in questions]
    assert evaluation["overall_result"]["total_marks_possible"] == submission["mock_exam"]["metadata"]["totalMarks"]
    assert evaluation["progress"]["message"] == f"{len(questions)} questions graded (0 remaining)"
    assert 2 <= len(evaluation["learning_recommendations"]) <= 4
    check_sums(evaluation)
    headers = dict(record.headers)
    assert headers["source-topic"] == b"exam_submitted"
    assert headers["traceparent"] == b"00-abc-def-01"


def two_hundred() -> dict[str, Any]:
    """Seed 002's own case: 200 questions, 10 of which are a batch that will fail."""
    return made_exam(
        [("a", "mcq", 90), ("b", "numeric", 60), ("c", "short_text", 40), ("d", "structured_response", 10)]
    )


FAILING = set(range(191, 201))


async def test_190_of_200_questions_are_published_at_once_and_never_graded_again(service: KafkaUnderTest) -> None:
    grader = ExamGrader(failing=set(FAILING))
    async with GeminiServer(text=grader.text) as gemini, grading(service, gemini=gemini, max_attempts=50) as exams:
        await exams.send(two_hundred())
        [partial, *_] = await exams.evaluations()
        await until(lambda: grader.paid[191] > 6, "the failed batch to be tried again")
        grader.failing.clear()
        evaluations = await exams.evaluations(2)
    assert partial["status"] == "partial"
    assert partial["progress"]["message"] == "190 questions graded (10 remaining)"
    assert "the result covers 380 of 400 marks: the rest is not graded yet" in partial["warnings"]
    check_sums(partial)
    assert len(evaluations) == 2, "one partial evaluation and the complete one"
    complete = evaluations[1]
    assert (complete["status"], complete["revision"]) == ("completed", 2)
    assert complete["evaluation_id"] == partial["evaluation_id"]
    assert complete["progress"]["message"] == "200 questions graded (0 remaining)"
    check_sums(complete)
    assert {number: times for number, times in grader.paid.items() if times > 1}.keys() == FAILING
    tried = {batch["batch_key"]: batch["attempts"] for batch in complete["batches"]}
    assert {key for key, attempts in tried.items() if attempts > 1} == {"d_structured_response_10"}
    first = {q["question_id"]: q for q in partial["question_feedback"]}
    assert [q for q in complete["question_feedback"] if q["question_id"] in first] == partial["question_feedback"]


async def test_when_attempts_are_exhausted_the_partial_one_stands_and_a_replay_grades_only_the_rest(
    service: KafkaUnderTest,
) -> None:
    grader = ExamGrader(failing=set(FAILING))
    async with GeminiServer(text=grader.text) as gemini, grading(service, gemini=gemini, max_attempts=2) as exams:
        await exams.send(two_hundred())
        (letter,) = await exams.read(DEAD_LETTERS)
        assert [e["status"] for e in await exams.evaluations()] == ["partial"]
        await exams.send(two_hundred())  # the front end again: nobody asked for a second grading
        before = Counter(grader.paid)
        grader.failing.clear()
        await exams.replay(letter)
        evaluations = await exams.evaluations(2)
    assert dict(letter.headers)["pathstream-error-code"] == b"LLM_INVALID_OUTPUT"
    assert dict(letter.headers)["pathstream-attempts"] == b"2"
    assert json.loads(letter.value) == two_hundred()
    assert [e["status"] for e in evaluations] == ["partial", "completed"]
    assert [e["revision"] for e in evaluations] == [1, 2]
    assert len({e["evaluation_id"] for e in evaluations}) == 1
    assert (grader.paid - before).keys() == FAILING, "the replay paid for what was graded"
    assert set((grader.paid - before).values()) == {1}
    check_sums(evaluations[1])


async def test_kept_batches_survive_a_restart_of_the_worker_before_the_replay(service: KafkaUnderTest) -> None:
    grader = ExamGrader(failing=set(FAILING))
    async with GeminiServer(text=grader.text) as gemini:
        async with grading(service, gemini=gemini, max_attempts=1) as exams:
            await exams.send(two_hundred())
            (letter,) = await exams.read(DEAD_LETTERS)
        before = Counter(grader.paid)
        grader.failing.clear()
        async with grading(service, gemini=gemini, max_attempts=1) as exams:
            await exams.replay(letter)
            evaluations = await exams.evaluations(2)
    assert [e["status"] for e in evaluations] == ["partial", "completed"]
    assert (grader.paid - before).keys() == FAILING


async def test_when_all_batches_fail_the_evaluation_fails_and_a_replay_can_still_grade_it(
    embedded_service: KafkaUnderTest,
) -> None:
    grader = ExamGrader(failing=set(range(1, 5)))
    async with (
        GeminiServer(text=grader.text) as gemini,
        grading(embedded_service, gemini=gemini, max_attempts=2) as exams,
    ):
        await exams.send(made_exam([("a", "mcq", 2), ("b", "numeric", 2)]))
        (letter,) = await exams.read(DEAD_LETTERS)
        (failed,) = await exams.evaluations()
        grader.failing.clear()
        await exams.replay(letter)
        _, complete = await exams.evaluations(2)
    assert (failed["status"], failed["overall_result"], failed["question_feedback"]) == ("failed", None, [])
    assert {batch["status"] for batch in failed["batches"]} == {"failed"}
    assert all(batch["error"].startswith("LLM_INVALID_OUTPUT") for batch in failed["batches"])
    assert [batch["attempts"] for batch in failed["batches"]] == [2, 2]
    assert (complete["status"], complete["revision"]) == ("completed", 2)
    assert complete["evaluation_id"] == failed["evaluation_id"]
    check_sums(complete)


async def test_a_dead_letter_with_an_event_id_can_be_replayed_though_the_event_was_sent_again(
    embedded_service: KafkaUnderTest,
) -> None:
    grader = ExamGrader(failing={3, 4})
    content = made_exam([("a", "mcq", 2), ("b", "numeric", 2)])
    envelope = {"eventId": "e-1", "eventType": "EXAM_SUBMITTED", "userId": "s1", "eventData": content}
    other = content | {"submission_id": "sub-2", "attempt_id": "att-2"}
    async with (
        GeminiServer(text=grader.text) as gemini,
        grading(embedded_service, gemini=gemini, max_attempts=1) as exams,
    ):
        await exams.send(envelope, key=b"s1")
        (letter,) = await exams.read(DEAD_LETTERS)
        await exams.send(envelope, key=b"s1")
        grader.failing.clear()
        await exams.send(other)
        await exams.evaluations(2)
        await exams.replay(letter)
        evaluations = [e for e in await exams.evaluations(3) if e["submission_id"] == "sub-1"]
        await exams.replay(letter)
        await exams.send(other | {"submission_id": "sub-3", "attempt_id": "att-3"})
        assert len(await exams.evaluations(4)) == 4, "the finished one is a duplicate from now on"
    assert [(e["status"], e["revision"]) for e in evaluations] == [("partial", 1), ("completed", 2)]


async def test_a_blocked_batch_is_asked_again_in_halves(embedded_service: KafkaUnderTest) -> None:
    grader = ExamGrader()
    async with (
        GeminiServer(text=grader.text, modes=["blocked_prompt", "ok"]) as gemini,
        grading(embedded_service, gemini=gemini) as exams,
    ):
        await exams.send(made_exam([("a", "mcq", 2)]))
        (evaluation,) = await exams.evaluations()
    assert (evaluation["status"], evaluation["revision"]) == ("completed", 1)
    assert evaluation["generated_by"] == "gemini/gemini-flash-latest"
    assert {(1,), (2,)} <= set(grader.calls)


async def test_what_is_always_blocked_is_graded_offline_and_says_so(embedded_service: KafkaUnderTest) -> None:
    async with GeminiServer(modes=["blocked_prompt"]) as gemini, grading(embedded_service, gemini=gemini) as exams:
        await exams.send(made_exam([("a", "mcq", 2)]))
        (evaluation,) = await exams.evaluations()
    assert (evaluation["status"], evaluation["generated_by"]) == ("completed", "offline")
    assert "question 2: the model refused it, it was graded without a model" in evaluation["warnings"]


async def test_an_outage_ends_in_an_honest_degraded_evaluation(embedded_service: KafkaUnderTest) -> None:
    async with (
        GeminiServer(modes=["unauthorized"]) as gemini,
        grading(embedded_service, gemini=gemini, on_llm_failure="degrade") as exams,
    ):
        await exams.send(submission_json("national_5_mathematics"))
        (evaluation,) = await exams.evaluations()
    assert (evaluation["status"], evaluation["generated_by"]) == ("completed", "offline")
    assert {batch["status"] for batch in evaluation["batches"]} == {"graded_offline"}
    assert any("words of the marking scheme" in warning for warning in evaluation["warnings"])
    check_sums(evaluation)


async def test_the_model_grades_and_words_and_the_key_wins(embedded_service: KafkaUnderTest) -> None:
    grader = ExamGrader()
    async with GeminiServer(text=grader.text) as gemini, grading(embedded_service, gemini=gemini) as exams:
        await exams.send(submission_json("national_5_biology_60"))
        (evaluation,) = await exams.evaluations()
    assert evaluation["generated_by"] == "gemini/gemini-flash-latest"
    assert evaluation["encouragement_message"] == "You are getting there."
    assert {request["generationConfig"]["temperature"] for request in gemini.requests} == {0.3}
    lost = {q["question_number"] for q in evaluation["question_feedback"] if q["marks_earned"] < q["marks_possible"]}
    for recommendation in evaluation["learning_recommendations"]:
        assert set(recommendation["related_questions"]) <= lost
    assert any("the key was followed" in warning for warning in evaluation["warnings"])
    check_sums(evaluation)


async def test_what_an_outage_leaves_over_is_graded_offline_and_what_the_model_graded_stays(
    embedded_service: KafkaUnderTest,
) -> None:
    grader = ExamGrader()
    async with (
        GeminiServer(text=grader.text, modes=["ok", "unauthorized"]) as gemini,
        grading(embedded_service, gemini=gemini, on_llm_failure="degrade") as exams,
    ):
        await exams.send(made_exam([("a", "mcq", 2), ("b", "numeric", 2)]))
        partial, complete = await exams.evaluations(2)
    assert [(e["status"], e["revision"]) for e in (partial, complete)] == [("partial", 1), ("completed", 2)]
    assert sorted(batch["status"] for batch in complete["batches"]) == ["graded", "graded_offline"]
    assert set(complete["generated_by"].split(", ")) == {"gemini/gemini-flash-latest", "offline"}
    assert len(gemini.requests) == 2, "no call for the summary: the model is out"
    check_sums(complete)
