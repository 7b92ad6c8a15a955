"""One task from its assignment to its end: opened, checkpointed, opened again after a failure, left in good order."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import IllegalStateError, KafkaError

from clients.cluster import Cluster
from clients.group import request_rejoin
from clients.kafka import obey_cancellation
from consumers.engine.checkpoint import Checkpointer
from consumers.engine.flow import Flow
from consumers.engine.lane import Lane
from consumers.engine.last_commit import commit_last
from consumers.engine.limits import Limits
from consumers.engine.offsets import PassedOffsetError, UnknownProgressError
from consumers.engine.positions import Positions
from consumers.engine.report import Report
from consumers.engine.restorer import Restorer
from consumers.engine.task import UNREAD, Task
from consumers.engine.task_state import TaskState
from schemas.errors import FencedError, RecordRefusedError, StoreError, TransactionFailedError


class Driver:
    """Drives one task. `start` begins an assignment, `leave` ends it; in between it looks after itself."""

    def __init__(
        self,
        task: Task,
        *,
        flow: Flow[Any],
        consumer: AIOKafkaConsumer,
        cluster: Cluster,
        limits: Limits,
        report: Report,
        checkpointer: Checkpointer,
        positions: Positions,
        restorer: Restorer | None,
        submit: Callable[[Lane], None],
    ) -> None:
        self.task = task
        self._flow = flow
        self._consumer = consumer
        self._cluster = cluster
        self._limits = limits
        self._report = report
        self._positions = positions
        self._restorer = restorer
        self._submit = submit
        self._checkpointer = checkpointer
        self._running: asyncio.Task[None] | None = None
        self._quiet_by = 0.0
        self._is_finishing = False
        self._must_look = False
        """Whether we have fenced, and not looked since at what is committed: it may be more than we know."""
        self._generation = UNREAD

    def start(self, group: asyncio.TaskGroup, *, generation: int, pause: float) -> None:
        """The group gave us the task, or gave it back; one not in memory is opened after a pause, in seconds."""
        self._generation = generation
        self.task.is_ours = True
        if self.task.committed is not None:
            pause = 0.0
        if self.task.state is not TaskState.OPENING:
            self.task.move_to(TaskState.OPENING)
        self._running = group.create_task(self._drive(self._running, pause))

    async def leave(self, *, quiet_by: float, end_by: float) -> None:
        """Let what is in flight end, commit, suspend. Deadlines are times of the event loop's clock."""
        task = self.task
        self._quiet_by = min(quiet_by, self._quiet_by) if task.state is TaskState.LEAVING else quiet_by
        if task.state is TaskState.ACTIVE:
            task.move_to(TaskState.LEAVING)
            task.dirty.set()
        elif task.state is TaskState.OPENING:
            task.move_to(TaskState.SUSPENDED)
            await self._cancel()
        if self._running is not None and not self._running.done():
            left = end_by - asyncio.get_running_loop().time()
            _, late = await asyncio.wait([self._running], timeout=max(0.0, left))
            if late:
                await self._cancel()
        if task.state is TaskState.LEAVING:
            task.move_to(TaskState.SUSPENDED)

    async def finish(self, *, quiet_by: float, end_by: float) -> None:
        """Leave for good, at a shutdown, with everything committed that is finished by then.

        Where the fence is new, or the last commit's outcome unknown, only a look tells what is committed.
        """
        task, self._is_finishing = self.task, True
        await self.leave(quiet_by=quiet_by, end_by=end_by)
        unfinished = task.running or task.dirty.is_set() or task.pending is not None
        if task.committed is None or task.broken is not None or not unfinished:
            return
        try:
            async with asyncio.timeout_at(end_by):
                if not await self._is_quiet(by=quiet_by):
                    self._report.unfinished(task)
                await commit_last(task, self._checkpointer, self._positions, self._limits, look_first=self._must_look)
        except (TransactionFailedError, FencedError, StoreError, KafkaError, UnknownProgressError, TimeoutError) as exc:
            self._report.uncommitted(task, exc)

    def close(self) -> None:
        """The task is another worker's, or this one stops: everything in memory is dropped."""
        if self._running is not None:
            self._running.cancel()
        if self.task.state in (TaskState.ACTIVE, TaskState.LEAVING):
            self.task.move_to(TaskState.SUSPENDED)
        self.task.drop()
        self.task.move_to(TaskState.CLOSED)
        if self._restorer is not None:
            self._restorer.leave(self.task)

    def fail(self, error: PassedOffsetError) -> None:
        """Something is wrong with the task's input: start it again from its last commit."""
        self.task.broken = error
        self.task.dirty.set()

    async def _cancel(self) -> None:
        """End what the driver does now, a commit included: its outcome is found out at the next opening."""
        if self._running is not None and self._running is not asyncio.current_task():
            self._running.cancel()
            await asyncio.wait([self._running], timeout=self._limits.last_commit_seconds)

    async def _drive(self, before: asyncio.Task[None] | None, pause: float) -> None:
        """Open the task and checkpoint it while it is ours; after a failure, open it again.

        `before` is what drove the task under the last assignment: it may have been cancelled and still be at it.
        """
        if before is not None:
            await asyncio.wait([before])
        await asyncio.sleep(pause)
        task = self.task
        while task.state is TaskState.OPENING:
            try:
                await self._open()
                await self._keep()
            except FencedError as exc:
                self._report.fenced(task, exc)
                task.problem = "fenced; rejoining the group"
                task.move_to(TaskState.SUSPENDED)
                if not self._is_finishing:
                    request_rejoin(self._consumer)
            except (PassedOffsetError, StoreError, RecordRefusedError) as exc:
                await self._start_over(exc)
            except (TransactionFailedError, KafkaError, UnknownProgressError, TimeoutError) as exc:
                await self._recover(exc)

    async def _open(self) -> None:
        """Make the task ours: fence the last owner, read what is committed, go on from there.

        The order matters: after the fence the committed position cannot change any more.
        """
        task = self.task
        self._must_look = True
        await self._checkpointer.fence()
        resumed = task.committed is not None and task.resume(await self._positions.newest(task))
        obey_cancellation()
        if not resumed:
            task.drop()
            tables = await self._restorer.restore(task) if self._restorer is not None else None
            obey_cancellation()
            found = await self._positions.find(task, tables[0] if tables is not None else None)
            obey_cancellation()
            task.reset(found.positions, found.starts, tables)
            task.generation = self._generation
        self._must_look = False
        self.rewind()
        if task.pending is None:
            task.problem = None
        task.move_to(TaskState.ACTIVE)
        self._report.opened(task, resumed=resumed)
        self._submit_parked()

    def _submit_parked(self) -> None:
        parked, self.task.parked = self.task.parked, []
        for lane in parked:
            self._submit(lane)

    def rewind(self) -> None:
        """Fetch next what follows the newest accepted record; what was prefetched is thrown away."""
        for source, progress in self.task.sources.items():
            self._consumer.seek(source, progress.next_fetch)

    async def settle(self) -> None:
        """Nothing new came: commit what is all handled up to its end, past transactions' markers, so the lag is 0."""
        task = self.task
        for source, progress in task.sources.items():
            if task.state is TaskState.ACTIVE and not progress.span:
                with suppress(KafkaError):
                    progress.skip_to(await self._consumer.position(source))
        if any(progress.changed for progress in task.sources.values()):
            task.dirty.set()

    async def _keep(self) -> None:
        """Checkpoint the task in every interval in which something finished; once more when it leaves."""
        task, clock, interval = self.task, asyncio.get_running_loop().time, self._limits.commit_interval_seconds
        while task.state is TaskState.ACTIVE:
            await task.dirty.wait()
            await asyncio.sleep(task.permit.next_commit_in)
            if task.state is TaskState.ACTIVE and not await self._commit_if_whole():
                await asyncio.sleep(interval)
            self._submit_parked()
        while not await self._is_quiet(by=min(self._quiet_by, clock() + interval)) and clock() < self._quiet_by:
            await self._commit_if_whole()  # steps are finished while their events go on
        if task.running:
            self._report.unfinished(task)
        await self._commit_if_whole()
        task.move_to(TaskState.SUSPENDED)

    async def _commit_if_whole(self) -> bool:
        if self.task.broken is not None:
            raise self.task.broken
        return await self._checkpointer.checkpoint(self.task)

    async def _is_quiet(self, *, by: float) -> bool:
        """Wait until no event of the task is in a handler, but not for longer than that; whether none is."""
        with suppress(TimeoutError):
            async with asyncio.timeout_at(by):
                await self.task.quiet()
        return not self.task.running

    async def _start_over(self, error: PassedOffsetError | StoreError | RecordRefusedError) -> None:
        """What is in memory cannot be used: the next opening starts from what is in Kafka."""
        self.task.broken, self.task.committed = None, None
        if isinstance(error, StoreError) and self._restorer is not None:
            await self._restorer.mend(self.task, error)
        if isinstance(error, RecordRefusedError):
            with suppress(KafkaError, OSError, TimeoutError):
                await self._cluster.load_limits(self._flow.targets)
        await self._recover(error)

    async def _recover(self, error: Exception) -> None:
        """A checkpoint or an opening failed: pause, then open again, which finds out what was committed."""
        task = self.task
        if isinstance(error, IllegalStateError) or task.state is TaskState.LEAVING:
            task.move_to(TaskState.SUSPENDED)  # the partition is being taken away: a new assignment decides
            return
        task.problem = str(error) or type(error).__name__
        self._report.failed(task, error)
        if task.state is TaskState.ACTIVE:
            task.move_to(TaskState.OPENING)
        await asyncio.sleep(self._limits.recovery_backoff_seconds)
