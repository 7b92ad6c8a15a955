"""A global table: a compacted topic read whole by every worker, before it is ready, and followed from then on."""

import asyncio
import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from clients.cluster import Cluster
from clients.kafka import Connection, reading
from schemas.errors import EventError

Row = TypeVar("Row")

_POLL_MS = 500
_MAX_RECORDS = 5_000
_PAUSE_SECONDS = 1.0
_COUNT_SECONDS = 60.0
"""How often to look whether the topic has more partitions than before."""


class GlobalTable(Generic[Row]):
    """The newest row of each key of a topic, in memory.

    Every worker reads all partitions and commits nothing. A record that is no valid row changes nothing and is named
    in the log: it belongs to no group, so nobody could write its dead letter exactly once.
    """

    def __init__(
        self, topic: str, decode: Callable[[bytes, bytes], Row], connection: Connection, cluster: Cluster
    ) -> None:
        """`decode` turns key and value into a row, or raises EventError."""
        self._topic = topic
        self._decode = decode
        self._connection = connection
        self._cluster = cluster
        self._rows: dict[bytes, Row] = {}
        self._is_whole = False
        self._progress = "not read yet"
        self._problem: str | None = None
        self._log = structlog.get_logger("pathstream.global_table").bind(topic=topic)

    def get(self, key: str) -> Row | None:
        """The row, or None."""
        return self._rows.get(key.encode())

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def reason(self) -> str | None:
        """Why the table may not be used yet; None once it has been read whole, also while Kafka is away later."""
        return None if self._is_whole else f"global table {self._topic}: {self._problem or self._progress}"

    @property
    def is_loading(self) -> bool:
        """Whether it is being read for the first time, with nothing wrong."""
        return not self._is_whole and self._problem is None

    async def run(self, stop: asyncio.Event) -> None:
        """Read and follow the topic until `stop` is set; an outage of Kafka is waited out."""
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(self._keep_reading(stop))
            await stop.wait()
            reading.cancel()

    async def _keep_reading(self, stop: asyncio.Event) -> None:
        while not stop.is_set():  # aiokafka may swallow the cancellation
            try:
                await self._read(stop)
            except (KafkaError, OSError, TimeoutError) as exc:
                self._problem = f"cannot be read: {type(exc).__name__}"
                self._log.warning("global_table.unreadable", error=type(exc).__name__)
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _read(self, stop: asyncio.Event) -> None:
        """Read the topic whole into new rows, put them in place of the old ones, and follow; ends when it grows.

        Never into the rows in use: what was replaced or deleted long ago would rise again for a moment. An offset
        that is gone is an error, and leads here anew.
        """
        partitions = await self._partitions()
        async with reading(self._connection, partitions, auto_offset_reset="none") as consumer:
            await consumer.seek_to_beginning(*partitions)
            rows = await self._read_whole(consumer, partitions)
            self._rows, self._is_whole = rows, True
            self._log.info("global_table.ready", rows=len(rows))
            counted_at = time.monotonic()
            while not stop.is_set():
                await self._take(consumer, rows)
                if time.monotonic() - counted_at > _COUNT_SECONDS:
                    counted_at = time.monotonic()
                    if len(await self._partitions()) != len(partitions):
                        return

    async def _partitions(self) -> list[TopicPartition]:
        """All partitions of the topic, once there are any."""
        while not (count := (await self._cluster.partition_counts([self._topic]))[self._topic]):
            self._problem = "the topic does not exist; run `pathstream topics create`"
            await asyncio.sleep(_PAUSE_SECONDS)
        self._problem = None
        return [TopicPartition(self._topic, number) for number in range(count)]

    async def _read_whole(self, consumer: AIOKafkaConsumer, partitions: list[TopicPartition]) -> dict[bytes, Row]:
        rows: dict[bytes, Row] = {}
        for partition, end in (await consumer.end_offsets(partitions)).items():
            while await consumer.position(partition) < end:
                self._progress = f"{len(rows)} rows read"
                await self._take(consumer, rows)
        return rows

    async def _take(self, consumer: AIOKafkaConsumer, rows: dict[bytes, Row]) -> None:
        fetched = await consumer.getmany(timeout_ms=_POLL_MS, max_records=_MAX_RECORDS)
        for records in fetched.values():
            for record in records:
                self._apply(record, rows)

    def _apply(self, record: ConsumerRecord[Any, Any], rows: dict[bytes, Row]) -> None:
        if record.key is None:
            self._refuse(record, "a record without a key")
        elif record.value is None:
            rows.pop(record.key, None)
        else:
            try:
                rows[record.key] = self._decode(record.key, record.value)
            except EventError as exc:
                self._refuse(record, str(exc))

    def _refuse(self, record: ConsumerRecord[Any, Any], error: str) -> None:
        self._log.error("global_table.refused", partition=record.partition, offset=record.offset, error=error)
