"""A run from its begin to its verdict: load and faults side by side, then the end of the work, then the judge."""

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.account import Account
from tests.chaos.check import Complaint
from tests.chaos.faults import FAULTS
from tests.chaos.load import PlannedEvent, plan_events
from tests.chaos.plan import PlannedFault, draw_faults
from tests.chaos.repeats import Call, Repeat, count_at_stake, find_repeats
from tests.chaos.scene import Scene, Timing
from tests.chaos.sender import Sender
from tests.chaos.stage import PaidService, paid_service, stage
from tests.chaos.verdict import Verdict, check_input, count_repeats, judge, show_repeat, traces_in
from tests.chaos.waiting import wait_until

_FIRST_RESULTS = 300
_STALLED_SECONDS = 120.0
_END_SECONDS = 3600.0
_IDLE_SECONDS = 60.0
_SAID_EVERY_SECONDS = 10.0
_OVERLAPPED_SHARE = 0.4
"""Of a fault's usual time, when it strikes in the middle of another one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What is asked for."""

    events: int
    faults: int
    seed: int
    timing: Timing
    log_level: str = "WARNING"
    """Of the workers."""


class Run:
    """One run. `verdict` does all of it; it raises for what is the harness's or the machine's fault alone."""

    def __init__(self, options: Options, folder: Path, tell: Callable[[str], None]) -> None:
        """`folder` takes logs, the ledger's file and the workers' disks; `tell` prints a line."""
        self._options = options
        self._folder = folder
        self._tell = tell
        self._began = time.monotonic()
        self._events: list[PlannedEvent] = list(plan_events(options.seed, options.events))
        self._faults = draw_faults(options.seed, options.faults)
        self._done = 0
        self._faults_began: float | None = None
        self._problems: list[str] = []

    def verdict(self) -> Verdict:
        """Set the stage, let it all happen, judge."""
        timing, level = self._options.timing, self._options.log_level
        with paid_service(self._folder, timing) as paid, stage(self._folder, timing, paid, level) as scene:
            self._say(f"{len(scene.fleet.wanted)} workers are ready; disks are {scene.fleet.workers[0].disk.name}")
            sender = Sender(scene.broker.bootstrap_servers, self._events, self._seconds_left)
            sender.start()
            try:
                self._make_faults(scene, sender)
                self._finish(scene, sender)
            except (TimeoutError, RuntimeError) as error:
                self._problems.append(str(error))
            finally:
                sender.close()
            return self._judge(scene, paid)

    def _say(self, what: str) -> None:
        self._tell(f"[{time.monotonic() - self._began:7.1f} s] {what}")

    def _seconds_left(self) -> float:
        """How long the faults will still take, by the estimates: the load is to last as long."""
        calm = sum(self._options.timing.calm) / 2
        left = [self._estimate(fault) + calm for fault in self._faults[self._done :]]
        spent = 0.0 if self._faults_began is None else time.monotonic() - self._faults_began
        return sum(left) - min(spent, left[0] - 1) if left else 0.0

    def _estimate(self, fault: PlannedFault) -> float:
        return self._options.timing.estimates[fault.kind] * (_OVERLAPPED_SHARE if fault.overlaps else 1)

    def _make_faults(self, scene: Scene, sender: Sender) -> None:
        wait_until(lambda: scene.follower.count >= _FIRST_RESULTS, "the first results", _STALLED_SECONDS)
        calm = self._calm_moments()
        while self._done < len(self._faults):
            time.sleep(calm[self._done])
            if sender.ended or scene.follower.count >= self._options.events:
                raise RuntimeError(f"all was done before the faults were: {self._done} of {len(self._faults)}")
            overlaps = self._done + 1 < len(self._faults) and self._faults[self._done + 1].overlaps
            self._strike(scene, range(self._done, self._done + 1 + overlaps))

    def _strike(self, scene: Scene, numbers: Sequence[int]) -> None:
        """The faults of these places, side by side."""

        def account(number: int, fault: PlannedFault) -> Account:
            def say(whom: str) -> None:
                at = f"{scene.follower.count:,} of {self._options.events:,} results"
                amid = f", amid fault {number - 1}" if fault.overlaps else ""
                self._say(f"fault {number} of {len(self._faults)}{amid}: {fault.kind}: {whom} ({at})")

            return Account(number=number, kind=fault.kind, say=say)

        self._faults_began = time.monotonic()
        faults = [self._faults[number] for number in numbers]
        acts = [(account(n + 1, fault), FAULTS[fault.kind]) for n, fault in zip(numbers, faults, strict=True)]
        seconds = scene.run(acts, self._options.seed)
        self._faults_began = None
        self._done += len(faults)
        self._say(f"well again after {seconds:.1f} s ({scene.follower.count:,} results)")

    def _calm_moments(self) -> list[float]:
        chance = random.Random(f"{self._options.seed}:calm")
        return [chance.uniform(*self._options.timing.calm) for _ in self._faults]

    def _finish(self, scene: Scene, sender: Sender) -> None:
        """Wait until all is done: every result there, nothing uncommitted, everybody alive and ready. Then end it."""
        self._say(f"all faults are over; {scene.follower.count:,} of {self._options.events:,} results")
        wait_until(lambda: sender.ended, "all events to be sent", _STALLED_SECONDS)
        if sender.problem is not None:
            raise RuntimeError(sender.problem)
        self._wait_for_results(scene)
        wait_until(lambda: scene.group.lag() == 0, "the group's lag to be 0", _IDLE_SECONDS)
        wait_until(lambda: not scene.fleet.reasons(), "all workers to be ready at the end", _IDLE_SECONDS)
        self._problems += [f"{name} is not alive" for name in scene.fleet.dead()]
        self._problems += scene.fleet.stop()

    def _wait_for_results(self, scene: Scene) -> None:
        said = time.monotonic()
        while scene.follower.count < self._options.events:
            if scene.follower.quiet_seconds > _STALLED_SECONDS:
                raise TimeoutError(f"no result for {_STALLED_SECONDS:g} s: {scene.fleet.reasons()}")
            if time.monotonic() - said > _SAID_EVERY_SECONDS:
                said = time.monotonic()
                self._say(f"{scene.follower.count:,} of {self._options.events:,} results")
            time.sleep(0.05)

    def _judge(self, scene: Scene, paid: PaidService) -> Verdict:
        calls = paid.calls()
        for worker in scene.fleet.workers:
            worker.close()
            self._problems += traces_in(worker.name, worker.log)
        self._problems += check_input(scene.broker.bootstrap_servers, self._events)
        complaints, kept = judge(scene.broker.bootstrap_servers, self._events, calls)
        repeats = list(find_repeats(calls, scene.spans, kept))
        for repeat in repeats:
            self._tell(f"repeated call: {show_repeat(repeat, self._began)}")
        at_stake = count_at_stake(calls, scene.spans)
        if len(repeats) > at_stake:
            self._problems.append(f"{len(repeats)} calls were repeated, and only {at_stake} at stake")
        self._summarize(scene, calls, repeats, at_stake)
        complaints += [
            Complaint("unexplained_repeats", show_repeat(r, self._began)) for r in repeats if r.fault is None
        ]
        return Verdict(complaints=complaints, problems=self._problems)

    def _summarize(self, scene: Scene, calls: Sequence[Call], repeats: Sequence[Repeat], at_stake: int) -> None:
        kinds = Counter(span.kind for span in scene.spans)
        by_kind = Counter(repeat.fault.kind if repeat.fault else "no fault" for repeat in repeats)
        rows = {
            "events": f"{self._options.events:,} and {len(self._events) - self._options.events:,} sent again",
            "faults": ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())),
            "seconds": f"{time.monotonic() - self._began:.0f}",
            "longest pause": f"{scene.follower.longest_pause:.1f} s without a result",
            "paid calls": f"{len(calls):,}, {len(repeats)} of them repeated",
            "at stake": f"{at_stake} were in flight or younger than one interval at a fault",
            "why": count_repeats(repeats),
            "oldest of them": f"ended {max((r.age for r in repeats), default=0.0):.3f} s before its fault",
            "latest of them": f"begun {max((r.lateness for r in repeats), default=0.0):.3f} s after all was well",
            "repeated by": ", ".join(f"{kind} {count}" for kind, count in sorted(by_kind.items())) or "nobody",
            "seed": str(self._options.seed),
        }
        for name, value in rows.items():
            self._tell(f"  {name:<14} {value}")
