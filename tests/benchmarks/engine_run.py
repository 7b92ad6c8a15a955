"""The engine as the worker runs it, with a handler that does as much as a measurement asks for."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from aiokafka.protocol.produce import ProduceRequest
from prometheus_client import CollectorRegistry
from pydantic import BaseModel

from clients.cluster import Cluster
from clients.kafka import Connection
from clients.rocks import Memory
from consumers.engine.context import Context
from consumers.engine.flow import Flow
from consumers.engine.limits import Limits
from consumers.engine.loop import Engine
from consumers.engine.stores import Stores
from consumers.observability import FlowMetrics, Metrics
from consumers.settings import Settings
from producers.output import Output
from tests.benchmarks.candidates import Figures, MemorySample, Stopwatch
from tests.benchmarks.load import Load
from tests.benchmarks.memory import resident_mib

IN_FLIGHT = 1_024
FOLDERS = "pathstream-bench-"
_SAMPLE_SECONDS = 0.05
_TEXT = "x" * 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What the handler does with every event, beside one output."""

    work_seconds: float = 0.0
    put: bool = False
    """One `ctx.state(...).put`, of about 100 bytes."""
    step: bool = False
    """One `ctx.step`, with a result of about 100 bytes; the work is done inside it."""
    event_ids: bool = False
    """Events have ids, which are remembered."""
    in_flight: int = IN_FLIGHT

    @property
    def stateful(self) -> bool:
        return self.put or self.step or self.event_ids


class RawEvent(NamedTuple):
    """An event that is not decoded: the engine is measured, not JSON."""

    event_id: str | None
    user_id: str
    value: bytes


class Note(BaseModel):
    """What is put into state, and what a step gives."""

    number: int
    text: str


def raw_flow(
    load: Load,
    handle: Callable[[RawEvent, Context], Awaitable[None]],
    *,
    event_ids: bool = False,
    stateful: bool = False,
) -> Flow[RawEvent]:
    """A flow over a load; without `event_ids` nothing has to be remembered."""
    return Flow(
        name="bench",
        group_id=load.group,
        inputs=(load.source,),
        outputs=(load.target,),
        decode=_with_id if event_ids else _without_id,
        handle=handle,
        stateful=stateful,
    )


class Run:
    """A flow over a load, and how far it has come."""

    def __init__(self, load: Load, job: Job) -> None:
        self._load = load
        self._job = job
        self.watch = Stopwatch()
        self.handled = 0
        self.all_handled = asyncio.Event()

    def flow(self) -> Flow[RawEvent]:
        """The flow that does the job."""
        job = self._job
        handle = self._handle_with_state if job.put or job.step else self._handle
        return raw_flow(self._load, handle, event_ids=job.event_ids, stateful=job.stateful)

    async def _handle(self, event: RawEvent, context: Context) -> None:
        self._count()
        if self._job.work_seconds:
            await asyncio.sleep(self._job.work_seconds)
        context.outputs.append(Output(self._load.target, context.record.key, event.value, []))

    async def _handle_with_state(self, event: RawEvent, context: Context) -> None:
        self._count()
        if self._job.step:
            await context.step("plan", self._work, into=Note)
        elif self._job.work_seconds:
            await asyncio.sleep(self._job.work_seconds)
        if self._job.put:
            context.state("notes", Note).put("newest", Note(number=self.handled, text=_TEXT))
        context.outputs.append(Output(self._load.target, context.record.key, event.value, []))

    async def _work(self) -> Note:
        if self._job.work_seconds:
            await asyncio.sleep(self._job.work_seconds)
        return Note(number=self.handled, text=_TEXT)

    def _count(self) -> None:
        if not self.handled:
            self.watch.start()
        self.handled += 1
        if self.handled >= self._load.events:
            self.all_handled.set()


async def engine(load: Load, job: Job = Job()) -> Figures:
    """From the first event to the last commit."""
    run = Run(load, job)
    stop, memory = asyncio.Event(), list[MemorySample]()

    async def watch_memory(stores: Memory) -> None:
        while not stop.is_set():
            cache_mib = stores.cache.get_usage() / 2**20
            memory.append(MemorySample(run.handled / load.events, resident_mib(), cache_mib))
            await asyncio.sleep(_SAMPLE_SECONDS)

    with tempfile.TemporaryDirectory(prefix=FOLDERS) as folder:
        async with prepared_engine(
            load, run.flow(), folder=Path(folder), in_flight=job.in_flight, commits=run.watch.commits
        ) as running:
            running.group.create_task(running.engine.run(stop))
            running.group.create_task(watch_memory(running.memory))
            await run.all_handled.wait()
            while unfinished(running.engine):
                await asyncio.sleep(0.002)
            figures = run.watch.stop(load.events)
            stop.set()
    return replace(figures, sent_bytes=running.cluster.sent_bytes, memory=memory)


def unfinished(running: Engine) -> bool:
    """Whether anything that was polled is not committed yet."""
    return any(
        task.waiting or task.outputs or task.pending or any(table.dirty for table in task.tables)
        for task in running._tasks
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """An engine that is about to run in a group, and what there is to look at."""

    engine: Engine
    cluster: "CountingCluster"
    memory: Memory
    group: asyncio.TaskGroup


def default_memory() -> Memory:
    """The memory that a worker gives to its stores."""
    fields = Settings.model_fields
    return Memory(
        cache_bytes=fields["state_cache_bytes"].default, write_buffer_bytes=fields["state_write_buffer_bytes"].default
    )


@asynccontextmanager
async def prepared_engine(
    load: Load,
    flow: Flow[Any],
    *,
    folder: Path,
    in_flight: int = IN_FLIGHT,
    commits: list[float] | None = None,
    buffered_bytes: int = Limits().max_buffered_bytes,
) -> AsyncIterator[Running]:
    """An engine with stores in a folder; the block ends when everything in its group has."""
    metrics = _TimedMetrics(CollectorRegistry(), [] if commits is None else commits)
    memory = default_memory()
    with Stores.locked(folder, memory) as stores:
        async with CountingCluster(load.connection) as cluster, asyncio.TaskGroup() as group:
            engine = Engine(
                flow,
                connection=load.connection,
                cluster=cluster,
                limits=Limits(max_in_flight=in_flight, max_buffered_bytes=buffered_bytes),
                metrics=metrics,
                stores=stores,
            )
            yield Running(engine=engine, cluster=cluster, memory=memory, group=group)


class CountingCluster(Cluster):
    """Counts the bytes of record batches that go to each topic."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.sent_bytes: dict[str, int] = {}

    async def send(self, node: int, request: Any, *, coordination: bool = False) -> Any:
        if isinstance(request, ProduceRequest):
            for topic, partitions in request._topics:
                self.sent_bytes[topic] = self.sent_bytes.get(topic, 0) + sum(len(data) for _, data in partitions)
        return await super().send(node, request, coordination=coordination)


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


def _without_id(value: bytes | None, _topic: str) -> RawEvent:
    assert value is not None
    return RawEvent(None, value.split(b'"', 4)[3].decode(), value)


def _with_id(value: bytes | None, _topic: str) -> RawEvent:
    assert value is not None
    parts = value.split(b'"', 10)
    return RawEvent(parts[9].decode(), parts[3].decode(), value)
