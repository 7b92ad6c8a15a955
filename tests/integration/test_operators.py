"""What an operator does: Apache's own tools around a running worker, a start that cannot work, a stop in the middle."""

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from clients.content_service_stub import ContentServiceStub
from clients.embedded_kafka import EmbeddedKafka
from clients.kafka import Connection
from consumers.app import Worker
from consumers.engine.names import REPARTITION_SUFFIX
from consumers.settings import Settings, SettingsError
from consumers.topics import LEARNING_GOAL, LEARNING_GOAL_GROUP, LEARNING_PATH, dead_letter_topic
from tests.integration.lab import Lab, until
from tests.integration.service import goal_event
from tests.integration.workers import WorkerProcess
from tests.kafka import KafkaTools, KafkaUnderTest, free_port


@pytest.fixture
async def worker(service: KafkaUnderTest, content: ContentServiceStub, tmp_path: Path) -> AsyncIterator[WorkerProcess]:
    """A worker process, started and ready."""
    settings = {"CONTENT_SERVICE_BASE_URL": content.base_url}
    process = WorkerProcess(service.bootstrap_servers, tmp_path / "worker.log", free_port(), settings)
    process.start()
    try:
        await asyncio.to_thread(process.wait_until_ready)
        yield process
    finally:
        process.close()


def lag_of(printed: str, topic: str) -> int:
    """The sum of what kafka-consumer-groups prints as a topic's lag."""
    rows = [line.split() for line in printed.splitlines() if f" {topic} " in line]
    assert rows, printed
    return sum(int(row[5]) for row in rows if row[5] != "-")


async def test_kafkas_own_console_tools_send_events_and_show_paths_and_lag(
    service: KafkaUnderTest, worker: WorkerProcess, kafka_tools: KafkaTools
) -> None:
    """Seed 004's examples, unkeyed as they stand there; then the lag of an idle worker is 0."""
    one_line = json.dumps(goal_event("console-user"))
    pretty = json.dumps(goal_event("other"), indent=2)
    await asyncio.to_thread(
        kafka_tools.tool, "kafka-console-producer", "--topic", LEARNING_GOAL, input=f"{one_line}\n{pretty}\n"
    )
    shown = await asyncio.to_thread(
        kafka_tools.tool,
        "kafka-console-consumer",
        *("--topic", LEARNING_PATH, "--from-beginning", "--isolation-level", "read_committed"),
        *("--property", "print.key=true", "--max-messages", "1", "--timeout-ms", "30000"),
        timeout=60,
    )
    key, _, value = shown.partition("\t")
    assert key == "console-user"
    assert json.loads(value.splitlines()[0])["user_id"] == "console-user"
    lines = pretty.splitlines()
    letters = await Lab(service.connection).read(dead_letter_topic(LEARNING_GOAL), len(lines))
    assert sorted(letter.value.decode() for letter in letters) == sorted(lines)
    for _ in range(20):  # the last commit steps over the end markers of transactions
        groups = await asyncio.to_thread(
            kafka_tools.tool, "kafka-consumer-groups", "--describe", "--group", LEARNING_GOAL_GROUP
        )
        lag = lag_of(groups, LEARNING_GOAL) + lag_of(groups, LEARNING_GOAL_GROUP + REPARTITION_SUFFIX)
        if not lag:
            break
    assert lag == 0, groups


async def test_sigterm_in_the_middle_finishes_or_leaves_each_event(
    service: KafkaUnderTest, worker: WorkerProcess, content: ContentServiceStub
) -> None:
    """200 events, SIGTERM in the middle, a new start: every learner's path is there once."""
    connection = service.connection
    await send_goals(connection, 200)
    lab = Lab(connection)
    await lab.read(LEARNING_PATH, 1)
    worker.terminate()
    assert await asyncio.to_thread(worker.wait, 45) == 0
    worker.start()
    paths = [json.loads(record.value) for record in await lab.read(LEARNING_PATH, 200)]
    assert sorted(path["user_id"] for path in paths) == sorted(f"learner-{n}" for n in range(200))


async def send_goals(connection: Connection, count: int) -> None:
    async with connection.producer() as producer:
        sends = [
            await producer.send(LEARNING_GOAL, json.dumps(goal_event(f"learner-{n}")).encode(), key=b"learner-%d" % n)
            for n in range(count)
        ]
        await asyncio.gather(*sends)


async def test_the_log_tells_one_line_per_event_and_nothing_that_is_private(
    service: KafkaUnderTest, worker: WorkerProcess
) -> None:
    event = goal_event("private-learner", eventData={"learningGoal": "a very private goal"})
    async with service.connection.producer() as producer:
        await producer.send_and_wait(LEARNING_GOAL, json.dumps(event).encode(), key=b"private-learner")
    await Lab(service.connection).read(LEARNING_PATH, 1)
    worker.terminate()
    await asyncio.to_thread(worker.wait, 45)
    lines = [json.loads(line) for line in worker.log.splitlines()]
    (line,) = [line for line in lines if line["event"] == "event"]
    assert {"topic", "partition", "offset", "event_id", "outcome", "ms"} <= set(line)
    assert (line["event_id"], line["outcome"]) == ("evt-private-learner", "done")
    told = [line["event"] for line in lines]
    for name in (
        "LearningGoalConsumer initialized with LearningPathAgent",
        "Learning goal event validated successfully",
        "Processing learning goal",
        "Successfully generated and published learning path",
    ):
        assert told.count(name) == 1, name
    without_ids = worker.log.replace("evt-private-learner", "")
    assert "a very private goal" not in without_ids
    assert "private-learner" not in without_ids


def test_a_wrong_bootstrap_address_is_one_clear_line_and_an_exit_code(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "consumers", "run"],
        env={"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", "HTTP_PORT": "0"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert run.returncode == 1
    assert len(run.stderr.splitlines()) == 1
    assert re.search(r"KAFKA_BOOTSTRAP_SERVERS.*127\.0\.0\.1:1", run.stderr)
    assert "Traceback" not in run.stdout


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("MAX_IN_FLIGHT", "many"),
        ("LLM_PROVIDER", "gemini"),
        ("LOG_FORMAT", "xml"),
        ("CONTENT_SERVICE_BASE_URL", "localhost:3001"),
        ("CONTENT_SERVICE_SECRET", "a\nb"),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it(tmp_path: Path, setting: str, value: str) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "consumers", "run"],
        env={setting: value},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert run.returncode == 1
    assert len(run.stderr.splitlines()) == 1
    assert setting in run.stderr


async def test_a_state_folder_that_cannot_be_made_is_named(tmp_path: Path, embedded_kafka: EmbeddedKafka) -> None:
    state_dir = tmp_path / "file"
    state_dir.write_text("in the way")
    settings = Settings(kafka_bootstrap_servers=embedded_kafka.bootstrap_servers, http_port=0, state_dir=state_dir)
    with pytest.raises(SettingsError, match="STATE_DIR"):
        async with Worker(settings):
            pass


async def test_a_workers_memory_is_what_the_settings_say_and_all_its_flows_share_it(
    embedded_service: KafkaUnderTest, tmp_path: Path
) -> None:
    buffered, write_buffers = 30 * 2**20, 5 * 2**20
    settings = Settings(
        kafka_bootstrap_servers=embedded_service.bootstrap_servers,
        http_port=0,
        state_dir=tmp_path,
        max_buffered_bytes=buffered,
        state_cache_bytes=2 * write_buffers,
        state_write_buffer_bytes=write_buffers,
    )
    async with Worker(settings) as worker:
        stores = {engine._stores for engine in worker._engines}
        assert sum(engine._limits.max_buffered_bytes for engine in worker._engines) == buffered
    (of_all,) = stores
    assert of_all is not None
    assert of_all._memory.write_buffers.get_buffer_size() == write_buffers


async def test_a_worker_is_not_ready_before_it_has_begun_nor_after_it_was_told_to_end(
    embedded_service: KafkaUnderTest, tmp_path: Path
) -> None:
    """Its HTTP port is open before and after everything else, and must not say so in that time."""
    settings = Settings(kafka_bootstrap_servers=embedded_service.bootstrap_servers, http_port=0, state_dir=tmp_path)
    worker = Worker(settings)
    assert worker.reasons() == ["starting"]
    async with worker:
        await until(lambda: not worker.reasons(), "the worker to be ready")
    assert "stopping" in worker.reasons()
