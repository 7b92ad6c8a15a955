"""Clients of Kafka behind one face, so that one suite can be driven by several; and the first of them, aiokafka."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import ProducerFenced
from aiokafka.structs import OffsetAndMetadata

from clients.kafka import Connection

WAIT_SECONDS = 30.0
Isolation = Literal["read_committed", "read_uncommitted"]


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
