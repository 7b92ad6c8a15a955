"""What a rebalance, or an outage that expels everybody, costs: as little as can be."""

import asyncio
import dataclasses
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NoReturn

import pytest

from clients.embedded_kafka import EmbeddedKafka
from clients.embedded_kafka.group import Group
from clients.kafka import Connection
from consumers.engine.context import Context
from consumers.engine.loop import Engine
from consumers.engine.offsets import PassedOffsetError
from consumers.engine.task_state import TaskState
from tests.integration.handlers import Hold, states
from tests.integration.lab import FAST, Lab, LabEvent, until
from tests.integration.test_state import Ledger, Paid
from tests.integration.test_static_membership import member

WORKERS = 4
QUICK = dataclasses.replace(FAST, session_timeout_seconds=0.6)
"""Hears of its expulsion within 0.2 s, and of others' return."""


async def test_a_step_that_ends_while_its_task_is_leaving_is_not_paid_for_again(
    connection: Connection, tmp_path: Path
) -> None:
    """Its event goes on for longer; the worker is killed before the task has left."""
    lab = Lab(connection, state_dir=tmp_path)
    await lab.create(partitions=1)
    ledger, begin, never = Ledger(), asyncio.Event(), asyncio.Event()

    async def one_step(event: LabEvent, context: Context) -> None:
        async def paid() -> Paid:
            await begin.wait()
            return await ledger.call(event, "one")

        await context.step("one", paid, into=Paid)
        if lab.handled[event.n] == 1:
            await never.wait()

    slow_to_leave = dataclasses.replace(FAST, revoke_seconds=30.0)
    async with lab.doomed_engine(one_step, slow_to_leave) as engine, member(lab) as newcomer:
        await lab.send(1)
        await until(lambda: lab.handled[0] == 1, "the event to be in its handler")
        newcomer.subscribe([lab.topic, f"{lab.group}-repartition"])
        await until(lambda: states(engine) == {TaskState.LEAVING}, "the task to be leaving")
        begin.set()
        await lab.changelog(keys=1)
        assert states(engine) == {TaskState.LEAVING}
    async with lab.engine(one_step):
        await lab.outputs_complete()
    assert ledger.calls[0, "one"] == 1


def away(*_: object, **__: object) -> NoReturn:
    """Instead of what would answer a request: its connection breaks."""
    raise ConnectionAbortedError


async def test_workers_that_were_all_expelled_come_back_to_the_tasks_they_have_in_memory(
    embedded_kafka: EmbeddedKafka, tmp_path: Path
) -> None:
    """As after a broker's outage that is longer than the session timeout; two of them notice later than the others."""
    lab = Lab.embedded(embedded_kafka, state_dir=tmp_path)
    await lab.create(partitions=WORKERS)
    hold = Hold()
    async with AsyncExitStack() as stack:
        engines = [await stack.enter_async_context(lab.engine(hold, limits)) for limits in (QUICK, QUICK, FAST, FAST)]
        await until(
            lambda: all(len(engine._tasks) == 1 and not engine.reasons() for engine in engines), "one task each"
        )
        await lab.send(40, keys=40)
        await until(lambda: lab.handled.total() == 40, "all to be in flight")
        before = [tasks_of(engine) for engine in engines]
        (group,) = embedded_kafka._parts.groups._groups.values()
        expelled = set(group.members)
        for name in expelled:
            group.leave(name, now=asyncio.get_running_loop().time())
        await until(lambda: len(set(group.members) - expelled) == WORKERS, "the workers to come back")
        await until(
            lambda: not any(engine.reasons() for engine in engines) and list(map(tasks_of, engines)) == before,
            "all to be ready again with the tasks they had",
        )
        hold.let_go()
        await lab.outputs_complete()
    assert set(lab.handled.values()) == {1}


async def test_a_worker_that_goes_moves_nothing_between_those_that_stay(
    embedded_kafka: EmbeddedKafka, tmp_path: Path
) -> None:
    lab = Lab.embedded(embedded_kafka, state_dir=tmp_path)
    await lab.create(partitions=6)
    hold = Hold()
    async with lab.engine(hold) as one, lab.engine(hold) as two:
        async with lab.engine(hold) as three:
            engines = [one, two, three]
            await until(lambda: [len(engine._tasks) for engine in engines] == [2, 2, 2], "two tasks each")
            await until(lambda: not any(engine.reasons() for engine in engines), "all to be ready")
            await lab.send(40, keys=40)
            await until(lambda: lab.handled.total() == 40, "all to be in flight")
            before = [set(tasks_of(engine)) for engine in (one, two)]
            events = sum(task.running for engine in (one, two) for task in engine._tasks)
        await until(lambda: [len(engine._tasks) for engine in (one, two)] == [3, 3], "three tasks each")
        assert all(had <= set(tasks_of(engine)) for had, engine in zip(before, (one, two), strict=True))
        hold.let_go()
        await lab.outputs_complete()
    assert sum(times == 1 for times in lab.handled.values()) == events


async def test_an_owner_that_was_expelled_and_does_not_know_leaves_the_new_owner_alone(
    embedded_kafka: EmbeddedKafka, tmp_path: Path
) -> None:
    """After a cut or a freeze it opens its task again, whose last commit failed, before it hears of its expulsion."""
    lab = Lab.embedded(embedded_kafka, state_dir=tmp_path)
    await lab.create(partitions=1)
    hold = Hold()
    async with lab.doomed_engine(hold, dataclasses.replace(FAST, session_timeout_seconds=60.0)) as former:
        await lab.send(1)
        await until(lambda: lab.handled[0] == 1, "the event to be in its handler")
        (group,) = embedded_kafka._parts.groups._groups.values()
        (expelled,) = group.members
        group.leave(expelled, now=asyncio.get_running_loop().time())
        async with lab.engine(hold):
            await until(lambda: lab.handled[0] == 2, "the new owner to handle the event, too")
            (task,) = former._tasks
            task.broken = PassedOffsetError("as after a commit that failed")
            task.dirty.set()
            await until(lambda: "UnknownMemberId" in (task.problem or ""), "the former owner to ask the group")
            hold.let_go()
            await lab.outputs_complete()
    assert lab.handled[0] == 2


async def test_a_fence_that_takes_too_long_is_given_up_while_the_group_still_counts_us_in(
    embedded_kafka: EmbeddedKafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The group's answer is older than a session may be when the fence's coordinator is back: somebody else's task."""
    lab = Lab.embedded(embedded_kafka, state_dir=tmp_path)
    await lab.create(partitions=1)
    hold, parts = Hold(), embedded_kafka._parts

    async with lab.doomed_engine(hold) as former:
        await lab.send(1)
        await until(lambda: lab.handled[0] == 1, "the event to be in its handler")
        (task,) = former._tasks
        with monkeypatch.context() as coordinator:
            coordinator.setattr(parts.transactions, "take_over", away)
            task.broken = PassedOffsetError("as after a commit that failed")
            task.dirty.set()
            await until(lambda: "no answer from Kafka within 1.5 s" in (task.problem or ""), "the fence's end")
            hold.let_go()
        await lab.outputs_complete()
    assert lab.handled[0] == 2


async def test_no_step_begins_while_the_group_does_not_answer(
    embedded_kafka: EmbeddedKafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The task may be another worker's by then; its event goes on when the group answers again."""
    lab = Lab.embedded(embedded_kafka, state_dir=tmp_path)
    await lab.create(partitions=1)
    begun, over, clock = list[float](), asyncio.Event(), asyncio.get_running_loop().time

    async def tick() -> Paid:
        begun.append(clock())
        await asyncio.sleep(0.05)
        return Paid(answer="")

    async def step_by_step(_event: LabEvent, context: Context) -> None:
        while not over.is_set():
            await context.step(f"step {len(begun)}", tick, into=Paid)

    async with lab.engine(step_by_step, dataclasses.replace(FAST, session_timeout_seconds=6.0)) as engine:
        await lab.send(1)
        await until(lambda: bool(begun), "the first step")
        with monkeypatch.context() as coordinator:
            coordinator.setattr(Group, "heartbeat", away)
            await until(lambda: clock() - begun[-1] > 1, "a second without another step")
            before = len(begun)
            (group,) = embedded_kafka._parts.groups._groups.values()
            assert group.members, "it stopped when another worker might have had the task already"
            assert any("no step begins" in reason for reason in engine.reasons())
        await until(lambda: len(begun) > before, "another step")
        over.set()
        await lab.outputs_complete()
    assert lab.handled[0] == 1


def tasks_of(engine: Engine) -> list[int]:
    return [task.partition for task in engine._tasks]
