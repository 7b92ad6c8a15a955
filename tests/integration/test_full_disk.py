"""A full disk costs nobody anything: events are handled, and their state waits in memory until there is room."""

import asyncio
import dataclasses
import os
import random

import pytest
from pydantic import BaseModel
from structlog.testing import capture_logs

from clients.embedded_kafka import EmbeddedKafka
from consumers.engine.context import Context
from tests.disk import SmallDisk
from tests.integration.lab import FAST, Lab, LabEvent, until
from tests.integration.test_state import Ledger, Paid

LEARNERS = 10
MANY = 400
"""Events whose state is more than RocksDB keeps in memory."""


class Portfolio(BaseModel):
    """How many events a learner had, with so much beside it that the disk is needed soon."""

    events: int
    text: str


class Work:
    """A step that costs, and a large state that has to be what all earlier events made of it."""

    def __init__(self, learners: int) -> None:
        self.ledger = Ledger()
        self._learners = learners

    async def __call__(self, event: LabEvent, context: Context) -> None:
        async def paid() -> Paid:
            return await self.ledger.call(event, "one")

        await context.step("one", paid, into=Paid)
        portfolios = context.state("portfolios", Portfolio)
        before = portfolios.get("all") or Portfolio(events=0, text="")
        assert before.events == event.n // self._learners, "the learner's state is not what its events made of it"
        text = random.Random(event.n).randbytes(50_000).hex()
        portfolios.put("all", Portfolio(events=before.events + 1, text=text))


async def test_events_go_on_while_the_disk_is_full_and_no_step_is_paid_for_again(
    embedded_kafka: EmbeddedKafka, small_disk: SmallDisk
) -> None:
    lab, work = Lab.embedded(embedded_kafka, state_dir=small_disk.path / "state"), Work(LEARNERS)
    await lab.create(partitions=2)
    async with lab.engine(work) as engine:
        await lab.send(LEARNERS, keys=LEARNERS)
        await lab.outputs_complete()
        small_disk.fill(os.getpid())
        await lab.send(MANY, keys=LEARNERS)
        await lab.outputs_complete()
        await until(
            lambda: any("state is not written" in reason for reason in engine.reasons()), "writes to be refused"
        )
        small_disk.free(os.getpid())
        await until(lambda: not engine.reasons(), "all to be written")
        assert engine.buffered_bytes == 0
    async with lab.engine(work):
        await lab.send(LEARNERS, keys=LEARNERS)
        await lab.outputs_complete()
    assert set(work.ledger.calls.values()) == {1}
    assert set(lab.handled.values()) == {1}


async def test_a_task_whose_commit_is_held_back_is_written_to_disk_when_there_is_room(
    embedded_kafka: EmbeddedKafka, small_disk: SmallDisk
) -> None:
    """Its progress does not fit into a commit until a slow event is done: what is committed needs none to be saved."""
    lab, work, go = Lab.embedded(embedded_kafka, state_dir=small_disk.path / "state"), Work(LEARNERS), asyncio.Event()
    slow = {LEARNERS + MANY + n for n in random.Random(4).sample(range(MANY), MANY // 2)}

    async def handle(event: LabEvent, context: Context) -> None:
        if event.n < LEARNERS + MANY:
            await work(event, context)
        elif event.n in slow:
            await go.wait()

    await lab.create(partitions=1)
    limits = dataclasses.replace(FAST, max_in_flight=MANY, metadata_max_chars=30)
    with capture_logs() as logs:
        async with lab.engine(handle, limits) as engine:
            await lab.send(LEARNERS, keys=LEARNERS)
            await lab.outputs_complete()
            small_disk.fill(os.getpid())
            await lab.send(MANY, keys=LEARNERS)
            await lab.outputs_complete()
            await until(lambda: bool(engine.reasons()), "writes to be refused")
            logs.clear()
            await lab.send(MANY, keys=MANY)
            await until(lambda: "checkpoint.held_back" in [line["event"] for line in logs], "the map to be too long")
            await until(lambda: all(lab.handled[n] for n in slow), "every event to be begun")
            small_disk.free(os.getpid())
            await until(lambda: not engine.reasons(), "all to be written")
            go.set()
            await lab.outputs_complete()


@pytest.mark.parametrize("left", [0, 2**20], ids=["nothing left", "1 MiB left"])
async def test_a_worker_that_comes_to_a_full_disk_begins_when_there_is_room(
    embedded_kafka: EmbeddedKafka, small_disk: SmallDisk, left: int
) -> None:
    """It restores more than fits, and handles nothing before all of it is there."""
    lab, work = Lab.embedded(embedded_kafka, state_dir=small_disk.path / "state"), Work(MANY)
    await lab.create(partitions=1)
    async with lab.engine(work):
        await lab.send(MANY, keys=MANY)
        await lab.outputs_complete()
    small_disk.wipe()
    (small_disk.path / "state" / "0").mkdir(parents=True)
    small_disk.fill(os.getpid(), leave=left)
    async with lab.engine(work) as engine:
        await lab.send(MANY, keys=MANY)
        await until(lambda: any("No space" in reason for reason in engine.reasons()), "the disk to be full")
        assert lab.handled.total() == MANY
        small_disk.free(os.getpid())
        await lab.outputs_complete()
    assert set(lab.handled.values()) == {1}
