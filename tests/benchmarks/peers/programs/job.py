"""What every program is told, and what it does for each event.

Nothing here but Python itself: the peers' environment runs it too.
"""

import argparse
from dataclasses import dataclass
from typing import Literal
from zlib import crc32

Mode = Literal["at-most-once", "at-least-once", "exactly-once"]

SESSION_SECONDS = 10.0
"""How long a dead worker keeps its partitions: the same for all, the service's own default."""
TRANSACTION_SECONDS = 10.0
"""How long a dead worker's transaction may keep readers waiting: the same for all, the service's own default."""
COMMIT_SECONDS = 0.1
"""How often offsets are committed: the same for all, the service's own default."""

_KEY = slice(11, 23)
_NUMBER_FROM = len('{"userId":"learner-0000","n":')


@dataclass(slots=True, kw_only=True)
class Job:
    """Read `source`, work, write one output with the same key and value per record to `target`."""

    servers: str
    source: str
    target: str
    group: str
    work_seconds: float
    mode: Mode
    workers: int
    folder: str
    """An empty folder of this run's own."""

    def seconds(self, value: bytes) -> float:
        """How long this event's work takes: 0.5 to 1.5 times `work_seconds`, fixed by its number.

        Were all the same, no event could overtake another, whatever a candidate does about the order.
        """
        if not self.work_seconds:
            return 0.0
        return self.work_seconds * (0.5 + crc32(b"%d" % number_of(value)) % 1_000 / 1_000)


def key_of(value: bytes) -> bytes:
    """The key of the record that has this value."""
    return value[_KEY]


def number_of(value: bytes) -> int:
    """The event's number, which rises with every event of its key."""
    return int(value[_NUMBER_FROM : value.index(b",", _NUMBER_FROM)])


def job_from_arguments() -> Job:
    """The command line that `Program.start` writes."""
    parser = argparse.ArgumentParser()
    for name in ("servers", "source", "target", "group", "mode", "folder"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--work-seconds", type=float, required=True)
    parser.add_argument("--workers", type=int, required=True)
    return Job(**vars(parser.parse_args()))
