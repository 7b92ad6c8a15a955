"""Sends the events, at a pace that has the last of them go out while the last fault is on."""

import threading
import time
from collections.abc import Callable, Sequence

from confluent_kafka import Producer

from tests.chaos.job import INPUT
from tests.chaos.load import PlannedEvent

_TICK_SECONDS = 0.05
_SHORTEST_SECONDS = 3.0
_SLOWEST = 100.0
"""Events a second, however long the faults will take."""
_LONGEST_WAIT_SECONDS = 300
_FLUSH_SECONDS = 120.0


class Sender:
    """Sends in a thread of its own, each event once and each partition's in order, whatever befalls the broker."""

    def __init__(self, servers: str, events: Sequence[PlannedEvent], seconds_left: Callable[[], float]) -> None:
        """`seconds_left` says how long the faults will still take."""
        self.sent = 0
        self.problem: str | None = None
        self._events = events
        self._seconds_left = seconds_left
        self._stop = threading.Event()
        self._producer = Producer(
            {
                "bootstrap.servers": servers,
                "enable.idempotence": True,
                "partitioner": "murmur2_random",
                "linger.ms": 5,
                "message.timeout.ms": _LONGEST_WAIT_SECONDS * 1000,
                "log_level": 0,
            }
        )
        self._thread = threading.Thread(target=self._send, name="sender", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """Send nothing more."""
        self._stop.set()
        self._thread.join()

    @property
    def ended(self) -> bool:
        """Whether nothing more will be sent: all of it has been, unless there is a `problem`."""
        return not self._thread.is_alive()

    def _send(self) -> None:
        due = 0.0
        while self.sent < len(self._events) and not self._stop.is_set():
            left = len(self._events) - self.sent
            due += max(left / max(self._seconds_left(), _SHORTEST_SECONDS), _SLOWEST) * _TICK_SECONDS
            while due >= 1 and self.sent < len(self._events):
                self._send_one(self._events[self.sent])
                due -= 1
                self.sent += 1
            self._producer.poll(0)
            time.sleep(_TICK_SECONDS)
        if self._producer.flush(_FLUSH_SECONDS):
            self.problem = "not all events reached the broker"

    def _send_one(self, event: PlannedEvent) -> None:
        where = {} if event.way.partition is None else {"partition": event.way.partition}
        self._producer.produce(INPUT, event.value, key=event.way.key, on_delivery=self._delivered, **where)

    def _delivered(self, error: object, _message: object) -> None:
        if error is not None:
            self.problem = f"an event did not reach the broker: {error}"
