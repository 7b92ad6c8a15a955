"""One changelog's worth of a task's keyed data: what is committed in a store, what is not yet in layers above it.

Pure but for the store. A write is visible to the next event at once, in Kafka with the next checkpoint, and in the
store some time after that is committed: at once, unless the disk is full. A dropped task loses its layers and nothing
else, since a restore reads what the store does not have.
"""

from collections.abc import Iterable, Mapping
from typing import Protocol

from aiokafka import TopicPartition

from producers.output import Output
from schemas.errors import StoreBusyError

Changes = Mapping[bytes, bytes | None]
"""New values by key; None deletes."""

_ENTRY_BYTES = 180
"""What a change costs in memory beside its key and value, measured."""


class Store(Protocol):
    """Where committed data is. `position` is the changelog offset from which a restore has to read on."""

    position: int

    def get(self, key: bytes) -> bytes | None:
        """The committed value."""

    def keys(self, prefix: bytes) -> Iterable[bytes]:
        """The committed keys that begin with a prefix."""

    def apply(self, changes: Changes, position: int) -> None:
        """Write committed changes and the position after them, both or neither. Raises StoreError."""

    def probe(self) -> None:
        """Write next to nothing. Raises StoreError, as `apply` would."""


class Table:
    """The data of one task under one changelog topic.

    A change goes through three layers: pending, in flight with a checkpoint, committed and not yet in the store.
    """

    def __init__(self, changelog: TopicPartition, store: Store) -> None:
        self.changelog = changelog
        self.store = store
        self._pending: dict[bytes, bytes | None] = {}
        self._in_flight: dict[bytes, bytes | None] = {}
        self._unwritten: dict[bytes, bytes | None] = {}
        self.position = store.position
        """The changelog offset up to which everything that is committed is known here."""
        self.unwritten_bytes = 0
        """What the third layer takes, once the store has refused it."""
        self._new: set[bytes] = set()
        self.journals: dict[bytes, list[bytes]] = {}
        """What a restore found of unfinished events: the keys of each one's steps, until it is handled again."""

    @property
    def dirty(self) -> bool:
        """Whether there is something for the next checkpoint."""
        return bool(self._pending or self._in_flight)

    def get(self, key: bytes) -> bytes | None:
        """The newest value, committed or not."""
        if key in self._pending:
            return self._pending[key]
        if key in self._in_flight:
            return self._in_flight[key]
        if key in self._unwritten:
            return self._unwritten[key]
        return self.store.get(key)

    def put(self, key: bytes, value: bytes | None) -> None:
        """Change a value, or delete it with None, as of the next checkpoint."""
        self._pending[key] = value

    def add(self, key: bytes, value: bytes) -> None:
        """Give a value to a key that has none, perhaps to be withdrawn soon."""
        if key not in self._pending:  # or else its deletion is still to be committed
            self._new.add(key)
        self._pending[key] = value

    def withdraw(self, key: bytes) -> None:
        """Delete a key; one that was added, and that no checkpoint has seen yet, never leaves this process."""
        if key in self._new:
            self._new.remove(key)
            del self._pending[key]
        else:
            self._pending[key] = None

    def begin(self) -> list[Output]:
        """The changelog records of the next checkpoint, those of a failed one included."""
        self._in_flight |= self._pending
        self._pending, self._new = {}, set()
        topic, partition = self.changelog
        return [Output(topic, key, value, [], partition) for key, value in self._in_flight.items()]

    def confirm(self, position: int | None) -> None:
        """The checkpoint is committed; `position` is None when nobody knows where its records ended."""
        if self._in_flight:
            if self.unwritten_bytes:
                for key, value in self._in_flight.items():
                    replaced = _size(key, self._unwritten[key]) if key in self._unwritten else 0
                    self.unwritten_bytes += _size(key, value) - replaced
            self._unwritten = {**self._unwritten, **self._in_flight} if self._unwritten else self._in_flight
            self._in_flight = {}
            self.position = self.position if position is None else position

    def save(self) -> str | None:
        """Write what is committed into the store. Why it cannot be now, if so: it stays in memory, to be tried again.

        A store that has refused is probed first: what waits may be a lot, and would be put together in vain. Raises
        StoreError when it is of no use to try again.
        """
        if not self._unwritten:
            return None
        try:
            if self.unwritten_bytes:
                self.store.probe()
            self.store.apply(self._unwritten, self.position)
        except StoreBusyError as exc:
            self.unwritten_bytes = self.unwritten_bytes or sum(_size(*change) for change in self._unwritten.items())
            return str(exc)
        self._unwritten, self.unwritten_bytes = {}, 0
        return None

    def drop(self) -> None:
        """Forget what is not in the store."""
        self._pending, self._in_flight, self._unwritten, self._new = {}, {}, {}, set()
        self.position, self.unwritten_bytes = self.store.position, 0


def _size(key: bytes, value: bytes | None) -> int:
    return _ENTRY_BYTES + len(key) + len(value or b"")
