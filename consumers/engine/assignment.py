"""Which tasks are ours, as the group decides."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable

from aiokafka import ConsumerRebalanceListener, TopicPartition

from consumers.engine.driver import Driver
from consumers.engine.limits import Limits
from consumers.engine.membership import Membership
from consumers.engine.partition import Task, TaskState
from consumers.engine.report import Report


class Assignment(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka has no types
    """The tasks of one flow in this process, each with its driver.

    A rebalance revokes all tasks first and then assigns some of them, mostly the same. So a revoked task is only
    suspended: its handlers go on, and if it comes back and nobody committed meanwhile, nothing is done twice.
    """

    def __init__(
        self,
        *,
        sources: Collection[str],
        limits: Limits,
        report: Report,
        membership: Membership,
        group: asyncio.TaskGroup,
        new_driver: Callable[[int], Driver],
    ) -> None:
        """`sources` are the topics that a task has a partition of each; `new_driver` makes a task's driver."""
        self._sources = sources
        self._limits = limits
        self._report = report
        self._membership = membership
        self._group = group
        self._new_driver = new_driver
        self._drivers: dict[int, Driver] = {}
        self._closing = False
        self.joined = False
        self.split: list[int] = []
        """Partition numbers of which the group gave us some topics and not others: their counts differ."""

    @property
    def tasks(self) -> list[Task]:
        """All tasks that are ours, or may come back."""
        return [driver.task for driver in self._drivers.values()]

    def pollable(self) -> list[TopicPartition]:
        """The partitions that may take more records now."""
        return [
            source
            for driver in self._drivers.values()
            if driver.task.state is TaskState.ACTIVE and driver.task.problem is None
            for source, progress in driver.task.sources.items()
            if progress.span < self._limits.window
        ]

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
        """Called by aiokafka before it rejoins, with heartbeats going on: finish, commit, suspend."""
        if self._closing:
            return
        await self._membership.about_to_rejoin()
        self._report.revoked(len({source.partition for source in revoked}))
        quiet_by, end_by = self._deadlines(self._limits.revoke_seconds)
        async with asyncio.TaskGroup() as leaving:
            for driver in self._drivers.values():
                leaving.create_task(driver.leave(quiet_by=quiet_by, end_by=end_by))

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Called by aiokafka when the assignment is live, without heartbeats: only start what has to be done."""
        if self._closing:
            return
        self.joined = True
        self._membership.joined()
        topics: dict[int, set[str]] = defaultdict(set)
        for source in assigned:
            topics[source.partition].add(source.topic)
        ours = {partition for partition, having in topics.items() if len(having) == len(self._sources)}
        self.split = sorted(topics.keys() - ours)
        self._report.assigned(sorted(ours), self.split)
        for partition in self._drivers.keys() - ours:
            self._drivers.pop(partition).close()
        for partition in ours:
            if partition not in self._drivers:
                self._drivers[partition] = self._new_driver(partition)
            self._drivers[partition].start(self._group)

    async def finish(self) -> None:
        """Leave all tasks for good, within the time a shutdown may take. Nothing is assigned any more."""
        self._closing = True
        quiet_by, end_by = self._deadlines(self._limits.shutdown_seconds)
        async with asyncio.TaskGroup() as finishing:
            for driver in self._drivers.values():
                finishing.create_task(driver.finish(quiet_by=quiet_by, end_by=end_by))

    def close(self) -> None:
        """Drop all tasks."""
        self._closing = True
        for driver in self._drivers.values():
            driver.close()
        self._drivers.clear()

    def _deadlines(self, seconds: float) -> tuple[float, float]:
        """Until when handlers may go on, and until when their results may be committed."""
        now = asyncio.get_running_loop().time()
        return now + max(0.0, seconds - self._limits.last_commit_seconds), now + seconds
