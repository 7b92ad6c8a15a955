"""Topics full of events, for the benchmarks: the same ones for every candidate."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer
from aiokafka.admin import NewTopic
from aiokafka.producer.message_accumulator import BatchBuilder

from clients.kafka import Connection
from consumers.topics import internal_topics
from producers.dead_letter import SUFFIX as DEAD_LETTER
from producers.output import partition_for

PARTITIONS = 12
KEYS = 1_000
VALUE_BYTES = 200

_BATCH_BYTES = 2**18
_FILL_SECONDS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """The topics of one measurement."""

    bootstrap_servers: str
    name: str
    events: int
    partitions: int = PARTITIONS

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

    @property
    def topics(self) -> list[NewTopic]:
        """All topics of the measurement, the group's own ones as `topics create` would make them."""
        plain = [NewTopic(name, self.partitions, 1) for name in (self.source, self.target, self.source + DEAD_LETTER)]
        internal = internal_topics(self.group, like=self.source)
        return [*plain, *(NewTopic(t.name, self.partitions, 1, topic_configs=dict(t.config)) for t in internal)]


async def create_topics(bootstrap_servers: str, events: int, partitions: int = PARTITIONS) -> Load:
    """The empty topics of a measurement with so many events."""
    name = f"bench-{uuid.uuid4().hex[:8]}"
    load = Load(bootstrap_servers=bootstrap_servers, name=name, events=events, partitions=partitions)
    admin = load.connection.admin()
    await admin.start()
    try:
        await admin.create_topics(load.topics)
    finally:
        await admin.close()
    return load


async def prepare(bootstrap_servers: str, events: int, learners: Iterable[int] | None = None) -> Load:
    """Make a measurement's topics and fill the source; `learners` says whose each event is, else all take turns."""
    load = await create_topics(bootstrap_servers, events)
    async with filling(load) as producer:
        await _fill(producer, load, in_turn(events) if learners is None else learners)
    return load


@asynccontextmanager
async def prepare_unseen(load: Load, learners: Iterable[int]) -> AsyncIterator[None]:
    """Fill the source; consumers see the events all at once, at the end of the block.

    They are one transaction: workers can join the group and be balanced before the first event is there.
    """
    producer = load.connection.producer(
        max_batch_size=_BATCH_BYTES,
        linger_ms=5,
        transactional_id=load.name,
        transaction_timeout_ms=_FILL_SECONDS * 1000,
    )
    async with producer, producer.transaction():
        await _fill(producer, load, learners)
        yield


async def remove(load: Load) -> None:
    """Delete the topics: the broker has to keep room for the next measurement."""
    admin = load.connection.admin()
    await admin.start()
    try:
        await admin.delete_topics([topic.name for topic in load.topics])
    finally:
        await admin.close()


def in_turn(events: int, learners: int = KEYS) -> Iterable[int]:
    """The learners of so many events: each in turn."""
    return (number % learners for number in range(events))


@asynccontextmanager
async def filling(load: Load, batch_bytes: int = _BATCH_BYTES) -> AsyncIterator[AIOKafkaProducer]:
    """A producer to fill topics with."""
    async with load.connection.producer(max_batch_size=batch_bytes, linger_ms=5) as producer:
        yield producer


async def _fill(producer: AIOKafkaProducer, load: Load, learners: Iterable[int]) -> None:
    await send_records(producer, load.source, _events(learners, load.partitions))


def _events(learners: Iterable[int], partitions: int) -> Iterable[tuple[int, bytes, bytes]]:
    for number, learner in enumerate(learners):
        key = b"learner-%04d" % learner
        head = b'{"userId":"%s","n":%d,"eventId":"e-%08d","text":"' % (key, number, number)
        yield partition_for(key, partitions), key, head.ljust(VALUE_BYTES - 2, b"x") + b'"}'


async def send_records(producer: AIOKafkaProducer, topic: str, records: Iterable[tuple[int, bytes, bytes]]) -> int:
    """Send records, each a partition, a key and a value, in full batches; gives their bytes."""
    batches: dict[int, BatchBuilder] = {}
    sent = []
    size: int = 0
    for partition, key, value in records:
        batch = batches.get(partition)
        if batch is None or batch.append(key=key, value=value, timestamp=None) is None:
            if batch is not None:
                size += batch.size()
                sent.append(await producer.send_batch(batch, topic, partition=partition))
            batches[partition] = batch = producer.create_batch()
            batch.append(key=key, value=value, timestamp=None)
    sent += [await producer.send_batch(batch, topic, partition=partition) for partition, batch in batches.items()]
    await asyncio.gather(*sent)
    size += sum(batch.size() for batch in batches.values())
    return size
