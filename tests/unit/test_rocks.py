"""A store on disk: what was written is there, whatever RocksDB does with its files; what is old goes."""

import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from clients.rocks import Memory, RocksStore
from schemas.errors import StoreDamagedError, StoreError
from tests.damage import damage

_KEYS = 20_000
_MIB = 2**20


def _key(number: int) -> bytes:
    return b"learner-%06d" % number


def test_a_store_that_is_opened_again_keeps_its_data_and_uses_the_shared_cache(tmp_path: Path) -> None:
    """rocksdict would give each such store a cache of its own, beside the one that is configured."""
    chance = random.Random(1)
    written = {_key(number): chance.randbytes(100) for number in range(_KEYS)}
    store = RocksStore(tmp_path, Memory(cache_bytes=8 * _MIB, write_buffer_bytes=4 * _MIB))
    store.apply(written, 7)
    store.close()

    memory = Memory(cache_bytes=8 * _MIB, write_buffer_bytes=4 * _MIB)
    before = memory.cache.get_usage()
    store = RocksStore(tmp_path, memory)
    assert all(store.get(key) == value for key, value in written.items())
    assert memory.cache.get_usage() - before > _MIB
    assert store.position == 7
    store.close()


def test_many_stores_with_a_little_in_each_keep_to_the_memory_that_they_are_given(tmp_path: Path) -> None:
    """As many as a worker has that is given twelve partitions of three flows."""
    memory, chance = Memory(cache_bytes=32 * _MIB, write_buffer_bytes=12 * _MIB), random.Random(1)
    stores = [RocksStore(tmp_path / str(number), memory) for number in range(72)]
    most = 0
    for number in range(40 * len(stores)):
        written = {chance.randbytes(8): chance.randbytes(100) for _ in range(3)}
        stores[number % len(stores)].apply(written, number)
        most = max(most, memory.cache.get_usage())
    for store in stores:
        store.close()
    assert most < 12 * _MIB


def test_a_store_that_cannot_be_read_says_which_one(tmp_path: Path) -> None:
    store = RocksStore(tmp_path / "7" / "state", Memory(cache_bytes=_MIB, write_buffer_bytes=_MIB))
    store.close()
    with pytest.raises(StoreError, match="7/state"):
        store.get(b"any")


@pytest.mark.parametrize("share", [0.5, 0.0])
def test_a_store_whose_files_are_damaged_says_so(tmp_path: Path, share: float) -> None:
    """Damaged in the middle it opens, and cannot be read; damaged from the beginning it does not even open."""
    folder, memory = tmp_path / "7" / "state", Memory(cache_bytes=_MIB, write_buffer_bytes=_MIB)
    store = RocksStore(folder, memory)
    store.apply({_key(number): random.randbytes(100) for number in range(1_000)}, 7)
    store.close()
    damage(folder, share)
    with pytest.raises(StoreDamagedError, match="7/state"):
        read_all(folder, memory)


def test_reading_keys_past_a_damaged_block_is_no_end_of_the_keys(tmp_path: Path) -> None:
    """rocksdict's own iterators stop there without a word: finished steps would seem never made."""
    folder, memory = tmp_path / "7" / "state", Memory(cache_bytes=_MIB, write_buffer_bytes=_MIB)
    store = RocksStore(folder, memory)
    store.apply({_key(number): random.randbytes(100) for number in range(1_000)}, 7)
    assert list(store.keys(b"learner-")) == [_key(number) for number in range(1_000)]
    assert list(store.keys(b"nobody")) == list(store.keys(b"zero")) == []
    store.close()
    damage(folder, 0.5)
    with pytest.raises(StoreDamagedError, match="7/state"):
        list(RocksStore(folder, memory).keys(b"learner-"))


def test_looking_for_what_is_expired_finds_a_damaged_block(tmp_path: Path) -> None:
    """Or else nothing behind it would ever expire."""
    folder, memory = tmp_path / "7" / "seen", Memory(cache_bytes=_MIB, write_buffer_bytes=_MIB)
    store = RocksStore(folder, memory, expired=never)
    store.apply({_key(number): random.randbytes(100) for number in range(1_000)}, 7)
    store.close()
    damage(folder, 0.5)
    store = RocksStore(folder, memory, expired=never)
    with pytest.raises(StoreDamagedError, match="7/seen"):
        store.apply({b"more-%d" % number: b"" for number in range(500)}, 8)


def read_all(folder: Path, memory: Memory) -> None:
    store = RocksStore(folder, memory)
    for number in range(1_000):
        store.get(_key(number))


def test_a_store_that_is_opened_again_and_again_takes_no_more_room(tmp_path: Path, memory: Memory) -> None:
    """As on a full disk, where every opening fails sooner or later: what it leaves behind would keep the disk full."""
    sizes = []
    for number in range(12):
        store = RocksStore(tmp_path, memory)
        store.apply({b"key": b"value"}, number)
        store.close()
        sizes.append(sum(file.stat().st_size for file in tmp_path.iterdir()))
    assert max(sizes[4:]) < 1.5 * sizes[1]


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


_WRITER = """
import sys
import time
from pathlib import Path
from clients.rocks import Memory, RocksStore
from schemas.errors import StoreBusyError
store = RocksStore(Path(sys.argv[1]), Memory(cache_bytes=2**20, write_buffer_bytes=2**17))
for position in range(1, 2**31):
    changes = {b"%d" % (position % 50): b"%d" % position, b"filler %d" % (position % 97): bytes(5_000)}
    while True:
        try:
            store.apply(changes, position)
            break
        except StoreBusyError:  # a slow disk: as a task does, try again later
            time.sleep(0.01)
    print(position, flush=True)
"""


def test_after_a_kill_in_the_middle_of_writing_the_data_is_what_the_position_says(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _WRITER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert any(int(line) >= 2_000 for line in writer.stdout), "it has ended by itself"
        writer.kill()
    store = RocksStore(tmp_path, Memory(cache_bytes=_MIB, write_buffer_bytes=_MIB))
    assert store.position > 50, "nothing of it has reached the disk"
    newest = {b"%d" % (position % 50): b"%d" % position for position in range(store.position - 49, store.position + 1)}
    assert {key: store.get(key) for key in newest} == newest
    store.close()
