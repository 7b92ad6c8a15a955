"""Durable steps: a finished step of an event is never run again, whatever dies after its checkpoint.

A step's result goes into the task's journal with the next checkpoint, whether or not its event is finished by then,
and what it emits goes out in the same one. When the event is handled again, after a crash or a move, the journal
answers instead. The event's last checkpoint removes its journal; the steps of an event that finishes before its first
checkpoint are never written at all.
"""

from collections.abc import Callable, Sequence

from consumers.engine.lane import Lane
from consumers.engine.state import key_of
from producers.output import Output, size_of

_JOURNAL = "j"


class Journal:
    """The finished steps of the event at the head of a lane."""

    def __init__(
        self, lane: Lane, *, version: int, learner: str, event_id: str, max_bytes: Callable[[str], int]
    ) -> None:
        self._lane = lane
        self._max_bytes = max_bytes
        self._entry = lane.entries[0]
        self._prefix = key_of(_JOURNAL, str(version), learner, event_id) + b"\x00"

    def key(self, step: str) -> bytes:
        """What a step is journaled under."""
        return self._prefix + key_of(step)

    def find(self, key: bytes) -> bytes | None:
        """The result of a finished step."""
        if (data := self._lane.task.data) is None:
            return None
        result = data.get(key)
        if result is not None and key not in self._entry.journal:
            # Handled before: drop everything of that time at the event's end, steps that are not asked for now too.
            self._entry.journal.update(data.store.keys(self._prefix), (key,))
        return result

    def record(self, key: bytes, result: bytes, emits: Sequence[Output]) -> None:
        """A step is finished: its result and what it emits belong to the next checkpoint, both or neither.

        A result too large for the changelog is not kept: a crash before the event's end will repeat its step.
        """
        task = self._lane.task
        if self._lane.stale:
            return
        if task.data is not None and self._fits(task.data.changelog.topic, key, result):
            task.data.put(key, result)
            self._entry.journal.add(key)
        task.emit(emits)

    def _fits(self, topic: str, key: bytes, result: bytes) -> bool:
        return size_of(Output(topic, key, result, [])) <= self._max_bytes(topic)


def is_of_another_version(key: bytes, version: int) -> bool:
    """Whether a journal entry was written by a flow of another version: it would answer for another step."""
    return not key.startswith(key_of(_JOURNAL, str(version)) + b"\x00")


JOURNAL_PREFIX = key_of(_JOURNAL) + b"\x00"
