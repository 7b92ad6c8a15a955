"""Paid calls that were made twice, and the fault that explains each; what no fault explains is the engine's doing.

What Kafka holds at the end says which results were kept: an output, a progress record or a journal entry was made of
them. A repeat is explained by a fault only so:

- A kept result is asked for again by nobody but a process that could not know: others had got its tasks while it was
  frozen or cut off, and it has not learned of that yet.
- A result that was not kept was lost with the memory of a victim. Killed: then the call was in flight, or younger than
  one commit interval, or its result waited for a commit that was under way. Frozen or cut off until the group had
  given its tasks away: the same, or the call was begun in that time; and another process has had the task meanwhile,
  for a victim that is alive does not repeat what it has in memory. Of these none was left behind: when a call that
  ended an interval later was kept by the same process and task, the earlier one had to be.
- A process whose files may not grow (tests/disk.py) starts its tasks over from Kafka as often as a write fails: not
  kept is enough. A disk that is really full explains nothing.

A fault's span begins the moment before it strikes and ends when the group is whole again: exactly the expected
processes are members, the group is stable, all of them say they are ready, and an output has come since. Processes
are told apart by incarnation. Faults in good order (SIGTERM, a worker joins or leaves), a slow network, and outages
too short to cost anybody its membership, have no victims: they explain nothing.
"""

import itertools
import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

COMMIT_INTERVAL_SECONDS: Final = 0.1
OLDEST_SECONDS: Final = 3.0
"""Longest time that a result may have waited for commits when its process is killed: more is the engine's doing."""
LATEST_SECONDS: Final = 30.0
"""Within how much time without faults after its span what a fault cost is asked for: other learners come first."""
BROKER_FAULTS: Final = frozenset({"kill_broker", "freeze_broker"})
_FOREVER = math.inf

Why = Literal[
    "in flight",
    "younger than one interval",
    "waiting for a commit",
    "begun while cut off",
    "asked for unknowingly",
    "started over on a full disk",
]


class Call(NamedTuple):
    """A paid call as the ledger saw it; times are of the machine's monotonic clock, in seconds."""

    id: int
    event: str
    step: str
    worker: str
    begun: float
    ended: float = _FOREVER


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A fault from the moment before it struck until all was well again, and its victims, each by its incarnation."""

    number: int
    kind: str
    begin: float
    end: float
    killed: frozenset[str] = frozenset()
    blind: frozenset[str] = frozenset()
    """Alive, but frozen or cut off for so long that others were given their tasks."""
    known_by: float = _FOREVER
    """When the blind ones had to know that; whoever was struck otherwise has nothing to know."""
    overtaken: bool = False
    """Whether others, who could work, were given the tasks of the blind ones meanwhile."""
    full: frozenset[str] = frozenset()
    """Those whose files might not grow."""


class Kept(NamedTuple):
    """What Kafka holds at the end."""

    ids: AbstractSet[int]
    """Calls whose results were committed."""
    tasks: Mapping[str, int]
    """Learners' partitions."""


class Repeat(NamedTuple):
    """A call, the call of the same step before it, and the fault that explains that there are two, with its reason."""

    earlier: Call
    later: Call
    fault: Span | None = None
    why: Why | None = None
    kept: bool = False
    """Whether the earlier call's result is in Kafka."""

    @property
    def age(self) -> float:
        """How long before its fault the earlier call had ended, in seconds; 0.0 for one that was in flight."""
        return max(0.0, self.fault.begin - self.earlier.ended) if self.fault is not None else 0.0

    @property
    def lateness(self) -> float:
        """How long after the end of its fault the call was repeated, in seconds."""
        return max(0.0, self.later.begun - self.fault.end) if self.fault is not None else 0.0


def find_repeats(calls: Iterable[Call], spans: Sequence[Span], kept: Kept) -> Iterator[Repeat]:
    """All calls but the first one of each step of each event, step by step in the order of their first calls."""
    in_order = sorted(calls, key=lambda call: call.begun)
    judge = _Judge(in_order, spans, kept)
    of_step: dict[tuple[str, str], list[Call]] = defaultdict(list)
    for call in in_order:
        of_step[call.event, call.step].append(call)
    for made in of_step.values():
        for earlier, later in itertools.pairwise(made):
            yield judge.explained(earlier, later)


def count_at_stake(calls: Iterable[Call], spans: Sequence[Span]) -> int:
    """How many calls were in flight, or younger than one interval, when a fault struck their worker, or the broker."""
    return sum(
        any(
            (span.kind in BROKER_FAULTS or call.worker in span.killed | span.blind | span.full)
            and call.begun < span.begin < call.ended + COMMIT_INTERVAL_SECONDS
            for span in spans
        )
        for call in calls
    )


class _Judge:
    """Holds a repeat against every fault."""

    def __init__(self, calls: Sequence[Call], spans: Sequence[Span], kept: Kept) -> None:
        """`calls` in the order of their begins."""
        self._spans = spans
        self._kept = kept
        self._of_task: dict[int, list[Call]] = defaultdict(list)
        ends: dict[tuple[int, str], list[float]] = defaultdict(list)
        for call in calls:
            self._of_task[self._task(call)].append(call)
            if call.id in kept.ids:
                ends[self._task(call), call.worker].append(call.ended)
        self._kept_ends = {place: sorted(of_place) for place, of_place in ends.items()}

    def explained(self, earlier: Call, later: Call) -> Repeat:
        """The repeat with the last fault that explains it, if any does."""
        kept = earlier.id in self._kept.ids
        for span in reversed(self._spans):
            if self._is_soon(span, later) and (why := self._why(span, earlier, later)):
                return Repeat(earlier, later, span, why, kept)
        return Repeat(earlier, later, kept=kept)

    def _is_soon(self, span: Span, later: Call) -> bool:
        """Whether the repeat came after the fault and not too late, the time of other faults not counted."""
        now = span.end
        calm = 0.0
        for other in sorted(self._spans, key=lambda other: other.begin):
            if other.end > now:
                calm += max(0.0, min(other.begin, later.begun) - now)
                now = other.end
        calm += max(0.0, later.begun - now)
        return span.begin <= later.begun and calm <= LATEST_SECONDS

    def _why(self, span: Span, earlier: Call, later: Call) -> Why | None:
        meanwhile = span.begin <= earlier.begun <= span.known_by
        others = earlier.worker != later.worker
        if later.worker in span.blind and later.begun <= span.known_by and meanwhile and others:
            return "asked for unknowingly"
        why = self._of_age(span, earlier)
        if earlier.id in self._kept.ids or why is None or earlier.begun > span.known_by:
            return None
        if earlier.worker in span.full:
            return "started over on a full disk"
        lost = earlier.worker in span.killed | span.blind and self._is_lost(span, earlier, later)
        if lost and meanwhile and earlier.worker in span.blind:
            return "begun while cut off"
        return why if lost else None

    def _is_lost(self, span: Span, earlier: Call, later: Call) -> bool:
        """Whether another process has had the task meanwhile, and the call was not left behind before.

        Had it without a call of its own, which happens when the victim is back at once: only as the fault has it.
        """
        moved = span.begin if span.overtaken else self._moved_at(earlier)
        return moved <= later.begun and not self._left_behind(earlier, until=moved)

    def _of_age(self, span: Span, call: Call) -> Why | None:
        """Why a call may have been uncommitted when the fault struck."""
        if call.ended > span.begin:
            return "in flight"
        if call.ended > span.begin - COMMIT_INTERVAL_SECONDS:
            return "younger than one interval"
        return "waiting for a commit" if call.ended > self._trouble_began(span) - OLDEST_SECONDS else None

    def _trouble_began(self, span: Span) -> float:
        """The begin of the fault, or of the one in the middle of which it struck: commits may have waited since."""
        return min(other.begin for other in self._spans if other.begin <= span.begin <= other.end)

    def _moved_at(self, call: Call) -> float:
        """When another process was first seen to work on the call's task after the call was begun."""
        calls = self._of_task[self._task(call)]
        after = calls[bisect_right(calls, call.begun, key=lambda other: other.begun) :]
        return next((other.begun for other in after if other.worker != call.worker), _FOREVER)

    def _left_behind(self, call: Call, *, until: float) -> bool:
        """Whether the process has committed a later result of the task, before it lost the task, and not this one."""
        ends = self._kept_ends.get((self._task(call), call.worker), [])
        place = bisect_right(ends, call.ended + COMMIT_INTERVAL_SECONDS)
        return place < len(ends) and ends[place] < until

    def _task(self, call: Call) -> int:
        return self._kept.tasks.get(call.event.rpartition(":")[0], -1)
