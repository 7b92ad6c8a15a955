"""Whether a task is going to stay ours: only then may anything be begun that costs money."""

import asyncio
import math
import time


class Lease:
    """Ends when the group says that we are no member, or so many seconds after it was last asked and said that we are.

    A worker that was frozen, or is cut off, hears nothing of its expulsion: it has to stop by itself.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._asked_at = self._refused_at = -math.inf
        self._renewed = asyncio.Event()

    @property
    def holds(self) -> bool:
        """Whether it has not ended."""
        return time.monotonic() < self._asked_at + self._seconds

    def renew(self, asked_at: float) -> None:
        """The group counts us among its members; it was asked then, by `time.monotonic`."""
        if asked_at < self._refused_at:
            return
        self._asked_at = max(self._asked_at, asked_at)
        renewed, self._renewed = self._renewed, asyncio.Event()
        renewed.set()

    def end(self, asked_at: float) -> None:
        """The group does not count us among its members; it was asked then, by `time.monotonic`."""
        self._refused_at = max(self._refused_at, asked_at)
        if asked_at >= self._asked_at:
            self._asked_at = -math.inf

    async def renewed(self) -> None:
        """Wait for the group's next word."""
        await self._renewed.wait()


class Ownership:
    """Of one task: gained and lost by the group's assignments, and sure while its lease holds, too."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease
        self._gained = asyncio.Event()

    @property
    def is_sure(self) -> bool:
        """Whether we know of nobody who takes the task away, and would know."""
        return self._gained.is_set() and self._lease.holds

    def gain(self) -> None:
        """The task is ours."""
        self._gained.set()

    def lose(self) -> None:
        """It may be another worker's soon, or is one's already."""
        self._gained.clear()

    async def sure(self) -> None:
        """Wait until it is."""
        while not self.is_sure:
            await (self._lease.renewed() if self._gained.is_set() else self._gained.wait())
