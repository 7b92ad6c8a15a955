"""Committed data on disk: RocksDB, a cache of what the changelogs in Kafka hold. Losing it costs a longer restore."""

import struct
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from rocksdict import (
    BlockBasedIndexType,
    BlockBasedOptions,
    Cache,
    DBCompressionType,
    Options,
    Rdict,
    WriteBatch,
    WriteBufferManager,
    WriteOptions,
)

from schemas.errors import StoreBusyError, StoreDamagedError, StoreError

_POSITION = b"\x00position"
_POSITION_FORMAT = struct.Struct(">qq")
_BLOOM_BITS_PER_KEY = 10
_COLUMN_FAMILY = "default"
"""Named, or else rocksdict opens a store that is there with options it reads from disk: a cache of its own."""
_WRITE_BUFFER_BYTES = 2 * 2**20
"""Of one store, twice: while one is written to disk another is filled. A restore of many at once takes that much."""
_ARENA_BLOCK_BYTES = 16 * 2**10
"""By how much a write buffer grows. By RocksDB's default, an eighth, 72 stores with next to nothing took 145 MiB."""
_BACKGROUND_JOBS = 2
_LOG_BYTES = 128 * 2**10
_SIGNS: dict[str, type[StoreError]] = {
    "Corruption:": StoreDamagedError,
    "No space left on device": StoreBusyError,
    "Result incomplete:": StoreBusyError,
}
"""How RocksDB says that files are not what their checksums say, or missing; that it has no room; that it is behind."""
_LOOKED_AT_PER_CHANGE = 2
_MOST_LOOKED_AT = 10_000


class Memory:
    """The memory that all stores of a process share: one block cache, with the write buffers charged to it.

    Measured with a million keys of 100 bytes: a get takes about 10 us with any cache of 24 to 128 MiB, since the
    operating system has in its own cache what is not in this one (`make bench ONLY=tuning`).
    """

    def __init__(self, *, cache_bytes: int, write_buffer_bytes: int) -> None:
        self.cache = Cache(cache_bytes)
        allow_stall = False
        self.write_buffers = WriteBufferManager.new_write_buffer_manager_with_cache(
            write_buffer_bytes, allow_stall, self.cache
        )


class RocksStore:
    """One store in a folder of its own.

    `position` is the changelog offset from which a restore reads on, and `written_at` the time (seconds since 1970) at
    which the store was up to date, 0 for an empty one; both are written with the data, so they never disagree with it.

    With `expired`, which is given values, entries that it says so of disappear some time later: every write looks at a
    few, going round and round. RocksDB's own TTL is of no use here: a store that is opened again through rocksdict has
    a TTL that overflows (RocksDB #11256), and its next compaction drops every entry.
    """

    def __init__(self, folder: Path, memory: Memory, *, expired: Callable[[bytes], bool] | None = None) -> None:
        """Open or create; raises StoreError, StoreDamagedError if nothing but a new folder helps."""
        self._expired = expired
        self._looked_at = b""
        self._folder = folder
        self._unlogged = WriteOptions()
        # A crash loses the newest writes and their position alike. (The stubs take the property for a method.)
        self._unlogged.disable_wal = True  # type: ignore[method-assign,assignment]
        # To be refused a write, not to wait in it: the whole process would, on a full disk until there is room.
        self._unlogged.no_slowdown = True
        with self._translated():
            folder.mkdir(parents=True, exist_ok=True)
            options = _options(memory)
            self._db = Rdict(str(folder), options, {_COLUMN_FAMILY: options})
            position = self._db.get(_POSITION)
        self.position, self.written_at = _POSITION_FORMAT.unpack(position) if position else (0, 0)

    def get(self, key: bytes) -> bytes | None:
        """The value; raises StoreError."""
        try:  # not `_translated`: that takes as long as the get
            found: bytes | None = self._db.get(key)
        except Exception as exc:
            raise self._error(exc) from exc
        return found

    def apply(self, changes: Mapping[bytes, bytes | None], position: int, *, written_at: float | None = None) -> None:
        """Write changes (None deletes), the position after them and the time, all or nothing; raises StoreError.

        `written_at` is now, unless a restore says otherwise. After a StoreBusyError what was written before can be
        read, and writing can be tried again: on a full disk it succeeds some seconds after there is room.
        """
        written_at = int(time.time() if written_at is None else written_at)
        batch = WriteBatch(raw_mode=True)
        for key, value in changes.items():
            if value is None:
                batch.delete(key)
            else:
                batch.put(key, value)
        batch.put(_POSITION, _POSITION_FORMAT.pack(position, written_at))
        with self._translated():
            for key in self._find_expired(changes):
                batch.delete(key)
            self._db.write(batch, self._unlogged)
        self.position, self.written_at = position, written_at

    def probe(self) -> None:
        """Write what is there already; raises StoreError, as `apply` would."""
        self.apply({}, self.position, written_at=self.written_at)

    def _find_expired(self, changes: Mapping[bytes, bytes | None]) -> Iterator[bytes]:
        """The expired keys among the next few."""
        if self._expired is None:
            return
        count, looked_at = min(_LOOKED_AT_PER_CHANGE * len(changes), _MOST_LOOKED_AT), self._looked_at
        for key, value in islice(self._db.items(from_key=looked_at or None), count):
            if not isinstance(key, bytes):
                return
            looked_at, count = key + b"\x00", count - 1
            if key != _POSITION and key not in changes and self._expired(value):
                yield key
        if count:
            self._check_end(looked_at)
        self._looked_at = b"" if count else looked_at

    def keys(self, prefix: bytes) -> Iterator[bytes]:
        """The keys that begin with a prefix, in order; raises StoreError, also while they are read."""
        read_on_from = prefix
        with self._translated():
            for key in self._db.keys(from_key=prefix):
                if not isinstance(key, bytes) or not key.startswith(prefix):
                    return
                yield key
                read_on_from = key + b"\x00"
            self._check_end(read_on_from)

    def _check_end(self, key: bytes) -> None:
        """Raise what ended an iteration before `key`: at a damaged block rocksdict's iterators end as at the end."""
        rest = self._db.iter()
        rest.seek(key)
        rest.status()

    def close(self) -> None:
        """Write what is in memory and close."""
        with self._translated():
            self._db.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except Exception as exc:  # rocksdict raises nothing narrower
            raise self._error(exc) from exc

    def _error(self, exc: Exception) -> StoreError:
        kind = next((kind for sign, kind in _SIGNS.items() if sign in str(exc)), StoreError)
        return kind(f"{self._folder.parent.name}/{self._folder.name}: {exc}")


def _options(memory: Memory) -> Options:
    table = BlockBasedOptions()
    table.set_block_cache(memory.cache)
    table.set_bloom_filter(_BLOOM_BITS_PER_KEY, False)  # noqa: FBT003 - not block-based
    # Index and filter in small blocks: as one block each they crowd each other out of the cache's shards.
    table.set_cache_index_and_filter_blocks(True)
    table.set_index_type(BlockBasedIndexType.two_level_index_search())
    table.set_partition_filters(True)
    options = Options(raw_mode=True)
    options.set_block_based_table_factory(table)
    options.set_write_buffer_manager(memory.write_buffers)
    options.set_write_buffer_size(_WRITE_BUFFER_BYTES)
    options.set_arena_block_size(_ARENA_BLOCK_BYTES)
    options.set_max_background_jobs(_BACKGROUND_JOBS)
    options.set_compression_type(DBCompressionType.lz4())
    # Every opening begins a log file: on a full disk, where it is tried again and again, a thousand of them stay.
    options.set_keep_log_file_num(1)
    options.set_max_log_file_size(_LOG_BYTES)
    return options
