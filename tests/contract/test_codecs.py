"""Whatever an upstream compresses with, we read it."""

import asyncio

import pytest
from confluent_kafka import Producer

from clients.kafka import Connection
from tests.kafka import TopicFactory


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
async def test_every_codec_of_kafka_is_read(connection: Connection, create_topic: TopicFactory, codec: str) -> None:
    topic = await create_topic()
    producer = Producer({"bootstrap.servers": connection.bootstrap_servers, "compression.type": codec, "linger.ms": 50})
    values = [b"event %d " % number + b"x" * 500 for number in range(50)]
    for value in values:
        producer.produce(topic, value)
    assert await asyncio.to_thread(producer.flush, 20) == 0
    async with connection.consumer(topic) as consumer, asyncio.timeout(20):
        read: list[bytes] = []
        while len(read) < len(values):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                read += [record.value for record in records]
    assert read == values
