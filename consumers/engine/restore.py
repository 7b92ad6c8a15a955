"""Brings a task's store up to the end of its changelog before the task may be active."""

import time
from collections.abc import Callable
from contextlib import suppress

from aiokafka import AIOKafkaConsumer, TopicPartition
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_fixed

from clients.kafka import Connection, reading
from clients.rocks import RocksStore
from consumers.engine.names import DELETIONS_SECONDS
from consumers.engine.table import Changes
from schemas.errors import StoreBusyError

READ_WITHIN_SECONDS = DELETIONS_SECONDS * 0.9
"""A store that was up to date longer ago may have missed deletions; a tenth is left for the reading itself."""

_POLL_MS = 200
_MAX_RECORDS = 10_000
_FETCH_BYTES = 8 * 2**20
_TRIES = 100
_PAUSE_SECONDS = 0.05


async def restore(
    connection: Connection, changelog: TopicPartition, store: RocksStore, progress: Callable[[float], None]
) -> int:
    """Read the changelog from the store's position to its end, committed records only; gives how many there were.

    The task's last owner has to be fenced before: then the end does not move. `progress` is told the share that is
    done, 0..1. Raises KafkaError or StoreError, and ValueError for a store that must be wiped first because deletions
    it has not seen may be gone from the changelog.
    """
    asked_at = time.time()
    async with reading(connection, [changelog], max_partition_fetch_bytes=_FETCH_BYTES) as consumer:
        begin = (await consumer.beginning_offsets([changelog]))[changelog]
        end = (await consumer.end_offsets([changelog]))[changelog]
        if store.written_at and (store.position < begin or store.position > end or _too_old(store, asked_at)):
            raise ValueError(f"the store's position {store.position} is outside {begin}..{end}, or too old")
        span = range(max(store.position, begin), end)
        restored = await _copy(consumer, changelog, store, span, progress, written_at=store.written_at or asked_at)
        if span.stop:
            with suppress(StoreBusyError):  # all is there; to note that would only spare the next restore some reading
                store.apply({}, span.stop, written_at=asked_at)
        return restored


async def _copy(
    consumer: AIOKafkaConsumer,
    changelog: TopicPartition,
    store: RocksStore,
    span: range,
    progress: Callable[[float], None],
    *,
    written_at: float,
) -> int:
    """Copy a span of the changelog into a store that counts as up to date at `written_at` until all of it is there.

    Kafka counts `delete.retention.ms` from when it drops the deleted value. So whoever has read a value, then or later,
    still finds its deletion for so long after `written_at`, whatever interrupts the reading.
    """
    consumer.seek(changelog, span.start)
    restored, position = 0, span.start
    while position < span.stop:
        fetched = await consumer.getmany(changelog, timeout_ms=_POLL_MS, max_records=_MAX_RECORDS)
        records = fetched.get(changelog, [])
        position = max(position, await consumer.position(changelog))
        if records:
            await _apply(store, {record.key: record.value for record in records}, position, written_at)
            restored += len(records)
        progress((position - span.start) / len(span))
    return restored


async def _apply(store: RocksStore, changes: Changes, position: int, written_at: float) -> None:
    """Write, but wait for RocksDB, which gets behind with so much at once; not for ever, on a full disk."""
    busy, tries, pause = retry_if_exception_type(StoreBusyError), stop_after_attempt(_TRIES), wait_fixed(_PAUSE_SECONDS)
    async for attempt in AsyncRetrying(retry=busy, stop=tries, wait=pause, reraise=True):
        with attempt:
            store.apply(changes, position, written_at=written_at)


def _too_old(store: RocksStore, now: float) -> bool:
    return bool(now - store.written_at > READ_WITHIN_SECONDS)
