"""Our own transactions against both brokers: all of it or nothing, and every outcome by its name."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError

from clients.cluster import Cluster
from clients.kafka import Connection
from producers.output import Output, build_batches
from producers.transaction import TransactionalProducer
from schemas.errors import FencedError, RecordRefusedError, TopicMissingError, TransactionFailedError
from tests.kafka import KafkaUnderTest, TopicFactory

TIMEOUT_SECONDS = 5.0


@pytest.fixture
async def cluster(connection: Connection) -> AsyncIterator[Cluster]:
    async with Cluster(connection) as opened:
        yield opened


async def producer_of(cluster: Cluster, topic: str) -> TransactionalProducer:
    """A started producer whose id no other test has."""
    producer = TransactionalProducer(cluster, f"txn-{topic}", timeout_seconds=TIMEOUT_SECONDS)
    await producer.start()
    return producer


async def commit(
    cluster: Cluster, producer: TransactionalProducer, topic: str, values: list[bytes], offset: int
) -> None:
    """Send values to a topic and commit an offset of that same topic, in one transaction."""
    count = await cluster.partition_count(topic)
    outputs = [Output(topic, b"k", value, [("h", b"1")]) for value in values]
    batches = build_batches(outputs, partition_count=lambda _topic: count, max_bytes=cluster.max_message_bytes)
    await producer.commit(batches, {TopicPartition(topic, 0): (offset, f"meta-{offset}")}, f"group-{topic}")


async def committed(connection: Connection, topic: str) -> tuple[int, str] | None:
    admin = connection.admin()
    await admin.start()
    try:
        offsets = await admin.list_consumer_group_offsets(f"group-{topic}")
    finally:
        await admin.close()
    found = offsets.get(TopicPartition(topic, 0))
    return (found.offset, found.metadata) if found else None


async def values_in(connection: Connection, topic: str, count: int) -> list[bytes]:
    async with connection.consumer(topic) as consumer, asyncio.timeout(20):
        values: list[bytes] = []
        while len(values) < count:
            for records in (await consumer.getmany(timeout_ms=200)).values():
                values += [record.value for record in records]
        return values


async def test_records_and_offsets_are_committed_together(
    cluster: Cluster, connection: Connection, create_topic: TopicFactory
) -> None:
    topic = await create_topic(partitions=3)
    producer = await producer_of(cluster, topic)
    for number in range(3):
        await commit(cluster, producer, topic, [b"%d" % number], number)
    assert await values_in(connection, topic, 3) == [b"0", b"1", b"2"]
    assert await committed(connection, topic) == (2, "meta-2")


async def test_more_than_one_batch_of_a_partition_keeps_its_order(
    cluster: Cluster, connection: Connection, create_topic: TopicFactory
) -> None:
    topic = await create_topic(config={"max.message.bytes": "5000"})
    await cluster.load_limits([topic])
    values = [b"%03d" % number + b"x" * 1_000 for number in range(40)]
    await commit(cluster, await producer_of(cluster, topic), topic, values, 1)
    assert await values_in(connection, topic, 40) == values


async def test_a_transaction_of_offsets_alone_is_committed(
    cluster: Cluster, connection: Connection, create_topic: TopicFactory
) -> None:
    topic = await create_topic()
    await commit(cluster, await producer_of(cluster, topic), topic, [], 7)
    assert await committed(connection, topic) == (7, "meta-7")


@pytest.mark.parametrize("values", [[b"late"], []], ids=["records", "offsets alone"])
async def test_whoever_starts_later_fences_the_earlier_one(
    cluster: Cluster, connection: Connection, create_topic: TopicFactory, values: list[bytes]
) -> None:
    topic = await create_topic()
    zombie = await producer_of(cluster, topic)
    await commit(cluster, zombie, topic, [b"in time"], 1)
    owner = await producer_of(cluster, topic)
    with pytest.raises(FencedError):
        await commit(cluster, zombie, topic, values, 99)
    await commit(cluster, owner, topic, [b"owner"], 2)
    assert await values_in(connection, topic, 2) == [b"in time", b"owner"]
    assert await committed(connection, topic) == (2, "meta-2")


async def test_a_missing_topic_is_named(cluster: Cluster) -> None:
    with pytest.raises(TopicMissingError, match=r"no-such-topic.*topics create"):
        await cluster.partition_count("no-such-topic")


async def test_while_kafka_is_away_no_topic_is_called_missing(cluster: Cluster, kafka: KafkaUnderTest) -> None:
    async with kafka.outage():
        with pytest.raises(KafkaConnectionError, match="no broker says"):
            await cluster.partition_count("never heard of")


async def test_a_record_the_topic_refuses_is_told_apart_and_the_next_transaction_works(
    cluster: Cluster, connection: Connection, create_topic: TopicFactory
) -> None:
    topic = await create_topic(config={"max.message.bytes": "2000"})
    producer = await producer_of(cluster, topic)
    with pytest.raises(RecordRefusedError):
        await commit(cluster, producer, topic, [b"x" * 5_000], 1)
    await producer.start()
    await commit(cluster, producer, topic, [b"small"], 2)
    assert await values_in(connection, topic, 1) == [b"small"]
    assert await committed(connection, topic) == (2, "meta-2")


async def test_an_outage_is_a_failure_by_the_deadline_and_afterwards_nothing_is_half_done(
    kafka: KafkaUnderTest, cluster: Cluster, connection: Connection, create_topic: TopicFactory
) -> None:
    topic = await create_topic()
    producer = await producer_of(cluster, topic)
    await commit(cluster, producer, topic, [b"before"], 1)
    async with kafka.outage():
        with pytest.raises(TransactionFailedError):
            await commit(cluster, producer, topic, [b"during"], 2)
    await producer.start()
    position = await committed(connection, topic)
    assert position in ((1, "meta-1"), (2, "meta-2"))
    await commit(cluster, producer, topic, [b"after"], 3)
    expected = [b"before", b"during", b"after"] if position == (2, "meta-2") else [b"before", b"after"]
    assert await values_in(connection, topic, len(expected)) == expected
