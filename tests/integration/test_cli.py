"""The command line as a real process against a broker: what a person at a terminal, or a script, gets."""

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata

from clients.kafka import Connection
from consumers.demo import LEARNERS
from consumers.topics import TOPICS
from tests.conftest import TopicFactory
from tests.kafka.under_test import KafkaUnderTest

REPOSITORY = Path(__file__).parents[2]
NOBODY_LISTENS = "127.0.0.1:1"


class Result(NamedTuple):
    """What a finished command left."""

    code: int
    out: str
    err: str


@contextlib.asynccontextmanager
async def started(
    bootstrap_servers: str, *arguments: str, **environment: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """`pathstream ...` while it runs; killed when it did not end by itself."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "consumers",
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={
            **os.environ,
            "PYTHONPATH": str(REPOSITORY),
            "KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers,
            **environment,
        },
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def pathstream(
    bootstrap_servers: str, *arguments: str, stdin: bytes = b"", **environment: str
) -> Result:
    """Run `pathstream ...` to its end."""
    async with started(bootstrap_servers, *arguments, **environment) as process:
        out, err = await asyncio.wait_for(process.communicate(stdin), 40)
    assert process.returncode is not None
    assert "Traceback" not in err.decode()
    return Result(process.returncode, out.decode(), err.decode())


async def records_in(connection: Connection, topic: str, count: int) -> list[ConsumerRecord]:
    """The first records of a topic."""
    consumer = connection.consumer(topic)
    await consumer.start()
    found: list[ConsumerRecord] = []
    try:
        async with asyncio.timeout(30):
            while len(found) < count:
                for records in (await consumer.getmany(timeout_ms=100)).values():
                    found += records
    finally:
        await consumer.stop()
    return found


async def send(connection: Connection, topic: str, *records: dict[str, Any]) -> None:
    """Put records into a topic."""
    producer = connection.producer()
    await producer.start()
    for record in records:
        await producer.send_and_wait(topic, **record)
    await producer.stop()


@pytest.fixture
async def letters(connection: Connection, create_topic: TopicFactory) -> str:
    """An input topic with three dead letters, two keyed and one without key; none of them is JSON."""
    topic = await create_topic(partitions=2)
    await create_topic(f"{topic}.dlq", partitions=2)
    for number, key in enumerate((b"u1", None, b"u2")):
        headers = [
            ("traceparent", b"00-abc"),
            ("binary", b"\xff\x00"),
            ("kafka_dlt-original-topic", topic.encode()),
            ("kafka_dlt-original-partition", (1).to_bytes(4, "big")),
            ("kafka_dlt-original-offset", number.to_bytes(8, "big")),
            ("kafka_dlt-exception-message", b"event_data: [bold]missing\nhere"),
            ("pathstream-error-code", b"INVALID_EVENT"),
            ("pathstream-error-category", b"validation"),
        ]
        value = b"\xff not json \x1b[31m %d" % number
        letter = {"key": key, "value": value, "headers": headers, "partition": number % 2}
        await send(connection, f"{topic}.dlq", letter)
    return topic


async def test_produce_sends_what_it_is_given_under_the_learners_key(
    kafka: KafkaUnderTest, connection: Connection, create_topic: TopicFactory
) -> None:
    topic = await create_topic(partitions=3)
    result = await pathstream(
        kafka.bootstrap_servers,
        "produce",
        topic,
        stdin=b'{"userId": "a",\n "n": 1.10}\n{"user_id": "b"}{"n": 3}\n',
    )
    assert result == (0, f"3 sent to {topic}, 1 without a key\n", "")
    records = await records_in(connection, topic, 3)
    assert {record.value: record.key for record in records} == {
        b'{"userId": "a", "n": 1.10}': b"a",
        b'{"user_id": "b"}': b"b",
        b'{"n": 3}': None,
    }


async def test_produce_names_a_broken_line_and_sends_the_others(
    kafka: KafkaUnderTest, connection: Connection, create_topic: TopicFactory, tmp_path: Path
) -> None:
    topic = await create_topic()
    file = tmp_path / "events.jsonl"
    file.write_text('{"userId": "a"}\n{"userId": "b"\n{"userId": "c"}\n')
    result = await pathstream(kafka.bootstrap_servers, "produce", topic, str(file))
    assert result.code != 0
    assert result.err == "line 2: the object does not end\n"
    assert result.out == f"2 sent to {topic}, 1 not sent\n"
    assert [record.key for record in await records_in(connection, topic, 2)] == [b"a", b"c"]


async def test_produce_sends_a_line_as_soon_as_it_is_there(
    kafka: KafkaUnderTest, connection: Connection, create_topic: TopicFactory
) -> None:
    topic = await create_topic()
    async with started(kafka.bootstrap_servers, "produce", topic) as process:
        assert process.stdin is not None
        process.stdin.write(b'{"userId": "a"}\n')
        await process.stdin.drain()
        assert len(await records_in(connection, topic, 1)) == 1
        process.send_signal(signal.SIGINT)
        out, err = await asyncio.wait_for(process.communicate(), 20)
    assert (process.returncode, out.decode(), err.decode()) == (130, f"1 sent to {topic}\n", "")


async def test_tail_prints_json_lines_that_a_script_can_read(
    kafka: KafkaUnderTest, connection: Connection, create_topic: TopicFactory
) -> None:
    topic = await create_topic()
    headers = [("event-id", b"e1"), ("kafka_dlt-original-offset", (2**40).to_bytes(8, "big"))]
    await send(
        connection,
        topic,
        {"key": b"u1", "value": b'{"a": "\xc3\xbc"}', "headers": headers},
        {"value": b"text"},
        {"value": b"\xff\xfe"},
        {"key": b"u1", "value": None},
    )
    result = await pathstream(
        kafka.bootstrap_servers, "tail", topic, "--from-beginning", "--json", "--max", "4"
    )
    lines = [json.loads(line) for line in result.out.splitlines()]
    assert [line["value"] for line in lines] == [{"a": "ü"}, "text", None, None]
    assert lines[0]["headers"] == {"event-id": "e1", "kafka_dlt-original-offset": 2**40}
    assert [line["key"] for line in lines] == ["u1", None, None, "u1"]
    assert [line["offset"] for line in lines] == [0, 1, 2, 3]
    assert lines[2]["value_base64"] == "//4="
    assert (result.code, result.err) == (0, "")


async def test_tail_is_readable_and_lets_no_value_steer_the_terminal(
    kafka: KafkaUnderTest, connection: Connection, create_topic: TopicFactory
) -> None:
    topic = await create_topic()
    await send(
        connection,
        topic,
        {"key": b"u1", "value": b'{"a": [1]}', "headers": [("source-event-id", b"e1")]},
        {"key": b"\x1b[2J", "value": b"[bold]\x1b[31m"},
    )
    result = await pathstream(kafka.bootstrap_servers, "tail", topic, "--from-beginning", "--max", "2")
    assert f"{topic}-0@0  u1  " in result.out
    assert "  source-event-id: e1" in result.out
    assert '{\n  "a": [\n    1\n  ]\n}\n' in result.out
    assert "[bold]\\x1b[31m" in result.out
    assert "\x1b" not in result.out


async def test_tail_waits_for_the_next_record_until_ctrl_c(
    kafka: KafkaUnderTest, connection: Connection, create_topic: TopicFactory
) -> None:
    topic = await create_topic()
    async with started(kafka.bootstrap_servers, "tail", topic, "--json", "--from-beginning") as process:
        assert process.stdout is not None
        for number in range(2):
            await send(connection, topic, {"value": b'{"n": %d}' % number})
            line = await asyncio.wait_for(process.stdout.readline(), 20)
            assert json.loads(line)["value"] == {"n": number}
        process.send_signal(signal.SIGINT)
        _, err = await asyncio.wait_for(process.communicate(), 20)
    assert (process.returncode, err) == (130, b"")


async def test_topics_are_created_once_and_listed(kafka: KafkaUnderTest) -> None:
    names = [spec.name for spec in TOPICS]
    first = await pathstream(kafka.bootstrap_servers, "topics", "create", "--partitions", "3")
    assert first.code == 0, first.err
    assert [line.split(":")[0] for line in first.out.splitlines()] == names or "exists already" in first.out
    again = await pathstream(kafka.bootstrap_servers, "topics", "create", "--partitions", "9")
    assert again.out.count("exists already, 3 partitions") == len(names)
    listed = await pathstream(kafka.bootstrap_servers, "topics", "list")
    assert [line.split()[0] for line in listed.out.splitlines()[1:]] == names
    assert "missing" not in listed.out


async def test_dead_letters_are_listed_one_a_line(kafka: KafkaUnderTest, letters: str) -> None:
    result = await pathstream(kafka.bootstrap_servers, "dlq", "list", letters)
    assert (result.code, result.err) == (0, "")
    header, *lines, last = result.out.splitlines()
    assert header.split() == ["partition", "offset", "original", "code", "category", "age", "message"]
    assert sorted(line.split()[2] for line in lines) == [f"{letters}-1-{number}" for number in range(3)]
    assert all("INVALID_EVENT  validation" in line and "[bold]missing here" in line for line in lines)
    assert last == f"3 dead letters in {letters}.dlq"


async def test_a_dead_letter_is_shown_with_its_headers_read(kafka: KafkaUnderTest, letters: str) -> None:
    result = await pathstream(
        kafka.bootstrap_servers, "dlq", "show", f"{letters}.dlq", "--partition", "0", "--offset", "1"
    )
    assert "  kafka_dlt-original-partition: 1\n  kafka_dlt-original-offset: 2\n" in result.out
    assert "  binary: 0xff00\n" in result.out
    assert "\\xff not json \\x1b[31m 2" in result.out
    missing = await pathstream(
        kafka.bootstrap_servers, "dlq", "show", letters, "--partition", "0", "--offset", "9"
    )
    assert (missing.code, missing.out) == (1, "")


async def test_replay_sends_the_original_bytes_back_once(
    kafka: KafkaUnderTest, connection: Connection, letters: str
) -> None:
    dry = await pathstream(kafka.bootstrap_servers, "dlq", "replay", letters, "--dry-run")
    assert dry.out.endswith(f"3 of {letters}.dlq would go back; 0 went back earlier\n")
    one = await pathstream(
        kafka.bootstrap_servers, "dlq", "replay", letters, "--partition", "0", "--offset", "1"
    )
    assert one == (0, f"1 of {letters}.dlq sent back; 0 went back earlier\n", "")
    rest = await pathstream(kafka.bootstrap_servers, "dlq", "replay", letters)
    assert rest == (0, f"2 of {letters}.dlq sent back; 1 went back earlier\n", "")
    again = await pathstream(kafka.bootstrap_servers, "dlq", "replay", letters)
    assert again == (0, f"0 of {letters}.dlq sent back; 3 went back earlier\n", "")
    records = await records_in(connection, letters, 3)
    assert sorted((record.value, record.key) for record in records if record.key) == [
        (b"\xff not json \x1b[31m 0", b"u1"),
        (b"\xff not json \x1b[31m 2", b"u2"),
    ]
    assert len(records) == 3
    assert {name for record in records for name, _ in record.headers} == {
        "traceparent",
        "binary",
        "kafka_dlt-original-topic",
        "kafka_dlt-original-partition",
        "kafka_dlt-original-offset",
    }


async def test_replay_leaves_a_letter_that_was_cut_and_says_so(
    kafka: KafkaUnderTest, connection: Connection, create_topic: TopicFactory
) -> None:
    topic = await create_topic()
    await create_topic(f"{topic}.dlq")
    cut = {"key": b"u1", "value": b"half", "headers": [("pathstream-value-truncated", b"5000000")]}
    await send(connection, f"{topic}.dlq", cut, {"key": b"u2", "value": b"whole"})
    result = await pathstream(kafka.bootstrap_servers, "dlq", "replay", topic)
    assert result.code != 0
    assert result.err.startswith("0@0: not sent: its value was cut")
    assert [record.value for record in await records_in(connection, topic, 1)] == [b"whole"]


async def test_replay_goes_on_where_a_crash_left_it(
    kafka: KafkaUnderTest, connection: Connection, letters: str
) -> None:
    """What the crashed replay had sent, but not committed, is never seen; the next one sends it once."""
    group = f"{letters}.dlq-replay"
    crashed = connection.producer(transactional_id=group)
    await crashed.start()
    await crashed.begin_transaction()
    await crashed.send_and_wait(letters, b"sent by the crashed replay")
    offsets = {TopicPartition(f"{letters}.dlq", 0): OffsetAndMetadata(2, "")}
    await crashed.send_offsets_to_transaction(offsets, group)
    result = await pathstream(kafka.bootstrap_servers, "dlq", "replay", letters)
    with pytest.raises(KafkaError):
        await crashed.commit_transaction()
    await crashed.stop()
    assert result == (0, f"3 of {letters}.dlq sent back; 0 went back earlier\n", "")
    assert len(await records_in(connection, letters, 3)) == 3


async def test_the_demo_shows_paths_and_ends_well() -> None:
    result = await pathstream(NOBODY_LISTENS, "demo")
    assert (result.code, result.err) == (0, "")
    for learner, (goal, *_) in LEARNERS.items():
        assert f"{learner}: {goal}" in result.out
    assert "INVALID_EVENT" in result.out
    assert re.fullmatch(
        r"5 learning paths and 1 dead letter in [\d.]+ s: all as expected", result.out.splitlines()[-1]
    )


async def test_the_demo_that_stays_up_can_be_used_by_hand() -> None:
    async with started(NOBODY_LISTENS, "demo", "--keep") as process:
        assert process.stdout is not None
        async with asyncio.timeout(40):
            while b"kafka-console-consumer" not in (line := await process.stdout.readline()):
                assert line
        bootstrap_servers = line.decode().split("--bootstrap-server ")[1].split()[0]
        tail = await pathstream(
            bootstrap_servers, "tail", "learning_path", "--from-beginning", "--json", "--max", "5"
        )
        assert {json.loads(line)["key"] for line in tail.out.splitlines()} == set(LEARNERS)
        process.send_signal(signal.SIGINT)
        _, err = await asyncio.wait_for(process.communicate(), 20)
    assert (process.returncode, err) == (0, b"")


@pytest.mark.parametrize(
    "arguments",
    [
        ("run",),
        ("produce", "learning_goal"),
        ("tail", "learning_path"),
        ("topics", "create"),
        ("topics", "list"),
        ("dlq", "list", "learning_goal"),
        ("dlq", "replay", "learning_goal"),
    ],
)
async def test_without_kafka_there_is_one_clear_line(arguments: tuple[str, ...]) -> None:
    result = await pathstream(NOBODY_LISTENS, *arguments, HTTP_PORT="0")
    assert result.code != 0
    (line,) = result.err.splitlines()
    assert NOBODY_LISTENS in line
    assert "KAFKA_BOOTSTRAP_SERVERS" in line


@pytest.mark.parametrize("arguments", [("run",), ("topics", "list")])
async def test_a_wrong_setting_is_named_in_one_line_without_its_value(arguments: tuple[str, ...]) -> None:
    result = await pathstream(NOBODY_LISTENS, *arguments, MAX_ATTEMPTS="many-secret")
    assert result.code != 0
    (line,) = result.err.splitlines()
    assert "MAX_ATTEMPTS" in line
    assert "many-secret" not in line


async def test_a_topic_that_does_not_exist_is_one_line(kafka: KafkaUnderTest) -> None:
    for arguments in (
        ("produce", "no-such-topic"),
        ("tail", "no-such-topic"),
        ("dlq", "list", "no-such-topic"),
    ):
        result = await pathstream(kafka.bootstrap_servers, *arguments)
        assert result.code == 1
        assert result.err.startswith("pathstream: topic 'no-such-topic")
        assert len(result.err.splitlines()) == 1


async def test_help_names_every_command() -> None:
    result = await pathstream(NOBODY_LISTENS, "--help")
    assert result.code == 0
    for command in ("run", "demo", "produce", "tail", "topics", "dlq"):
        assert command in result.out
