"""Durable steps: a finished step of an event is never run again, whatever dies after its checkpoint.

A step's result goes into the task's journal with the next checkpoint, whether or not its event is finished by then,
and what it emits goes out in the same one. When the event is handled again, after a crash or a move, the journal
answers instead. The event's last checkpoint removes its journal; the steps of an event that finishes before its first
checkpoint are never written at all.

A result that is too large for the changelog stays in memory with its event, and what its step emits goes out with the
event's own outputs: every further attempt of this process finds the one, and nobody can see the other twice.
"""

from collections.abc import Callable, Sequence

from consumers.engine.buffer import size_in_memory
from consumers.engine.lane import Lane
from consumers.engine.state import key_of, key_part
from consumers.engine.table import Table
from producers.output import Output, size_of

_JOURNAL = "j"
_SEPARATOR = b"\x00"
_PARTS_BEFORE_STEP = 4
"""Of a key: the journals' common beginning, version, learner, event id."""


class Journal:
    """The finished steps of the event at the head of a lane. Raises RuntimeError for a flow without state."""

    __slots__ = ("_data", "_entry", "_lane", "_max_bytes", "_prefix")

    def __init__(
        self, lane: Lane, *, version: int, learner: str, event_id: str, max_bytes: Callable[[str], int]
    ) -> None:
        if lane.task.data is None:
            raise RuntimeError("this flow keeps no state, and so no steps")
        self._data = lane.task.data
        self._lane = lane
        self._max_bytes = max_bytes
        self._entry = lane.entries[0]
        self._prefix = key_of(_JOURNAL, str(version), learner, event_id) + _SEPARATOR

    def key(self, step: str) -> bytes:
        """What a step is journaled under."""
        return self._prefix + key_part(step)

    def take_over(self) -> None:
        """Make an earlier worker's steps the event's own: they go when it ends, whether it asks for them or not."""
        self._entry.journal += tuple(self._data.journals.pop(self._prefix, ()))

    def find(self, key: bytes) -> bytes | None:
        """The result of a finished step."""
        if key in self._entry.journal:
            return self._data.get(key)
        return None if self._entry.results is None else self._entry.results.get(key)

    def record(self, key: bytes, result: bytes, emits: Sequence[Output]) -> None:
        """A step is finished: its result and what it emits belong to the next checkpoint, both or neither.

        With a result too large for the changelog both wait for the event's end; a crash before it repeats the step.
        """
        if self._lane.stale:
            return
        entry, topic = self._entry, self._data.changelog.topic
        if size_of(key, result, []) <= self._max_bytes(topic):
            self._data.add(key, result)
            entry.journal += (key,)
            self._lane.task.emit(emits, len(key) + len(result))
        else:
            entry.results = (entry.results or {}) | {key: result}
            entry.emits = [*(entry.emits or ()), *emits]
            size = len(key) + len(result) + size_in_memory(emits)
            entry.size += size
            self._lane.task.account.accept(size)


def find_journals(data: Table, version: int) -> None:
    """Note in restored data which events have finished steps, for whoever takes them over.

    Those of another version of the flow are deleted: they would answer for steps that are different now.
    """
    of_this_version = key_of(_JOURNAL, str(version)) + _SEPARATOR
    for key in data.store.keys(key_of(_JOURNAL) + _SEPARATOR):
        if key.startswith(of_this_version):
            *event, _step = key.split(_SEPARATOR, _PARTS_BEFORE_STEP)
            data.journals.setdefault(_SEPARATOR.join((*event, b"")), []).append(key)
        else:
            data.put(key, None)
