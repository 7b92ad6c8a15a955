"""Whether work that costs money may begin: for a task that is going to stay ours, and whose commits get through."""

import asyncio
import math
import time

from consumers.engine.lease import Lease
from consumers.engine.pace import Pace


class Permit:
    """Of one task. Given while the group's assignment and the lease make the task ours, and no commit is overdue.

    What begins behind a commit that does not get through can only wait there, and is lost if the worker dies meanwhile.
    """

    def __init__(self, lease: Lease, pace: Pace) -> None:
        self._lease = lease
        self._pace = pace
        self._owned = asyncio.Event()
        self._settled = asyncio.Event()

    @property
    def is_given(self) -> bool:
        """Whether we know of nobody who takes the task away, and would know, and of nothing that keeps it waiting."""
        now = time.monotonic()
        return self._owned.is_set() and self._lease.holds_at(now) and now < self._pace.overdue_at

    @property
    def is_overdue(self) -> bool:
        """Whether a commit has been on its way for too long."""
        return time.monotonic() >= self._pace.overdue_at

    @property
    def next_commit_in(self) -> float:
        """Seconds until the next commit may begin."""
        return max(0.0, self._pace.due_at - time.monotonic())

    def gain(self) -> None:
        """The task is ours."""
        self._owned.set()

    def lose(self) -> None:
        """It may be another worker's soon, or is one's already."""
        self._owned.clear()

    def commit_began(self) -> None:
        """A commit is on its way, or is tried again."""
        self._pace.began(time.monotonic())
        self._settled.clear()

    def commit_ended(self) -> None:
        """It got through."""
        if self._pace.overdue_at < math.inf:
            self._pace.ended(time.monotonic())
        self._settled.set()

    def commit_dropped(self) -> None:
        """It is not tried any more, or not now."""
        self._pace.dropped()
        self._settled.set()

    async def given(self) -> None:
        """Wait until it is."""
        while not self.is_given:
            if not self._owned.is_set():
                await self._owned.wait()
            elif not self._lease.holds:
                await self._lease.renewed()
            else:
                await self._settled.wait()
