"""A store on disk: what was written is there, whatever RocksDB does with its files; what is old goes."""

from collections.abc import Callable
from pathlib import Path

import pytest

from clients.rocks import Memory, RocksStore

ROUNDS = 8


def never(_value: bytes) -> bool:
    return False


def if_old(value: bytes) -> bool:
    return value == b"old"


@pytest.fixture
def memory() -> Memory:
    return Memory(cache_bytes=2**24, write_buffer_bytes=2**20)


@pytest.mark.parametrize("expired", [None, never])
def test_entries_outlive_reopening_and_compaction(
    tmp_path: Path, memory: Memory, expired: Callable[[bytes], bool] | None
) -> None:
    for number in range(ROUNDS):  # each round leaves a file on disk; enough of them are merged
        store = RocksStore(tmp_path / "seen", memory, expired=expired)
        store.apply({f"{number}-{n}".encode(): b"kept" for n in range(100)}, position=number)
        store.close()
    store = RocksStore(tmp_path / "seen", memory, expired=expired)
    store._db.compact_range(None, None)
    assert [store.get(f"{number}-{n}".encode()) for number in range(ROUNDS) for n in range(100)] == [b"kept"] * 800
    assert store.position == ROUNDS - 1
    store.close()


def test_expired_entries_disappear_as_others_are_written(tmp_path: Path, memory: Memory) -> None:
    store = RocksStore(tmp_path / "seen", memory, expired=if_old)
    store.apply({f"a-{n:03}".encode(): b"old" if n % 2 else b"new" for n in range(200)}, position=1)
    for number in range(200):
        store.apply({f"b-{number:03}".encode(): b"new"}, position=2 + number)
    assert [store.get(f"a-{n:03}".encode()) for n in range(200)] == [None if n % 2 else b"new" for n in range(200)]
    assert list(store.keys(b"b-")) == [f"b-{number:03}".encode() for number in range(200)]
    store.close()


def test_an_expired_entry_that_is_written_again_stays(tmp_path: Path, memory: Memory) -> None:
    store = RocksStore(tmp_path / "seen", memory, expired=if_old)
    store.apply({b"a": b"old"}, position=1)
    store.apply({b"a": b"new"}, position=2)
    store.apply({b"b": b"new"}, position=3)
    assert (store.get(b"a"), store.position) == (b"new", 3)
    store.close()
