"""Handlers that go on when a test says so, and what to see of the engine that runs them."""

import asyncio
import dataclasses

from consumers.engine.context import Context
from consumers.engine.loop import Engine
from consumers.engine.task_state import TaskState
from tests.integration.lab import FAST, Lab, LabEvent
from tests.integration.test_state import Ledger, Paid

STOPPING = dataclasses.replace(FAST, transaction_timeout_seconds=1.5, shutdown_seconds=8.0)
"""Limits of a worker whose stop is looked at."""


def states(engine: Engine) -> set[TaskState]:
    """The states of the tasks that an engine has."""
    return {task.state for task in engine._tasks}


class Hold:
    """A handler that keeps every event until it is to let go."""

    def __init__(self) -> None:
        self._is_over = asyncio.Event()

    async def __call__(self, _event: LabEvent, _context: Context) -> None:
        await self._is_over.wait()

    def let_go(self) -> None:
        self._is_over.set()


class OneStep:
    """A handler whose one step, a paid call, ends when it may."""

    def __init__(self) -> None:
        self.ledger, self.may_end = Ledger(), asyncio.Event()

    async def __call__(self, event: LabEvent, context: Context) -> None:
        async def paid() -> Paid:
            await self.may_end.wait()
            return await self.ledger.call(event, "one")

        await context.step("one", paid, into=Paid)

    async def was_paid_for_once(self, lab: Lab) -> None:
        """The event is done, by another worker if need be, and its call was made once."""
        async with lab.engine(self):
            await lab.outputs_complete()
        assert self.ledger.calls[0, "one"] == 1
