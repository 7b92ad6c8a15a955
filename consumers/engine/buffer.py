"""How much is in memory: bytes of unfinished records and of uncommitted results, with a high and a low mark."""

import asyncio
from typing import Any

from aiokafka import ConsumerRecord

RECORD_OVERHEAD_BYTES = 700
"""What a record costs in memory beside its key and value, measured: the record, its entry, its share of a lane."""

OUTPUT_OVERHEAD_BYTES = 850
"""What an output costs in memory beside its value, measured: its key and its headers."""


class Buffer:
    """Counts bytes, and says when polling has to stop and when it may go on.

    Bytes and not records: with a bound in records, one learner with thousands of events would keep all others out. And
    a task that holds less than its `share` may go on when there is no room, so that one learner with large events keeps
    no other partition out: then at most twice `max_bytes` are held.
    """

    __slots__ = ("_bytes", "_low", "_max", "room")

    def __init__(self, max_bytes: int, low_water: float) -> None:
        self._max = max_bytes
        self._low = int(max_bytes * low_water)
        self._bytes = 0
        self.room = asyncio.Event()
        self.room.set()

    @property
    def bytes(self) -> int:
        """Bytes held now."""
        return self._bytes

    def share(self, holders: int) -> int:
        """Bytes that each of so many may hold whatever the others do."""
        return self._low // holders

    def size_of(self, record: ConsumerRecord[Any, Any]) -> int:
        """What the record counts for."""
        return RECORD_OVERHEAD_BYTES + len(record.value or b"") + len(record.key or b"")

    def add(self, count: int) -> None:
        """Accepted `count` bytes."""
        self._bytes += count
        if self._bytes >= self._max:
            self.room.clear()

    def release(self, count: int) -> None:
        """Finished with `count` bytes."""
        self._bytes -= count
        if self._bytes <= self._low and not self.room.is_set():
            self.room.set()
