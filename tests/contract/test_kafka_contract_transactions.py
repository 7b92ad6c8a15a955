"""Transactions: all or nothing for readers, one owner per id, offsets that go with the records."""

from uuid import uuid4

import pytest
from aiokafka import TopicPartition
from aiokafka.structs import OffsetAndMetadata
from confluent_kafka import KafkaException

from clients.group import committed_positions
from clients.kafka import Connection
from tests.contract.kafka_drivers import AiokafkaDriver, Driver, FencedError, Record
from tests.contract.librdkafka_driver import LibrdkafkaDriver
from tests.kafka import TopicFactory, eventually


@pytest.fixture
def transactional_id() -> str:
    """An id that no other test has."""
    return f"tx-{uuid4().hex[:12]}"


def values(records: list[Record]) -> list[bytes | None]:
    return [record.value for record in records]


async def test_a_committed_transaction_is_visible(
    driver: Driver, create_topic: TopicFactory, transactional_id: str
) -> None:
    topic = await create_topic()
    async with driver.transactions(transactional_id) as producer:
        for number in (b"1", b"2"):
            await producer.begin()
            await producer.send(topic, number)
            await producer.commit()
    await driver.produce(topic, [Record(value=b"end")])
    assert values(await driver.read_until(topic, b"end")) == [b"1", b"2", b"end"]


async def test_an_aborted_transaction_is_seen_by_readers_of_uncommitted_records_only(
    driver: Driver, create_topic: TopicFactory, transactional_id: str
) -> None:
    topic = await create_topic()
    async with driver.transactions(transactional_id) as producer:
        await producer.begin()
        await producer.send(topic, b"void")
        await producer.abort()
        await producer.begin()
        await producer.send(topic, b"kept")
        await producer.commit()
    await driver.produce(topic, [Record(value=b"end")])
    assert values(await driver.read_until(topic, b"end")) == [b"kept", b"end"]
    assert values(await driver.read_until(topic, b"end", "read_uncommitted")) == [b"void", b"kept", b"end"]


async def test_an_open_transaction_holds_back_everything_behind_it(
    driver: Driver, create_topic: TopicFactory, transactional_id: str
) -> None:
    topic = await create_topic()
    await driver.produce(topic, [Record(value=b"before")])
    async with driver.transactions(transactional_id) as producer:
        await producer.begin()
        await producer.send(topic, b"inside")
        await driver.produce(topic, [Record(value=b"behind")])
        assert await driver.end_offset(topic, "read_committed") == 1
        assert await driver.end_offset(topic, "read_uncommitted") == 3
        await producer.commit()
    assert values(await driver.read_until(topic, b"behind")) == [b"before", b"inside", b"behind"]
    assert await driver.end_offset(topic, "read_committed") == 4, "the marker takes an offset too"


async def test_a_second_producer_with_the_same_id_fences_the_first_and_ends_its_transaction(
    driver: Driver, create_topic: TopicFactory, transactional_id: str
) -> None:
    topic = await create_topic()
    async with driver.transactions(transactional_id) as zombie:
        await zombie.begin()
        await zombie.send(topic, b"of the zombie")
        async with driver.transactions(transactional_id) as owner:
            await owner.begin()
            await owner.send(topic, b"of the owner")
            await owner.commit()
            with pytest.raises(FencedError):
                await zombie.commit()
    await driver.produce(topic, [Record(value=b"end")])
    assert values(await driver.read_until(topic, b"end")) == [b"of the owner", b"end"]


async def test_a_transaction_that_stays_open_too_long_is_aborted(
    driver: Driver, create_topic: TopicFactory, transactional_id: str
) -> None:
    topic = await create_topic()
    async with driver.transactions(transactional_id, timeout_ms=1000) as producer:
        await producer.begin()
        await producer.send(topic, b"too late")

        async def is_ended() -> bool:
            return await driver.end_offset(topic, "read_committed") == 2

        await eventually(is_ended)
        with pytest.raises(FencedError):
            await producer.commit()
    await driver.produce(topic, [Record(value=b"end")])
    assert values(await driver.read_until(topic, b"end")) == [b"end"]


async def test_offsets_of_a_transaction_count_when_it_is_committed_and_not_before(
    connection: Connection, driver: Driver, create_topic: TopicFactory, transactional_id: str
) -> None:
    topic = await create_topic()
    group_id = f"group-of-{transactional_id}"
    seen: list[int] = []
    async with driver.transactions(transactional_id) as producer:
        for end in (producer.commit, producer.abort, producer.commit):
            await producer.begin()
            await producer.send(topic, b"output")
            await producer.send_offset(group_id, topic, 10 * (len(seen) + 1))
            seen.append(await committed_offset(connection, group_id, topic))
            await end()
    seen.append(await committed_offset(connection, group_id, topic))
    assert seen == [-1, 10, 10, 30]


async def test_offsets_of_a_transaction_keep_their_metadata(
    connection: Connection, create_topic: TopicFactory, transactional_id: str
) -> None:
    """Progress beyond the committed offset lives in that string: its 4096 characters have to come back."""
    topic = await create_topic()
    partition = TopicPartition(topic, 0)
    group_id = f"group-of-{transactional_id}"
    async with AiokafkaDriver(connection).transactions(transactional_id) as producer:
        await producer.begin()
        await producer.send_offset(group_id, topic, 5, "p" * 4096)
        await producer.commit()
    async with connection.consumer(group_id=group_id) as consumer:
        consumer.assign([partition])
        assert await committed_positions(consumer, [partition]) == {partition: OffsetAndMetadata(5, "p" * 4096)}


async def test_metadata_that_is_too_long_for_a_transaction_is_an_error_and_never_cut(
    connection: Connection, create_topic: TopicFactory, transactional_id: str
) -> None:
    topic = await create_topic()
    group_id = f"group-of-{transactional_id}"
    async with LibrdkafkaDriver(connection).transactions(transactional_id) as producer:
        await producer.begin()
        with pytest.raises(KafkaException, match="OFFSET_METADATA_TOO_LARGE"):
            await producer.send_offset(group_id, topic, 6, "p" * 4097)
        await producer.abort()
    assert await committed_offset(connection, group_id, topic) == -1


async def committed_offset(connection: Connection, group_id: str, topic: str) -> int:
    partition = TopicPartition(topic, 0)
    async with connection.consumer(group_id=group_id) as consumer:
        consumer.assign([partition])
        positions = await committed_positions(consumer, [partition])
        return positions[partition].offset if partition in positions else -1
