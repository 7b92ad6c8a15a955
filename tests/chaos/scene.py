"""What faults act upon: broker, workers, their links and disks; and the account of each fault, begin to end."""

import random
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.fleet import Fleet, Worker
from tests.chaos.kafka import Follower, Group
from tests.chaos.plan import FaultKind
from tests.chaos.repeats import Span
from tests.chaos.waiting import wait_until
from tests.kafka.local import LocalKafka

RECOVERY_SECONDS = 90.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long faults last, in seconds, and the numbers of the engine that depend on the session timeout."""

    limits: Mapping[str, float]
    """Replaces numbers of the engine's limits."""
    session: float
    estimates: Mapping[FaultKind, float]
    """How long a fault takes with its recovery: what the load is paced by."""
    calm: tuple[float, float]
    """Shortest and longest pause between two faults."""
    broker_frozen: float = 10.0


_ESTIMATES: dict[FaultKind, float] = {
    "kill_worker": 14.0,
    "freeze_worker": 18.0,
    "restart_worker": 6.0,
    "join_worker": 4.0,
    "leave_worker": 3.0,
    "kill_broker": 12.0,
    "freeze_broker": 16.0,
    "wipe_state": 14.0,
    "fill_disk": 10.0,
    "cut_network": 12.0,
    "delay_network": 10.0,
}

USUAL = Timing(limits={}, session=10.0, estimates=_ESTIMATES, calm=(1.0, 5.0))
"""The engine as it is deployed."""

QUICK = Timing(
    limits={
        "session_timeout_seconds": 3.0,
        "revoke_seconds": 3.0,
        "last_commit_seconds": 1.0,
        "shutdown_seconds": 5.0,
        "rebalance_timeout_seconds": 15.0,
        "transaction_timeout_seconds": 5.0,
        "request_timeout_seconds": 5.0,
    },
    session=3.0,
    estimates={kind: seconds / 2 for kind, seconds in _ESTIMATES.items()},
    calm=(0.5, 1.5),
)
"""Quick to notice that somebody is gone: for the short form."""


@dataclass(slots=True, kw_only=True)
class Scene:
    """Everything there is, and the spans of the faults so far."""

    broker: LocalKafka
    fleet: Fleet
    group: Group
    follower: Follower
    on_network: Callable[[Coroutine[Any, Any, None]], None]
    timing: Timing
    say: Callable[[str], None]
    spans: list[Span] = field(default_factory=list)
    _victims: frozenset[str] = frozenset()
    _struck_at: float = 0.0

    def pick(self, chance: random.Random) -> Worker:
        """One of the workers that run."""
        return chance.choice(self.fleet.wanted)

    def strike(self, whom: str, victims: Iterable[Worker] = ()) -> None:
        """To be called the moment before a fault strikes: its victims may lose what they have not committed."""
        self._victims = frozenset(worker.incarnation for worker in victims)
        self._struck_at = time.monotonic()
        self.say(whom)

    def strike_all(self, whom: str) -> None:
        """The same, for a fault that strikes all workers."""
        self.strike(whom, self.fleet.wanted)

    def run(self, number: int, kind: FaultKind, fault: Callable[["Scene", random.Random], None], seed: int) -> Span:
        """Let a fault strike, wait until all is well again, and note its span.

        Raises TimeoutError, and RuntimeError when a worker has ended that should not.
        """
        self._struck_at, self._victims = time.monotonic(), frozenset()
        try:
            fault(self, random.Random(f"{seed}:{number}"))
            self.wait_until_well()
        finally:
            now = time.monotonic()
            span = Span(number=number, kind=kind, victims=self._victims, begin=self._struck_at, end=now)
            self.spans.append(span)
        return span

    def wait_until_well(self) -> None:
        """The group is what it should be, everybody is ready, and results come again."""
        self.wait_until(
            lambda: bool(self.fleet.dead()) or self.group.members() == self.fleet.members, "the group to be whole"
        )
        if dead := self.fleet.dead():
            raise RuntimeError(f"ended by themselves: {', '.join(dead)}")
        self.wait_until(lambda: not self.fleet.reasons(), "all workers to be ready")
        before = self.follower.count
        self.wait_until(lambda: self.follower.count > before, "a result after the fault")
        self.wait_until(lambda: not self.fleet.reasons(), "all workers to be ready")

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for what a recovery brings; raises TimeoutError that says what did not come, and why."""
        try:
            wait_until(condition, what, RECOVERY_SECONDS)
        except TimeoutError as error:
            state = f"members {self.group.members()}, expected {self.fleet.members}; {self.fleet.reasons()}"
            raise TimeoutError(f"{error}: {state}") from None

    def wait_until_expelled(self, worker: Worker) -> None:
        """The group has given the worker's tasks to others, who have taken them over."""
        others = [member for member in self.fleet.members if member != worker.incarnation]
        self.wait_until(lambda: self.group.members() == others, f"the group to go on without {worker.name}")
        self.wait_until(
            lambda: not any(other.reasons() for other in self.fleet.wanted if other is not worker),
            f"the others to take over from {worker.name}",
        )
