"""Which faults, in which order: drawn from a seed, every kind at least once if there are enough."""

import random
from typing import Final, Literal, NamedTuple, get_args

FaultKind = Literal[
    "kill_worker",
    "freeze_worker",
    "restart_worker",
    "join_worker",
    "leave_worker",
    "kill_broker",
    "freeze_broker",
    "wipe_state",
    "fill_disk",
    "cut_network",
    "delay_network",
]
KINDS: Final[tuple[FaultKind, ...]] = get_args(FaultKind)
FEWEST_WORKERS: Final = 2
WORKERS_AT_FIRST: Final = 3
MOST_WORKERS: Final = 4

_OVERLAPPING_SHARE = 0.25
_OF_THE_BROKER = frozenset[FaultKind]({"kill_broker", "freeze_broker"})


class PlannedFault(NamedTuple):
    """A fault, and whether it strikes in the middle of the one before, or at once when that one is over.

    Never two in a row, nor two of the broker at a time.
    """

    kind: FaultKind
    overlaps: bool = False


def draw_faults(seed: int, count: int) -> list[PlannedFault]:
    """So many faults. There are never fewer than FEWEST_WORKERS workers, nor more than MOST_WORKERS."""
    chance = random.Random(f"{seed}:faults")
    drawn = list(KINDS) if count >= len(KINDS) else chance.sample(KINDS, count)
    drawn += chance.choices(KINDS, k=count - len(drawn))
    chance.shuffle(drawn)
    workers = WORKERS_AT_FIRST
    for place, kind in enumerate(drawn):
        if kind == "join_worker" and workers == MOST_WORKERS:
            drawn[place] = "leave_worker"
        elif kind == "leave_worker" and workers == FEWEST_WORKERS:
            drawn[place] = "join_worker"
        workers += {"join_worker": 1, "leave_worker": -1}.get(drawn[place], 0)
    planned = list[PlannedFault]()
    for kind in drawn:
        wanted = chance.random() < _OVERLAPPING_SHARE
        may = bool(planned) and not planned[-1].overlaps and not {planned[-1].kind, kind} <= _OF_THE_BROKER
        planned.append(PlannedFault(kind, wanted and may))
    return planned
