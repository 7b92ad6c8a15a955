"""A flow of the tests' own on a real or embedded Kafka: events in, one output each, engines that come and go."""

import asyncio
import contextlib
import json
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, ConsumerRecord
from aiokafka.admin import NewTopic
from prometheus_client import CollectorRegistry

from clients.cluster import Cluster
from clients.embedded_kafka import EmbeddedKafka
from clients.kafka import Connection
from clients.rocks import Memory
from consumers.engine.context import Context
from consumers.engine.flow import Flow
from consumers.engine.global_table import GlobalTable
from consumers.engine.limits import Limits
from consumers.engine.loop import Engine
from consumers.engine.stores import Stores
from consumers.observability import Metrics
from producers.output import Output
from schemas import codec
from schemas.envelope import Envelope

FAST = Limits(
    max_in_flight=64,
    commit_interval_seconds=0.05,
    retry_base_seconds=0.05,
    session_timeout_seconds=3.0,
    revoke_seconds=2.0,
    last_commit_seconds=0.5,
    shutdown_seconds=5.0,
    transaction_timeout_seconds=5.0,
    recovery_backoff_seconds=0.1,
    reunion_seconds=2.0,
)

_OF_THE_ENGINE = (b"p\x00", b"m\x00")
"""How keys of the state's changelog begin that are no state and no step."""

Handler = Callable[["LabEvent", Context], Awaitable[None]]


class LabEvent(Envelope):
    """An event with a number, so that loss, repetition and disorder show."""

    n: int


async def until(condition: Callable[[], bool], what: str, seconds: float = 30.0) -> None:
    """Wait until a condition holds; fails with what was waited for."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds:g} s for: {what}"
        await asyncio.sleep(0.01)


@dataclass
class Lab:
    """Topics of one test, what was sent, and what its handlers saw."""

    connection: Connection
    name: str = field(default_factory=lambda: f"lab-{uuid.uuid4().hex[:8]}")
    handled: Counter[int] = field(default_factory=Counter)
    sent: int = 0
    state_dir: Path | None = None
    """With a folder the flow is stateful."""
    version: int = 1
    needs: tuple[GlobalTable[Any], ...] = ()
    rescue: Callable[["LabEvent", Context], bool] | None = None
    give_up: Callable[["LabEvent", Context], None] | None = None

    @classmethod
    def embedded(cls, kafka: EmbeddedKafka, *, state_dir: Path | None = None) -> Self:
        """On the embedded broker."""
        return cls(Connection(bootstrap_servers=kafka.bootstrap_servers), state_dir=state_dir)

    @property
    def topic(self) -> str:
        return f"{self.name}-in"

    @property
    def out(self) -> str:
        return f"{self.name}-out"

    @property
    def group(self) -> str:
        return f"{self.name}-group"

    @property
    def topics(self) -> list[str]:
        internal = ("repartition", "state", "seen") if self.state_dir else ("repartition",)
        return [self.topic, self.out, f"{self.topic}.dlq", *(f"{self.group}-{name}" for name in internal)]

    async def create(self, partitions: int = 3, *, without: tuple[str, ...] = (), **configs: dict[str, str]) -> None:
        """Make the lab's topics; `without` leaves some out, `out={...}` configures the output topic."""
        admin = self.connection.admin()
        await admin.start()
        try:
            await admin.create_topics(
                [
                    NewTopic(topic, partitions, 1, topic_configs=configs.get(topic.rsplit("-", 1)[-1], {}))
                    for topic in self.topics
                    if topic not in without
                ]
            )
        finally:
            await admin.close()

    async def send(self, count: int, *, keys: int = 10, keyed: bool = True) -> None:
        """Send numbered events, learner by learner in turn."""
        producer = self.connection.producer()
        await producer.start()
        try:
            sends = []
            for n in range(self.sent, self.sent + count):
                learner = f"learner-{n % keys}"
                value = json.dumps({"userId": learner, "eventId": f"e-{n}", "n": n}).encode()
                sends.append(await producer.send(self.topic, value, key=learner.encode() if keyed else None))
            await asyncio.gather(*sends)
        finally:
            await producer.stop()
        self.sent += count

    async def send_raw(self, value: bytes | None, key: bytes | None = b"k", headers: Any = ()) -> None:
        """Send one record as it is."""
        producer = self.connection.producer(max_request_size=2**24)
        await producer.start()
        try:
            await producer.send_and_wait(self.topic, value, key=key, headers=list(headers))
        finally:
            await producer.stop()

    def flow(self, before: Handler | None = None) -> Flow[LabEvent]:
        """A flow that publishes each event's number; `before` runs first and may wait or fail."""

        async def handle(event: LabEvent, context: Context) -> None:
            self.handled[event.n] += 1
            if before is not None:
                await before(event, context)
            context.outputs.append(Output(self.out, event.user_id.encode(), str(event.n).encode(), []))

        return Flow(
            name="lab",
            group_id=self.group,
            inputs=(self.topic,),
            outputs=(self.out,),
            decode=lambda value, _topic: codec.decode(LabEvent, value, max_bytes=2**20),
            handle=handle,
            rescue=self.rescue,
            give_up=self.give_up,
            stateful=self.state_dir is not None,
            version=self.version,
        )

    @contextlib.contextmanager
    def _stores(self) -> Iterator[Stores | None]:
        if self.state_dir is None:
            yield None
        else:
            memory = Memory(cache_bytes=2**24, write_buffer_bytes=2**23)
            with Stores.locked(self.state_dir, memory) as stores:
                yield stores

    def _engine(
        self, cluster: Cluster, before: Handler | None, limits: Limits, stores: Stores | None, metrics: Metrics
    ) -> Engine:
        flow = self.flow(before)
        return Engine(
            flow,
            connection=self.connection,
            cluster=cluster,
            limits=limits,
            metrics=metrics,
            stores=stores,
            needs=self.needs,
        )

    @contextlib.asynccontextmanager
    async def engine(self, before: Handler | None = None, limits: Limits = FAST) -> AsyncIterator[Engine]:
        """An engine that runs until the block ends, and stops in good order."""
        stop, metrics = asyncio.Event(), Metrics(CollectorRegistry())
        with self._stores() as stores:
            async with Cluster(self.connection) as cluster, asyncio.TaskGroup() as group:
                engine = self._engine(cluster, before, limits, stores, metrics)
                group.create_task(engine.run(stop))
                try:
                    yield engine
                finally:
                    stop.set()

    @contextlib.asynccontextmanager
    async def doomed_engine(self, before: Handler | None = None, limits: Limits = FAST) -> AsyncIterator[Engine]:
        """An engine that is cut off at the end of the block: nothing is finished or committed any more."""
        with self._stores() as stores:
            async with Cluster(self.connection) as cluster:
                engine = self._engine(cluster, before, limits, stores, Metrics(CollectorRegistry()))
                running = asyncio.ensure_future(engine.run(asyncio.Event()))
                try:
                    yield engine
                finally:
                    running.cancel()
                    await asyncio.wait([running])

    def reader(self, topic: str) -> AIOKafkaConsumer:
        """A consumer of committed records from the topic's beginning; an async context manager."""
        return self.connection.consumer(topic, metadata_max_age_ms=1_000)  # a topic may have been made just now

    async def read(self, topic: str, count: int, seconds: float = 30.0) -> list[ConsumerRecord[Any, Any]]:
        """At least `count` committed records of a topic, and all that are there."""
        records: list[ConsumerRecord[Any, Any]] = []
        deadline = time.monotonic() + seconds
        async with self.reader(topic) as consumer:
            while True:
                fetched = await consumer.getmany(timeout_ms=300)
                records += [record for batch in fetched.values() for record in batch]
                if not fetched and len(records) >= count:
                    return records
                assert time.monotonic() < deadline, f"{len(records)} of {count} records in {topic}"

    async def changelog(self, keys: int = 0) -> dict[bytes, bytes | None]:
        """What the state's changelog comes to without what is the engine's: when read whole, and with so many keys."""
        newest: dict[bytes, bytes | None] = {}
        async with self.reader(f"{self.group}-state") as changelog:
            while (fetched := await changelog.getmany(timeout_ms=300)) or len(newest) < keys:
                for record in (record for records in fetched.values() for record in records):
                    if record.key[:2] not in _OF_THE_ENGINE:
                        newest[record.key] = record.value
        return newest

    async def outputs_complete(self, expected: int | None = None) -> None:
        """Every event that was sent came out once, and each learner's in order."""
        records = await self.read(self.out, self.sent if expected is None else expected)
        numbers = [int(record.value) for record in records]
        assert sorted(numbers) == list(range(self.sent)), "lost or repeated events"
        by_learner: dict[bytes, list[int]] = defaultdict(list)
        for record in sorted(records, key=lambda record: (record.partition, record.offset)):
            by_learner[record.key].append(int(record.value))
        assert all(seen == sorted(seen) for seen in by_learner.values()), "a learner's events out of order"
