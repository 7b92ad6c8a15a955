"""What is measured: a bare loop, a sequential consumer, the engine. Each runs in a process of its own."""

import asyncio
import resource
import time
from collections import defaultdict
from dataclasses import dataclass
from typing import Any, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from prometheus_client import CollectorRegistry

from clients.cluster import Cluster
from consumers.engine.context import Context
from consumers.engine.flow import Flow
from consumers.engine.limits import Limits
from consumers.engine.loop import Engine
from consumers.observability import FlowMetrics, Metrics
from producers.output import Output, partition_for
from tests.benchmarks.load import PARTITIONS, Load


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One measurement."""

    events: int
    seconds: float
    cpu_seconds: float
    commit_seconds: list[float]
    peak_mib: float

    @property
    def rate(self) -> float:
        return self.events / self.seconds


class Stopwatch:
    """Wall time and this process's CPU time from the first event to the last commit."""

    def __init__(self) -> None:
        self._wall = self._cpu = 0.0
        self.commits: list[float] = []

    def start(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def stop(self, events: int) -> Figures:
        return Figures(
            events=events,
            seconds=time.perf_counter() - self._wall,
            cpu_seconds=time.process_time() - self._cpu,
            commit_seconds=self.commits,
            peak_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
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


class RawEvent(NamedTuple):
    """An event that is not decoded: the engine is measured, not JSON."""

    event_id: str | None
    user_id: str
    value: bytes


def _raw(value: bytes | None, _topic: str) -> RawEvent:
    assert value is not None
    return RawEvent(None, value[11:23].decode(), value)


async def engine(load: Load, work_seconds: float, in_flight: int) -> Figures:
    """The engine as the worker runs it, with a handler that sleeps."""
    watch, handled, all_handled = Stopwatch(), 0, asyncio.Event()

    async def handle(event: RawEvent, context: Context) -> None:
        nonlocal handled
        if not handled:
            watch.start()
        handled += 1
        if work_seconds:
            await asyncio.sleep(work_seconds)
        context.outputs.append(Output(load.target, context.record.key, event.value, []))
        if handled >= load.events:
            all_handled.set()

    flow = Flow(
        name="bench",
        group_id=load.group,
        inputs=(load.source,),
        outputs=(load.target,),
        decode=_raw,
        handle=handle,
    )
    limits, stop = Limits(max_in_flight=in_flight), asyncio.Event()
    metrics = _TimedMetrics(CollectorRegistry(), watch.commits)
    async with Cluster(load.connection) as cluster, asyncio.TaskGroup() as group:
        running = Engine(flow, connection=load.connection, cluster=cluster, limits=limits, metrics=metrics)
        group.create_task(running.run(stop))
        await all_handled.wait()
        while any(task.waiting or task.outputs or task.attempt for task in running._tasks):
            await asyncio.sleep(0.002)
        figures = watch.stop(load.events)
        stop.set()
    return figures


class _TimedMetrics(Metrics):
    """The worker's metrics, which also keep each checkpoint's time."""

    def __init__(self, registry: CollectorRegistry, commits: list[float]) -> None:
        super().__init__(registry)
        self._commits = commits

    def flow(self, name: str) -> FlowMetrics:
        commits, parts = self._commits, super().flow(name)

        class Timed(FlowMetrics):
            __slots__ = ()

            def checkpoint(self, outcome: Any, seconds: float) -> None:
                commits.append(seconds)
                FlowMetrics.checkpoint(self, outcome, seconds)

        return Timed(**{name: getattr(parts, name) for name in FlowMetrics.__slots__})
