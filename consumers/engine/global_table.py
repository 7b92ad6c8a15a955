"""A global table: a compacted topic read whole by every worker, before it is ready, and followed from then on."""

import asyncio
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError

from clients.cluster import Cluster
from clients.kafka import Connection, stop_consumer
from schemas.errors import EventError

Row = TypeVar("Row")

_POLL_MS = 500
_MAX_RECORDS = 5_000
_PAUSE_SECONDS = 1.0
_STOP_SECONDS = 5.0


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
        self._problem = "not read yet"
        self._log = structlog.get_logger("pathstream.global_table").bind(topic=topic)

    def get(self, key: str) -> Row | None:
        """The row, or None."""
        return self._rows.get(key.encode())

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def reason(self) -> str | None:
        """Why the table may not be used yet; None once it has been read whole, also while Kafka is away later."""
        return None if self._is_whole else f"global table {self._topic}: {self._problem}"

    async def run(self, stop: asyncio.Event) -> None:
        """Read and follow the topic until `stop` is set; an outage of Kafka is waited out."""
        stopping = asyncio.ensure_future(stop.wait())
        while not stop.is_set():
            reading = asyncio.ensure_future(self._read())
            await asyncio.wait((reading, stopping), return_when=asyncio.FIRST_COMPLETED)
            reading.cancel()
            await asyncio.wait((reading,))
            if not reading.cancelled() and (error := reading.exception()) is not None:
                if not isinstance(error, KafkaError | OSError | TimeoutError):
                    raise error
                self._problem = f"cannot be read: {type(error).__name__}"
                self._log.warning("global_table.unreadable", error=type(error).__name__)
                await asyncio.wait((stopping,), timeout=_PAUSE_SECONDS)

    async def _read(self) -> None:
        """From the topic's beginning, for as long as it can be read."""
        while not (count := (await self._cluster.partition_counts([self._topic]))[self._topic]):
            self._problem = "the topic does not exist; run `pathstream topics create`"
            await asyncio.sleep(_PAUSE_SECONDS)
        consumer = self._connection.consumer(self._topic)
        try:
            await consumer.start()
            if len(consumer.assignment()) < count:
                raise UnknownTopicOrPartitionError(self._topic)  # its metadata is older than ours: try again
            await self._read_whole(consumer)
            while True:
                await self._take(consumer)
        finally:
            await stop_consumer(consumer, seconds=_STOP_SECONDS)

    async def _read_whole(self, consumer: AIOKafkaConsumer) -> None:
        ends = await consumer.end_offsets(consumer.assignment())
        for partition, end in ends.items():
            while await consumer.position(partition) < end:
                self._problem = f"{len(self._rows)} rows read"
                await self._take(consumer)
        if not self._is_whole:
            self._is_whole = True
            self._log.info("global_table.ready", rows=len(self._rows))

    async def _take(self, consumer: AIOKafkaConsumer) -> None:
        fetched = await consumer.getmany(timeout_ms=_POLL_MS, max_records=_MAX_RECORDS)
        for records in fetched.values():
            for record in records:
                self._apply(record)

    def _apply(self, record: ConsumerRecord[Any, Any]) -> None:
        if record.key is None:
            self._refuse(record, "a record without a key")
        elif record.value is None:
            self._rows.pop(record.key, None)
        else:
            try:
                self._rows[record.key] = self._decode(record.key, record.value)
            except EventError as exc:
                self._refuse(record, str(exc))

    def _refuse(self, record: ConsumerRecord[Any, Any], error: str) -> None:
        self._log.error("global_table.refused", partition=record.partition, offset=record.offset, error=error)
