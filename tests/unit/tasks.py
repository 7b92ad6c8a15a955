"""A task without a group."""

import math
from collections.abc import Iterable

from consumers.engine.buffer import Buffer
from consumers.engine.lease import Lease
from consumers.engine.pace import Pace
from consumers.engine.permit import Permit
from consumers.engine.task import Task


def task_of(
    topics: Iterable[str], buffer: Buffer | None = None, lease: Lease | None = None, permit: Permit | None = None
) -> Task:
    """One with room for everything, that nobody can take away, unless a buffer, a lease or a permit say otherwise."""
    for_ever = Lease(math.inf)
    for_ever.renew(0.0)
    pace = Pace(interval_seconds=60.0, patience_seconds=60.0)
    return Task(0, topics, buffer or Buffer(2**30, 0.8), permit or Permit(lease or for_ever, pace))
