"""The short form of `make chaos`: every kind of fault once, with short timeouts, in under three minutes."""

import os
import random
from pathlib import Path

import pytest

from tests.chaos.plan import KINDS
from tests.chaos.run import Options, Run
from tests.chaos.scene import QUICK

EVENTS = 8_000


@pytest.mark.timeout(400)
def test_nothing_is_lost_repeated_disordered_or_miscounted_whatever_dies(own_kafka: Path, tmp_path: Path) -> None:
    """Prints its seed; PATHSTREAM_CHAOS_SEED repeats the same events and faults."""
    seed = int(os.environ.get("PATHSTREAM_CHAOS_SEED", random.randrange(10**6)))
    print(f"PATHSTREAM_CHAOS_SEED={seed}")
    verdict = Run(Options(events=EVENTS, faults=len(KINDS), seed=seed, timing=QUICK), tmp_path, print).verdict()
    assert verdict.good, "\n".join(verdict.lines)
