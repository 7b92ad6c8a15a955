"""A task: its partitions' progress, its lanes, and the results that wait for the next checkpoint. No I/O."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from aiokafka import ConsumerRecord, TopicPartition

from consumers.engine.buffer import REMEMBERED_BYTES, Account, Buffer, size_in_memory
from consumers.engine.lane import Entry, Lane
from consumers.engine.offsets import Committed, Position, Progress, pack, position_key
from consumers.engine.permit import Permit
from consumers.engine.table import Changes, Table
from consumers.engine.task_state import TaskState, may_follow
from producers.output import Output
from schemas.ids import Epoch

UNREAD = -1
"""The generation of the group in which a task was read that is not in memory."""

NO_CHANGES: Changes = MappingProxyType({})
NO_ENDS: Mapping[TopicPartition, int] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """What one checkpoint tries to commit, kept until the outcome is known."""

    outputs: Sequence[Output]
    offsets: dict[TopicPartition, Committed]


class Task:
    """Partition number `partition` of a flow's topics: the unit of assignment, fencing and commit."""

    def __init__(self, partition: int, topics: Iterable[str], buffer: Buffer, permit: Permit) -> None:
        self.partition = partition
        self.state = TaskState.OPENING
        self.is_ours: bool | None = None
        """What the group has said last of whose it is; None while it has not."""
        self.epoch = Epoch(0)
        self.generation = UNREAD
        self.problem: str | None = None
        self.unwritten: str | None = None
        """Why committed state is not in the stores yet, if it is not: as a rule, the disk is full."""
        self.broken: Exception | None = None
        self.sources = {TopicPartition(topic, partition): Progress(0) for topic in topics}
        self.lanes: dict[bytes | None, Lane] = {}
        self.parked: list[Lane] = []
        self.data: Table | None = None
        self.seen: Table | None = None
        self.outputs: list[Output] = []
        self.pending: Pending | None = None
        self.committed: dict[TopicPartition, Committed] | None = None
        self.dirty = asyncio.Event()
        self.running = 0
        self._quiet = asyncio.Event()
        self.permit = permit
        self._buffer = buffer
        self.account = Account(buffer)

    def move_to(self, state: TaskState) -> None:
        """Change the state; raises RuntimeError for a change that may not be."""
        if not may_follow(self.state, state):
            raise RuntimeError(f"task {self.partition} cannot go from {self.state.name} to {state.name}")
        self.state = state
        if state is TaskState.ACTIVE:
            self.permit.gain()
        else:
            self.permit.lose()

    def accept(self, source: TopicPartition, records: Sequence[ConsumerRecord[Any, Any]]) -> list[Lane]:
        """Take fetched records; gives the lanes that have become ready.

        Records that an earlier owner finished are skipped. Raises ValueError for records that were passed already.
        """
        progress, buffer, lanes, ready = self.sources[source], self._buffer, self.lanes, list[Lane]()
        restored = progress.has_ahead
        slot = progress.accept([record.offset for record in records])
        total = 0
        for record in records:
            if not (restored and progress.is_done(slot)):
                key = record.key
                size = buffer.size_of(record)
                total += size
                entry = Entry(progress, slot, record, size)
                if (lane := lanes.get(key)) is None:
                    lanes[key] = lane = Lane(self, key, entry)
                    ready.append(lane)
                else:
                    lane.entries.append(entry)
            slot += 1
        self.account.accept(total)
        if restored:
            self.dirty.set()
        return ready

    @property
    def tables(self) -> tuple[Table, ...]:
        """The task's state: nothing for a flow that keeps none."""
        return tuple(table for table in (self.data, self.seen) if table is not None)

    def finish(self, lane: Lane, outputs: Sequence[Output], writes: Changes = NO_CHANGES) -> bool:
        """The lane's head is done, with these results. Whether the lane has more to do."""
        entry, size = lane.entries.popleft(), REMEMBERED_BYTES if self.seen is not None else 0
        if self.data is not None:
            for key, value in writes.items():
                self.data.put(key, value)
                size += len(key) + len(value or b"")
            for key in entry.journal:
                self.data.withdraw(key)
        entry.progress.finish(entry.slot)
        self.emit(outputs if entry.emits is None else [*entry.emits, *outputs], size)
        self.account.finish(entry.size)
        if lane.entries:
            return True
        del self.lanes[lane.key]
        return False

    def emit(self, outputs: Sequence[Output], size: int = 0) -> None:
        """These results, and what was put into the state so far (`size` bytes), belong to the next checkpoint."""
        if outputs:
            self.outputs.extend(outputs)
            size += size_in_memory(outputs)
        if size:
            self.account.produce(size)
        self.dirty.set()

    def started(self) -> None:
        """A worker has taken an event of this task into its handler."""
        self.running += 1

    def stopped(self) -> None:
        """A worker has come out of the handler."""
        self.running -= 1
        if not self.running:
            self._quiet.set()

    async def quiet(self) -> None:
        """Wait until no event of the task is in a handler."""
        while self.running:
            self._quiet.clear()
            await self._quiet.wait()

    def prepare(self, marker: str) -> Pending:
        """What the next checkpoint is to commit: everything finished so far, and what a failed one had."""
        outputs = self.outputs if self.pending is None else [*self.pending.outputs, *self.outputs]
        changed = {
            source: progress.encode(marker)
            for source, progress in self.sources.items()
            if progress.changed or (self.pending and source in self.pending.offsets)
        }
        if not changed and (outputs or any(table.dirty for table in self.tables)):
            # Finished steps of unfinished events: no position has moved, but every checkpoint has to leave its marker.
            source, progress = next(iter(self.sources.items()))
            changed = {source: progress.encode(marker)}
        return Pending(outputs=outputs, offsets=changed)

    def begin(self, pending: Pending) -> list[Output]:
        """The checkpoint is on its way; from now on results belong to the next one. Gives its changelog records."""
        self.pending = pending
        self.outputs = []
        self.account.begin()
        for source, committed in pending.offsets.items():
            self.sources[source].changed = False
            if self.data is not None:
                self.data.put(position_key(source.topic), pack(committed))
        self.dirty.clear()
        return [record for table in self.tables for record in table.begin()]

    def confirm(self, ends: Mapping[TopicPartition, int] = NO_ENDS) -> None:
        """The attempt is committed; `ends` are the offsets after what it wrote, where known."""
        if self.pending is not None:
            self.committed = (self.committed or {}) | self.pending.offsets
        self.pending = None
        self.account.confirm()
        for table in self.tables:
            table.confirm(ends.get(table.changelog))
        if self.unwritten is not None:
            self._count_unwritten()

    def save(self) -> None:
        """Write what is committed into the stores; what a busy one refuses stays here and counts. Raises StoreError."""
        refusals = [table.save() for table in self.tables]
        self.unwritten = next(filter(None, refusals), None)
        self._count_unwritten()

    def _count_unwritten(self) -> None:
        self.account.wait_for_disk(sum(table.unwritten_bytes for table in self.tables))

    def resume(self, found: Mapping[TopicPartition, Committed]) -> bool:
        """Go on with what is in memory, if nobody else committed since; tells whether that was possible.

        The markers in the committed metadata say whether a failed attempt got through after all.
        """
        if self.committed is None:
            return False
        if self.pending is not None and found == self.committed | self.pending.offsets:
            self.confirm()
            self.dirty.set()  # its state is still to be written to disk
            return True
        if found == self.committed:
            if self.pending is not None:
                self.dirty.set()
            return True
        return False

    @property
    def reason(self) -> str | None:
        """Why the task does not work, or not as it should, if it does not."""
        if self.problem is None and self.state is TaskState.ACTIVE:
            return None if self.unwritten is None else f"task {self.partition}: state is not written: {self.unwritten}"
        return f"task {self.partition}: {self.problem or self.state.name.lower()}"

    def reset(
        self,
        positions: dict[TopicPartition, Position],
        starts: Mapping[TopicPartition, int],
        tables: tuple[Table, Table] | None,
    ) -> None:
        """Start from the committed positions, or from where a partition begins, and from the committed state.

        Whatever was in memory is dropped.
        """
        self.drop()
        self.broken = None
        self.data, self.seen = tables if tables is not None else (None, None)
        self.committed = {source: (position.next_offset, position.metadata) for source, position in positions.items()}
        self.sources = {
            source: Progress(positions[source].next_offset, positions[source].done)
            if source in positions
            else Progress(starts[source])
            for source in self.sources
        }

    def drop(self) -> None:
        """Let go of all work in memory: handlers are cancelled, results thrown away."""
        self.epoch = Epoch(self.epoch + 1)
        for lane in self.lanes.values():
            if lane.worker is not None:
                lane.worker.cancel()
        self.lanes, self.parked, self.outputs, self.pending, self.committed = {}, [], [], None, None
        for table in self.tables:
            table.drop()
        self.account.close()
        self.generation = UNREAD
        self.unwritten = None
        self.dirty.clear()

    @property
    def waiting(self) -> int:
        """Events accepted and not finished."""
        return sum(progress.unfinished for progress in self.sources.values())
