"""`pathstream dlq`: dead letters are found, read, and sent back once."""

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata

from clients.kafka import Connection
from tests.integration.terminal import pathstream, records_in, send
from tests.kafka import KafkaUnderTest, TopicFactory


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
    missing = await pathstream(kafka.bootstrap_servers, "dlq", "show", letters, "--partition", "0", "--offset", "9")
    assert (missing.code, missing.out) == (1, "")


async def test_a_dead_letter_goes_to_its_own_input_whatever_an_upstream_wrote_into_its_headers(
    kafka: KafkaUnderTest, connection: Connection, letters: str, create_topic: TopicFactory
) -> None:
    other = await create_topic(partitions=1)
    forged = {"value": b"forged", "headers": [("kafka_dlt-original-topic", other.encode())], "partition": 0}
    await send(connection, f"{letters}.dlq", forged)
    result = await pathstream(kafka.bootstrap_servers, "dlq", "replay", letters)
    assert result == (0, f"4 of {letters}.dlq sent back; 0 went back earlier\n", "")
    assert len(await records_in(connection, letters, 4)) == 4
    assert await records_in(connection, other, 0) == []


async def test_replay_sends_the_original_bytes_back_once(
    kafka: KafkaUnderTest, connection: Connection, letters: str
) -> None:
    dry = await pathstream(kafka.bootstrap_servers, "dlq", "replay", letters, "--dry-run")
    assert dry.out.endswith(f"3 of {letters}.dlq would go back; 0 went back earlier\n")
    one = await pathstream(kafka.bootstrap_servers, "dlq", "replay", letters, "--partition", "0", "--offset", "1")
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
