"""How long a task's commits take, and what follows: when the next one is due, and from when on one is overdue."""

import math

_SHARE_OF_THE_NEWEST = 1 / 8
_TIMES_THE_USUAL = 4


class Pace:
    """Of one task. Times are of `time.monotonic`, in seconds.

    The next commit is due so early that what finishes now is committed an interval from now, if it takes as long as
    usual. Where commits take more than half an interval that cannot be, and more of them would only take longer: then
    they begin an interval apart.

    One is overdue when it takes an interval and several times as long as usual: a silent broker is noticed soon. After
    one that failed none is, until one gets through: what the broker refuses may need more to be finished, and a task
    that Kafka cannot serve must not keep its workers for ever.
    """

    def __init__(self, *, interval_seconds: float, patience_seconds: float) -> None:
        """However long commits take, one is overdue after `patience_seconds`."""
        self._interval = interval_seconds
        self._patience = patience_seconds
        self._usual = patience_seconds / _TIMES_THE_USUAL
        self._has_failed = False
        self._began_at = 0.0
        self.due_at = 0.0
        """When the next commit may begin."""
        self.overdue_at = math.inf
        """From when on the one that is on its way is overdue; never, if none is."""

    def began(self, now: float) -> None:
        """A commit is on its way."""
        self._began_at = now
        is_quick = self._usual < self._interval / 2
        self.due_at = now + self._interval - (self._usual if is_quick else 0.0)
        if not self._has_failed:
            self.overdue_at = now + min(self._patience, self._interval + _TIMES_THE_USUAL * self._usual)

    def ended(self, now: float) -> None:
        """It got through. One that was overdue counts as long as it had to be for that: an outage is not usual."""
        took = min(now, self.overdue_at, self._began_at + self._patience) - self._began_at
        self._usual += (took - self._usual) * _SHARE_OF_THE_NEWEST
        self._has_failed, self.overdue_at = False, math.inf

    def failed(self) -> None:
        """It did not get through, or nobody knows."""
        self._has_failed, self.overdue_at = True, math.inf
