"""Durable steps at the odds: results too large to keep, journals that nobody asks for, flows without state."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiokafka import ConsumerRecord

from clients.kafka import Connection
from consumers.engine.context import Context, Emission
from schemas.envelope import OutputModel
from schemas.errors import ContentServiceUnavailableError, ModelRejectedError
from tests.integration.lab import FAST, Handler, Lab, LabEvent, until
from tests.integration.test_state import Paid


class Told(OutputModel):
    """What a step emits."""

    told: str


@pytest.fixture
def lab(connection: Connection, tmp_path: Path) -> Lab:
    return Lab(connection, state_dir=tmp_path / "state")


class LargeStep:
    """A paid call whose result is too large for the changelog; it tells of its result."""

    CHANGELOG_BYTES = 2_000

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.paid = 0

    async def work(self) -> Paid:
        self.paid += 1
        return Paid(answer="x" * 2 * self.CHANGELOG_BYTES)

    async def run(self, context: Context) -> None:
        told = [Emission(self.lab.out, Told(told="the result"), "told")]
        result = await context.step("large", self.work, into=Paid, emits=told)
        assert len(result.answer) == 2 * self.CHANGELOG_BYTES

    async def create_topics(self) -> None:
        await self.lab.create(partitions=1, state={"max.message.bytes": str(self.CHANGELOG_BYTES)})


def told_in(records: list[ConsumerRecord[Any, Any]]) -> int:
    return sum(b"the result" in record.value for record in records)


async def test_a_step_with_a_result_too_large_to_keep_is_paid_and_told_once_over_all_attempts(lab: Lab) -> None:
    large = LargeStep(lab)
    await large.create_topics()
    await lab.send(1)

    async def handle(event: LabEvent, context: Context) -> None:
        await large.run(context)
        if lab.handled[0] < 4:
            await asyncio.sleep(3 * FAST.commit_interval_seconds)
            raise ContentServiceUnavailableError("later")

    async with lab.engine(handle):
        records = await lab.read(lab.out, 2)
    assert lab.handled[0] == 4
    assert large.paid == 1
    assert [b"the result" in record.value for record in records] == [True, False], "told once, and first"


async def test_after_a_crash_such_a_step_is_paid_again_and_told_once(lab: Lab) -> None:
    large, never = LargeStep(lab), asyncio.Event()
    await large.create_topics()
    await lab.send(2, keys=2)

    async def handle(event: LabEvent, context: Context) -> None:
        if event.n == 0:
            await large.run(context)
            if lab.handled[0] == 1:
                await never.wait()

    async with lab.doomed_engine(handle):
        await lab.read(lab.out, 1)  # of the other learner: a checkpoint after the step
        await until(lambda: large.paid == 1, "the step to be paid")
        await asyncio.sleep(5 * FAST.commit_interval_seconds)
    async with lab.engine(handle):
        records = await lab.read(lab.out, 3)
    assert large.paid == 2
    assert told_in(records) == 1


async def test_what_such_a_step_tells_goes_out_beside_the_dead_letter(lab: Lab) -> None:
    """The step was finished, whatever became of its event; last words may use its result."""
    large = LargeStep(lab)
    await large.create_topics()
    await lab.send(1)

    async def handle(event: LabEvent, context: Context) -> None:
        await large.run(context)
        raise ModelRejectedError("no")

    def last_words(event: LabEvent, context: Context) -> None:
        assert context.recall("large", Paid) is not None
        context.emit(lab.out, Told(told="given up"), "last words")

    lab.give_up = last_words
    async with lab.engine(handle):
        await lab.read(f"{lab.topic}.dlq", 1)
        records = await lab.read(lab.out, 2)
    assert told_in(records) == 1
    assert len(records) == 2


async def test_a_step_in_a_flow_without_state_is_refused(connection: Connection) -> None:
    """Nobody would remember it: a bug of the flow, to be seen at its first event."""
    lab = Lab(connection)
    await lab.create(partitions=1)
    await lab.send(1)

    async def handle(event: LabEvent, context: Context) -> None:
        async def work() -> Paid:
            return Paid(answer="x")

        await context.step("one", work, into=Paid)

    async with lab.engine(handle):
        [letter] = await lab.read(f"{lab.topic}.dlq", 1)
    assert b"no state" in dict(letter.headers)["kafka_dlt-exception-message"]


async def journal_steps(lab: Lab, handler: Handler, *, steps: int) -> None:
    """Let a worker be killed when that many steps are journaled."""
    async with lab.doomed_engine(handler):
        await lab.changelog(keys=steps)


@pytest.mark.parametrize("asks_for", [(), ("new",), ("one", "new")])
async def test_a_journal_goes_with_its_event_whatever_the_next_attempt_asks_for(
    lab: Lab, asks_for: tuple[str, ...]
) -> None:
    """Two learners' events with two steps each are resumed by a handler that takes another way."""
    await lab.create(partitions=1)
    await lab.send(2, keys=2)
    never, paid = asyncio.Event(), list[str]()

    async def handle(event: LabEvent, context: Context) -> None:
        async def work(step: str) -> Paid:
            paid.append(step)
            return Paid(answer=step)

        first = lab.handled[event.n] == 1
        for step in ("one", "two") if first else asks_for:
            assert (await context.step(step, lambda step=step: work(step), into=Paid)).answer == step  # type: ignore[misc]
        if first:
            await never.wait()

    await journal_steps(lab, handle, steps=4)
    async with lab.engine(handle):
        await lab.outputs_complete()
    left = await lab.changelog()
    assert len(left) >= 4
    assert set(left.values()) == {None}
    assert paid.count("one") == 2, "what was journaled has answered"


async def test_the_same_id_after_a_dead_letter_leaves_no_step_behind(lab: Lab) -> None:
    """An event is given up after a step was journaled; its id comes again before the next checkpoint, and once more."""
    await lab.create(partitions=1)
    for _ in range(2):
        lab.sent = 0
        await lab.send(1)
    journaled, answers = asyncio.Event(), list[str]()

    async def handle(event: LabEvent, context: Context) -> None:
        async def work() -> Paid:
            return Paid(answer=str(lab.handled[0]))

        answers.append((await context.step("one", work, into=Paid)).answer)
        if lab.handled[0] == 1:
            await journaled.wait()
        raise ModelRejectedError("no")

    async with lab.engine(handle):
        await lab.changelog(keys=1)
        journaled.set()
        await lab.read(f"{lab.topic}.dlq", 2)
        lab.sent = 0
        await lab.send(1)
        await lab.read(f"{lab.topic}.dlq", 3)
    assert answers == ["1", "2", "3"], "the step of an event that was given up has answered"
    assert set((await lab.changelog()).values()) == {None}
