"""What faults act upon: broker, workers, their links and disks; faults from their strikes until all is well again."""

import random
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.account import Account
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
    shutdown: float
    estimates: Mapping[FaultKind, float]
    """How long a fault takes with its recovery: what the load is paced by."""
    calm: tuple[float, float]
    """Shortest and longest pause between two faults."""
    overlap: float
    """How long after the fault before it one that overlaps strikes at the latest."""
    slow_call: tuple[float, float]
    """The shortest and the longest slow call: below what a rebalance leaves to the calls in flight; three are above."""
    broker_frozen: tuple[float, float]
    """The shortest and the longest freeze of the broker: also longer than a session, so that all are expelled."""


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

USUAL = Timing(
    limits={},
    session=10.0,
    shutdown=30.0,
    estimates=_ESTIMATES,
    calm=(1.0, 5.0),
    overlap=4.0,
    slow_call=(2.0, 4.0),
    broker_frozen=(10.0, 14.0),
)
"""The engine as it is deployed."""

QUICK = Timing(
    limits={
        "session_timeout_seconds": 3.0,
        "revoke_seconds": 6.0,  # a commit over the slow network takes 2 s, and may have to wait for another one
        "last_commit_seconds": 4.0,
        "shutdown_seconds": 7.0,
        "rebalance_timeout_seconds": 15.0,
        "transaction_timeout_seconds": 5.0,
        "request_timeout_seconds": 5.0,
    },
    session=3.0,
    shutdown=7.0,
    estimates={kind: seconds / 2 for kind, seconds in _ESTIMATES.items()},
    calm=(0.5, 1.5),
    overlap=2.0,
    slow_call=(0.7, 1.0),
    broker_frozen=(10.0, 10.0),
)
"""Quick to notice that somebody is gone: for the short form."""


Act = Callable[["Scene", Account, random.Random], None]


@dataclass(slots=True, kw_only=True)
class Scene:
    """Everything there is, and the spans of the faults so far."""

    broker: LocalKafka
    fleet: Fleet
    group: Group
    follower: Follower
    on_network: Callable[[Coroutine[Any, Any, None]], None]
    timing: Timing
    spans: list[Span] = field(default_factory=list)
    _going_on: list[Account] = field(default_factory=list)

    def pick(self, account: Account, chance: random.Random, count: int = 1) -> list[Worker]:
        """Some of the workers that run, for this fault alone; waits until another one leaves enough of them."""
        self.wait_until(lambda: len(self._free(account)) >= count, f"{count} workers to strike")
        workers = chance.sample(self._free(account), count)
        account.busy.update(workers)
        account.picked.update(workers)
        return workers

    def struck_otherwise(self, account: Account) -> list[Worker]:
        """The workers that another fault has struck, or strikes, in one go with this one."""
        return [worker for other in self._going_on if other is not account for worker in other.picked]

    def run(self, faults: Sequence[tuple[Account, Act]], seed: int) -> float:
        """Let faults strike, each in the middle of the one before; wait until all is well, note their spans.

        Gives the seconds it took. Raises TimeoutError, and RuntimeError when a worker has ended that should not.
        """
        self._going_on = [account for account, _ in faults]
        began = time.monotonic()
        try:
            with ThreadPoolExecutor(len(faults)) as pool:
                running = list[Future[None]]()
                for before, (account, act) in zip((None, *self._going_on), faults, strict=False):
                    chance = random.Random(f"{seed}:{account.number}")
                    if before is not None:
                        before.struck.wait(RECOVERY_SECONDS)
                        time.sleep(chance.uniform(0, self.timing.overlap))
                    running.append(pool.submit(self._act, account, act, chance))
                for going_on in running:
                    going_on.result()
            self.wait_until_well()
        finally:
            now = time.monotonic()
            struck = [account for account, _ in faults if account.struck.is_set()]
            self.spans += [account.span(now, self.timing.session) for account in struck]
        return now - began

    def _act(self, account: Account, act: Act, chance: random.Random) -> None:
        try:
            act(self, account, chance)
        finally:
            account.busy = set()

    def _free(self, account: Account) -> list[Worker]:
        busy = [worker for other in self._going_on if other is not account for worker in other.busy]
        return [worker for worker in self.fleet.wanted if worker not in busy]

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

    def wait_until_expelled(self, worker: Worker, account: Account) -> None:
        """The group has given the worker's tasks to others, who have taken them over."""
        gone = worker.incarnation
        self.wait_until(
            lambda: (members := self.group.members()) is not None and gone not in members,
            f"the group to go on without {worker.name}",
        )
        self.wait_until(
            lambda: not any(other.reasons() for other in self._free(account) if other is not worker),
            f"the others to take over from {worker.name}",
        )
