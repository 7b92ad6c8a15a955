"""Which tasks are ours: opening, keeping, leaving and losing them as the group decides."""

import asyncio
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError

from clients.cluster import Cluster
from clients.kafka import committed_positions, request_rejoin
from consumers.engine.buffer import Buffer
from consumers.engine.checkpoint import Checkpointer
from consumers.engine.flow import Flow
from consumers.engine.limits import Limits
from consumers.engine.offsets import Position, UnknownProgressError, decode
from consumers.engine.partition import Lane, Task, TaskState
from consumers.engine.report import Report
from consumers.engine.restorer import Restorer
from producers.transaction import TransactionalProducer
from schemas.errors import FencedError, RecordRefusedError, StoreError, TransactionFailedError


class Assignment(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka has no types
    """The tasks of one flow in this process. Each has a driver: a coroutine that opens it and checkpoints it.

    A rebalance revokes all tasks first and then assigns some of them, mostly the same. So a revoked task is only
    suspended: its handlers go on, and if it comes back and nobody committed meanwhile, nothing is done twice.
    """

    def __init__(
        self,
        *,
        flow: Flow[Any],
        consumer: AIOKafkaConsumer,
        cluster: Cluster,
        limits: Limits,
        buffer: Buffer,
        report: Report,
        group: asyncio.TaskGroup,
        submit: Callable[[Lane], None],
        restorer: Restorer | None,
    ) -> None:
        self._flow = flow
        self._consumer = consumer
        self._cluster = cluster
        self._limits = limits
        self._buffer = buffer
        self._report = report
        self._group = group
        self._submit = submit
        self._restorer = restorer
        self._tasks: dict[int, Task] = {}
        self._checkpointers: dict[int, Checkpointer] = {}
        self._drivers: dict[int, asyncio.Task[None]] = {}
        self._quiet_by = 0.0
        self.joined = False

    @property
    def tasks(self) -> Collection[Task]:
        """All tasks that are ours, or may come back."""
        return self._tasks.values()

    def pollable(self) -> list[TopicPartition]:
        """The partitions that may take more records now."""
        return [
            source
            for task in self._tasks.values()
            if task.state is TaskState.ACTIVE and task.problem is None
            for source, progress in task.sources.items()
            if progress.span < self._limits.window
        ]

    def task_of(self, source: TopicPartition) -> Task | None:
        """The active task that the partition belongs to."""
        task = self._tasks.get(source.partition)
        return task if task is not None and task.state is TaskState.ACTIVE else None

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Called by aiokafka before it rejoins, with heartbeats going on: finish, commit, suspend."""
        self._report.revoked(len({source.partition for source in revoked}))
        await self.leave(self._limits.revoke_seconds)

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Called by aiokafka when the assignment is live, without heartbeats: only start what has to be done."""
        self.joined = True
        ours = {source.partition for source in assigned}
        self._report.assigned(sorted(ours))
        for partition in [p for p in self._tasks if p not in ours]:
            self._close(self._tasks.pop(partition))
        for partition in ours:
            if (task := self._tasks.get(partition)) is None:
                task = self._tasks[partition] = Task(partition, self._flow.sources, self._buffer)
            else:
                task.move_to(TaskState.OPENING)
            self._drivers[partition] = self._group.create_task(self._drive(task))

    async def leave(self, seconds: float) -> None:
        """Let events that are in a handler finish, up to a deadline, commit and suspend all tasks."""
        for task in self._tasks.values():
            if task.state is TaskState.ACTIVE:
                task.move_to(TaskState.LEAVING)
                task.dirty.set()
            elif task.state is TaskState.OPENING:
                task.move_to(TaskState.SUSPENDED)
                self._drivers[task.partition].cancel()
        drivers = [driver for driver in self._drivers.values() if not driver.done()]
        if drivers:
            self._quiet_by = asyncio.get_running_loop().time() + seconds
            _, late = await asyncio.wait(drivers, timeout=seconds + self._limits.transaction_timeout_seconds)
            for driver in late:
                driver.cancel()
        for task in self._tasks.values():
            if task.state is TaskState.LEAVING:
                task.move_to(TaskState.SUSPENDED)

    def close(self) -> None:
        """Drop all tasks."""
        for task in self._tasks.values():
            self._close(task)
        self._tasks.clear()

    def _close(self, task: Task) -> None:
        task.drop()
        task.move_to(TaskState.CLOSED)
        if self._restorer is not None:
            self._restorer.leave(task)

    async def _drive(self, task: Task) -> None:
        """Open the task and checkpoint it while it is ours; after a failure, open it again."""
        while task.state is TaskState.OPENING:
            try:
                await self._open(task)
                await self._keep(task)
            except FencedError as exc:
                self._report.fenced(task, exc)
                task.problem = "fenced; rejoining the group"
                task.move_to(TaskState.SUSPENDED)
                request_rejoin(self._consumer)
            except StoreError as exc:
                self._forget_store(task)
                await self._recover(task, exc)
            except (TransactionFailedError, KafkaError, UnknownProgressError, TimeoutError) as exc:
                await self._recover(task, exc)

    async def _open(self, task: Task) -> None:
        """Make the task ours: fence the last owner, read what is committed, go on from there.

        The order matters: after the fence the committed position cannot change any more.
        """
        checkpointer = self._checkpointers.get(task.partition)
        if checkpointer is None:
            producer = TransactionalProducer(
                self._cluster,
                f"{self._flow.group_id}-{task.partition}",
                timeout_seconds=self._limits.transaction_timeout_seconds,
            )
            checkpointer = Checkpointer(self._cluster, producer, self._flow.group_id, self._limits, self._report)
            self._checkpointers[task.partition] = checkpointer
        await checkpointer.fence()
        positions = await self._committed(task)
        resumed = task.resume(positions)
        if not resumed:
            task.drop()
            tables = await self._restorer.restore(task) if self._restorer is not None else None
            task.reset(positions, tables)
        for source, progress in task.sources.items():
            if (next_fetch := progress.next_fetch) is not None:
                self._consumer.seek(source, next_fetch)
        if task.attempt is None:
            task.problem = None
        task.move_to(TaskState.ACTIVE)
        self._report.opened(task, resumed=resumed)
        parked, task.parked = task.parked, []
        for lane in parked:
            self._submit(lane)

    def _forget_store(self, task: Task) -> None:
        """The store failed: what it should hold is in Kafka, so the task starts from there."""
        task.committed = None
        if self._restorer is not None:
            self._restorer.close(task)

    async def _committed(self, task: Task) -> dict[TopicPartition, Position]:
        async with asyncio.timeout(self._limits.request_timeout_seconds):
            committed = await committed_positions(self._consumer, task.sources)
            ends = await self._consumer.end_offsets(list(committed))
        positions: dict[TopicPartition, Position] = {}
        for source, found in committed.items():
            if found.offset > ends[source]:
                self._report.beyond_end(task, source.topic, found.offset)
            else:
                positions[source] = decode(found.offset, found.metadata)
        return positions

    async def _keep(self, task: Task) -> None:
        """Checkpoint the task every interval in which something finished; once more when it leaves."""
        checkpointer, clock = self._checkpointers[task.partition], asyncio.get_running_loop().time
        last = 0.0
        while task.state is TaskState.ACTIVE:
            await task.dirty.wait()
            await asyncio.sleep(max(0.0, last + self._limits.commit_interval_seconds - clock()))
            last = clock()
            if task.state is TaskState.ACTIVE and not await checkpointer.checkpoint(task):
                await asyncio.sleep(self._limits.commit_interval_seconds)
        await self._wait_until_quiet(task)
        await checkpointer.checkpoint(task)
        task.move_to(TaskState.SUSPENDED)

    async def _wait_until_quiet(self, task: Task) -> None:
        if not task.running:
            return
        try:
            async with asyncio.timeout_at(self._quiet_by):
                await task.quiet.wait()
        except TimeoutError:
            self._report.unfinished(task)

    async def _recover(self, task: Task, error: Exception) -> None:
        """A checkpoint or an opening failed: pause, then open again, which finds out what was committed."""
        if isinstance(error, IllegalStateError) or task.state is TaskState.LEAVING:
            task.move_to(TaskState.SUSPENDED)  # the partition is being taken away: a new assignment decides
            return
        task.problem = str(error) or type(error).__name__
        self._report.failed(task, error)
        if task.state is TaskState.ACTIVE:
            task.move_to(TaskState.OPENING)
        await asyncio.sleep(self._limits.recovery_backoff_seconds)
        if isinstance(error, RecordRefusedError):
            with suppress(KafkaError):
                await self._cluster.load_limits(self._flow.targets)
