"""Where a worker keeps its tasks' stores: one numbered folder under STATE_DIR, its own by a lock.

STATE_DIR/<n>/lock
STATE_DIR/<n>/<group>/log
STATE_DIR/<n>/<group>/<partition>/state
STATE_DIR/<n>/<group>/<partition>/seen
"""

import fcntl
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, Self

from clients.rocks import Memory, RocksStore
from consumers.engine.seen import is_old
from schemas.errors import StoreError

MOST_WORKERS = 1_000
UNUSED_SECONDS = 600.0
"""A task that has been elsewhere for so long is not expected back: its folder is removed."""


class TaskStores(NamedTuple):
    """The two stores of one task."""

    state: RocksStore
    seen: RocksStore

    def close(self) -> None:
        """Write what is in memory and close: the second one also when the first one fails, as on a full disk.

        Raises StoreError. A store that stays open could not be opened again while this process lives.
        """
        try:
            self.state.close()
        finally:
            self.seen.close()


class Stores:
    """The stores of one worker."""

    def __init__(self, folder: Path, memory: Memory) -> None:
        self._folder = folder
        self._memory = memory

    @classmethod
    @contextmanager
    def locked(cls, state_dir: Path, memory: Memory) -> Iterator[Self]:
        """Take the first numbered folder that no other worker holds. Raises StoreError."""
        for number in range(MOST_WORKERS):
            folder = state_dir / str(number)
            try:
                folder.mkdir(parents=True, exist_ok=True)
                lock = (folder / "lock").open("w")
            except OSError as exc:
                raise StoreError(f"STATE_DIR {state_dir}: {exc.strerror}") from exc
            with lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue
                yield cls(folder, memory)
                return
        raise StoreError(f"STATE_DIR {state_dir}: all {MOST_WORKERS} folders are in use")

    def keep_only(self, group_id: str, log: str) -> None:
        """Remove what the group's folder has of any other log than this one; no store of it may be open.

        Another cluster's, or one whose topics were made anew since: its positions say nothing of this log, whatever
        its end. Raises StoreError.
        """
        folder = self._folder / group_id
        note = folder / "log"
        try:
            if note.exists() and note.read_text() == log:
                return
            if folder.exists():
                shutil.rmtree(folder)
            folder.mkdir()
            note.write_text(log)
        except OSError as exc:
            raise StoreError(f"STATE_DIR {folder}: {exc.strerror}") from exc

    def open(self, group_id: str, partition: int) -> TaskStores:
        """Open a task's stores, empty ones if there are none. Raises StoreError."""
        folder = self._task(group_id, partition)
        state = RocksStore(folder / "state", self._memory)
        try:
            return TaskStores(state, RocksStore(folder / "seen", self._memory, expired=is_old))
        except StoreError:
            state.close()
            raise

    def present(self, group_id: str) -> list[int]:
        """The tasks of which there is something on disk."""
        with suppress(OSError):
            return [int(entry.name) for entry in (self._folder / group_id).iterdir() if entry.name.isdecimal()]
        return []

    def wipe(self, group_id: str, partition: int) -> None:
        """Remove a task's folder; its stores have to be closed."""
        shutil.rmtree(self._task(group_id, partition), ignore_errors=True)

    def left(self, group_id: str, partition: int) -> None:
        """Note that the task has gone elsewhere."""
        folder = self._task(group_id, partition)
        with suppress(OSError):  # a folder that is not marked is not removed: nothing worse
            if folder.exists():
                (folder / "left").touch()

    def returned(self, group_id: str, partition: int) -> None:
        """Note that the task is here."""
        (self._task(group_id, partition) / "left").unlink(missing_ok=True)

    def sweep(self) -> None:
        """Remove the folders of tasks that have been elsewhere for UNUSED_SECONDS."""
        for marker in self._folder.glob("*/*/left"):
            if time.time() - marker.stat().st_mtime > UNUSED_SECONDS:
                shutil.rmtree(marker.parent, ignore_errors=True)

    def _task(self, group_id: str, partition: int) -> Path:
        return self._folder / group_id / str(partition)
