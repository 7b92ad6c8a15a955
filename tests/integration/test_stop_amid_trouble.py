"""A worker that is told to stop while it does not know what is committed, or whose its tasks are."""

import asyncio
import dataclasses
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.transaction import EndTxnRequest
from structlog.testing import capture_logs

from clients.cluster import Cluster
from clients.embedded_kafka import EmbeddedKafka
from clients.embedded_kafka.group import Group
from clients.group import request_rejoin
from clients.kafka import Connection
from consumers.engine.context import Context
from consumers.engine.task_state import TaskState
from producers.output import Output, build_batches
from producers.transaction import TransactionalProducer
from tests.integration.handlers import STOPPING, OneStep, states
from tests.integration.lab import FAST, Lab, LabEvent, until
from tests.integration.test_state import Paid
from tests.integration.test_static_membership import SlowToLeave, member


class Line:
    """The line to the transactions' coordinator: goes dead just after a commit was carried out, before its answer."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_dead, self.mended = asyncio.Event(), asyncio.Event()
        really_send = Cluster.send

        async def send(cluster: Cluster, node: int, request: Any, *, coordination: bool = False) -> Any:
            if isinstance(request, EndTxnRequest) and not self.is_dead.is_set():
                await really_send(cluster, node, request, coordination=coordination)
                self.is_dead.set()
            if self.is_dead.is_set() and not self.mended.is_set():
                await self.mended.wait()
                raise KafkaConnectionError("the line was dead")
            return await really_send(cluster, node, request, coordination=coordination)

        monkeypatch.setattr(Cluster, "send", send)


def numbers(records: list[Any]) -> Counter[int]:
    return Counter(int(record.value) for record in records)


@pytest.mark.parametrize("told_while", ["the commit hangs", "the task is opened again"])
async def test_a_commit_whose_answer_was_lost_is_not_made_again_by_the_last_one(
    embedded_kafka: EmbeddedKafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told_while: str
) -> None:
    lab = Lab.embedded(embedded_kafka, state_dir=tmp_path)
    await lab.create(partitions=1)
    await lab.send(20, keys=20)
    line, go = Line(monkeypatch), asyncio.Event()

    async def wait(event: LabEvent, _context: Context) -> None:
        if event.n >= 10:
            await go.wait()

    async with lab.engine(wait, STOPPING) as engine:
        await line.is_dead.wait()
        if told_while == "the task is opened again":
            await until(lambda: states(engine) == {TaskState.OPENING}, "the task to be opened again")
        asyncio.get_running_loop().call_later(0.5, line.mended.set)
        go.set()
    async with lab.engine():
        await lab.outputs_complete()
    assert numbers(await lab.read(lab.out, 20)) == Counter(range(20))


@pytest.mark.parametrize("told_while", ["it looks", "the next rebalance keeps it from looking"])
async def test_a_worker_that_got_its_task_back_commits_nothing_over_what_another_did_meanwhile(
    embedded_kafka: EmbeddedKafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told_while: str
) -> None:
    """It has fenced the other one, and is stopped before it has seen what that one committed."""
    connection = Connection(bootstrap_servers=embedded_kafka.bootstrap_servers)
    lab = Lab(connection, state_dir=tmp_path)
    await lab.create(partitions=1)
    await lab.send(10, keys=10)
    go, asked, answer = asyncio.Event(), asyncio.Event(), asyncio.Event()
    stable_end = Cluster.stable_end

    async def slow_end(cluster: Cluster, partition: TopicPartition) -> int:
        asked.set()
        await answer.wait()
        return await stable_end(cluster, partition)

    async def wait(_event: LabEvent, _context: Context) -> None:
        await go.wait()

    async with lab.engine(wait) as engine:
        await until(lambda: lab.handled.total() == 10, "all to be in flight")
        await commit_for_another(lab)
        monkeypatch.setattr(Cluster, "stable_end", slow_end)
        assert engine._session is not None
        request_rejoin(engine._session._consumer)
        await asked.wait()
        if told_while != "it looks":
            monkeypatch.setattr(Group, "join", never)
            request_rejoin(engine._session._consumer)
            await until(lambda: states(engine) == {TaskState.SUSPENDED}, "the task to be taken away again")
        asyncio.get_running_loop().call_later(0.2, answer.set)
        go.set()
    assert numbers(await lab.read(lab.out, 10)) == Counter(range(10))


async def never(*_: object, **__: object) -> None:
    """Instead of what would answer a request."""
    await asyncio.Event().wait()


async def commit_for_another(lab: Lab) -> None:
    """What another worker's checkpoint does: outputs, offsets, and the position in the changelog."""
    outputs = [Output(lab.out, b"x", str(n).encode(), []) for n in range(10)]
    position = Output(f"{lab.group}-state", b"p\x00" + lab.topic.encode(), b"10 ps1;other;", [], 0)
    async with Cluster(lab.connection) as cluster:
        other = TransactionalProducer(cluster, f"{lab.group}-0", timeout_seconds=5)
        await other.start()
        batches = build_batches([*outputs, position], partition_count=lambda _: 1, max_bytes=lambda _: 10**6)
        await other.commit(batches, {TopicPartition(lab.topic, 0): (10, "ps1;other;")}, lab.group)


async def test_a_stop_waits_for_the_groups_word_on_whose_its_tasks_are(
    embedded_kafka: EmbeddedKafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow member holds a rebalance up; nobody knows meanwhile whether the last commit, its answer lost, was made."""
    lab, handler, other = Lab.embedded(embedded_kafka, state_dir=tmp_path), OneStep(), OneStep()
    await lab.create(partitions=6)
    limits = dataclasses.replace(STOPPING, revoke_seconds=0.3, shutdown_seconds=60.0, reunion_seconds=0.0)
    slow = SlowToLeave()
    with capture_logs() as logs:
        async with AsyncExitStack() as stack, member(lab) as third:
            leaver = await stack.enter_async_context(lab.engine(handler, limits))
            await until(lambda: not leaver.reasons(), "the worker to be ready")
            third.subscribe([lab.topic, f"{lab.group}-repartition"], listener=slow)
            await until(lambda: bool(third.assignment()), "the slow member to have partitions")
            await until(lambda: states(leaver) == {TaskState.ACTIVE}, "the worker to be ready again")
            await lab.send(24, keys=24)
            await until(lambda: bool(lab.handled.total()), "events to be in their handler")
            stopping = asyncio.ensure_future(stack.aclose())
            async with lab.engine(other) as newcomer:
                await until(lambda: all(task.is_ours is None for task in leaver._tasks), "the group to decide anew")
                line = Line(monkeypatch)
                handler.may_end.set()
                await line.is_dead.wait()
                await until(lambda: states(leaver) == {TaskState.SUSPENDED}, "the last commits to have failed")
                line.mended.set()
                slow.may_leave.set()
                third.unsubscribe()
                other.may_end.set()
                await stopping
                await until(lambda: not newcomer.reasons(), "the newcomer to have the rest")
                await lab.outputs_complete()
    assert not [line for line in logs if line["event"] == "task.uncommitted"]


async def test_nothing_is_paid_for_while_a_task_may_be_another_workers(connection: Connection, tmp_path: Path) -> None:
    """A slow member holds a rebalance up; then most tasks go to another worker. Only calls in flight are lost."""
    lab = Lab(connection, state_dir=tmp_path)
    await lab.create(partitions=6)
    begun: dict[tuple[int, int], list[float]] = {}
    clock = asyncio.get_running_loop().time

    async def many_steps(event: LabEvent, context: Context) -> None:
        for step in range(20):

            async def paid(step: int = step) -> Paid:
                begun.setdefault((event.n, step), []).append(clock())
                await asyncio.sleep(0.2)
                return Paid(answer="x")

            await context.step(f"step-{step}", paid, into=Paid)

    limits, slow = dataclasses.replace(FAST, revoke_seconds=1.5), SlowToLeave()
    async with lab.engine(many_steps, limits) as first, member(lab) as third:
        await until(lambda: not first.reasons(), "the first worker to be ready")
        await lab.send(24, keys=24)
        await until(lambda: len(begun) > 8, "work")
        third.subscribe([lab.topic, f"{lab.group}-repartition"], listener=slow)
        await until(lambda: bool(third.assignment()), "the slow member to have partitions")
        async with lab.engine(many_steps, limits) as second:
            await asyncio.wait_for(slow.is_asked.wait(), 20)
            await until(lambda: states(first) == {TaskState.SUSPENDED}, "the first worker's tasks to be suspended")
            suspended_at = clock()
            await until(lambda: not any(task.running for task in first._tasks), "what was in flight to be done")
            slow.may_leave.set()
            third.unsubscribe()
            await until(lambda: not first.reasons() and not second.reasons(), "both to be ready", 60)
            await lab.outputs_complete()
    repeated = [times for times in begun.values() if len(times) > 1 and times[0] > suspended_at]
    assert repeated == []
