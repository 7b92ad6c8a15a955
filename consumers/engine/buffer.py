"""How much is in memory: bytes of unfinished records, of uncommitted results, and of state that waits for the disk."""

import asyncio
from collections.abc import Iterable
from typing import Any

from aiokafka import ConsumerRecord

from producers.output import Output

RECORD_OVERHEAD_BYTES = 700
"""What a record costs in memory beside its key and value, measured: the record, its entry, its share of a lane."""

OUTPUT_OVERHEAD_BYTES = 850
"""What an output costs in memory beside its value, measured: its key and its headers."""

REMEMBERED_BYTES = 300
"""What an event id that is remembered costs until it is committed, measured."""


def size_in_memory(outputs: Iterable[Output]) -> int:
    """What outputs count for until they are committed."""
    size = 0
    for output in outputs:
        size += len(output.value or b"") + OUTPUT_OVERHEAD_BYTES
    return size


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


class Account:
    """One task's part of the buffer."""

    __slots__ = ("_buffer", "_in_flight", "_results", "_unwritten", "bytes")

    def __init__(self, buffer: Buffer) -> None:
        self._buffer = buffer
        self.bytes = self._results = self._in_flight = self._unwritten = 0

    def accept(self, count: int) -> None:
        """Records of so many bytes have come, or what is kept with them until they are finished."""
        self.bytes += count
        self._buffer.add(count)

    def finish(self, count: int) -> None:
        """Records of so many bytes are finished."""
        self.bytes -= count
        self._buffer.release(count)

    def produce(self, count: int) -> None:
        """So many bytes belong to the next checkpoint."""
        self._results += count
        self.bytes += count
        self._buffer.add(count)

    def begin(self) -> None:
        """A checkpoint is on its way."""
        self._in_flight += self._results
        self._results = 0

    def confirm(self) -> None:
        """It is committed."""
        self.finish(self._in_flight)
        self._in_flight = 0

    def wait_for_disk(self, count: int) -> None:
        """So many bytes in all are committed and not in the task's stores."""
        more = count - self._unwritten
        if more > 0:
            self.accept(more)
        elif more < 0:
            self.finish(-more)
        self._unwritten = count

    def close(self) -> None:
        """Nothing of the task is in memory any more."""
        self._buffer.release(self.bytes)
        self.bytes = self._results = self._in_flight = self._unwritten = 0
