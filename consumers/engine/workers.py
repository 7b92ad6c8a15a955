"""The worker pool: a fixed number of coroutines that take lanes in turn and handle their heads."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Any, assert_never

from consumers.engine.context import Context
from consumers.engine.failure import DeadLetter, Done, Outcome, Retry, attempt
from consumers.engine.flow import Flow
from consumers.engine.lane import Lane
from consumers.engine.limits import Limits
from consumers.engine.report import Report
from consumers.engine.task_state import TaskState

_EVENTS_BEFORE_YIELD = 64
"""Events one worker may handle, or put aside, without a pause: polling and commits are not to wait for them."""


class WorkerPool:
    """Handles lanes, at most `limits.max_in_flight` events at once.

    A lane that has more to do goes to the end of the queue, so all lanes get their turn. A lane whose event is to
    be tried again later leaves its worker free meanwhile.
    """

    def __init__(
        self, flow: Flow[Any], limits: Limits, report: Report, max_bytes: Callable[[str], int], partitions: int
    ) -> None:
        """Each of the flow's topics has so many `partitions`; `max_bytes` says what a topic takes."""
        self._flow = flow
        self._partitions = partitions
        self._limits = limits
        self._report = report
        self._max_bytes = max_bytes
        self._ready: deque[Lane] = deque()
        self._idle: list[asyncio.Future[None]] = []
        self._workers: list[asyncio.Task[None]] = []
        self._waking = False
        self._group: asyncio.TaskGroup | None = None
        self._stopped = False

    def start(self, group: asyncio.TaskGroup) -> None:
        """Let workers be started in this group, as they are needed."""
        self._group = group

    def stop(self) -> None:
        """Cancel all workers, once; lanes that become ready later stay where they are."""
        if self._stopped:
            return
        self._stopped = True
        for worker in self._workers:
            worker.cancel()

    def submit(self, lane: Lane) -> None:
        """The lane has a head to handle."""
        if self._stopped:
            return
        self._ready.append(lane)
        if not self._waking:
            self._wake()

    def _wake(self) -> None:
        """Get one more worker going; it wakes the next one while there is work, so nobody is woken in vain."""
        if self._idle:
            self._waking = True
            self._idle.pop().set_result(None)
        elif self._group is not None and len(self._workers) < self._limits.max_in_flight:
            self._waking = True
            self._workers.append(self._group.create_task(self._work()))

    async def _rest(self) -> None:
        """Until there is a lane."""
        while not self._ready:
            turn = asyncio.get_running_loop().create_future()
            self._idle.append(turn)
            await turn
            self._waking = False

    async def _work(self) -> None:
        me = asyncio.current_task()
        assert me is not None  # noqa: S101 - a coroutine of a task group has one
        self._waking = False
        handled = 0
        while True:
            if not self._ready:
                await self._rest()
            lane = self._ready.popleft()
            if self._ready and not self._waking:
                self._wake()
            if lane.stale:
                continue
            task = lane.task
            if task.state is not TaskState.ACTIVE or task.permit.is_overdue:
                task.parked.append(lane)
            else:
                await self._handle(lane, me)
            handled += 1
            if handled % _EVENTS_BEFORE_YIELD == 0:
                await asyncio.sleep(0)

    async def _handle(self, lane: Lane, me: asyncio.Task[None]) -> None:
        """One attempt at the lane's head."""
        task, entry = lane.task, lane.entries[0]
        context = Context(lane, self._max_bytes, self._flow.version)
        lane.worker = me
        task.started()
        started_at = time.perf_counter()
        outcome: Outcome | None
        try:
            outcome = await attempt(self._flow, lane, context, self._limits, self._partitions)
        except asyncio.CancelledError:
            outcome = None  # the task was dropped
        finally:
            lane.worker = None
            task.stopped()
        if self._stopped or me.cancelling():  # asked here to save a call per event
            self._forget_cancellations(me)
        if outcome is None or lane.stale:
            return
        self._report.attempt(entry, context, outcome, time.perf_counter() - started_at)
        self._settle(lane, outcome, context)

    def _forget_cancellations(self, me: asyncio.Task[None]) -> None:
        """Let no cancellation of one handler reach the next.

        A handler may have swallowed one: of its dropped task, or of the worker when it is stopped. And a TaskGroup in a
        handler leaves one behind when a child fails while it is being left (CPython before 3.13).
        """
        if self._stopped:
            raise asyncio.CancelledError
        while me.cancelling():
            me.uncancel()

    def _settle(self, lane: Lane, outcome: Outcome, context: Context) -> None:
        match outcome:
            case Done() | DeadLetter():
                more = lane.task.finish(lane, outcome.outputs, context.writes)
            case Retry():
                more = False
                asyncio.get_running_loop().call_later(outcome.delay, self.submit, lane)
            case _:
                assert_never(outcome)
        if more:
            self._ready.append(lane)
