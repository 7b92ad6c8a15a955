"""The bound on memory: what a task holds until its next checkpoint counts, and is given back."""

from typing import Any

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from pydantic import BaseModel

from consumers.engine.buffer import Buffer
from consumers.engine.context import Context, Emission
from consumers.engine.lane import Lane
from consumers.engine.table import Table
from consumers.engine.task_state import TaskState
from schemas.envelope import Envelope, OutputModel
from tests.unit.dict_store import DictStore
from tests.unit.tasks import task_of

LARGE = 100_000


class Text(BaseModel):
    """A value of state, or a step's result."""

    text: str


class Said(OutputModel):
    """An output."""

    text: str


class Work:
    """A task with one event in its lane, and what its handler may do."""

    def __init__(self, max_bytes: int = 2**30) -> None:
        self.store = DictStore()
        self.buffer = Buffer(2**30, 0.8)
        self.task = task_of(["in"], self.buffer)
        self.task.reset({}, {TopicPartition("in", 0): 0}, self._tables())
        record: ConsumerRecord[Any, Any] = ConsumerRecord("in", 0, 0, 0, 0, b"ann", b"{}", None, 0, 0, [])
        self.task.move_to(TaskState.ACTIVE)
        [self.lane] = self.task.accept(TopicPartition("in", 0), [record])
        self.before = self.buffer.bytes
        self.context = context_of(self.lane, max_bytes)

    def _tables(self) -> tuple[Table, Table]:
        return Table(TopicPartition("state", 0), self.store), Table(TopicPartition("seen", 0), DictStore())

    def put(self) -> None:
        """The event is done, and leaves a large value."""
        self.context.state("texts", Text).put("one", Text(text="x" * LARGE))
        self.task.finish(self.lane, self.context.outputs, self.context.writes)

    async def step(self) -> None:
        """A step gives a large result; its event goes on."""
        await self.context.step("one", self._large, into=Text)

    async def tell(self) -> None:
        """A step tells a lot in small pieces; its event goes on."""
        pieces = [Emission("out", Said(text="x"), f"{n}") for n in range(LARGE // 850)]
        await self.context.step("one", self._small, into=Text, emits=pieces)

    async def _large(self) -> Text:
        return Text(text="x" * LARGE)

    async def _small(self) -> Text:
        return Text(text="x")


def context_of(lane: Lane, max_bytes: int) -> Context:
    context = Context(lane, lambda _topic: max_bytes, 1)
    context.identify(Envelope(user_id="ann", event_id="e"))
    return context


@pytest.mark.parametrize("what", ["put", "step", "tell"])
async def test_uncommitted_results_count_until_they_are_committed(what: str) -> None:
    work = Work()
    doing = getattr(work, what)()
    if doing is not None:
        await doing
    assert work.buffer.bytes - work.before > 0.9 * LARGE
    task = work.task
    task.begin(task.prepare("1"))
    assert work.buffer.bytes - work.before > 0.9 * LARGE
    task.confirm()
    assert work.buffer.bytes <= work.before


async def test_what_a_dropped_task_held_counts_no_more() -> None:
    work = Work()
    await work.step()
    work.task.drop()
    assert work.buffer.bytes == 0


async def test_what_a_full_disk_does_not_take_counts_until_it_does() -> None:
    work = Work()
    task = work.task
    work.put()
    task.begin(task.prepare("1"))
    task.confirm()
    work.store.is_full = True
    for _ in range(2):
        task.save()
        assert LARGE < work.buffer.bytes < 1.1 * LARGE
    assert task.reason is not None
    work.store.is_full = False
    task.save()
    assert work.buffer.bytes <= work.before
    assert task.reason is None


async def test_a_result_too_large_for_the_changelog_counts_until_its_event_is_finished() -> None:
    work = Work(max_bytes=1_000)
    await work.step()
    assert work.buffer.bytes - work.before > LARGE
    work.task.finish(work.lane, [])
    work.task.begin(work.task.prepare("1"))
    work.task.confirm()
    assert work.buffer.bytes == 0


async def test_what_was_committed_unheard_is_still_to_be_written_to_disk() -> None:
    """The answer to a commit was lost; a look at what is committed finds it. No further event may ever come."""
    work, source = Work(), TopicPartition("in", 0)
    work.put()
    pending = work.task.prepare("1")
    work.task.begin(pending)
    assert work.task.resume({source: pending.offsets[source]})
    assert work.task.dirty.is_set()
    work.task.save()
    assert work.store.values
