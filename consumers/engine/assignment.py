"""Which tasks are ours, as the group decides."""

import asyncio
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, suppress

from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError

from consumers.engine.driver import Driver
from consumers.engine.limits import Limits
from consumers.engine.membership import Membership
from consumers.engine.report import Report
from consumers.engine.task import Task
from consumers.engine.task_state import TaskState


class CountsChangedError(KafkaError):  # type: ignore[misc] # aiokafka has no types
    """All topics have another partition count than when the session began: another one has to look at the state."""


class Assignment(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka has no types
    """The tasks of one flow in this process, each with its driver.

    A rebalance revokes all tasks first and then assigns some of them, mostly the same. So a revoked task is only
    suspended: its handlers go on, and if it comes back and nobody committed meanwhile, nothing is done twice.

    aiokafka logs what its callbacks raise and goes on, with tasks left as they were in the middle of it. So they raise
    nothing: `check` does.
    """

    def __init__(
        self,
        *,
        counts: Callable[[], Mapping[str, int]],
        partitions: int,
        limits: Limits,
        report: Report,
        membership: Membership,
        group: asyncio.TaskGroup,
        new_driver: Callable[[int], Driver],
    ) -> None:
        """A task has a partition of each of the topics that `counts` names; it gives how many they have now.

        They had `partitions` when the session began. `new_driver` makes a task's driver.
        """
        self._counts = counts
        self._partitions = partitions
        self._limits = limits
        self._report = report
        self._membership = membership
        self._group = group
        self._new_driver = new_driver
        self._drivers: dict[int, Driver] = {}
        self._parting: asyncio.TimerHandle | None = None
        self._closing = False
        self._closed = asyncio.Event()
        self._finishing: dict[int, asyncio.Task[None]] = {}
        self.joined = False
        self._failure: Exception | None = None
        self.split = False
        """Whether the topics' partition counts differ. Nothing is handled then: a learner's events may be anywhere."""

    @property
    def tasks(self) -> list[Task]:
        """All tasks that are ours, or may come back."""
        return [driver.task for driver in self._drivers.values()]

    @property
    def held(self) -> dict[int, int]:
        """The tasks that are in memory, or will be, each with the group's generation in which it was read."""
        return {partition: driver.task.generation for partition, driver in self._drivers.items()}

    def pollable(self, holding_less_than: float = math.inf) -> list[TopicPartition]:
        """The partitions that may take more records now: of tasks that have fewer bytes than that in memory."""
        return [
            source
            for driver in self._drivers.values()
            if driver.task.state is TaskState.ACTIVE and driver.task.problem is None
            if driver.task.account.bytes < holding_less_than
            for source, progress in driver.task.sources.items()
            if progress.span < self._limits.window
        ]

    def check(self) -> None:
        """Raise what went wrong in a rebalance: the tasks are in no state to go on from."""
        if self._failure is not None:
            raise self._failure

    def driver_of(self, source: TopicPartition) -> Driver | None:
        """The driver of the active task that the partition belongs to."""
        driver = self._drivers.get(source.partition)
        return driver if driver is not None and driver.task.state is TaskState.ACTIVE else None

    def rewind(self) -> None:
        """A poll failed, and may have lost what it took from other partitions: fetch all of it again."""
        for driver in self._drivers.values():
            if driver.task.state is TaskState.ACTIVE:
                driver.rewind()

    async def settle(self) -> None:
        """A poll came back with nothing: commit what has no record to be handled."""
        for driver in list(self._drivers.values()):
            await driver.settle()

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Called by aiokafka before it rejoins, with heartbeats going on: finish, commit, suspend.

        A worker that stops holds the rebalance up, for as long as anybody may: in it others may be given its tasks.
        """
        if self._closing:
            await self._hold_up()
            return
        if self._failure is not None:
            return
        with self._noting_failure():
            await self._membership.about_to_rejoin()
            self._stay_together()
            self._report.revoked(len({source.partition for source in revoked}))
            # Nobody waits for one who was expelled: the longer it takes, the more of its tasks others have begun.
            limits, was_expelled = self._limits, self._membership.was_expelled
            quiet_by, end_by = self._deadlines(limits.last_commit_seconds if was_expelled else limits.revoke_seconds)
            async with asyncio.TaskGroup() as leaving:
                for driver in self._drivers.values():
                    leaving.create_task(driver.leave(quiet_by=quiet_by, end_by=end_by))
            self._let_go()

    async def _hold_up(self) -> None:
        """Until all is committed. If that takes too long the group may go on, and tells us which tasks stay ours.

        Nobody waits for one who was expelled, as after an outage: only when it is back may it commit.
        """
        with self._noting_failure():
            await self._membership.about_to_rejoin()
            if not self._membership.was_expelled:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._limits.revoke_seconds):
                        await self._closed.wait()
                await self._membership.about_to_rejoin()
            self._let_go()

    def _let_go(self) -> None:
        for driver in self._drivers.values():
            driver.task.is_ours = None

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Called by aiokafka when the assignment is live, without heartbeats: only start what has to be done."""
        if self._failure is not None:
            return
        with self._noting_failure():
            self.joined = True
            self._membership.joined()
            ours = self._tasks_of(assigned)
            if self._closing:
                self._finish_only(ours)
                return
            pause = self._membership.reunion_left
            self._report.assigned(sorted(ours), split=self.split)
            self._part_with(self._drivers.keys() - ours, pause)
            for partition in ours:
                if partition not in self._drivers:
                    self._drivers[partition] = self._new_driver(partition)
                self._drivers[partition].start(self._group, generation=self._membership.generation, pause=pause)

    def _part_with(self, others: set[int], pause: float) -> None:
        """Close what is others' now: after a pause, while it may come back, as those who come back one by one do."""

        def part() -> None:
            with self._noting_failure():
                for partition in others:
                    self._drivers.pop(partition).close()

        self._stay_together()
        for partition in others:
            self._drivers[partition].task.is_ours = False
        if pause:
            self._parting = asyncio.get_running_loop().call_later(pause, part)
        else:
            part()

    def _stay_together(self) -> None:
        """Another assignment decides, or the end of all."""
        if self._parting is not None:
            self._parting.cancel()
            self._parting = None

    def _tasks_of(self, assigned: Iterable[TopicPartition]) -> set[int]:
        """The tasks that the partitions make; none while counts differ. Raises CountsChangedError.

        What we know of the counts may be older than what the member knew that made the assignment, so both count.
        """
        counts = self._counts()
        topics: dict[int, set[str]] = defaultdict(set)
        for source in assigned:
            topics[source.partition].add(source.topic)
        self.split = len(set(counts.values())) > 1 or any(len(having) < len(counts) for having in topics.values())
        if self.split:
            return set()
        if set(counts.values()) != {self._partitions}:
            raise CountsChangedError(f"{self._partitions} partitions have become {max(counts.values())}")
        return set(topics)

    @contextmanager
    def _noting_failure(self) -> Iterator[None]:
        try:
            yield
        except Exception as exc:  # noqa: BLE001 - raised again by `check`
            self._failure = exc

    def _finish_only(self, ours: AbstractSet[int]) -> None:
        """Others have the rest, and would only be fenced: what is in flight there is lost."""
        for partition in self._drivers.keys() - ours:
            self._finishing[partition].cancel()
            self._drivers.pop(partition).close()
        for driver in self._drivers.values():
            driver.task.is_ours = True

    async def finish(self) -> None:
        """Leave all tasks for good, within the time a shutdown may take. No task is begun any more."""
        self._closing = True
        self._stay_together()
        quiet_by, end_by = self._deadlines(self._limits.shutdown_seconds)
        async with asyncio.TaskGroup() as finishing:
            for partition, driver in self._drivers.items():
                leaving = driver.finish(quiet_by=quiet_by, end_by=end_by)
                self._finishing[partition] = finishing.create_task(leaving)

    def close(self) -> None:
        """Drop all tasks."""
        self._closing = True
        self._closed.set()
        self._stay_together()
        for driver in self._drivers.values():
            driver.close()
        self._drivers.clear()

    def _deadlines(self, seconds: float) -> tuple[float, float]:
        """Until when handlers may go on, and until when their results may be committed."""
        now = asyncio.get_running_loop().time()
        return now + max(0.0, seconds - self._limits.last_commit_seconds), now + seconds
