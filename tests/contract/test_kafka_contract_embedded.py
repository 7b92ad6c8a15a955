"""What is the embedded broker's alone: it says what it is, stays small, and survives whatever it is sent."""

import asyncio
import os

import pytest
from aiokafka import TopicPartition
from structlog.testing import capture_logs

from clients.embedded_kafka import EmbeddedKafka
from clients.kafka import Connection
from tests.contract.kafka_drivers import AiokafkaDriver, Record

UNKNOWN_REQUEST = b"\x00\x00\x00\x0a" + b"\x03\xe7\x00\x00\x00\x00\x00\x01\xff\xff"
PRODUCE_CUT_SHORT = b"\x00\x00\x00\x0c" + b"\x00\x00\x00\x07\x00\x00\x00\x01\xff\xff\x00\x05"
NEGATIVE_LENGTH = b"\xff\xff\xff\xff"
ENDLESS_LENGTH = b"\x7f\xff\xff\xff"
A_WEB_BROWSER = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def send_bytes(kafka: EmbeddedKafka, data: bytes) -> bytes:
    """Everything the broker answers before it closes the connection."""
    host, _, port = kafka.bootstrap_servers.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(data)
    try:
        async with asyncio.timeout(5):
            return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


async def test_it_says_what_it_is_when_it_starts() -> None:
    with capture_logs() as logs:
        async with EmbeddedKafka() as kafka:
            (line,) = logs
            assert line["event"] == "embedded_kafka_started"
            assert line["bootstrap_servers"] == kafka.bootstrap_servers
            assert "in memory" in line["note"]


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.10", "::"])  # noqa: S104  what it must refuse
def test_it_listens_to_its_own_machine_only(host: str) -> None:
    with pytest.raises(ValueError, match="this machine only"):
        EmbeddedKafka(host=host)


@pytest.mark.parametrize(
    "garbage", [UNKNOWN_REQUEST, PRODUCE_CUT_SHORT, NEGATIVE_LENGTH, ENDLESS_LENGTH, A_WEB_BROWSER]
)
async def test_garbage_ends_its_own_connection_with_one_line_and_nothing_else(
    embedded_kafka: EmbeddedKafka, garbage: bytes
) -> None:
    embedded_kafka.create_topic("t", partitions=1)
    driver = AiokafkaDriver(Connection(bootstrap_servers=embedded_kafka.bootstrap_servers))
    async with Connection(bootstrap_servers=embedded_kafka.bootstrap_servers).producer() as producer:
        await producer.send_and_wait("t", b"before", partition=0)
        with capture_logs() as logs:
            assert await send_bytes(embedded_kafka, garbage) == b""
        assert [line["event"] for line in logs] == ["embedded_kafka_connection_closed"]
        await producer.send_and_wait("t", b"after", partition=0)
    assert [record.value for record in await driver.read_until("t", b"after")] == [b"before", b"after"]


async def test_a_partition_holds_no_more_than_its_bytes_and_drops_the_oldest() -> None:
    async with EmbeddedKafka(max_partition_bytes=200_000) as kafka:
        kafka.create_topic("t", partitions=1)
        connection = Connection(bootstrap_servers=kafka.bootstrap_servers)
        async with connection.producer() as producer, connection.consumer() as consumer:
            for _ in range(60):
                await producer.send_and_wait("t", b"x" * 10_000, partition=0)
            await producer.send_and_wait("t", b"end", partition=0)
            partition = TopicPartition("t", 0)
            consumer.assign([partition])
            first = (await consumer.beginning_offsets([partition]))[partition]
            assert (await consumer.end_offsets([partition]))[partition] == 61
        assert 61 - first <= 21
        assert len(await AiokafkaDriver(connection).read_until("t", b"end")) == 61 - first


async def test_a_compacted_topic_keeps_the_newest_committed_record_of_every_key() -> None:
    """The log is cleaned many times over; what an abort left behind replaces nothing."""
    async with EmbeddedKafka(max_partition_bytes=100_000) as kafka:
        kafka.create_topic("state", partitions=1, config={"cleanup.policy": "compact"})
        connection = Connection(bootstrap_servers=kafka.bootstrap_servers)
        newest: dict[bytes | None, bytes] = {}
        async with connection.producer(transactional_id="writer") as producer:
            for number in range(300):
                key, value = b"%d" % (number % 10), os.urandom(2000)
                await producer.begin_transaction()
                await producer.send_and_wait("state", value, key=key, partition=0)
                if number % 3:
                    newest[key] = value
                    await producer.commit_transaction()
                else:
                    await producer.abort_transaction()
        driver = AiokafkaDriver(connection)
        await driver.produce("state", [Record(key=b"last", value=b"end")])
        read = await driver.read_until("state", b"end")
        assert {record.key: record.value for record in read[:-1]} == newest
        assert sum(len(record.value or b"") for record in read) < 200_000


async def test_topics_come_into_being_when_it_is_told_so() -> None:
    async with EmbeddedKafka(default_partitions=3) as kafka:
        connection = Connection(bootstrap_servers=kafka.bootstrap_servers)
        async with connection.producer() as producer:
            await producer.send_and_wait("new", b"1")
            assert await producer.partitions_for("new") == {0, 1, 2}


async def test_leaving_it_does_not_wait_for_clients_that_are_still_there() -> None:
    async with EmbeddedKafka() as kafka:
        connection = Connection(bootstrap_servers=kafka.bootstrap_servers)
        consumer = connection.consumer("t", group_id="g", fetch_max_wait_ms=30_000)
        await consumer.start()
    async with asyncio.timeout(10):
        await consumer.stop()
