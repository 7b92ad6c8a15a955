"""What the engine is measured against: a bare loop, a sequential consumer. Each runs in a process of its own."""

import asyncio
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from producers.output import partition_for
from tests.benchmarks.load import PARTITIONS, Load
from tests.benchmarks.memory import peak_mib


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One measurement."""

    events: int
    seconds: float
    cpu_seconds: float
    commit_seconds: list[float]
    peak_mib: float
    sent_bytes: dict[str, int] = field(default_factory=dict)
    """Bytes of record batches that were sent, by topic."""
    memory: list["MemorySample"] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return self.events / self.seconds


class MemorySample(NamedTuple):
    """MiB in use when a share of the events (0..1) was handled; the stores' cache is part of it."""

    handled: float
    resident_mib: float
    cache_mib: float


class Stopwatch:
    """Wall time and this process's CPU time from the first event to the last commit."""

    def __init__(self) -> None:
        self._wall = self._cpu = 0.0
        self.commits: list[float] = []

    def start(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    @property
    def running(self) -> bool:
        """Whether the first event was there."""
        return self._wall > 0

    @property
    def seconds(self) -> float:
        """Since the first event."""
        return time.perf_counter() - self._wall

    def stop(self, events: int) -> Figures:
        return Figures(
            events=events,
            seconds=self.seconds,
            cpu_seconds=time.process_time() - self._cpu,
            commit_seconds=self.commits,
            peak_mib=peak_mib(),
        )


async def bare_loop(load: Load, max_records: int | None) -> Figures:
    """getmany, send_batch, commit: at-least-once, in order, no work, the least a consumer can do.

    Every poll ends in a commit, so `max_records` decides how many records share one: Kafka's own clients take 500
    (`max.poll.records`); with None a poll takes all that was prefetched, here up to 12 MiB.
    """
    consumer = load.connection.consumer(load.source, group_id=load.group, fetch_max_wait_ms=20)
    producer = load.connection.producer(max_batch_size=2**18)
    watch, done = Stopwatch(), 0
    async with producer, consumer:
        while done < load.events:
            fetched = await consumer.getmany(timeout_ms=200, max_records=max_records)
            if not fetched:
                continue
            if not done:
                watch.start()
            records = [(record.key, record.value) for batch in fetched.values() for record in batch]
            await _send(producer, load.target, records)
            begun = time.perf_counter()
            await consumer.commit({source: batch[-1].offset + 1 for source, batch in fetched.items()})
            watch.commits.append(time.perf_counter() - begun)
            done += len(records)
        return watch.stop(done)


async def _send(producer: AIOKafkaProducer, topic: str, records: list[tuple[bytes, bytes]]) -> None:
    by_partition: dict[int, list[tuple[bytes, bytes]]] = defaultdict(list)
    for record in records:
        by_partition[partition_for(record[0], PARTITIONS)].append(record)
    sent = []
    for partition, batch_of in by_partition.items():
        batch = producer.create_batch()
        for key, value in batch_of:
            if batch.append(key=key, value=value, timestamp=None) is None:
                sent.append(await producer.send_batch(batch, topic, partition=partition))
                batch = producer.create_batch()
                batch.append(key=key, value=value, timestamp=None)
        sent.append(await producer.send_batch(batch, topic, partition=partition))
    await asyncio.gather(*sent)


async def sequential(load: Load, work_seconds: float) -> Figures:
    """One event after the other, each in a transaction of its own: exactly once, as the textbook has it."""
    consumer = load.connection.consumer(load.source, group_id=load.group, fetch_max_wait_ms=20)
    producer = load.connection.producer(transactional_id=load.group)
    watch, done = Stopwatch(), 0
    async with producer, consumer:
        async for record in consumer:
            if not done:
                watch.start()
            if work_seconds:
                await asyncio.sleep(work_seconds)
            begun = time.perf_counter()
            async with producer.transaction():
                await producer.send_and_wait(load.target, record.value, key=record.key)
                source = TopicPartition(record.topic, record.partition)
                await producer.send_offsets_to_transaction(
                    {source: OffsetAndMetadata(record.offset + 1, "")}, load.group
                )
            watch.commits.append(time.perf_counter() - begun)
            done += 1
            if done == load.events:
                break
        return watch.stop(done)
