"""The engine of one flow: polls what may take more, hands it to lanes and workers, and stops in good order."""

import asyncio
import contextlib
from functools import partial
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from clients.cluster import Cluster
from clients.kafka import Connection
from consumers.engine.assignment import Assignment
from consumers.engine.buffer import Buffer
from consumers.engine.flow import Flow
from consumers.engine.limits import Limits
from consumers.engine.partition import Task, TaskState
from consumers.engine.report import Report
from consumers.engine.restorer import Restorer
from consumers.engine.stores import Stores
from consumers.engine.workers import WorkerPool
from consumers.observability import Metrics

_HEARTBEATS_PER_SESSION = 6


class Engine:
    """Runs one flow in this process until it is told to stop.

    `run` returns after a stop in good order. It raises only for a bug in the engine itself: what goes wrong with
    Kafka, a broker that is away included, is waited out and shown by `reasons`.
    """

    def __init__(
        self,
        flow: Flow[Any],
        *,
        connection: Connection,
        cluster: Cluster,
        limits: Limits,
        metrics: Metrics,
        stores: Stores | None = None,
        group_instance_id: str | None = None,
    ) -> None:
        """A stateful flow needs `stores`."""
        self._flow = flow
        self._connection = connection
        self._cluster = cluster
        self._limits = limits
        self._group_instance_id = group_instance_id
        self._buffer = Buffer(limits.max_buffered_bytes, limits.low_water)
        flow_metrics = metrics.flow(flow.name)
        flow_metrics.watch(
            in_flight=lambda: sum(task.running for task in self._tasks),
            buffered_bytes=lambda: self._buffer.bytes,
            waiting_events=lambda: sum(task.waiting for task in self._tasks),
            tasks={state.name.lower(): partial(self._count, state) for state in TaskState},
        )
        self._report = Report(flow.name, flow_metrics)
        if flow.stateful and stores is None:
            raise ValueError(f"flow {flow.name} is stateful and has nowhere to keep its state")
        self._restorer = Restorer(flow, stores, connection, self._report) if flow.stateful and stores else None
        self._pool = WorkerPool(flow, limits, self._report, cluster.max_message_bytes)
        self._assignment: Assignment | None = None
        self._problem: str | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set; then finish what is in a handler, commit, and leave the group."""
        if not await self._wait_for_topics(stop):
            return
        await self._cluster.load_limits(self._flow.targets)
        consumer = self._consumer()
        try:
            async with asyncio.TaskGroup() as group:
                self._pool.start(group)
                self._assignment = assignment = self._assign(consumer, group)
                consumer.subscribe(list(self._flow.sources), listener=assignment)
                await consumer.start()
                poller = group.create_task(self._poll(consumer, assignment))
                await stop.wait()
                poller.cancel()
                await assignment.leave(self._limits.shutdown_seconds)
                assignment.close()
                self._pool.stop()
        finally:
            if self._restorer is not None:
                self._restorer.close_all()
            with contextlib.suppress(TimeoutError, KafkaError):
                async with asyncio.timeout(self._limits.request_timeout_seconds):
                    await consumer.stop()

    def reasons(self) -> list[str]:
        """Why the engine is not ready; empty when it is."""
        if self._problem is not None:
            return [f"{self._flow.name}: {self._problem}"]
        if self._assignment is None or not self._assignment.joined:
            return [f"{self._flow.name}: not joined the group {self._flow.group_id} yet"]
        return [
            f"{self._flow.name}: task {task.partition}: {task.problem or task.state.name.lower()}"
            for task in self._assignment.tasks
            if task.problem or task.state is not TaskState.ACTIVE
        ]

    @property
    def buffered_bytes(self) -> int:
        """Bytes accepted and not finished."""
        return self._buffer.bytes

    @property
    def _tasks(self) -> list[Task]:
        return list(self._assignment.tasks) if self._assignment else []

    def _count(self, state: TaskState) -> int:
        return sum(task.state is state for task in self._tasks)

    def _consumer(self) -> AIOKafkaConsumer:
        session_ms = int(self._limits.session_timeout_seconds * 1000)
        return self._connection.consumer(
            group_id=self._flow.group_id,
            group_instance_id=self._group_instance_id,
            session_timeout_ms=session_ms,
            heartbeat_interval_ms=session_ms // _HEARTBEATS_PER_SESSION,
            rebalance_timeout_ms=int(self._limits.rebalance_timeout_seconds * 1000),
            fetch_max_wait_ms=self._limits.fetch_wait_ms,
        )

    def _assign(self, consumer: AIOKafkaConsumer, group: asyncio.TaskGroup) -> Assignment:
        return Assignment(
            flow=self._flow,
            consumer=consumer,
            cluster=self._cluster,
            limits=self._limits,
            buffer=self._buffer,
            report=self._report,
            group=group,
            submit=self._pool.submit,
            restorer=self._restorer,
        )

    async def _wait_for_topics(self, stop: asyncio.Event) -> bool:
        """Wait until all topics exist, those that are read with one partition count; False when stopped before."""
        while not stop.is_set():
            problem = await self._topic_problem()
            if problem is None:
                self._problem = None
                return True
            if problem != self._problem:
                self._problem = problem
                self._report.topics_unusable(problem)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._limits.recovery_backoff_seconds):
                    await stop.wait()
        return False

    async def _topic_problem(self) -> str | None:
        try:
            counts = await self._cluster.partition_counts({*self._flow.sources, *self._flow.targets})
        except KafkaError as exc:
            return f"Kafka does not say which topics there are: {type(exc).__name__}"
        missing = sorted(topic for topic, count in counts.items() if not count)
        if missing:
            return f"topics do not exist: {', '.join(missing)}; run `pathstream topics create`"
        read = {topic: counts[topic] for topic in (*self._flow.sources, *self._flow.changelogs)}
        if len(set(read.values())) > 1:
            listed = ", ".join(f"{topic} has {count}" for topic, count in read.items())
            return f"topics that are read together need one partition count: {listed}; delete and create one anew"
        return None

    async def _poll(self, consumer: AIOKafkaConsumer, assignment: Assignment) -> None:
        while True:
            await self._buffer.room.wait()
            partitions = assignment.pollable()
            if not partitions:
                await asyncio.sleep(self._limits.idle_seconds)
                continue
            try:
                fetched = await consumer.getmany(
                    *partitions,
                    timeout_ms=int(self._limits.poll_seconds * 1000),
                    max_records=self._limits.poll_max_records,
                )
            except KafkaError as exc:
                self._report.poll_failed(exc)
                await asyncio.sleep(self._limits.recovery_backoff_seconds)
                continue
            for source, records in fetched.items():
                # A task that is not active any more gets these records again: it is opened with a seek.
                if (task := assignment.task_of(source)) is not None:
                    for lane in task.accept(source, records):
                        self._pool.submit(lane)
            await asyncio.sleep(0)
