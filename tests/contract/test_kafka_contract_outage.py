"""The broker goes away and comes back: clients go on by themselves, nothing acknowledged is lost."""

import asyncio
from uuid import uuid4

from aiokafka import TopicPartition

from clients.kafka import Connection
from tests.contract.kafka_drivers import AiokafkaDriver, Record
from tests.kafka import KafkaUnderTest, TopicFactory


async def test_producer_and_group_go_on_and_an_open_transaction_is_left_to_its_next_owner(
    kafka: KafkaUnderTest, connection: Connection, create_topic: TopicFactory
) -> None:
    """One outage for all three of them: on a real Kafka it costs several seconds."""
    topic, of_transactions = await create_topic(), await create_topic()
    driver, name = AiokafkaDriver(connection), f"outage-{uuid4().hex[:12]}"
    async with (
        asyncio.timeout(50),
        connection.producer() as producer,
        connection.consumer(topic, group_id=name, heartbeat_interval_ms=200) as consumer,
        driver.transactions(name) as first_owner,
    ):
        await producer.send_and_wait(topic, b"before", partition=0)
        assert (await consumer.getone()).value == b"before"
        await consumer.commit()
        await first_owner.begin()
        await first_owner.send(of_transactions, b"left open")

        async with kafka.outage():
            delivered = await producer.send(topic, b"during", partition=0)

        await delivered
        assert (await consumer.getone()).value == b"during"
        await consumer.commit()
        assert await consumer.committed(TopicPartition(topic, 0)) == 2
        async with driver.transactions(name) as second_owner:
            await second_owner.begin()
            await second_owner.send(of_transactions, b"committed")
            await second_owner.commit()
        await driver.produce(of_transactions, [Record(value=b"end")])
        read = await driver.read_until(of_transactions, b"end")
        assert [record.value for record in read] == [b"committed", b"end"]
