"""Whether work that costs money may begin: for a task that is going to stay ours, and whose commits get through."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

from consumers.engine.lease import Lease
from consumers.engine.pace import Pace


class Permit:
    """Of one task. Given while the group's assignment and the lease make the task ours, and no commit is overdue.

    What begins behind a commit that does not get through can only wait there, and is lost if the worker dies meanwhile.
    When the commit fails the task is opened again, and that decides.
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

    @contextmanager
    def committing(self) -> Iterator[None]:
        """For the time of a commit, which got through if nothing is raised."""
        self._pace.began(time.monotonic())
        self._settled.clear()
        got_through = False
        try:
            yield
            got_through = True
        finally:
            if got_through:
                self._pace.ended(time.monotonic())
            else:
                self._pace.failed()
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
