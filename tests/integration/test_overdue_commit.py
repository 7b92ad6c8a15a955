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
from clients.embedded_kafka import EmbeddedKafka, offsets
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


async def test_a_commit_that_the_broker_refuses_keeps_no_step_from_beginning(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes less progress than there is until the oldest event is done, which has a step to do."""
    monkeypatch.setattr(offsets, "MAX_METADATA_CHARS", 50)
    many, late, begun = 400, asyncio.Event(), Counter[int]()
    slow = set(random.Random(4).sample(range(many), many // 2))

    async def handle(event: LabEvent, context: Context) -> None:
        async def paid() -> Paid:
            begun[event.n] += 1
            return Paid(answer="x")

        if event.n in slow:
            await late.wait()
            await context.step("one", paid, into=Paid)

    await lab.create(partitions=1)
    await lab.send(many, keys=many)
    with capture_logs() as logs:
        async with lab.engine(handle, dataclasses.replace(LIMITS, max_in_flight=many)):
            await until(lambda: "task.failed" in [line["event"] for line in logs], "the broker to refuse a commit")
            late.set()
            await lab.outputs_complete()
    assert begun == dict.fromkeys(slow, 1)


async def test_commits_are_no_closer_to_each_other_than_half_an_interval(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits, really_send = list[float](), Cluster.send
    clock = asyncio.get_running_loop().time

    async def send(cluster: Cluster, node: int, request: Any, *, coordination: bool = False) -> Any:
        if isinstance(request, EndTxnRequest):
            commits.append(clock())
        return await really_send(cluster, node, request, coordination=coordination)

    monkeypatch.setattr(Cluster, "send", send)
    await lab.create(partitions=1)
    limits = dataclasses.replace(FAST, commit_interval_seconds=0.5)
    async with lab.engine(limits=limits):
        begun = clock()
        while len(commits) < 5:
            await lab.send(1)
        assert len(commits) <= (clock() - begun) / (limits.commit_interval_seconds / 2) + 1
    await lab.outputs_complete()
