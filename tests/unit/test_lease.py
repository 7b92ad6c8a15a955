"""No step begins at a worker that may have been expelled and does not know."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from consumers.engine.gate import Gate
from consumers.engine.lease import Lease
from consumers.engine.task_state import TaskState
from tests.unit.tasks import task_of

SECONDS = 0.05


class Step:
    """A step of an event whose task is ours by the group's last word."""

    def __init__(self) -> None:
        self.lease = Lease(SECONDS)
        self.task = task_of(["in"], lease=self.lease)
        self.task.move_to(TaskState.ACTIVE)
        self.task.started()
        self.begun = list[str]()
        self.running: asyncio.Task[None] | None = None

    def hear(self) -> None:
        """The group says that we are its member."""
        self.lease.renew(asyncio.get_running_loop().time())

    def begin(self) -> None:
        self.running = asyncio.ensure_future(Gate(self.task).run(self._work))

    async def _work(self) -> None:
        self.begun.append("step")

    async def rest(self) -> None:
        """Let everything run that can."""
        for _ in range(10):
            await asyncio.sleep(0)


@pytest.fixture
async def step() -> AsyncIterator[Step]:
    step = Step()
    yield step
    if step.running is not None:
        step.running.cancel()


async def test_a_step_begins_at_once_while_the_groups_word_holds(step: Step) -> None:
    step.hear()
    step.begin()
    await step.rest()
    assert step.begun == ["step"]


async def test_no_step_begins_before_the_group_has_said_anything(step: Step) -> None:
    step.begin()
    await step.rest()
    assert not step.begun


async def test_a_worker_that_was_frozen_begins_nothing_before_it_has_heard_from_the_group(step: Step) -> None:
    step.hear()
    step.begin()
    time.sleep(2 * SECONDS)  # noqa: ASYNC251 it freezes: nothing runs meanwhile
    await step.rest()
    assert not step.begun
    assert step.task.quiet.is_set(), "an event that waits here keeps a rebalance waiting"
    step.hear()
    await step.rest()
    assert step.begun == ["step"]
    assert not step.task.quiet.is_set()


async def test_the_groups_word_does_not_open_a_task_that_is_leaving(step: Step) -> None:
    step.task.move_to(TaskState.LEAVING)
    step.begin()
    step.hear()
    await step.rest()
    assert not step.begun
    step.task.move_to(TaskState.SUSPENDED)
    step.task.move_to(TaskState.OPENING)
    step.task.move_to(TaskState.ACTIVE)
    await step.rest()
    assert step.begun == ["step"]


async def test_a_late_answer_to_an_early_question_shortens_nothing(step: Step) -> None:
    step.hear()
    step.lease.renew(asyncio.get_running_loop().time() - SECONDS)
    assert step.lease.holds
