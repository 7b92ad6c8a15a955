"""Brings a task's store up to the end of its changelog before the task may be active."""

import time
from collections.abc import Callable

from aiokafka import AIOKafkaConsumer, TopicPartition

from clients.kafka import Connection
from clients.rocks import RocksStore

TOMBSTONES_SECONDS = 24 * 3600 * 0.9
"""Kafka's `delete.retention.ms` (24 h by default), with a margin: deletions older than that may be compacted away."""

_POLL_MS = 200
_MAX_RECORDS = 10_000
_FETCH_BYTES = 8 * 2**20


async def restore(
    connection: Connection, changelog: TopicPartition, store: RocksStore, progress: Callable[[float], None]
) -> int:
    """Read the changelog from the store's position to its end, committed records only; gives how many there were.

    The task's last owner has to be fenced before: then the end does not move. `progress` is told the share that is
    done, 0..1. Raises KafkaError or StoreError, and ValueError for a store that must be wiped first because deletions
    it has not seen may be gone from the changelog.
    """
    consumer = connection.consumer(max_partition_fetch_bytes=_FETCH_BYTES)
    try:
        await consumer.start()
        consumer.assign([changelog])
        begin = (await consumer.beginning_offsets([changelog]))[changelog]
        end = (await consumer.end_offsets([changelog]))[changelog]
        if store.position and (store.position < begin or store.position > end or _too_old(store)):
            raise ValueError(f"the store's position {store.position} is outside {begin}..{end}, or too old")
        return await _copy(consumer, changelog, store, range(max(store.position, begin), end), progress)
    finally:
        await consumer.stop()


async def _copy(
    consumer: AIOKafkaConsumer,
    changelog: TopicPartition,
    store: RocksStore,
    span: range,
    progress: Callable[[float], None],
) -> int:
    consumer.seek(changelog, span.start)
    restored, position = 0, span.start
    while position < span.stop:
        fetched = await consumer.getmany(changelog, timeout_ms=_POLL_MS, max_records=_MAX_RECORDS)
        records = fetched.get(changelog, [])
        position = max(position, await consumer.position(changelog))
        if records:
            store.apply({record.key: record.value for record in records}, position)
            restored += len(records)
        progress((position - span.start) / len(span))
    if position > store.position:
        store.apply({}, position)
    return restored


def _too_old(store: RocksStore) -> bool:
    return bool(time.time() - store.written_at > TOMBSTONES_SECONDS)
