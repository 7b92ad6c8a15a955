"""Restores: how far they are is told, and a store never counts as younger than what it holds."""

import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from structlog.testing import capture_logs

from clients.cluster import Cluster
from clients.kafka import Connection
from clients.rocks import Memory, RocksStore
from consumers.engine.names import SEEN_SUFFIX, STATE_SUFFIX
from consumers.engine.restore import READ_WITHIN_SECONDS, restore
from consumers.topics import TOPICS
from producers.transaction import TransactionalProducer
from tests.integration.lab import Lab, until

HOUR = 3600
VALUES = 300
VALUE_BYTES = 100_000
"""Together more than one fetch brings, so that a restore may be interrupted half-way."""


class CutShortError(Exception):
    """The task goes elsewhere."""


class Interruption:
    """Ends a restore after its first part."""

    def __init__(self) -> None:
        self.share = 0.0

    def __call__(self, share: float) -> None:
        self.share = share
        if share < 1:
            raise CutShortError


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Let hours pass for the stores."""
    passed, real = 0.0, time.time

    def let_pass(hours: float) -> None:
        nonlocal passed
        passed += hours * HOUR

    monkeypatch.setattr(time, "time", lambda: real() + passed)
    return let_pass


@pytest.fixture
async def changelog(connection: Connection) -> TopicPartition:
    lab = Lab(connection)
    await lab.create(partitions=1)
    async with connection.producer() as producer:
        for number in range(VALUES):
            await producer.send(lab.out, bytes(VALUE_BYTES), key=b"%d" % number)
    return TopicPartition(lab.out, 0)


@pytest.fixture
def store(tmp_path: Path) -> RocksStore:
    return RocksStore(tmp_path / "state", Memory(cache_bytes=2**24, write_buffer_bytes=2**23))


async def test_an_interrupted_restore_may_be_finished_a_day_after_it_began_and_no_later(
    connection: Connection, changelog: TopicPartition, store: RocksStore, later: Callable[[float], None]
) -> None:
    """Interrupted twice: deletions that were there when it began may be gone a day later."""
    for hours in (0, 15):
        later(hours)
        interruption = Interruption()
        with pytest.raises(CutShortError):
            await restore(connection, changelog, store, interruption)
        assert 0 < interruption.share < 1
    later(7)
    with pytest.raises(ValueError, match="too old"):
        await restore(connection, changelog, store, lambda _share: None)


async def test_a_store_that_was_found_up_to_date_is_good_for_another_day(
    connection: Connection, changelog: TopicPartition, store: RocksStore, later: Callable[[float], None]
) -> None:
    assert await restore(connection, changelog, store, lambda _share: None) == VALUES
    for _ in range(3):
        later(20)
        await find_up_to_date(connection, changelog, store)
    later(22)
    with pytest.raises(ValueError, match="too old"):
        await restore(connection, changelog, store, lambda _share: None)


async def find_up_to_date(connection: Connection, changelog: TopicPartition, store: RocksStore) -> None:
    """Restore what needs no restoring until that is noted: RocksDB may refuse to while it is busy with what came."""
    asked_at = int(time.time())
    while store.written_at < asked_at:
        assert await restore(connection, changelog, store, lambda _share: None) == 0


async def test_data_whose_position_nobody_knew_grows_old_too(
    connection: Connection, changelog: TopicPartition, store: RocksStore, later: Callable[[float], None]
) -> None:
    """The first checkpoint's outcome was found out late: its values are there, the position is still 0."""
    store.apply({b"1": b"value"}, 0)
    later(22)
    with pytest.raises(ValueError, match="too old"):
        await restore(connection, changelog, store, lambda _share: None)


async def test_how_far_a_restore_is_stands_on_readyz_and_in_the_log(connection: Connection, tmp_path: Path) -> None:
    lab = Lab(connection, state_dir=tmp_path)
    await lab.create(partitions=1)
    async with connection.producer() as producer:
        for number in range(VALUES):
            await producer.send(f"{lab.group}-state", bytes(VALUE_BYTES), key=b"s\x00%d" % number, partition=0)
    with capture_logs() as lines:
        async with lab.engine() as engine:
            await until(lambda: any(f"restoring {lab.group}-state" in said for said in engine.reasons()), "the reason")
            await until(lambda: not engine.reasons(), "the task to be active")
    told = [line for line in lines if line["event"] in ("task.restoring", "task.restored")]
    assert [(line["event"], line["topic"]) for line in told[:2]] == [
        ("task.restoring", f"{lab.group}-state"),
        ("task.restored", f"{lab.group}-state"),
    ]
    assert 0 < told[0]["percent"] <= 100
    assert told[1]["records"] == VALUES


async def test_what_was_not_committed_is_not_restored(
    connection: Connection, changelog: TopicPartition, store: RocksStore
) -> None:
    """A transaction that was aborted, and one that its owner left open, as far as the next owner's fence ends it."""
    transactional_id = f"txn-{changelog.topic}"
    for ends in (True, False):
        async with AsyncExitStack() as stack:
            producer = connection.producer(transactional_id=transactional_id)
            await stack.enter_async_context(producer)
            stack.push_async_callback(producer.abort_transaction if ends else producer.flush)
            await producer.begin_transaction()
            await producer.send_and_wait(changelog.topic, b"never committed", key=b"0")
    async with Cluster(connection) as cluster:
        await TransactionalProducer(cluster, transactional_id, timeout_seconds=5).start()
    await restore(connection, changelog, store, lambda _share: None)
    assert store.get(b"0") == bytes(VALUE_BYTES)
    assert store.get(b"%d" % (VALUES - 1)) == bytes(VALUE_BYTES)


def test_the_service_makes_its_changelogs_so_that_they_keep_deletions_long_enough() -> None:
    kept_ms = {
        spec.name: int(spec.config["delete.retention.ms"])
        for spec in TOPICS
        if spec.name.endswith((STATE_SUFFIX, SEEN_SUFFIX))
    }
    assert len(kept_ms) == 6
    assert min(kept_ms.values()) / 1000 > READ_WITHIN_SECONDS
