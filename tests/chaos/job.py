"""The job of the chaos workers: what is read, paid for, kept and written. The worker does it, the judge expects it."""

import hashlib
from typing import Final

GROUP: Final = "chaos"
INPUT: Final = "chaos-in"
RESULTS: Final = "chaos-results"
PROGRESS: Final = "chaos-progress"
REPARTITION: Final = f"{GROUP}-repartition"
STATE: Final = f"{GROUP}-state"
SEEN: Final = f"{GROUP}-seen"
DEAD_LETTERS: Final = f"{INPUT}.dlq"
PARTITIONS: Final = 12

SHORT_STEPS: Final = ("read",)
LONG_STEPS: Final = ("read", "grade-1", "grade-2", "plan")
"""The two in the middle run side by side."""
TELLING_STEPS: Final = ("read", "plan")
"""The steps that emit a progress record when they are finished."""
EVERY_STEP: Final = "*"
"""Instead of a step's name, for an event all of whose calls are slow."""

TALLY: Final = "tally"
"""The state that counts a learner's events and chains their numbers."""
MARK: Final = "mark"
"""The state that is there after an odd number of events and removed after an even one."""
STATE_KEY: Final = "all"


def steps_of(*, long: bool) -> tuple[str, ...]:
    """The steps of an event, each one paid call."""
    return LONG_STEPS if long else SHORT_STEPS


def steps_in_a_row(count: int) -> tuple[str, ...]:
    """The steps of an event that asks for so many, one after the other."""
    return tuple(f"step-{number}" for number in range(1, count + 1))


def chain(before: str, n: int) -> str:
    """The hash after event `n`: it depends on every event so far and on their order."""
    return hashlib.sha256(f"{before}:{n}".encode()).hexdigest()[:16]
