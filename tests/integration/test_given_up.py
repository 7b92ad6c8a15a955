"""What is left of an event that cannot be handled: its finished steps, its rescue, its last words."""

from collections import Counter
from functools import partial
from pathlib import Path

import pytest
from pydantic import BaseModel

from clients.kafka import Connection
from consumers.engine.context import Context
from producers.output import Output
from schemas.errors import ContentServiceUnavailableError, ModelRejectedError
from tests.integration.lab import Lab, LabEvent


class Paid(BaseModel):
    """What a paid call gave."""

    answer: str


class Pieces:
    """Six pieces of work per event; those in `failing` fail."""

    def __init__(self, *failing: str) -> None:
        self.failing = set(failing)
        self.calls: Counter[str] = Counter()

    async def one(self, name: str) -> Paid:
        self.calls[name] += 1
        if name in self.failing:
            raise ModelRejectedError(name)
        return Paid(answer=name)

    async def all(self, context: Context) -> None:
        """Run all six; raises the first failure when the others are done."""
        work = {f"p{n}": partial(self.one, f"p{n}") for n in range(6)}
        done = await context.try_steps(work, into=Paid, limit=2)
        assert done.results.keys() | done.failures.keys() == work.keys()
        for error in done.failures.values():
            raise ContentServiceUnavailableError("again") from error


@pytest.fixture
def lab(connection: Connection, tmp_path: Path) -> Lab:
    return Lab(connection, state_dir=tmp_path / "state")


def says(lab: Lab, event: LabEvent, context: Context, text: str) -> None:
    context.outputs.append(Output(lab.out, event.user_id.encode(), text.encode(), []))


async def test_the_failure_of_one_step_stops_no_other_and_only_it_is_tried_again(lab: Lab) -> None:
    pieces = Pieces("p1")
    await lab.create(partitions=1)
    await lab.send(1)

    async def handle(_event: LabEvent, context: Context) -> None:
        if lab.handled[0] == 3:
            pieces.failing.clear()
        await pieces.all(context)

    async with lab.engine(handle):
        await lab.outputs_complete()
    assert pieces.calls == Counter({"p0": 1, "p1": 3, "p2": 1, "p3": 1, "p4": 1, "p5": 1})


async def test_a_bug_among_the_steps_is_raised_and_what_is_finished_stays(lab: Lab) -> None:
    await lab.create(partitions=1)
    await lab.send(1)
    finished: Counter[str] = Counter()

    async def finish() -> Paid:
        finished["one"] += 1
        return Paid(answer="one")

    async def bug() -> Paid:
        if lab.handled[0] == 1:
            raise ZeroDivisionError
        return Paid(answer="two")

    async def handle(_event: LabEvent, context: Context) -> None:
        await context.try_steps({"one": finish, "two": bug}, into=Paid, limit=1)

    async with lab.engine(handle):
        await lab.outputs_complete()
    assert finished["one"] == 1


async def test_an_event_that_is_rescued_is_done_and_no_dead_letter(lab: Lab) -> None:
    pieces = Pieces("p0")
    await lab.create(partitions=1)

    async def handle(event: LabEvent, context: Context) -> None:
        context.state("made", Paid).put("x", Paid(answer="of the failed attempt"))
        says(lab, event, context, "of the failed attempt")
        await context.try_steps({name: partial(pieces.one, name) for name in ("p0", "p1")}, into=Paid, limit=1)
        raise ModelRejectedError("no")

    def rescue(event: LabEvent, context: Context) -> bool:
        made = context.state("made", Paid)
        known = [context.recall(name, Paid) for name in ("p0", "p1")]
        says(lab, event, context, f"{known[0]} {known[1] and known[1].answer} {made.get('x')}")
        made.put("x", Paid(answer="rescued"))
        return True

    lab.rescue = rescue
    await lab.send(1)
    lab.sent = 0
    await lab.send(1)  # the same event id again
    async with lab.engine(handle):
        [record] = await lab.read(lab.out, 1)
        letters = await lab.read(f"{lab.topic}.dlq", 0)
    assert record.value == b"None p1 None"
    assert letters == []
    assert lab.handled[0] == 1, "a rescued event is remembered"


@pytest.mark.parametrize("rescue", ["refuses", "breaks"])
async def test_without_a_rescue_there_is_a_dead_letter_and_last_words_may_keep_what_is_finished(
    lab: Lab, rescue: str
) -> None:
    pieces = Pieces("p0")
    await lab.create(partitions=1)

    async def handle(_event: LabEvent, context: Context) -> None:
        kept = context.state("kept", Paid).get("p1")
        if kept is None:
            await context.try_steps({name: partial(pieces.one, name) for name in ("p0", "p1")}, into=Paid, limit=1)
            raise ModelRejectedError("no")

    def refuse(event: LabEvent, context: Context) -> bool:
        says(lab, event, context, "never to be seen")
        if rescue == "breaks":
            raise ZeroDivisionError
        return False

    def keep(event: LabEvent, context: Context) -> None:
        known = context.recall("p1", Paid)
        assert known is not None
        context.state("kept", Paid).put("p1", known)
        says(lab, event, context, "kept")

    lab.rescue, lab.give_up = refuse, keep
    await lab.send(1)
    async with lab.engine(handle):
        [letter] = await lab.read(f"{lab.topic}.dlq", 1)
        await lab.send_raw(letter.value, key=letter.key)
        records = await lab.read(lab.out, 2)
    assert [record.value for record in records] == [b"kept", b"0"]
    assert pieces.calls["p1"] == 1, "the second time it came from state"
