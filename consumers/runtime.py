"""How the Python process of a worker is set up."""

import gc

_ALLOCATIONS_BEFORE_COLLECTION = 50_000
_COLLECTIONS_BEFORE_OLDER = 20


def collect_garbage_less_often() -> None:
    """Leave what is loaded now out of garbage collection, and look for new garbage less often.

    A worker keeps thousands of records and lanes alive that are no garbage: with Python's own thresholds looking
    through them takes a tenth of the CPU time at full load (`make bench ONLY=tuning`).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_ALLOCATIONS_BEFORE_COLLECTION, _COLLECTIONS_BEFORE_OLDER, _COLLECTIONS_BEFORE_OLDER)
