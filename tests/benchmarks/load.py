"""Topics full of events, for the benchmarks: the same ones for every candidate."""

import asyncio
import uuid
from dataclasses import dataclass

from aiokafka.admin import NewTopic

from clients.kafka import Connection
from consumers.engine.names import REPARTITION_SUFFIX
from producers.dead_letter import SUFFIX as DEAD_LETTER
from producers.output import partition_for

PARTITIONS = 12
KEYS = 1_000
VALUE_BYTES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """The topics of one measurement."""

    bootstrap_servers: str
    name: str
    events: int

    @property
    def connection(self) -> Connection:
        return Connection(bootstrap_servers=self.bootstrap_servers)

    @property
    def source(self) -> str:
        return f"{self.name}-in"

    @property
    def target(self) -> str:
        return f"{self.name}-out"

    @property
    def group(self) -> str:
        return f"{self.name}-group"


async def prepare(bootstrap_servers: str, events: int) -> Load:
    """Make a measurement's topics and fill the source."""
    load = Load(bootstrap_servers=bootstrap_servers, name=f"bench-{uuid.uuid4().hex[:8]}", events=events)
    topics = [load.source, load.target, load.source + DEAD_LETTER, load.group + REPARTITION_SUFFIX]
    admin = load.connection.admin()
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, PARTITIONS, 1) for topic in topics])
    finally:
        await admin.close()
    await _fill(load)
    return load


async def _fill(load: Load) -> None:
    producer = load.connection.producer(max_batch_size=2**18, linger_ms=5)
    await producer.start()
    try:
        batches = {partition: producer.create_batch() for partition in range(PARTITIONS)}
        sent = []
        for number in range(load.events):
            key = b"learner-%04d" % (number % KEYS)
            value = (b'{"userId":"%s","n":%d,"text":"' % (key, number)).ljust(VALUE_BYTES - 2, b"x") + b'"}'
            partition = partition_for(key, PARTITIONS)
            if batches[partition].append(key=key, value=value, timestamp=None) is None:
                sent.append(await producer.send_batch(batches[partition], load.source, partition=partition))
                batches[partition] = producer.create_batch()
                batches[partition].append(key=key, value=value, timestamp=None)
        for partition, batch in batches.items():
            if batch.record_count():
                sent.append(await producer.send_batch(batch, load.source, partition=partition))
        await asyncio.gather(*sent)
    finally:
        await producer.stop()
