"""A lane: the unfinished records of one key, in the order of their offsets."""

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

from aiokafka import ConsumerRecord

from consumers.engine.offsets import Progress
from producers.output import Output

if TYPE_CHECKING:
    from consumers.engine.task import Task


class Entry:
    """An accepted record until it is finished."""

    __slots__ = ("attempts", "emits", "first_failed_at", "journal", "progress", "record", "results", "size", "slot")

    def __init__(self, progress: Progress, slot: int, record: ConsumerRecord[Any, Any], size: int) -> None:
        self.progress = progress
        self.slot = slot
        self.record = record
        self.size = size
        """Bytes that it counts for, with what is kept of it here."""
        self.attempts = 0
        self.first_failed_at: float | None = None
        self.journal: tuple[bytes, ...] = ()
        """Its finished steps, each once: keys of the task's data, which go when it is finished."""
        self.results: dict[bytes, bytes] | None = None
        """Results of finished steps that are too large for the task's data."""
        self.emits: list[Output] | None = None
        """What those steps emit: sent when the event is finished."""


class Lane:
    """The entries of one key, handled one after the other; only the head is ever with a worker."""

    __slots__ = ("entries", "epoch", "key", "task", "worker")

    def __init__(self, task: "Task", key: bytes | None, entry: Entry) -> None:
        self.task = task
        self.epoch = task.epoch
        self.key = key
        self.entries = deque((entry,))
        self.worker: asyncio.Task[None] | None = None

    @property
    def stale(self) -> bool:
        """Whether the lane belongs to an assignment that is over: its results are to be thrown away."""
        return self.epoch != self.task.epoch
