"""What the engine says of itself: one log line per event, one per change of a task; never a payload."""

import logging
import math
import time
from typing import Any, assert_never

import structlog
from aiokafka import TopicPartition

from consumers.engine.context import Context
from consumers.engine.failure import DeadLetter, Done, Outcome, Retry
from consumers.engine.lane import Entry
from consumers.engine.offsets import Committed
from consumers.engine.task import Task
from consumers.observability import FlowMetrics
from producers.dead_letter import error_code
from schemas.errors import PathstreamError

_TOLD_EVERY_SECONDS = 1.0


class Report:
    """The log lines and metrics of one flow's engine."""

    def __init__(self, flow: str, metrics: FlowMetrics) -> None:
        self._metrics = metrics
        self._log = structlog.get_logger("pathstream.engine").bind(flow=flow)
        self._each_event = self._log.is_enabled_for(logging.INFO)
        self._problems: dict[int, str] = {}
        self._waits_for: str | None = None
        self._told_at: dict[int, float] = {}
        self._is_silent = False

    def attempt(self, entry: Entry, context: Context, outcome: Outcome, seconds: float) -> None:
        """One attempt at an event came to an end."""
        match outcome:
            case Done():
                self._metrics.event(outcome.name, seconds)
                if self._each_event:
                    self._log.info("event", outcome=outcome.name, **self._fields(entry, context, seconds))
            case Retry():
                self._metrics.retry()
                fields = self._fields(entry, context, seconds)
                self._log.warning(
                    "event",
                    outcome="retry",
                    error=_describe(outcome.error),
                    attempts=entry.attempts,
                    retry_seconds=round(outcome.delay, 3),
                    **fields,
                )
            case DeadLetter():
                self._metrics.event("dead_letter", seconds)
                self._metrics.dead_letter(error_code(outcome.error))
                fields = self._fields(entry, context, seconds)
                self._log.error(
                    "event",
                    outcome="dead_letter",
                    error=_describe(outcome.error),
                    attempts=entry.attempts,
                    **fields,
                )
            case _:
                assert_never(outcome)

    def _fields(self, entry: Entry, context: Context, seconds: float) -> dict[str, Any]:
        record = entry.record
        return {
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "event_id": context.event_id,
            "ms": round(seconds * 1000, 1),
        }

    def checkpoint(self, task: Task, outputs: int, seconds: float) -> None:
        """A checkpoint is committed."""
        self._metrics.checkpoint("committed", seconds)
        self._problems.pop(task.partition, None)
        self._log.debug("checkpoint", task=task.partition, outputs=outputs, ms=round(seconds * 1000, 1))

    def held_back(self, task: Task, chars: int) -> None:
        """A progress map does not fit into Kafka's metadata yet."""
        if self._problems.get(task.partition) != "held back":
            self._problems[task.partition] = "held back"
            self._log.warning("checkpoint.held_back", task=task.partition, metadata_chars=chars)

    def assigned(self, partitions: list[int], *, split: bool) -> None:
        """The group gave us these tasks; `split`: it could give none, since the topics' partition counts differ."""
        self._metrics.rebalance()
        self._log.info("tasks.assigned", tasks=partitions)
        if split:
            self._log.error("tasks.split", remedy="/readyz has it")

    def revoked(self, count: int) -> None:
        """The group takes all tasks back, to assign them anew."""
        self._log.info("tasks.revoked", count=count)

    def opened(self, task: Task, *, resumed: bool) -> None:
        """A task is ours and active; `resumed`: what was in memory goes on."""
        self._waits_for = None
        self._log.info("task.active", task=task.partition, epoch=task.epoch, resumed=resumed)

    def unfinished(self, task: Task) -> None:
        """A task leaves while events are still in a handler."""
        self._log.warning("task.unfinished", task=task.partition, events=task.running)

    def uncommitted(self, task: Task, error: Exception) -> None:
        """A task was left for good without its last commit: what is not in Kafka is done again elsewhere."""
        self._log.warning("task.uncommitted", task=task.partition, error=_describe(error))

    def fenced(self, task: Task, error: Exception) -> None:
        """Another worker has the task, or its transaction timed out."""
        self._metrics.checkpoint("fenced", 0.0)
        self._log.warning("task.fenced", task=task.partition, error=_describe(error))

    def failed(self, task: Task, error: Exception) -> None:
        """A task could not be opened or checkpointed; said once until it changes."""
        self._metrics.checkpoint("failed", 0.0)
        problem = _describe(error)
        if self._problems.get(task.partition) != problem:
            self._problems[task.partition] = problem
            self._log.error("task.failed", task=task.partition, error=problem)

    def beyond_end(self, task: Task, topic: str, next_offset: int) -> None:
        """The committed offset lies beyond the partition's end: the topic was made anew; it is read from its start."""
        self._log.error("task.topic_restarted", task=task.partition, topic=topic, committed=next_offset)

    def group_differs(self, task: Task, topic: str, position: int, of_group: Committed | None) -> None:
        """The group has forgotten a position, or has an older one: the changelog's is taken."""
        offset = None if of_group is None else of_group[0]
        self._log.warning("task.group_differs", task=task.partition, topic=topic, position=position, of_group=offset)

    def waits(self, problem: str, *, is_usual: bool = False) -> None:
        """The engine waits for something to change, as `is_usual` at a start or not; said once until it is another."""
        if self._waits_for != problem:
            self._waits_for = problem
            (self._log.info if is_usual else self._log.error)("engine.waits", problem=problem)

    def unreadable(self, partition: TopicPartition, error: Exception) -> None:
        """A partition's records cannot be read; said once until it is something else."""
        self.waits(f"{partition.topic}-{partition.partition} cannot be read: {_describe(error)}")

    def restoring(self, task: Task, topic: str, share: float) -> None:
        """A task's store is being brought up to date, `share` (0..1) is done; said once a second."""
        now = time.monotonic()
        if now - self._told_at.get(task.partition, -math.inf) >= _TOLD_EVERY_SECONDS:
            self._told_at[task.partition] = now
            self._log.info("task.restoring", task=task.partition, topic=topic, percent=round(100 * share))

    def restored(self, task: Task, topic: str, records: int, seconds: float) -> None:
        """A task's store is up to date with its changelog."""
        self._log.info("task.restored", task=task.partition, topic=topic, records=records, seconds=round(seconds, 2))

    def store_busy(self, task: Task, problem: str) -> None:
        """A task's committed state cannot be written now: it stays in memory until it can."""
        self._log.error("task.store_busy", task=task.partition, problem=problem)

    def store_took(self, task: Task) -> None:
        """All of the task's committed state is written again."""
        self._log.info("task.store_took", task=task.partition)

    def store_wiped(self, task: Task, topic: str, reason: str) -> None:
        """A task's store cannot be brought up to date and is built anew."""
        self._log.warning("task.store_wiped", task=task.partition, topic=topic, reason=reason)

    def group_silent(self, problem: str | None) -> None:
        """The group does not answer, so that no step begins; said once until it is heard again (None)."""
        if problem is not None and not self._is_silent:
            self._log.warning("group.silent", problem=problem)
        self._is_silent = problem is not None

    def poll_failed(self, error: Exception) -> None:
        """Kafka refused a poll."""
        self._log.error("poll.failed", error=_describe(error))


def _describe(error: Exception) -> str:
    """The error's name, and its text where it is ours: other texts may repeat what they choked on."""
    name = type(error).__name__
    return f"{name}: {error}" if isinstance(error, PathstreamError) and str(error) else name
