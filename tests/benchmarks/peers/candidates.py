"""Who takes part, with which setting, how many events, and what its makers promise."""

import sys
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.peers.programs.job import Mode

PEERS_PYTHON = Path(".venv-peers/bin/python")


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One line of the table."""

    name: str
    setting: str
    why: str
    """Why this setting, in one line under the table."""
    program: str
    """Its module in `tests.benchmarks.peers.programs`."""
    mode: Mode
    """What its documentation promises for this setting."""
    workers: int
    events: tuple[int, int, int]
    """How many at 0 ms, at 100 ms and at 1 s: some seconds' worth of each."""
    python: Path = PEERS_PYTHON


CANDIDATES = (
    Candidate(
        name="pathstream engine",
        setting="1,024 in flight",
        why="no state, no steps: what the others do too",
        program="pathstream_job",
        mode="exactly-once",
        workers=1_024,
        events=(400_000, 60_000, 8_000),
        python=Path(sys.executable),
    ),
    Candidate(
        name="FastStream",
        setting="max_workers=1024, ACK_FIRST",
        why="the only acknowledgement with which more events are worked on than there are partitions",
        program="faststream_job",
        mode="at-most-once",
        workers=1_024,
        events=(30_000, 16_000, 6_000),
    ),
    Candidate(
        name="FastStream",
        setting="max_workers=12, ACK",
        why="acknowledged after the work: a worker per partition is the most there is",
        program="faststream_job",
        mode="at-least-once",
        workers=12,
        events=(6_000, 700, 70),
    ),
    Candidate(
        name="Faust",
        setting="concurrency=1024, at_least_once",
        why="its own default guarantee",
        program="faust_job",
        mode="at-least-once",
        workers=1_024,
        events=(20_000, 16_000, 6_000),
    ),
    Candidate(
        name="Faust",
        setting="concurrency=1024, exactly_once",
        why="subscribed to its target too: Faust sends to topics it does not read outside of its transactions",
        program="faust_job",
        mode="exactly-once",
        workers=1_024,
        events=(20_000, 16_000, 6_000),
    ),
    Candidate(
        name="Faust",
        setting="isolated_partitions, exactly_once",
        why="a worker per partition, the only concurrency of Faust that keeps the order; subscribed as above",
        program="faust_job",
        mode="exactly-once",
        workers=1,
        events=(20_000, 700, 70),
    ),
    Candidate(
        name="Quix Streams",
        setting="exactly-once",
        why="one thread by design; its transactional.id is fixed: a restart ends what the killed worker left open",
        program="quix_job",
        mode="exactly-once",
        workers=1,
        events=(300_000, 80, 8),
    ),
)
