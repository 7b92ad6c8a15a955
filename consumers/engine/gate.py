"""Where paid work waits until it may begin."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

from clients.llm.leave import leave
from consumers.engine.task import Task

Result = TypeVar("Result")


class Gate:
    """The steps of one attempt at one event, and the calls within, begin only while their task's permit is given.

    A task that leaves, or is suspended, may come back, so its handlers go on; but what they began now might end too
    late for the last commit, and would be paid for again. So would what a worker begins that was frozen, or is cut off,
    and has been expelled, and what cannot be committed if the worker dies before a commit gets through that is overdue.
    A handler all of whose steps wait here does not count as running: nobody waits for it to finish.
    """

    __slots__ = ("_begun", "_held", "_rests", "_task")

    def __init__(self, task: Task) -> None:
        self._task = task
        self._begun = 0
        self._held = 0
        self._rests = False

    async def run(self, work: Callable[[], Awaitable[Result]]) -> Result:
        """Wait for the permit, if it is not given, and then for the work. Raises what it raises."""
        if not self._task.permit.is_given:
            await self._wait()
        self._begun += 1
        if self._held:
            self._settle()
        before = leave.set(partial(self._again, asyncio.current_task()))
        try:
            return await work()
        finally:
            leave.reset(before)
            self._begun -= 1
            if self._held:
                self._settle()

    async def _again(self, step: asyncio.Task[Any] | None) -> None:
        """Wait before a further call of a step. Calls side by side do not rest: another one may be going on."""
        if asyncio.current_task() is not step:
            await self._task.permit.given()
        elif not self._task.permit.is_given:
            self._begun -= 1
            try:
                await self._wait()
            finally:
                self._begun += 1
                self._settle()

    async def _wait(self) -> None:
        self._held += 1
        self._settle()
        try:
            await self._task.permit.given()
        finally:
            self._held -= 1
            self._settle()

    def _settle(self) -> None:
        rests = self._held > 0 and self._begun == 0
        if rests and not self._rests:
            self._task.stopped()
        elif self._rests and not rests:
            self._task.started()
        self._rests = rests
