"""Two independent clients of Kafka behind one face, so that one suite can be driven by both."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import ProducerFenced
from aiokafka.structs import OffsetAndMetadata
from confluent_kafka import Consumer, KafkaException, Producer
from confluent_kafka import TopicPartition as RdTopicPartition

from clients.kafka import Connection

WAIT_SECONDS = 30.0
Isolation = Literal["read_committed", "read_uncommitted"]
T = TypeVar("T")


class FencedError(Exception):
    """Another producer has taken over the transactional id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A record of partition 0."""

    value: bytes | None
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()
    timestamp_ms: int | None = None


class Transactions(Protocol):
    """A producer with a transactional id."""

    async def begin(self) -> None:
        """Open a transaction."""

    async def send(self, topic: str, value: bytes) -> None:
        """Return once the record is in the log of partition 0."""

    async def send_offset(self, group_id: str, topic: str, next_offset: int, metadata: str = "") -> None:
        """Make the offset of partition 0 a part of the transaction."""

    async def commit(self) -> None:
        """Commit; raises FencedError."""

    async def abort(self) -> None:
        """Abort."""


class Driver(Protocol):
    """A client of Kafka."""

    async def produce(self, topic: str, records: Sequence[Record]) -> list[int]:
        """Send records to partition 0 and return their offsets."""

    async def read_until(self, topic: str, last: bytes, isolation: Isolation = "read_committed") -> list[Record]:
        """Read partition 0 from its beginning up to the record whose value is `last`."""

    async def end_offset(self, topic: str, isolation: Isolation) -> int:
        """Return where such a reader of partition 0 would stand at the end."""

    def transactions(
        self, transactional_id: str, timeout_ms: int = 60_000
    ) -> AbstractAsyncContextManager[Transactions]:
        """Start a producer with a transactional id."""


class AiokafkaDriver:
    """The client that the service uses."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def produce(self, topic: str, records: Sequence[Record]) -> list[int]:
        async with self._connection.producer() as producer:
            answers = [
                await producer.send(
                    topic,
                    record.value,
                    key=record.key,
                    headers=list(record.headers),
                    timestamp_ms=record.timestamp_ms,
                    partition=0,
                )
                for record in records
            ]
            return [(await answer).offset for answer in answers]

    async def read_until(self, topic: str, last: bytes, isolation: Isolation = "read_committed") -> list[Record]:
        found: list[Record] = []
        async with asyncio.timeout(WAIT_SECONDS), self._reader(isolation) as consumer:
            consumer.assign([TopicPartition(topic, 0)])
            await consumer.seek_to_beginning()
            while not found or found[-1].value != last:
                got = await consumer.getone()
                found.append(
                    Record(value=got.value, key=got.key, headers=tuple(got.headers), timestamp_ms=got.timestamp)
                )
        return found

    async def end_offset(self, topic: str, isolation: Isolation) -> int:
        partition = TopicPartition(topic, 0)
        async with self._reader(isolation) as consumer:
            consumer.assign([partition])
            ends: dict[TopicPartition, int] = await consumer.end_offsets([partition])
            return ends[partition]

    @asynccontextmanager
    async def transactions(self, transactional_id: str, timeout_ms: int = 60_000) -> AsyncIterator[Transactions]:
        producer = self._connection.producer(transactional_id=transactional_id, transaction_timeout_ms=timeout_ms)
        async with producer:
            yield _AiokafkaTransactions(producer)

    def _reader(self, isolation: Isolation) -> Any:
        return self._connection.consumer(isolation_level=isolation)


class _AiokafkaTransactions:
    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer

    async def begin(self) -> None:
        await self._producer.begin_transaction()

    async def send(self, topic: str, value: bytes) -> None:
        try:
            await self._producer.send_and_wait(topic, value, partition=0)
        except ProducerFenced as exc:
            raise FencedError from exc

    async def send_offset(self, group_id: str, topic: str, next_offset: int, metadata: str = "") -> None:
        offsets = {TopicPartition(topic, 0): OffsetAndMetadata(next_offset, metadata)}
        await self._producer.send_offsets_to_transaction(offsets, group_id)

    async def commit(self) -> None:
        try:
            await self._producer.commit_transaction()
        except ProducerFenced as exc:
            raise FencedError from exc

    async def abort(self) -> None:
        await self._producer.abort_transaction()


class LibrdkafkaDriver:
    """confluent-kafka, that is librdkafka: blocking, so everything runs in a thread."""

    def __init__(self, connection: Connection) -> None:
        self._config = {"bootstrap.servers": connection.bootstrap_servers, "log_level": 2}

    async def produce(self, topic: str, records: Sequence[Record]) -> list[int]:
        producer = Producer({**self._config, "enable.idempotence": True})
        return await asyncio.to_thread(_send_all, producer, topic, records)

    async def read_until(self, topic: str, last: bytes, isolation: Isolation = "read_committed") -> list[Record]:
        return await self._with_consumer(isolation, lambda consumer: _read_until(consumer, topic, last))

    async def end_offset(self, topic: str, isolation: Isolation) -> int:
        def ask(consumer: Consumer) -> int:
            _low, high = consumer.get_watermark_offsets(RdTopicPartition(topic, 0), timeout=WAIT_SECONDS)
            return int(high)

        return await self._with_consumer(isolation, ask)

    @asynccontextmanager
    async def transactions(self, transactional_id: str, timeout_ms: int = 60_000) -> AsyncIterator[Transactions]:
        producer = Producer(
            {**self._config, "transactional.id": transactional_id, "transaction.timeout.ms": timeout_ms}
        )
        await asyncio.to_thread(producer.init_transactions, WAIT_SECONDS)
        yield _LibrdkafkaTransactions(producer, self._config)

    async def _with_consumer(self, isolation: Isolation, use: Callable[[Consumer], T]) -> T:
        def run() -> T:
            consumer = Consumer({**self._config, "group.id": "not-used", "isolation.level": isolation})
            try:
                return use(consumer)
            finally:
                consumer.close()

        return await asyncio.to_thread(run)


class _LibrdkafkaTransactions:
    def __init__(self, producer: Producer, config: dict[str, Any]) -> None:
        self._producer = producer
        self._config = config

    async def begin(self) -> None:
        self._producer.begin_transaction()

    async def send(self, topic: str, value: bytes) -> None:
        await asyncio.to_thread(_send_all, self._producer, topic, [Record(value=value)])

    async def send_offset(self, group_id: str, topic: str, next_offset: int, metadata: str = "") -> None:
        def run() -> None:
            consumer = Consumer({**self._config, "group.id": group_id})
            try:
                self._producer.send_offsets_to_transaction(
                    [RdTopicPartition(topic, 0, next_offset, metadata)],
                    consumer.consumer_group_metadata(),
                    WAIT_SECONDS,
                )
            finally:
                consumer.close()

        await asyncio.to_thread(run)

    async def commit(self) -> None:
        await asyncio.to_thread(_unless_fenced, self._producer.commit_transaction)

    async def abort(self) -> None:
        await asyncio.to_thread(_unless_fenced, self._producer.abort_transaction)


def _unless_fenced(act: Callable[[float], None]) -> None:
    try:
        act(WAIT_SECONDS)
    except KafkaException as exc:
        if exc.args[0].name() in {"_FENCED", "PRODUCER_FENCED", "INVALID_PRODUCER_EPOCH"}:
            raise FencedError from exc
        raise


def _send_all(producer: Producer, topic: str, records: Sequence[Record]) -> list[int]:
    offsets: list[int] = []

    def delivered(error: Any, message: Any) -> None:
        if error is None:
            offsets.append(message.offset())

    for record in records:
        producer.produce(
            topic,
            record.value,
            key=record.key,
            headers=list(record.headers),
            timestamp=record.timestamp_ms or 0,
            partition=0,
            on_delivery=delivered,
        )
    producer.flush(WAIT_SECONDS)
    return offsets


def _read_until(consumer: Consumer, topic: str, last: bytes) -> list[Record]:
    consumer.assign([RdTopicPartition(topic, 0, 0)])
    found: list[Record] = []
    while not found or found[-1].value != last:
        got = consumer.poll(WAIT_SECONDS)
        if got is None:
            raise TimeoutError(f"{last!r} was never read, only {found}")
        if got.error():
            raise KafkaException(got.error())
        _kind, timestamp = got.timestamp()
        headers = tuple(got.headers() or ())
        found.append(Record(value=got.value(), key=got.key(), headers=headers, timestamp_ms=timestamp))
    return found
