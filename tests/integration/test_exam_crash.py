"""Exams and what dies in the middle of them, and exams that are as large as they may be."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clients.kafka import Connection
from consumers.topics import EVALUATION, EXAM_GROUP
from tests.exam_grader import ExamGrader, data_of
from tests.exams import made_exam
from tests.gemini_server import GeminiServer
from tests.integration.exam_service import Exams, grading
from tests.integration.lab import until
from tests.integration.test_exam import check_sums
from tests.integration.workers import WorkerProcess
from tests.kafka import KafkaUnderTest, free_port

TWELVE = [(f"section-{n}", kind, 3) for n in range(4) for kind in ("mcq", "numeric", "structured_response")]


def settings_for(gemini: GeminiServer, folder: Path) -> dict[str, str]:
    return {
        "LLM_PROVIDER": "gemini",
        "GOOGLE_API_KEY": "test-key",
        "LLM_BASE_URL": gemini.base_url,
        "STATE_DIR": str(folder / "state"),
        "COMMIT_INTERVAL_MS": "20",
        "LLM_TIMEOUT_SECONDS": "30",
    }


@pytest.fixture
def worker_of(tmp_path: Path, service: KafkaUnderTest) -> Iterator[Any]:
    """Starts workers as processes of their own, and ends them."""
    started: list[WorkerProcess] = []

    def start(gemini: GeminiServer) -> WorkerProcess:
        log = tmp_path / f"worker-{len(started)}.log"
        worker = WorkerProcess(service.bootstrap_servers, log, free_port(), settings_for(gemini, tmp_path))
        started.append(worker)
        worker.start()
        return worker

    yield start
    for worker in started:
        worker.close()


class HeldGrader(ExamGrader):
    """Answers the first `free` grading calls; whoever asks beyond that waits until it is released."""

    def __init__(self, free: int) -> None:
        super().__init__()
        self.free = free

    def holds(self, request: dict[str, Any]) -> bool:
        return "questions" in data_of(request) and len(self.calls) >= self.free


async def journaled_batches(connection: Connection) -> int:
    """How many batches are in the committed journal."""
    consumer = connection.consumer(f"{EXAM_GROUP}-state")
    await consumer.start()
    try:
        keys: set[bytes] = set()
        while fetched := await consumer.getmany(timeout_ms=500):
            keys |= {record.key for batch in fetched.values() for record in batch if b"grade:" in record.key}
        return len(keys)
    finally:
        await consumer.stop()


@pytest.mark.timeout(120)
async def test_a_worker_killed_amid_12_batches_grades_the_finished_ones_never_again(
    service: KafkaUnderTest, worker_of: Any
) -> None:
    """kill -9 when seven batches are journaled and five hang at the model; then the same without any kill."""
    submission, exams = made_exam(TWELVE), Exams(service.connection)
    grader = HeldGrader(free=7)
    async with GeminiServer(text=grader.text, holds=grader.holds) as gemini:
        first = worker_of(gemini)
        await asyncio.to_thread(first.wait_until_ready)
        await exams.send(submission)
        await until(
            lambda: len(grader.calls) == 7 and gemini.at_once == 5, "seven batches graded and five at the model"
        )
        async with asyncio.timeout(30):
            while await journaled_batches(service.connection) < 7:
                await asyncio.sleep(0.05)
        first.kill()
        finished = {number for call in grader.calls for number in call}
        grader.free = 1_000
        gemini.release()
        await until(lambda: gemini.at_once == 0, "the hanging calls to end")
        before = len(grader.calls)
        second = worker_of(gemini)
        await asyncio.to_thread(second.wait_until_ready)
        (evaluation,) = await exams.evaluations()
        again = {number for call in grader.calls[before:] for number in call}
        await exams.send(submission | {"submission_id": "undisturbed", "attempt_id": "att-2"})
        _, undisturbed = await exams.evaluations(2)
    assert len(finished) == 21
    assert not finished & again, "a finished batch was graded again"
    assert len(again) == 15
    assert (evaluation["status"], evaluation["revision"]) == ("completed", 1)
    assert len(evaluation["batches"]) == 12
    check_sums(evaluation)
    own = {"evaluation_id", "submission_id", "attempt_id", "evaluated_at"}
    assert {k: v for k, v in evaluation.items() if k not in own} == {
        k: v for k, v in undisturbed.items() if k not in own
    }


LARGE = [("a", "mcq", 150), ("b", "mcq_multiselect", 50), ("c", "numeric", 100), ("d", "short_text", 100)]


def megabyte() -> dict[str, Any]:
    """A submission of 500 questions, as close below 1 MiB as whole words allow."""
    exam = made_exam([*LARGE, ("e", "structured_response", 100)])
    written = [answer for answer in exam["answers"] if answer["question_type"] == "structured_response"]
    spare = 2**20 - len(json.dumps(exam).encode())
    for answer in written:
        answer["response"]["response_text"] += " so on" * (spare // len(written) // len(" so on"))
    assert 0.99 * 2**20 < len(json.dumps(exam).encode()) <= 2**20
    return exam


@pytest.mark.timeout(120)
async def test_a_submission_of_1_mib_with_500_questions_is_graded_within_the_models_limits(
    service: KafkaUnderTest,
) -> None:
    grader = ExamGrader()
    async with GeminiServer(text=grader.text) as gemini, grading(service, gemini=gemini) as exams:
        await exams.send(megabyte())
        (evaluation,) = await exams.evaluations(seconds=90)
    assert evaluation["status"] == "completed"
    assert len(evaluation["question_feedback"]) == 500
    check_sums(evaluation)
    assert set(grader.paid.values()) == {1}
    for request in gemini.requests:
        [part] = request["contents"][0]["parts"]
        assert len(part["text"]) < 150_000, "a prompt beyond its budget"
        data = data_of(request)
        answer = sum(len(json.dumps(q)) for q in json.loads(grader.text(request)).get("questions", []))
        assert answer / 3 < request["generationConfig"]["maxOutputTokens"], len(data)


async def test_an_evaluation_too_large_for_its_topic_is_cut_and_says_so(embedded_service: KafkaUnderTest) -> None:
    admin = embedded_service.connection.admin()
    await admin.start()
    await admin.delete_topics([EVALUATION])
    await admin.close()
    await embedded_service.create_topic(EVALUATION, partitions=6, config={"max.message.bytes": "300000"})
    async with grading(embedded_service) as exams:
        await exams.send(made_exam([*LARGE, ("e", "structured_response", 100)], words=300))
        (evaluation,) = await exams.evaluations()
    assert len(evaluation["question_feedback"]) == 500
    assert any("too large for its topic" in warning for warning in evaluation["warnings"])
    check_sums(evaluation)


def resident_bytes(worker: WorkerProcess) -> int:
    """What a process holds in memory (Linux)."""
    status = Path(f"/proc/{worker.pid}/status").read_text()
    return 1024 * next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))


def numbered(first: int, count: int) -> list[dict[str, Any]]:
    """Submissions of 1 MiB, each of another student."""
    exam = megabyte()
    return [
        exam | {"submission_id": f"sub-{n}", "attempt_id": f"att-{n}", "student_id": f"s{n}"}
        for n in range(first, first + count)
    ]


@pytest.mark.timeout(240)
async def test_memory_stays_flat_over_many_submissions_of_1_mib(service: KafkaUnderTest, worker_of: Any) -> None:
    """A worker that has graded 10 needs no more for 30 further ones."""
    exams, grader = Exams(service.connection), ExamGrader()
    async with GeminiServer(text=grader.text) as gemini:
        worker = worker_of(gemini)
        await asyncio.to_thread(worker.wait_until_ready)
        for submission in numbered(0, 10):
            await exams.send(submission)
        await exams.evaluations(10, seconds=100)
        before = resident_bytes(worker)
        for submission in numbered(10, 30):
            await exams.send(submission)
        await exams.evaluations(40, seconds=200)
        after = resident_bytes(worker)
    print(f"{before / 2**20:.0f} MiB after 10, {after / 2**20:.0f} MiB after 40")
    assert after < before + 40 * 2**20
