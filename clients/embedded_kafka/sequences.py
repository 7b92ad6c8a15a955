"""What a partition remembers of each producer, so that a batch sent twice is stored once."""

from collections import deque
from dataclasses import dataclass, field

from clients.embedded_kafka.batch import Batch
from clients.embedded_kafka.codes import Code, RefusedError

REMEMBERED_BATCHES = 5  # as many as a producer may have in flight
SEQUENCE_MASK = 0x7FFFFFFF  # sequences wrap around to 0


@dataclass(frozen=True, slots=True)
class _Stored:
    base_sequence: int
    record_count: int
    base_offset: int


@dataclass(slots=True)
class _Producer:
    epoch: int
    next_sequence: int
    recent: deque[_Stored] = field(default_factory=lambda: deque(maxlen=REMEMBERED_BATCHES))


class Sequences:
    """The producers of one partition and the sequence number that each has to send next."""

    def __init__(self) -> None:
        self._producers: dict[int, _Producer] = {}

    def duplicate_of(self, batch: Batch) -> int | None:
        """Find the offset under which the batch is stored already.

        Raises RefusedError for a sequence number that leaves a gap, and for an epoch that is over.
        """
        producer = self._producers.get(batch.producer_id)
        if producer is None:
            return None
        if batch.producer_epoch < producer.epoch:
            raise RefusedError(Code.INVALID_PRODUCER_EPOCH)
        if batch.producer_epoch > producer.epoch:
            if batch.base_sequence != 0:
                raise RefusedError(Code.OUT_OF_ORDER_SEQUENCE)
            return None
        for stored in producer.recent:
            if (stored.base_sequence, stored.record_count) == (batch.base_sequence, batch.record_count):
                return stored.base_offset
        if batch.base_sequence != producer.next_sequence:
            raise RefusedError(Code.OUT_OF_ORDER_SEQUENCE)
        return None

    def remember(self, batch: Batch) -> None:
        """Take note of a batch that was stored."""
        producer = self._producers.get(batch.producer_id)
        if producer is None or producer.epoch != batch.producer_epoch:
            producer = self._producers[batch.producer_id] = _Producer(batch.producer_epoch, 0)
        producer.recent.append(_Stored(batch.base_sequence, batch.record_count, batch.base_offset))
        producer.next_sequence = (batch.base_sequence + batch.record_count) & SEQUENCE_MASK
