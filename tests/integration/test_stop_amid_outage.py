"""A worker that is told to stop while Kafka is away, or its group does not know it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest
from structlog.testing import capture_logs

from clients.embedded_kafka import EmbeddedKafka
from clients.embedded_kafka.codes import Code, RefusedError
from clients.embedded_kafka.group import Group
from consumers.engine.limits import Limits
from consumers.engine.loop import Engine
from consumers.engine.task_state import TaskState
from tests.integration.handlers import STOPPING, OneStep, states
from tests.integration.lab import Lab, until
from tests.kafka.under_test import embedded_under_test


@asynccontextmanager
async def stop_amid_an_outage(
    kafka: EmbeddedKafka, lab: Lab, handler: OneStep, limits: Limits = STOPPING
) -> AsyncIterator[tuple[Engine, AsyncExitStack]]:
    """A stop while Kafka is away: since the one event's call was made, which has ended and is not committed.

    Gives the engine, and the outage, to be closed when Kafka is to come back; the stop has to end for the block to end.
    """
    await lab.create(partitions=1)
    async with AsyncExitStack() as stack, AsyncExitStack() as outage:
        engine = await stack.enter_async_context(lab.engine(handler, limits))
        await lab.send(1)
        await until(lambda: lab.handled[0] == 1, "the event to be in its handler")
        await outage.enter_async_context(embedded_under_test(kafka).outage())
        handler.may_end.set()
        await until(lambda: handler.ledger.calls[0, "one"] == 1, "the call to end")
        stopping = asyncio.ensure_future(stack.aclose())
        yield engine, outage
        await stopping


async def commit_failed(engine: Engine) -> None:
    await until(lambda: states(engine) == {TaskState.SUSPENDED}, "the last commit to have failed")


async def test_a_stop_waits_for_kafka_as_long_as_a_stop_may_take(embedded_kafka: EmbeddedKafka, tmp_path: Path) -> None:
    """What is paid for is committed, though Kafka comes back later than one attempt to fence would wait for it."""
    lab, handler = Lab.embedded(embedded_kafka, state_dir=tmp_path), OneStep()
    async with stop_amid_an_outage(embedded_kafka, lab, handler) as (_, outage):
        await asyncio.sleep(0.8 * STOPPING.session_timeout_seconds)
        await outage.aclose()
    await handler.was_paid_for_once(lab)


async def test_a_stop_asks_again_when_the_group_does_not_know_the_worker(
    embedded_kafka: EmbeddedKafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So says a group that its coordinator has half loaded, after a restart; a moment later its members are there."""
    lab, handler, refused = Lab.embedded(embedded_kafka, state_dir=tmp_path), OneStep(), list[str]()

    def half_loaded(_group: Group, member_id: str, *_: object, **__: object) -> NoReturn:
        refused.append(member_id)
        raise RefusedError(Code.UNKNOWN_MEMBER_ID)

    async with stop_amid_an_outage(embedded_kafka, lab, handler) as (engine, outage):
        await commit_failed(engine)
        with monkeypatch.context() as loading:
            for question in ("heartbeat", "sync"):
                loading.setattr(Group, question, half_loaded)
            await outage.aclose()
            await until(lambda: len(refused) >= 2, "the worker to be refused by its group, more than once")
    await handler.was_paid_for_once(lab)


async def test_a_stop_amid_an_outage_that_has_expelled_the_worker_commits_when_it_has_joined_again(
    embedded_kafka: EmbeddedKafka, tmp_path: Path
) -> None:
    """Its tasks are still its own, or nobody's: others that were expelled with it leave them alone for a moment."""
    lab, handler = Lab.embedded(embedded_kafka, state_dir=tmp_path), OneStep()
    patient = replace(STOPPING, revoke_seconds=600.0, shutdown_seconds=30.0)
    async with stop_amid_an_outage(embedded_kafka, lab, handler, patient) as (engine, outage):
        await commit_failed(engine)
        (group,) = embedded_kafka._parts.groups._groups.values()
        (worker,) = group.members
        group.leave(worker, now=asyncio.get_running_loop().time())
        await outage.aclose()
    await handler.was_paid_for_once(lab)


def expelled(*_: object, **__: object) -> NoReturn:
    raise RefusedError(Code.UNKNOWN_MEMBER_ID)


@pytest.mark.parametrize(
    ("refused", "limits", "error"),
    [
        (("sync",), replace(STOPPING, shutdown_seconds=600.0, reunion_seconds=0.5), "UnknownMemberIdError"),
        (("heartbeat", "sync", "join"), replace(STOPPING, shutdown_seconds=5.0), "TimeoutError"),
    ],
    ids=["its heartbeats are answered", "it is not let in again"],
)
async def test_a_stop_gives_up_when_the_group_goes_on_not_to_know_the_worker(
    embedded_kafka: EmbeddedKafka,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    refused: tuple[str, ...],
    limits: Limits,
    error: str,
) -> None:
    """Soon, or when a stop has to end if it has been told to join anew. It says what it leaves behind."""
    lab, handler = Lab.embedded(embedded_kafka, state_dir=tmp_path), OneStep()
    with capture_logs() as logs:
        async with asyncio.timeout(30), stop_amid_an_outage(embedded_kafka, lab, handler, limits) as (engine, outage):
            await commit_failed(engine)
            for question in refused:
                monkeypatch.setattr(Group, question, expelled)
            await outage.aclose()
    assert [line["error"] for line in logs if line["event"] == "task.uncommitted"] == [error]


@pytest.mark.parametrize("told_while", ["the call is made", "the task waits for Kafka"])
async def test_a_stop_commits_what_a_failed_commit_had_though_nothing_has_finished_since(
    embedded_kafka: EmbeddedKafka, tmp_path: Path, told_while: str
) -> None:
    lab, handler = Lab.embedded(embedded_kafka, state_dir=tmp_path), OneStep()
    await lab.create(partitions=1)
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(lab.engine(handler, STOPPING))
        await lab.send(1)
        await until(lambda: lab.handled[0] == 1, "the event to be in its handler")
        if told_while == "the call is made":
            stopping = asyncio.ensure_future(stack.aclose())
            await until(lambda: states(engine) == {TaskState.LEAVING}, "the task to be leaving")
        async with embedded_under_test(embedded_kafka).outage():
            handler.may_end.set()
            failed = TaskState.SUSPENDED if told_while == "the call is made" else TaskState.OPENING
            await until(lambda: states(engine) == {failed}, "the commit to have failed")
            if told_while == "the task waits for Kafka":
                stopping = asyncio.ensure_future(stack.aclose())
                await until(lambda: states(engine) == {TaskState.SUSPENDED}, "the task to have been left")
        await stopping
    await handler.was_paid_for_once(lab)
