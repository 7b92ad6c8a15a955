"""The operators' tools: Apache's own Java clients, against the embedded broker as against their own."""

import asyncio
from uuid import uuid4

from clients.kafka import Connection
from tests.kafka import KafkaTools, TopicFactory, eventually


async def test_lines_typed_into_the_console_producer_come_out_of_the_console_consumer(
    kafka_tools: KafkaTools, connection: Connection, create_topic: TopicFactory
) -> None:
    """And the group that read them shows up in kafka-consumer-groups, with nothing left to read."""
    topic, group_id = await create_topic(), f"group-{uuid4().hex[:12]}"
    typed = '{"userId": "1"}\n{"userId": "2"}\n'
    await asyncio.to_thread(kafka_tools.tool, "kafka-console-producer", "--topic", topic, input=typed)
    async with connection.producer(transactional_id=group_id) as producer, producer.transaction():
        await producer.send(topic, b'{"userId": "3"}', partition=0)
    read = await asyncio.to_thread(
        kafka_tools.tool,
        "kafka-console-consumer",
        *("--topic", topic, "--group", group_id, "--from-beginning", "--max-messages", "3"),
        *("--isolation-level", "read_committed"),
    )
    assert read == typed + '{"userId": "3"}\n'
    described = await asyncio.to_thread(kafka_tools.tool, "kafka-consumer-groups", "--describe", "--group", group_id)
    row = next(line.split() for line in described.splitlines() if line.startswith(group_id))
    _group, of_topic, partition, current_offset, _end_offset, lag = row[:6]
    assert (of_topic, partition, current_offset, lag) == (topic, "0", "4", "0"), "a marker takes an offset too"


async def test_topics_made_by_kafka_topics_are_there_for_everybody(
    kafka_tools: KafkaTools, connection: Connection
) -> None:
    topic = f"test-{uuid4().hex[:12]}"
    await asyncio.to_thread(kafka_tools.tool, "kafka-topics", "--create", "--topic", topic, "--partitions", "3")
    shown = await asyncio.to_thread(kafka_tools.tool, "kafka-topics", "--describe", "--topic", topic)
    assert f"Topic: {topic}" in shown
    assert "PartitionCount: 3" in shown
    async with connection.consumer() as consumer:
        assert topic in await consumer.topics()


async def test_a_group_with_a_member_is_described(
    kafka_tools: KafkaTools, connection: Connection, create_topic: TopicFactory
) -> None:
    topic, group_id = await create_topic(), f"group-{uuid4().hex[:12]}"
    async with connection.consumer(topic, group_id=group_id) as consumer:
        await eventually(lambda: bool(consumer.assignment()))
        shown = await asyncio.to_thread(
            kafka_tools.tool, "kafka-consumer-groups", "--describe", "--group", group_id, "--members"
        )
    assert connection.client_id in shown
