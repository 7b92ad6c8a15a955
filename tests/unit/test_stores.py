"""A worker's stores: what happens to them when the disk plays false."""

import os
import shutil
import time
from pathlib import Path

import pytest

from clients.rocks import Memory
from consumers.engine.stores import UNUSED_SECONDS, Stores
from schemas.errors import StoreError


def test_a_task_whose_state_cannot_be_written_at_the_end_can_be_opened_again(tmp_path: Path) -> None:
    memory = Memory(cache_bytes=2**24, write_buffer_bytes=2**23)
    with Stores.locked(tmp_path, memory) as stores:
        opened = stores.open("group", 3)
        opened.state.apply({b"a": b"1"}, position=1)
        opened.seen.apply({b"b": b"2"}, position=1)
        shutil.rmtree(tmp_path / "0/group/3/state")  # what is in memory has nowhere to go
        with pytest.raises(StoreError):
            opened.close()
        again = stores.open("group", 3)
        assert (again.state.position, again.seen.get(b"b")) == (0, b"2")
        again.close()


def test_a_folder_of_another_log_is_removed_and_one_of_the_same_log_is_kept(tmp_path: Path) -> None:
    memory = Memory(cache_bytes=2**24, write_buffer_bytes=2**23)
    for log, kept in (("first", False), ("first", True), ("second", False), ("second", True), ("first", False)):
        with Stores.locked(tmp_path, memory) as stores:
            stores.keep_only("group", log)
            opened = stores.open("group", 0)
            assert opened.state.get(b"log") == (log.encode() if kept else None)
            opened.state.apply({b"log": log.encode()}, position=1)
            opened.close()


def test_a_folder_without_a_note_of_its_log_is_removed(tmp_path: Path) -> None:
    """What an earlier version left, or a crash in the middle of removing it."""
    memory = Memory(cache_bytes=2**24, write_buffer_bytes=2**23)
    with Stores.locked(tmp_path, memory) as stores:
        opened = stores.open("group", 0)
        opened.state.apply({b"a": b"1"}, position=1)
        opened.close()
        stores.keep_only("group", "log")
        again = stores.open("group", 0)
        assert (again.state.position, again.state.get(b"a")) == (0, None)
        again.close()


def test_the_folder_of_a_task_that_has_been_elsewhere_for_long_is_removed(tmp_path: Path) -> None:
    with Stores.locked(tmp_path, Memory(cache_bytes=2**24, write_buffer_bytes=2**23)) as stores:
        for partition in range(4):
            stores.open("group", partition).close()
        for partition in (1, 2, 3):
            stores.left("group", partition)
        stores.returned("group", 3)
        long_ago = time.time() - UNUSED_SECONDS - 1
        os.utime(tmp_path / "0/group/1/left", (long_ago, long_ago))
        stores.sweep()
        assert sorted(stores.present("group")) == [0, 2, 3]
