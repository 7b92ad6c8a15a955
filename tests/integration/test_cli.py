"""The command line as a real process against a broker: what a person at a terminal, or a script, gets."""

import asyncio
import json
import signal
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, ConfigResource

from clients.embedded_kafka import EmbeddedKafka
from clients.kafka import Connection
from consumers.engine.names import REPARTITION_SUFFIX, SEEN_SUFFIX, STATE_SUFFIX
from consumers.topics import EXAM_GROUP, LEARNING_GOAL_GROUP, SKILLS_GAP_GROUP, TOPICS
from tests.integration.terminal import NOBODY_LISTENS, pathstream, records_in, send, started
from tests.kafka import KafkaUnderTest, TopicFactory

GROUPS = (LEARNING_GOAL_GROUP, SKILLS_GAP_GROUP, EXAM_GROUP)


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
    result = await pathstream(kafka.bootstrap_servers, "tail", topic, "--from-beginning", "--json", "--max", "4")
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
    assert [line.split(":")[0] for line in first.out.splitlines() if "created" in line] or kafka.kind == "real"
    again = await pathstream(kafka.bootstrap_servers, "topics", "create", "--partitions", "9")
    assert [line.split(":")[0] for line in again.out.splitlines() if "exists already" in line] == names
    listed = await pathstream(kafka.bootstrap_servers, "topics", "list")
    rows = {line.split()[0]: line.split()[-1] for line in listed.out.splitlines()[1:]}
    assert list(rows) == names
    assert all(partitions.isdecimal() for partitions in rows.values())


async def test_a_groups_own_topics_keep_what_the_group_counts_on(kafka: KafkaUnderTest) -> None:
    """State for ever, event ids for seven days (contracts), deletions of both for a day."""
    created = await pathstream(kafka.bootstrap_servers, "topics", "create")
    assert created.code == 0, created.err
    one_day, seven_days = (str(days * 24 * 3600 * 1000) for days in (1, 7))
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers, "log_level": 2})

    def configs(topic: str) -> dict[str, str]:
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
        found = admin.describe_configs([resource])[resource].result(20)
        return {name: entry.value for name, entry in found.items()}

    for group in GROUPS:
        state, seen = [await asyncio.to_thread(configs, group + suffix) for suffix in (STATE_SUFFIX, SEEN_SUFFIX)]
        assert (state["cleanup.policy"], state["delete.retention.ms"]) == ("compact", one_day)
        assert (seen["cleanup.policy"], seen["delete.retention.ms"]) == ("compact,delete", one_day)
        assert seen["retention.ms"] == seven_days


async def test_the_repartition_topic_follows_the_input(embedded_kafka: EmbeddedKafka) -> None:
    embedded_kafka.create_topic("learning_goal", partitions=5)
    created = await pathstream(embedded_kafka.bootstrap_servers, "topics", "create")
    assert "learning_goal: exists already, 5 partitions\n" in created.out
    assert f"{LEARNING_GOAL_GROUP}{REPARTITION_SUFFIX}: created, 5 partitions\n" in created.out
    assert "learning_path: created, 12 partitions\n" in created.out


async def test_partition_counts_that_do_not_fit_are_named(embedded_kafka: EmbeddedKafka) -> None:
    embedded_kafka.create_topic("learning_goal", partitions=5)
    embedded_kafka.create_topic(LEARNING_GOAL_GROUP + REPARTITION_SUFFIX, partitions=4)
    created = await pathstream(embedded_kafka.bootstrap_servers, "topics", "create")
    assert created.code == 1
    assert "4 partitions and learning_goal 5" in created.err


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
    result = await pathstream(NOBODY_LISTENS, *arguments, environment={"HTTP_PORT": "0"})
    assert result.code != 0
    (line,) = result.err.splitlines()
    assert NOBODY_LISTENS in line
    assert "KAFKA_BOOTSTRAP_SERVERS" in line


@pytest.mark.parametrize("arguments", [("run",), ("topics", "list")])
async def test_a_wrong_setting_is_named_in_one_line_without_its_value(arguments: tuple[str, ...]) -> None:
    result = await pathstream(NOBODY_LISTENS, *arguments, environment={"MAX_ATTEMPTS": "many-secret"})
    assert result.code != 0
    (line,) = result.err.splitlines()
    assert "MAX_ATTEMPTS" in line
    assert "many-secret" not in line


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("KAFKA_BOOTSTRAP_SERVERS", "localhost", "KAFKA_BOOTSTRAP_SERVERS: 'localhost' is not host:port"),
        ("KAFKA_BOOTSTRAP_SERVERS", "a:1,b:port", "KAFKA_BOOTSTRAP_SERVERS: 'b:port' is not host:port"),
        ("KAFKA_SECURITY_PROTOCOL", "SASL_PLAINTEXT", "KAFKA_SASL_USERNAME: SASL_PLAINTEXT needs it"),
        ("KAFKA_SSL_CAFILE", "/no/such.pem", "KAFKA_SSL_CAFILE: there is no file /no/such.pem"),
    ],
)
async def test_a_setting_that_cannot_work_is_named_before_anything_is_tried(name: str, value: str, line: str) -> None:
    if name == "KAFKA_BOOTSTRAP_SERVERS":
        result = await pathstream(value, "topics", "list")
    else:
        result = await pathstream(NOBODY_LISTENS, "topics", "list", environment={name: value})
    assert (result.code, result.err) == (1, f"pathstream: {line}\n")


async def test_whoever_stops_reading_gets_no_complaint(
    kafka: KafkaUnderTest, connection: Connection, create_topic: TopicFactory
) -> None:
    topic = await create_topic()
    await send(connection, topic, {"value": b"x" * 100_000}, {"value": b"y" * 100_000})
    async with started(kafka.bootstrap_servers, "tail", topic, "--from-beginning") as process:
        assert process.stdout is not None
        await asyncio.wait_for(process.stdout.readline(), 20)
        process.stdout._transport.close()  # type: ignore[attr-defined]
        await asyncio.wait_for(process.wait(), 20)
        assert process.stderr is not None
        assert (process.returncode, await process.stderr.read()) == (0, b"")


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
