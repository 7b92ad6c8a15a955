"""A worker that is told to stop while another one joins: nobody's work is lost, and nobody waits in vain."""

import asyncio
import dataclasses
from contextlib import AsyncExitStack
from pathlib import Path

from structlog.testing import capture_logs

from clients.cluster import Cluster
from clients.embedded_kafka import EmbeddedKafka
from clients.embedded_kafka.group import Group, State
from consumers.engine.task_state import TaskState
from producers.output import partition_for
from tests.integration.handlers import STOPPING, Hold, OneStep, states
from tests.integration.lab import FAST, Lab, until
from tests.integration.test_static_membership import member, same_engine


async def test_a_stop_holds_a_rebalance_up_until_what_it_has_paid_for_is_committed(
    embedded_kafka: EmbeddedKafka, tmp_path: Path
) -> None:
    """Another worker joins meanwhile, and is given all of its tasks afterwards, at once."""
    lab, handler = Lab.embedded(embedded_kafka, state_dir=tmp_path), OneStep()
    await lab.create(partitions=6)
    patient = dataclasses.replace(STOPPING, revoke_seconds=600.0, shutdown_seconds=600.0)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(lab.engine(handler, patient))
        await lab.send(24, keys=24)
        await until(lambda: lab.handled.total() == 24, "all to be in their handlers")
        (group,) = embedded_kafka._parts.groups._groups.values()
        (leaver,) = group.members
        stopping = asyncio.ensure_future(stack.aclose())
        async with lab.engine(handler) as newcomer:
            await called_to_a_rebalance(group, leaver)
            before = group.generation
            handler.may_end.set()
            async with asyncio.timeout(5):
                await stopping
            await until(lambda: len(newcomer._tasks) == 6 and not newcomer.reasons(), "the newcomer to have all tasks")
            assert group.generation == before + 1
            await lab.outputs_complete()
    assert set(handler.ledger.calls.values()) == {1}


async def test_a_stop_of_a_worker_with_an_instance_id_keeps_no_rebalance_waiting_for_it(
    embedded_kafka: EmbeddedKafka,
) -> None:
    """It does not leave its group: one that waits for it to join would wait until its session ends."""
    lab, hold = Lab.embedded(embedded_kafka), Hold()
    await lab.create(partitions=6)
    patient = dataclasses.replace(FAST, session_timeout_seconds=30.0, revoke_seconds=60.0, shutdown_seconds=60.0)
    async with Cluster(lab.connection) as cluster, member(lab) as newcomer:
        engine, stop = same_engine(lab, cluster, hold, patient), asyncio.Event()
        runs = asyncio.ensure_future(engine.run(stop))
        await lab.send(10)
        await until(lambda: lab.handled.total() == 10, "all to be in their handlers")
        (group,) = embedded_kafka._parts.groups._groups.values()
        (leaver,) = group.members
        stop.set()
        newcomer.subscribe([lab.topic, f"{lab.group}-repartition"])
        await called_to_a_rebalance(group, leaver)
        hold.let_go()
        await runs
        await until(lambda: bool(newcomer.assignment()), "the newcomer to have tasks", 10)


async def test_a_stop_that_takes_too_long_for_a_rebalance_leaves_alone_what_others_were_given_in_it(
    embedded_kafka: EmbeddedKafka, tmp_path: Path
) -> None:
    """And still commits what it has of the tasks that stayed its own."""
    lab, slow, quick = Lab.embedded(embedded_kafka, state_dir=tmp_path), OneStep(), OneStep()
    await lab.create(partitions=6)
    limits = dataclasses.replace(STOPPING, revoke_seconds=0.5, shutdown_seconds=60.0)
    with capture_logs() as logs:
        async with AsyncExitStack() as stack:
            leaver = await stack.enter_async_context(lab.engine(slow, limits))
            await lab.send(24, keys=24)
            await until(lambda: lab.handled.total() == 24, "all to be in their handlers")
            stopping = asyncio.ensure_future(stack.aclose())
            async with lab.engine(quick) as newcomer:
                await until(lambda: states(newcomer) == {TaskState.ACTIVE}, "the newcomer to have tasks")
                given = {task.partition for task in newcomer._tasks}
                assert len(given) == 3
                assert {task.partition for task in leaver._tasks} == set(range(6)) - given
                slow.may_end.set()
                await stopping
                quick.may_end.set()
                await lab.outputs_complete()
    kept = {n for n, times in lab.handled.items() if times == 1}
    assert kept == {n for n in range(24) if partition_for(b"learner-%d" % n, 6) not in given}
    assert not {n for n, _ in quick.ledger.calls} & kept
    assert not [line for line in logs if line["event"] == "task.fenced"]


async def called_to_a_rebalance(group: Group, member: str) -> None:
    """Wait until a heartbeat of the member has been answered with a call to a rebalance."""
    await until(lambda: group.state is State.PREPARING, "another one to join")
    began = asyncio.get_running_loop().time()
    await until(lambda: group.members[member].last_seen > began, "the next heartbeat")
