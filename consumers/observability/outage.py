"""Collapses what aiokafka logs while no broker answers: several lines a second become two in all."""

import asyncio
import logging
import math
import time
from collections.abc import Callable
from typing import Protocol

_STARTS = (
    "Unable connect to",
    "Unable to request metadata from",
    "Unable to update metadata from",
    "Failed fetch messages from",
    "Failed fetch offsets from",
    "Error sending %s to node",
    "Heartbeat send request failed",
    "Cannot send %r to",
    "Could not send %r",
)
"""What aiokafka logs when a connection does not come about, breaks or stays silent."""

_FOLLOWS = (
    *_STARTS,
    "Group Coordinator Request failed",
    "FindCoordinator Request failed",
    "Marking the coordinator dead",
    "Heartbeat session expired",
    "Heartbeat failed",
    "Got error produce response",
    "OffsetCommit failed",
    "Attempt to fetch offsets for partition",
    "No broker metadata found",
    "Topic %s not found in cluster metadata",
    "Error fetching metadata for topic",
)
"""What else it logs until the brokers are back; by themselves these lines do not mean that they are away."""

_RETURNS = ("Discovered coordinator", "Joined group", "Successfully synced group")

QUIET_SECONDS = 3.0
"""No complaint for so long means that they are back: while they are away there is one every 0.1 to 1 s.

And for so long after they are back complaints are of what was lost meanwhile: connections, coordinators, memberships.
"""


class Announce(Protocol):
    """How the two lines are logged: a bound logger's `warning`."""

    def __call__(self, *, away: bool, bootstrap_servers: str, seconds: float, hidden_lines: int) -> None:
        """Log one line."""


class BrokerOutage(logging.Filter):
    """Drops aiokafka's lines while no broker answers, and says once that it went and once that it is back.

    A filter for log handlers. `watch` notices the return when aiokafka does not log it; whoever just heard
    from a broker may call `seen`.
    """

    def __init__(
        self, bootstrap_servers: str, announce: Announce, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        self._bootstrap_servers = bootstrap_servers
        self._announce = announce
        self._clock = clock
        self._since: float | None = None
        self._last = 0.0
        self._back_at = -math.inf
        self._hidden = 0

    @property
    def away_seconds(self) -> float | None:
        """For how long no broker has answered; None while one does."""
        return None if self._since is None else self._clock() - self._since

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record may be printed."""
        if not record.name.startswith("aiokafka"):
            return True
        text = str(record.msg)
        if self._since is not None and text.startswith(_RETURNS):
            self.seen()
            return True
        now = self._clock()
        if self._since is None and now - self._back_at < QUIET_SECONDS:  # what comes now is of the outage that is over
            return not text.startswith(_FOLLOWS)
        if not text.startswith(_STARTS if self._since is None else _FOLLOWS):
            return True
        self._last = now
        self._hidden += 1
        if self._since is None:
            self._since = self._last
            self._say(away=True)
        return False

    def seen(self) -> None:
        """A broker answered."""
        if self._since is not None:
            self._say(away=False)
            self._since, self._hidden, self._back_at = None, 0, self._clock()

    def check(self) -> None:
        """Take the brokers for back when there was no complaint for QUIET_SECONDS."""
        if self._since is not None and self._clock() - self._last >= QUIET_SECONDS:
            self.seen()

    async def watch(self) -> None:
        """Check once a second until cancelled."""
        while True:
            await asyncio.sleep(1)
            self.check()

    def _say(self, *, away: bool) -> None:
        self._announce(
            away=away,
            bootstrap_servers=self._bootstrap_servers,
            seconds=round(self.away_seconds or 0.0, 1),
            hidden_lines=self._hidden,
        )
