"""Transactional producers: ids and epochs, open transactions, and how they end."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from itertools import count

from clients.embedded_kafka.batch import Batch
from clients.embedded_kafka.codes import Code, RefusedError
from clients.embedded_kafka.offsets import CommittedOffset, CommittedOffsets, Partition
from clients.embedded_kafka.topics import Topics

FIRST_PRODUCER_ID = 1000
MAX_EPOCH = 32767


class State(Enum):
    """Where a transactional producer stands."""

    EMPTY = "no transaction was begun"
    ONGOING = "a transaction is open"
    COMMITTED = "the last transaction was committed"
    ABORTED = "the last transaction was aborted"


@dataclass(slots=True, kw_only=True)
class Producer:
    """Who holds a transactional id, and the transaction that is open."""

    producer_id: int
    epoch: int = -1
    timeout: float = 60.0
    state: State = State.EMPTY
    deadline: float = 0.0
    partitions: set[Partition] = field(default_factory=set)
    offsets: dict[str, dict[Partition, CommittedOffset]] = field(default_factory=dict)


class Transactions:
    """All transactional ids of the broker. Times are those of the event loop, in seconds."""

    def __init__(self, *, topics: Topics, offsets: CommittedOffsets) -> None:
        self._topics = topics
        self._offsets = offsets
        self._by_transactional_id: dict[str, Producer] = {}
        self._by_producer_id: dict[int, Producer] = {}
        self._producer_ids = count(FIRST_PRODUCER_ID)

    def new_producer_id(self) -> int:
        """Return an id for a producer that is idempotent, but not transactional."""
        return next(self._producer_ids)

    def take_over(self, transactional_id: str, *, timeout: float) -> Producer:
        """Give the id to a new owner: the one before is fenced, its open transaction is aborted."""
        producer = self._by_transactional_id.get(transactional_id)
        if producer is None or producer.epoch == MAX_EPOCH - 1:
            if producer is not None:
                self._fence(producer)
            producer = Producer(producer_id=self.new_producer_id())
            self._by_transactional_id[transactional_id] = producer
            self._by_producer_id[producer.producer_id] = producer
        self._fence(producer)
        producer.timeout = timeout
        producer.state = State.EMPTY
        return producer

    def owner(self, transactional_id: str, *, producer_id: int, epoch: int) -> Producer:
        """Return the producer if it still owns its transactional id; raises RefusedError."""
        producer = self._by_transactional_id.get(transactional_id)
        if producer is None or producer.producer_id != producer_id:
            raise RefusedError(Code.INVALID_PRODUCER_ID_MAPPING)
        if producer.epoch != epoch:
            raise RefusedError(Code.INVALID_PRODUCER_EPOCH)
        return producer

    def check_append(self, batch: Batch, partition: Partition) -> None:
        """Raise RefusedError for a fenced producer, or one that has not announced the partition."""
        producer = self._by_producer_id.get(batch.producer_id)
        if producer is None:
            if batch.is_transactional:
                raise RefusedError(Code.INVALID_PRODUCER_ID_MAPPING)
            return
        if batch.producer_epoch != producer.epoch:
            raise RefusedError(Code.INVALID_PRODUCER_EPOCH)
        if batch.is_transactional and not (producer.state is State.ONGOING and partition in producer.partitions):
            raise RefusedError(Code.INVALID_TXN_STATE)

    def add_partition(self, producer: Producer, partition: Partition, *, now: float) -> None:
        """Announce a partition that the transaction is going to write to; begins it."""
        self._begin(producer, now=now)
        producer.partitions.add(partition)

    def add_group(self, producer: Producer, group_id: str, *, now: float) -> None:
        """Announce a group whose offsets the transaction is going to commit; begins it."""
        self._begin(producer, now=now)
        producer.offsets.setdefault(group_id, {})

    def add_offsets(self, producer: Producer, group_id: str, offsets: Mapping[Partition, CommittedOffset]) -> None:
        """Note offsets that count once the transaction is committed; raises RefusedError."""
        if producer.state is not State.ONGOING or group_id not in producer.offsets:
            raise RefusedError(Code.INVALID_TXN_STATE)
        producer.offsets[group_id].update(offsets)

    def end(self, producer: Producer, *, committed: bool) -> None:
        """Commit or abort; ending it the same way again is fine, anything else raises RefusedError."""
        wanted = State.COMMITTED if committed else State.ABORTED
        if producer.state is State.ONGOING:
            self._finish(producer, committed=committed)
        elif producer.state is not wanted:
            raise RefusedError(Code.INVALID_TXN_STATE)

    def expire(self, now: float) -> None:
        """Abort the transactions that are open for longer than their timeout, and fence their producers."""
        for producer in self._by_producer_id.values():
            if producer.state is State.ONGOING and now > producer.deadline:
                self._fence(producer)

    def _begin(self, producer: Producer, *, now: float) -> None:
        if producer.state is not State.ONGOING:
            producer.state = State.ONGOING
            producer.deadline = now + producer.timeout

    def _fence(self, producer: Producer) -> None:
        producer.epoch += 1
        if producer.state is State.ONGOING:
            self._finish(producer, committed=False)

    def _finish(self, producer: Producer, *, committed: bool) -> None:
        producer.state = State.COMMITTED if committed else State.ABORTED
        for topic, number in producer.partitions:
            try:
                log = self._topics.partition(topic, number)
            except RefusedError:
                continue  # the topic was deleted meanwhile
            log.end_transaction(producer_id=producer.producer_id, producer_epoch=producer.epoch, committed=committed)
        if committed:
            for group_id, offsets in producer.offsets.items():
                self._offsets.commit(group_id, offsets)
        producer.partitions.clear()
        producer.offsets.clear()
