"""Event ids that were handled: the same id again for the same learner changes nothing for seven days (contracts)."""

import time

from consumers.engine.names import SEEN_SECONDS
from consumers.engine.state import key_of
from consumers.engine.table import Table

_TIME_BYTES = 8


def was_seen(seen: Table, learner: str, event_id: str) -> bool:
    """Whether the event was handled within the last seven days."""
    value = seen.get(key_of(learner, event_id))
    return value is not None and not is_old(value)


def is_old(value: bytes) -> bool:
    """Whether an event was handled longer than seven days ago, by the value that is kept of it."""
    return time.time() - int.from_bytes(value, "big") >= SEEN_SECONDS


def remember(seen: Table, learner: str, event_id: str) -> None:
    """The event is handled, as of the next checkpoint."""
    seen.put(key_of(learner, event_id), int(time.time()).to_bytes(_TIME_BYTES, "big"))
