"""A second client of Kafka, which shares no code with ours: confluent-kafka, that is librdkafka."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from clients.kafka import Connection
from tests.contract.kafka_drivers import WAIT_SECONDS, FencedError, Isolation, Record, Transactions

T = TypeVar("T")


class LibrdkafkaDriver:
    """It blocks, so everything runs in a thread."""

    def __init__(self, connection: Connection) -> None:
        self._config = {"bootstrap.servers": connection.bootstrap_servers, "log_level": 2}

    async def produce(self, topic: str, records: Sequence[Record]) -> list[int]:
        producer = Producer({**self._config, "enable.idempotence": True})
        return await asyncio.to_thread(_send_all, producer, topic, records)

    async def read_until(self, topic: str, last: bytes, isolation: Isolation = "read_committed") -> list[Record]:
        return await self._with_consumer(isolation, lambda consumer: _read_until(consumer, topic, last))

    async def end_offset(self, topic: str, isolation: Isolation) -> int:
        def ask(consumer: Consumer) -> int:
            _low, high = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=WAIT_SECONDS)
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
                    [TopicPartition(topic, 0, next_offset, metadata)],
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
    consumer.assign([TopicPartition(topic, 0, 0)])
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
