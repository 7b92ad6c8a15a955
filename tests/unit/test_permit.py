"""Nothing begins behind a commit that does not get through."""

import asyncio
import math
import time

import pytest

from consumers.engine.gate import Gate
from consumers.engine.lease import Lease
from consumers.engine.pace import Pace
from consumers.engine.permit import Permit
from consumers.engine.task_state import TaskState
from tests.unit.tasks import task_of


class World:
    """A permit that is given, but for what a test takes away."""

    def __init__(self) -> None:
        self.lease = Lease(math.inf)
        self.lease.renew(0.0)
        self.pace = Pace(interval_seconds=60.0, patience_seconds=60.0)
        self.permit = Permit(self.lease, self.pace)
        self.permit.gain()

    def grow_old(self) -> None:
        """The commit on its way has taken long."""
        self.pace.overdue_at = time.monotonic()


@pytest.fixture
def world() -> World:
    return World()


def fail(world: World) -> None:
    """A commit that takes long, and fails."""
    with world.permit.committing():
        world.grow_old()
        raise OSError("away")


async def rest() -> None:
    """Let everything run that can."""
    for _ in range(10):
        await asyncio.sleep(0)


def test_a_commit_on_its_way_keeps_nothing_from_beginning_until_it_is_overdue(world: World) -> None:
    with world.permit.committing():
        assert world.permit.is_given
        world.grow_old()
        assert not world.permit.is_given
    assert world.permit.is_given


def test_a_commit_that_failed_keeps_nothing_waiting_nor_does_the_next_attempt(world: World) -> None:
    """What it was refused for may need events to be finished."""
    with pytest.raises(OSError, match="away"):
        fail(world)
    assert world.permit.is_given
    with world.permit.committing():
        assert world.pace.overdue_at == math.inf
    with world.permit.committing():
        assert world.pace.overdue_at < math.inf, "it got through meanwhile"


@pytest.mark.parametrize("ends", ["gets through", "fails"])
async def test_a_step_waits_for_an_overdue_commit_and_its_event_keeps_nobody_waiting(world: World, ends: str) -> None:
    task, begun = task_of(["in"], permit=world.permit), list[str]()
    task.move_to(TaskState.ACTIVE)
    task.started()

    async def work() -> None:
        begun.append("step")

    async def commit() -> None:
        with world.permit.committing():
            world.grow_old()
            step = asyncio.ensure_future(Gate(task).run(work))
            steps.append(step)
            await rest()
            assert not begun
            assert not task.running
            if ends == "fails":
                raise OSError("away")

    steps = list[asyncio.Future[None]]()
    await asyncio.gather(commit(), return_exceptions=True)
    await asyncio.wait_for(steps[0], 10)
    assert begun == ["step"]


async def test_a_step_that_begins_counts_as_running_at_once_while_others_of_its_event_still_wait(world: World) -> None:
    """Nobody may leave the task without it: it would be paid for again."""
    task, quiet = task_of(["in"], permit=world.permit), list[bool]()
    task.move_to(TaskState.ACTIVE)
    task.started()
    gate = Gate(task)

    async def work() -> None:
        quiet.append(not task.running)

    world.permit.lose()
    steps = [asyncio.ensure_future(gate.run(work)) for _ in range(3)]
    await rest()
    assert not task.running
    world.permit.gain()
    await asyncio.gather(*steps)
    assert quiet == [False, False, False]


async def test_a_step_waits_until_nothing_stands_in_its_way_any_more(world: World) -> None:
    with world.permit.committing():
        world.grow_old()
        world.permit.lose()
        world.lease.end(time.monotonic())
        waiting = asyncio.ensure_future(world.permit.given())
        await rest()
        world.permit.gain()
        await rest()
        assert not waiting.done()
    await rest()
    assert not waiting.done()
    world.lease.renew(time.monotonic())
    await asyncio.wait_for(waiting, 10)


async def test_a_task_is_quiet_when_the_last_of_its_events_has_left_its_handler(world: World) -> None:
    """A task that leaves waits for that, and no longer."""
    task = task_of(["in"], permit=world.permit)
    await asyncio.wait_for(task.quiet(), 10)
    task.started()
    task.started()
    waiting = [asyncio.ensure_future(task.quiet()) for _ in range(2)]
    task.stopped()
    await rest()
    task.stopped()
    task.started()
    await rest()
    assert not any(wait.done() for wait in waiting)
    task.stopped()
    await asyncio.wait_for(asyncio.gather(*waiting), 10)
