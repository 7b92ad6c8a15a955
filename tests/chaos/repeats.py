"""Paid calls that were made twice, and the fault that explains each; what no fault explains is the engine's doing.

A step's result is safe once the checkpoint after it is committed. So a call may be repeated only when the process that
made it lost it before: the call was in flight when the fault began, or had ended less than SAFE_SECONDS before, or ran
during the fault or its recovery, when nothing could be committed.

A fault's span begins the moment before it strikes and ends when the group is whole again: exactly the expected
processes are members, the group is stable, all of them say they are ready, and an output has come since. Its victims
are the processes it strikes, each incarnation by its own name. What it explains is no more than this: of the earlier
call and its repeat, at least one was made by a victim within [begin - SAFE_SECONDS, end], and the repeat began after
the fault. The repeat may be the victim's only when another process made the earlier call after the fault had begun:
a frozen worker has woken up and does not know yet that its task has gone.
Faults in good order (SIGTERM, a worker joins or leaves) have no victims: they explain nothing.
"""

import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

COMMIT_INTERVAL_SECONDS = 0.1
COMMIT_SECONDS = 0.25
"""A result waits for the commit before its own to end, then for its own: what the two take on two busy cores."""
SAFE_SECONDS = COMMIT_INTERVAL_SECONDS + COMMIT_SECONDS


class Call(NamedTuple):
    """A paid call as the ledger saw it; times are of the machine's monotonic clock, in seconds."""

    id: int
    event: str
    step: str
    worker: str
    begun: float
    ended: float = math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A fault from the moment before it struck until all was well again."""

    number: int
    kind: str
    victims: frozenset[str]
    begin: float
    end: float

    def holds(self, call: Call) -> bool:
        """Whether the call was a victim's, and not safe before the fault."""
        return call.worker in self.victims and call.ended > self.begin - SAFE_SECONDS and call.begun <= self.end


class Repeat(NamedTuple):
    """A call, the call of the same step before it, and the fault that explains that there are two."""

    earlier: Call
    later: Call
    fault: Span | None

    @property
    def age(self) -> float:
        """How long before its fault the earlier call had ended, in seconds; 0.0 for one that was in flight."""
        return max(0.0, self.fault.begin - self.earlier.ended) if self.fault is not None else 0.0


def find_repeats(calls: Iterable[Call], spans: Sequence[Span]) -> Iterator[Repeat]:
    """All calls but the first one of each step of each event, in the order in which the ledger saw them."""
    of_step: dict[tuple[str, str], list[Call]] = defaultdict(list)
    for call in sorted(calls, key=lambda call: call.begun):
        of_step[call.event, call.step].append(call)
    for made in of_step.values():
        for earlier, later in itertools.pairwise(made):
            yield Repeat(earlier, later, _explanation(earlier, later, spans))


def _explanation(earlier: Call, later: Call, spans: Sequence[Span]) -> Span | None:
    """The last fault that explains the repeat."""
    for span in reversed(spans):
        woke_up = span.holds(later) and earlier.begun >= span.begin and earlier.worker != later.worker
        if later.begun >= span.begin and (span.holds(earlier) or woke_up):
            return span
    return None
