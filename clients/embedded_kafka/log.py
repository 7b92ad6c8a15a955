"""The log of one partition: batches in order, open and aborted transactions, and who waits for more."""

import asyncio
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from operator import attrgetter

from clients.embedded_kafka.batch import NO_PRODUCER, Batch
from clients.embedded_kafka.codes import Code, RefusedError
from clients.embedded_kafka.compaction import compacted
from clients.embedded_kafka.sequences import Sequences

KEPT_AFTER_TRIMMING = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class AbortedTransaction:
    """Offsets of a producer that a read_committed consumer must skip, up to the marker at `last_offset`."""

    producer_id: int
    first_offset: int
    last_offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """What a fetch takes out of a log."""

    data: bytes
    aborted: list[AbortedTransaction]


class PartitionLog:
    """One partition. Holds at most `max_bytes` of records: the oldest go first.

    A compacted one holds what no newer record replaces, however much that is.
    """

    def __init__(self, *, max_bytes: int, max_batch_bytes: int, is_compacted: bool) -> None:
        self.start_offset = 0
        self.end_offset = 0
        self._batches: list[Batch] = []
        self._bytes = 0
        self._max_bytes = max_bytes
        self._clean_above = max_bytes
        self._max_batch_bytes = max_batch_bytes
        self._is_compacted = is_compacted
        self._sequences = Sequences()
        self._open: dict[int, int] = {}
        self._aborted: list[AbortedTransaction] = []
        self._waiting: set[asyncio.Future[None]] = set()

    @property
    def last_stable_offset(self) -> int:
        """The first offset of the oldest open transaction; read_committed consumers get no further."""
        return min(self._open.values(), default=self.end_offset)

    def end_for(self, *, committed_only: bool) -> int:
        """The offset behind the last one that such a reader may see."""
        return self.last_stable_offset if committed_only else self.end_offset

    def append(self, batch: Batch) -> int:
        """Store a producer's batch once and return its base offset; raises RefusedError."""
        if len(batch.data) > self._max_batch_bytes:
            raise RefusedError(Code.MESSAGE_TOO_LARGE)
        if batch.producer_id == NO_PRODUCER:
            return self._store(batch).base_offset
        duplicate = self._sequences.duplicate_of(batch)
        if duplicate is not None:
            return duplicate
        if batch.is_transactional:
            self._open.setdefault(batch.producer_id, self.end_offset)
        stored = self._store(batch)
        self._sequences.remember(stored)
        return stored.base_offset

    def end_transaction(self, *, producer_id: int, producer_epoch: int, committed: bool) -> None:
        """Write the marker that makes a producer's records visible or void, if it wrote any."""
        first_offset = self._open.get(producer_id)
        if first_offset is None:
            return
        marker = Batch.marker(producer_id=producer_id, producer_epoch=producer_epoch, committed=committed)
        if not committed:
            aborted = AbortedTransaction(
                producer_id=producer_id, first_offset=first_offset, last_offset=self.end_offset
            )
            self._aborted.append(aborted)
        del self._open[producer_id]
        self._store(marker)

    def read(self, offset: int, *, committed_only: bool, max_bytes: int, at_least_one: bool = True) -> Slice:
        """Read whole batches from the one that holds `offset` on, up to `max_bytes`; raises RefusedError.

        With `at_least_one` a batch that is larger than `max_bytes` is read too: its reader gets on.
        """
        if not self.start_offset <= offset <= self.end_offset:
            raise RefusedError(Code.OFFSET_OUT_OF_RANGE)
        end = self.end_for(committed_only=committed_only)
        taken: list[bytes] = []
        size = 0
        for index in range(self._index_of(offset), len(self._batches)):
            batch = self._batches[index]
            is_welcome = size + len(batch.data) <= max_bytes or (at_least_one and not taken)
            if batch.base_offset >= end or not is_welcome:
                break
            taken.append(batch.data)
            size += len(batch.data)
        if not committed_only:
            return Slice(data=b"".join(taken), aborted=[])
        aborted = [a for a in self._aborted if a.last_offset >= offset and a.first_offset < end]
        return Slice(data=b"".join(taken), aborted=aborted)

    def first_since(self, timestamp: int) -> tuple[int, int] | None:
        """Find the offset and time of the first record at `timestamp` (ms) or later."""
        for batch in self._batches:
            if batch.max_timestamp >= timestamp and not batch.is_control:
                for record in batch.records():
                    if record.timestamp >= timestamp:
                        return record.offset, record.timestamp
        return None

    def wake_readers(self) -> None:
        """Let everybody who waits for this partition look again."""
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)
        self._waiting.clear()

    def add_waiter(self, waiter: asyncio.Future[None]) -> None:
        """Have `waiter` set when there is something new."""
        self._waiting.add(waiter)

    def remove_waiter(self, waiter: asyncio.Future[None]) -> None:
        """Forget about `waiter`."""
        self._waiting.discard(waiter)

    def _store(self, batch: Batch) -> Batch:
        stored = batch.numbered(self.end_offset)
        self._batches.append(stored)
        self._bytes += len(stored.data)
        self.end_offset = stored.last_offset + 1
        if self._bytes > self._clean_above:
            self._clean()
        self.wake_readers()
        return stored

    def _index_of(self, offset: int) -> int:
        return bisect_left(self._batches, offset, key=attrgetter("last_offset"))

    def _is_void(self, batch: Batch) -> bool:
        return batch.is_transactional and any(
            aborted.producer_id == batch.producer_id
            and aborted.first_offset <= batch.base_offset <= aborted.last_offset
            for aborted in self._aborted
        )

    def _clean(self) -> None:
        """Make room: drop what newer records replace, or the oldest; open transactions stay."""
        if self._is_compacted:
            stable = self.last_stable_offset
            self._batches = compacted(self._batches, up_to=stable, is_void=self._is_void)
            self._aborted = [aborted for aborted in self._aborted if aborted.last_offset >= stable]
            self._bytes = sum(len(batch.data) for batch in self._batches)
            self._clean_above = max(self._max_bytes, 2 * self._bytes)
            return
        dropped = 0
        while self._bytes > self._max_bytes * KEPT_AFTER_TRIMMING and dropped < len(self._batches) - 1:
            if self._batches[dropped].last_offset >= self.last_stable_offset:
                break
            self._bytes -= len(self._batches[dropped].data)
            dropped += 1
        del self._batches[:dropped]
        self.start_offset = self._batches[0].base_offset
        self._aborted = [a for a in self._aborted if a.last_offset >= self.start_offset]


async def wait_for_change(logs: Iterable[PartitionLog], seconds: float) -> None:
    """Return when one of the logs has something new, or after `seconds`."""
    logs = list(logs)
    changed = asyncio.get_running_loop().create_future()
    for log in logs:
        log.add_waiter(changed)
    try:
        async with asyncio.timeout(seconds):
            await changed
    except TimeoutError:
        pass
    finally:
        for log in logs:
            log.remove_waiter(changed)
