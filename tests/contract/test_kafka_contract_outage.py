"""The broker goes away and comes back: clients go on by themselves, nothing acknowledged is lost."""

import asyncio
from uuid import uuid4

from aiokafka import TopicPartition

from clients.kafka import Connection
from tests.contract.kafka_drivers import AiokafkaDriver, Record
from tests.kafka import KafkaUnderTest, TopicFactory


async def test_producer_and_group_survive_an_outage(
    kafka: KafkaUnderTest, connection: Connection, create_topic: TopicFactory
) -> None:
    topic = await create_topic()
    partition = TopicPartition(topic, 0)
    group_id = f"group-{uuid4().hex[:12]}"
    async with (
        connection.producer() as producer,
        connection.consumer(topic, group_id=group_id, heartbeat_interval_ms=200) as consumer,
        asyncio.timeout(45),
    ):
        await producer.send_and_wait(topic, b"before", partition=0)
        assert (await consumer.getone()).value == b"before"
        await consumer.commit()
        async with kafka.outage():
            delivered = await producer.send(topic, b"during", partition=0)
        await delivered
        assert (await consumer.getone()).value == b"during"
        await consumer.commit()
        assert await consumer.committed(partition) == 2


async def test_a_transaction_that_was_open_in_an_outage_is_ended_by_the_next_owner(
    kafka: KafkaUnderTest, connection: Connection, create_topic: TopicFactory
) -> None:
    topic, driver = await create_topic(), AiokafkaDriver(connection)
    transactional_id = f"tx-{uuid4().hex[:12]}"
    async with driver.transactions(transactional_id) as first:
        await first.begin()
        await first.send(topic, b"left open")
        async with kafka.outage():
            pass
        async with driver.transactions(transactional_id) as second:
            await second.begin()
            await second.send(topic, b"committed")
            await second.commit()
        await driver.produce(topic, [Record(value=b"end")])
        assert [r.value for r in await driver.read_until(topic, b"end")] == [b"committed", b"end"]
