"""A store on a disk that is really full: what it has can be read, and it goes on by itself when there is room."""

import os
import random
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from clients.rocks import Memory, RocksStore
from schemas.errors import StoreBusyError
from tests.disk import SmallDisk

STORES = 4
ROUNDS = 2
SECONDS = 30.0
"""RocksDB looks every five seconds whether there is room again."""


class Written:
    """A store beside a dict of what it has to say."""

    def __init__(self, folder: Path, memory: Memory) -> None:
        self.folder = folder
        self.store = RocksStore(folder, memory)
        self.values: dict[bytes, bytes | None] = {}
        self._chance = random.Random(folder.name)
        self._waiting: dict[bytes, bytes | None] = {}

    def write(self) -> bool:
        """Change some values, together with what was not taken before; whether there was room."""
        for _ in range(100):
            value = self._chance.randbytes(1_000) if self._chance.random() < 0.8 else None
            self._waiting[b"%04d" % self._chance.randrange(3_000)] = value
        try:
            self.store.apply(self._waiting, self.store.position + 1)
        except StoreBusyError:
            return False
        self.values |= self._waiting
        self._waiting = {}
        return True

    def check(self) -> None:
        assert {key: self.store.get(key) for key in self.values} == self.values


def test_stores_go_on_when_there_is_room_again_and_have_lost_nothing(small_disk: SmallDisk) -> None:
    memory = Memory(cache_bytes=2**24, write_buffer_bytes=2**20)
    stores = [Written(small_disk.path / str(number), memory) for number in range(STORES)]
    for _ in range(ROUNDS):
        assert _write(stores) == STORES
        small_disk.fill(os.getpid())
        _until(lambda: _write(stores) == 0, "every store to be refused")
        for written in stores:
            written.check()
        small_disk.free(os.getpid())
        _until(lambda: _write(stores) == STORES, "every store to be taken again")
    for written in stores:
        position = written.store.position
        written.store.close()
        written.store = RocksStore(written.folder, memory)
        assert written.store.position == position
        written.check()
        written.store.close()


def _write(stores: Iterable[Written]) -> int:
    """How many of them had room."""
    return sum(written.write() for written in stores)


def _until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited for {what}"
        time.sleep(0.02)
