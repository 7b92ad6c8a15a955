"""Nothing begins behind a commit that does not get through."""

import asyncio
import time

from aiokafka import TopicPartition

from consumers.engine.gate import Gate
from consumers.engine.task import Pending, Task
from consumers.engine.task_state import TaskState
from tests.unit.tasks import PATIENCE_SECONDS, task_of

PENDING = Pending(outputs=[], offsets={TopicPartition("in", 0): (1, "")})


def active() -> Task:
    task = task_of(["in"])
    task.move_to(TaskState.ACTIVE)
    return task


def wait_out_the_patience() -> None:
    time.sleep(PATIENCE_SECONDS)


def test_a_commit_on_its_way_keeps_nothing_from_beginning_until_it_is_overdue() -> None:
    task = active()
    task.begin(PENDING)
    assert task.permit.is_given
    wait_out_the_patience()
    assert not task.permit.is_given
    task.confirm()
    assert task.permit.is_given


def test_a_commit_that_is_tried_again_is_as_old_as_its_first_attempt() -> None:
    task = active()
    task.begin(PENDING)
    wait_out_the_patience()
    task.begin(PENDING)
    assert not task.permit.is_given


def test_what_is_dropped_keeps_nothing_waiting() -> None:
    task = active()
    task.begin(PENDING)
    wait_out_the_patience()
    task.drop()
    assert task.permit.is_given


def test_a_task_that_is_lost_is_not_given_by_a_commit_that_got_through() -> None:
    task = active()
    task.begin(PENDING)
    task.move_to(TaskState.LEAVING)
    task.confirm()
    assert not task.permit.is_given


async def test_a_step_waits_for_an_overdue_commit_and_its_event_keeps_nobody_waiting() -> None:
    task, begun = active(), list[str]()
    task.started()

    async def work() -> None:
        begun.append("step")

    task.begin(PENDING)
    wait_out_the_patience()
    step = asyncio.ensure_future(Gate(task).run(work))
    await asyncio.sleep(0)
    assert not begun
    assert task.quiet.is_set()
    task.confirm()
    await step
    assert begun == ["step"]
