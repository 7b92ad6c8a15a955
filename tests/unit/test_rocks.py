"""The stores of a process share one cache, whose size is what they may take."""

import random
from pathlib import Path

import pytest

from clients.rocks import Memory, RocksStore
from consumers.engine.names import SEEN_SECONDS
from schemas.errors import StoreError

_KEYS = 20_000
_MIB = 2**20


def _key(number: int) -> bytes:
    return b"learner-%06d" % number


@pytest.mark.parametrize("keep_seconds", [None, SEEN_SECONDS])
def test_a_store_that_is_opened_again_keeps_its_data_and_uses_the_shared_cache(
    tmp_path: Path, keep_seconds: int | None
) -> None:
    """rocksdict would give each such store a cache of its own, beside the one that is configured."""
    chance = random.Random(1)
    written = {_key(number): chance.randbytes(100) for number in range(_KEYS)}
    store = RocksStore(tmp_path, Memory(cache_bytes=8 * _MIB, write_buffer_bytes=4 * _MIB), keep_seconds=keep_seconds)
    store.apply(written, 7)
    store.close()

    memory = Memory(cache_bytes=8 * _MIB, write_buffer_bytes=4 * _MIB)
    before = memory.cache.get_usage()
    store = RocksStore(tmp_path, memory, keep_seconds=keep_seconds)
    assert all(store.get(key) == value for key, value in written.items())
    assert memory.cache.get_usage() - before > _MIB
    assert store.position == 7
    store.close()


def test_a_store_that_cannot_be_read_says_which_one(tmp_path: Path) -> None:
    store = RocksStore(tmp_path / "7" / "state", Memory(cache_bytes=_MIB, write_buffer_bytes=_MIB))
    store.close()
    with pytest.raises(StoreError, match="7/state"):
        store.get(b"any")
