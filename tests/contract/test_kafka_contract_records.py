"""Records in and out: what any client may rely on, on the embedded broker as on Apache Kafka."""

import asyncio
import time

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import MessageSizeTooLargeError
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from clients.kafka import Connection
from tests.contract.kafka_drivers import Driver, Record
from tests.kafka import TopicFactory

OUT_OF_ORDER_SEQUENCE = 45


async def test_records_come_back_as_they_were_sent_and_in_order(driver: Driver, create_topic: TopicFactory) -> None:
    topic = await create_topic()
    sent = [
        Record(
            key=b"learner-1",
            value=b'{"a": 1}',
            headers=(("traceparent", b"00-1"), ("twice", b"1"), ("twice", b"2")),
        ),
        Record(key=None, value=b"no key", timestamp_ms=1_700_000_000_123),
        Record(key=b"tombstone", value=None),
        Record(key=b"", value="שלום".encode()),
        *(Record(key=b"k", value=b"%d" % number) for number in range(500)),
    ]
    offsets = await driver.produce(topic, sent)
    read = await driver.read_until(topic, b"499")
    assert offsets == list(range(len(sent)))
    assert [(r.key, r.value, r.headers) for r in read] == [(r.key, r.value, r.headers) for r in sent]
    assert read[1].timestamp_ms == 1_700_000_000_123
    assert abs((read[0].timestamp_ms or 0) / 1000 - time.time()) < 60


async def test_compressed_batches_pass_through(
    connection: Connection, driver: Driver, create_topic: TopicFactory
) -> None:
    topic = await create_topic()
    async with connection.producer(compression_type="gzip") as producer:
        for number in range(20):
            await producer.send(topic, b"%d" % number * 100, partition=0)
        await producer.send_and_wait(topic, b"end", partition=0)
    assert len(await driver.read_until(topic, b"end")) == 21


async def test_a_record_above_the_topics_limit_is_refused_and_the_next_one_is_not(
    connection: Connection, driver: Driver, create_topic: TopicFactory
) -> None:
    topic = await create_topic(config={"max.message.bytes": "2000"})
    async with connection.producer() as producer:
        with pytest.raises(MessageSizeTooLargeError):
            await producer.send_and_wait(topic, b"x" * 3000, partition=0)
        await producer.send_and_wait(topic, b"small", partition=0)
    assert [record.value for record in await driver.read_until(topic, b"small")] == [b"small"]


async def test_a_record_of_one_mebibyte_fits_where_the_topic_allows_it(
    driver: Driver, create_topic: TopicFactory
) -> None:
    topic = await create_topic(config={"max.message.bytes": "4000000"})
    large = b"x" * 950_000
    await driver.produce(topic, [Record(value=large), Record(value=large), Record(value=b"end")])
    assert [record.value for record in await driver.read_until(topic, b"end")] == [large, large, b"end"]


async def test_beginning_and_end_offsets_and_the_offset_at_a_time(
    connection: Connection, driver: Driver, create_topic: TopicFactory
) -> None:
    topic = await create_topic(partitions=2)
    filled, empty = TopicPartition(topic, 0), TopicPartition(topic, 1)
    await driver.produce(topic, [Record(value=b"r", timestamp_ms=1000 * number) for number in range(1, 11)])
    async with connection.consumer() as consumer:
        consumer.assign([filled, empty])
        assert await consumer.beginning_offsets([filled, empty]) == {filled: 0, empty: 0}
        assert await consumer.end_offsets([filled, empty]) == {filled: 10, empty: 0}
        found = await consumer.offsets_for_times({filled: 4500, empty: 4500})
        assert (found[filled].offset, found[filled].timestamp, found[empty]) == (4, 5000, None)
        assert (await consumer.offsets_for_times({filled: 10_001}))[filled] is None
    assert await driver.end_offset(topic, "read_uncommitted") == 10


async def test_a_waiting_fetch_returns_as_soon_as_a_record_is_there(
    connection: Connection, create_topic: TopicFactory
) -> None:
    """Each of three records is read before the next is sent; without waking up that would take 30 s."""
    topic = await create_topic()
    async with connection.producer() as producer, connection.consumer(fetch_max_wait_ms=10_000) as consumer:
        consumer.assign([TopicPartition(topic, 0)])
        await consumer.seek_to_beginning()
        began = time.monotonic()
        for number in range(3):
            await producer.send_and_wait(topic, b"%d" % number, partition=0)
            assert (await consumer.getone()).value == b"%d" % number
    assert time.monotonic() - began < 10


async def test_a_waiting_fetch_holds_up_nobody_else(connection: Connection, create_topic: TopicFactory) -> None:
    topic, quiet = await create_topic(), await create_topic()
    async with connection.consumer(fetch_max_wait_ms=10_000) as waiting, connection.producer() as producer:
        waiting.assign([TopicPartition(quiet, 0)])
        async with asyncio.timeout(5):
            for number in range(20):
                await producer.send_and_wait(topic, b"%d" % number, partition=0)


async def test_a_batch_that_is_sent_twice_is_stored_once(
    connection: Connection, driver: Driver, create_topic: TopicFactory
) -> None:
    """What an idempotent producer does when the answer to its first try was lost."""
    topic = await create_topic()
    first, second, after_a_gap = (_numbered_batch(sequence) for sequence in (0, 1, 5))
    answers = [await _send(connection, topic, batch) for batch in (first, first, second, first, after_a_gap)]
    assert answers[:4] == [(0, 0), (0, 0), (0, 1), (0, 0)]
    assert answers[4][0] == OUT_OF_ORDER_SEQUENCE
    await driver.produce(topic, [Record(value=b"end")])
    assert [record.value for record in await driver.read_until(topic, b"end")] == [b"0", b"1", b"end"]


def _numbered_batch(sequence: int) -> bytes:
    builder = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=0,
        is_transactional=0,
        producer_id=7_000_000,
        producer_epoch=0,
        base_sequence=sequence,
        batch_size=10_000,
    )
    builder.append(0, timestamp=int(time.time() * 1000), key=None, value=b"%d" % sequence, headers=[])
    return bytes(builder.build())


async def _send(connection: Connection, topic: str, batch: bytes) -> tuple[int, int]:
    """Send a batch as it stands; the error code and the offset that the broker answers."""
    client = connection.client()
    await client.bootstrap()
    try:
        client.add_topic(topic)
        await client.force_metadata_update()
        node = client.cluster.leader_for_partition(TopicPartition(topic, 0))
        request = ProduceRequest(transactional_id=None, required_acks=-1, timeout=5000, topics=[(topic, [(0, batch)])])
        answer = await client.send(node, request)
    finally:
        await client.close()
    ((_topic, ((_partition, code, offset, *_rest),)),) = answer.topics
    return code, offset
