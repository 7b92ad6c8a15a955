"""Nothing is begun behind a commit that does not get through; everything else goes on."""

import asyncio
import dataclasses
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.transaction import EndTxnRequest
from structlog.testing import capture_logs

from clients.cluster import Cluster
from clients.embedded_kafka import EmbeddedKafka
from consumers.engine.context import Context
from consumers.engine.loop import Engine
from consumers.engine.task import Task
from tests.integration.lab import FAST, Lab, LabEvent, until
from tests.integration.test_state import Paid

FEW = 4
LIMITS = dataclasses.replace(FAST, max_in_flight=FEW, commit_patience_seconds=0.3, transaction_timeout_seconds=20.0)


class Line:
    """The line to the transactions' coordinator: the commits of one task do not get through while it is `dead`."""

    def __init__(self, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_dead, self.mended = False, asyncio.Event()
        really_send, of_task = Cluster.send, f"{lab.group}-0"

        async def send(cluster: Cluster, node: int, request: Any, *, coordination: bool = False) -> Any:
            if self.is_dead and isinstance(request, EndTxnRequest) and request._transactional_id == of_task:
                await self.mended.wait()
                raise KafkaConnectionError("the line was dead")
            return await really_send(cluster, node, request, coordination=coordination)

        monkeypatch.setattr(Cluster, "send", send)

    def mend(self) -> None:
        self.is_dead = False
        self.mended.set()


class Calls:
    """Paid calls by partition."""

    def __init__(self) -> None:
        self.begun = Counter[int]()

    async def one_step(self, _event: LabEvent, context: Context) -> None:
        async def paid() -> Paid:
            self.begun[context.record.partition] += 1
            await asyncio.sleep(0.01)
            return Paid(answer="x")

        await context.step("one", paid, into=Paid)


def task_zero(engine: Engine) -> Task:
    return next(task for task in engine._tasks if task.partition == 0)


@pytest.fixture
def lab(embedded_kafka: EmbeddedKafka, tmp_path: Path) -> Lab:
    return Lab.embedded(embedded_kafka, state_dir=tmp_path)


async def test_no_call_is_begun_behind_an_overdue_commit_and_other_tasks_go_on(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stuck task's events outnumber the workers many times: they must not wait in them."""
    line, calls = Line(lab, monkeypatch), Calls()
    await lab.create(partitions=2)
    async with lab.engine(calls.one_step, LIMITS) as engine:
        await lab.send(40, keys=40)
        await lab.outputs_complete()
        of_the_other = calls.begun[1]
        assert 0 < of_the_other < 40, "both tasks have work"
        line.is_dead = True
        await lab.send(40, keys=40)
        await until(lambda: task_zero(engine).permit.is_overdue, "the commit to be overdue")
        begun = calls.begun[0]
        await lab.send(20 * FEW, keys=40)
        await until(lambda: calls.begun[1] == 4 * of_the_other, "the other task's calls to be made")
        assert calls.begun[0] == begun
        line.mend()
        await lab.outputs_complete()
    assert calls.begun.total() == lab.sent, "no call was made twice"


async def test_progress_that_no_longer_fits_after_a_failed_commit_keeps_no_step_from_beginning(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It fits again when the oldest event is done, and that has a step to begin."""
    many, kept = 400, random.Random(4)
    line, early, late = Line(lab, monkeypatch), asyncio.Event(), asyncio.Event()
    slow = set(kept.sample(range(10, many), many // 2))
    begun = Counter[int]()

    async def handle(event: LabEvent, context: Context) -> None:
        if event.n == 0 or event.n in slow:
            await late.wait()
        elif event.n >= 10:
            await early.wait()

        async def paid() -> Paid:
            begun[event.n] += 1
            return Paid(answer="x")

        await context.step("one", paid, into=Paid)

    limits = dataclasses.replace(LIMITS, max_in_flight=many, metadata_max_chars=50, transaction_timeout_seconds=1.0)
    await lab.create(partitions=1)
    line.is_dead = True
    with capture_logs() as logs:
        async with lab.engine(handle, limits) as engine:
            await lab.send(many, keys=many)
            await until(lambda: lab.handled.total() == many, "every event to be begun")
            await until(lambda: task_zero(engine).pending is not None, "a commit to be on its way")
            early.set()
            await until(lambda: "task.failed" in [line["event"] for line in logs], "the commit to fail")
            line.mend()
            await until(lambda: "checkpoint.held_back" in [line["event"] for line in logs], "the map to be too long")
            late.set()
            await lab.outputs_complete()
    assert set(begun.values()) == {1}
