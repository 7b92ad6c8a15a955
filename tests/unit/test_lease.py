"""No step begins at a worker that may have been expelled and does not know."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial

import pytest

from clients.backoff import Backoff
from clients.clock import FakeClock
from clients.llm.base import Answer, Prompt
from clients.llm.retry import RetryingModel
from consumers.engine.gate import Gate
from consumers.engine.lease import Lease
from consumers.engine.task_state import TaskState
from schemas.errors import ModelTransientError
from tests.unit.tasks import task_of

SECONDS = 0.5


class Step:
    """A step of an event whose task is ours by the group's last word."""

    def __init__(self) -> None:
        self.lease = Lease(SECONDS)
        self.task = task_of(["in"], lease=self.lease)
        self.task.move_to(TaskState.ACTIVE)
        self.task.started()
        self.begun = list[str]()
        self.running: asyncio.Task[object] | None = None

    def hear(self) -> None:
        """The group says that we are its member."""
        self.lease.renew(time.monotonic())

    def begin(self, work: Callable[[], Awaitable[object]] | None = None) -> None:
        self.running = asyncio.ensure_future(Gate(self.task).run(work or self._work))

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
    assert not step.task.running, "an event that waits here keeps a rebalance waiting"
    step.hear()
    await step.rest()
    assert step.begun == ["step"]
    assert step.task.running


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
    step.lease.renew(time.monotonic() - SECONDS)
    assert step.lease.holds


async def test_a_late_no_to_an_early_question_ends_nothing_and_a_newer_one_does(step: Step) -> None:
    step.hear()
    step.lease.end(time.monotonic() - SECONDS)
    assert step.lease.holds
    asked_at = time.monotonic()
    step.lease.end(time.monotonic())
    step.lease.renew(asked_at)
    assert not step.lease.holds


class Flaky:
    """A model whose first call fails."""

    name = "flaky"

    def __init__(self) -> None:
        self.calls = 0

    async def generate(self, _request: Prompt) -> Answer:
        self.calls += 1
        if self.calls == 1:
            raise ModelTransientError("cut off")
        return Answer(text="{}", model=self.name, finish_reason="STOP")


async def test_a_call_that_failed_in_a_freeze_is_not_made_again_before_the_group_is_heard(step: Step) -> None:
    """Its connection was closed meanwhile; the task may be another worker's, who makes the call, too."""
    flaky = Flaky()
    model = RetryingModel(flaky, Backoff(), FakeClock())
    step.hear()
    step.begin(partial(model.generate, Prompt(instructions="", data="")))
    await asyncio.sleep(0)
    assert flaky.calls == 1
    time.sleep(2 * SECONDS)  # noqa: ASYNC251 it freezes: nothing runs meanwhile
    await step.rest()
    assert flaky.calls == 1
    assert not step.task.running, "a step that waits here keeps a rebalance waiting"
    step.hear()
    await step.rest()
    assert flaky.calls == 2
