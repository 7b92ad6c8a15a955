"""For how long the group's word counts that we are its member."""

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
        return self.holds_at(time.monotonic())

    def holds_at(self, now: float) -> bool:
        """Whether it has not ended then, by `time.monotonic`."""
        return now < self._asked_at + self._seconds

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
