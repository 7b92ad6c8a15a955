"""State and durable steps, on both brokers: nothing that is finished is paid for again, whatever dies."""

import asyncio
import shutil
import time
from collections import Counter
from pathlib import Path

import pytest
from pydantic import BaseModel

from clients.kafka import Connection
from consumers.engine.context import Context
from producers.output import Output
from schemas.errors import ContentServiceUnavailableError
from tests.integration.lab import FAST, Lab, LabEvent, until


class Count(BaseModel):
    """How many events a learner had."""

    events: int


class Paid(BaseModel):
    """What a paid call gave."""

    answer: str


@pytest.fixture
def lab(connection: Connection, tmp_path: Path) -> Lab:
    return Lab(connection, state_dir=tmp_path / "state")


class Ledger:
    """A paid service: counts its finished calls by event and step."""

    def __init__(self) -> None:
        self.calls: Counter[tuple[int, str]] = Counter()

    async def call(self, event: LabEvent, step: str) -> Paid:
        await asyncio.sleep(0.01)
        self.calls[event.n, step] += 1
        return Paid(answer=f"{event.n}:{step}")


async def count_events(event: LabEvent, context: Context) -> None:
    """Counts the learner's events in state, and says what it has come to."""
    counts = context.state("counts", Count)
    before = counts.get("all") or Count(events=0)
    counts.put("all", Count(events=before.events + 1))
    value = b"%d:%d" % (event.n, before.events + 1)
    context.outputs.append(Output(context.origin.at.topic.replace("-in", "-out"), b"count", value, []))


async def counts_in(lab: Lab, events: int) -> dict[int, int]:
    """What `count_events` published, by event."""
    records = await lab.read(lab.out, 2 * events)
    pairs = [record.value.split(b":") for record in records if b":" in record.value]
    assert len(pairs) == events
    return {int(number): int(count) for number, count in pairs}


async def test_state_survives_a_crash_a_wiped_folder_and_a_move(lab: Lab) -> None:
    """Ten learners, counted over three workers that die; the second one finds nothing on disk."""
    await lab.create()
    for round_ in range(3):
        await lab.send(50)
        async with lab.doomed_engine(count_events):
            await lab.read(lab.out, 2 * lab.sent)
        if round_ == 0:
            assert lab.state_dir is not None
            shutil.rmtree(lab.state_dir)
    counts = await counts_in(lab, 150)
    assert counts == {number: number // 10 + 1 for number in range(150)}


async def test_events_of_one_learner_see_each_others_writes_before_any_checkpoint(lab: Lab) -> None:
    await lab.create(partitions=1)
    await lab.send(40, keys=1)
    async with lab.engine(count_events):
        assert await counts_in(lab, 40) == {number: number + 1 for number in range(40)}


async def test_a_failed_attempt_leaves_no_trace_in_state(lab: Lab) -> None:
    await lab.create()
    await lab.send(1)

    async def fails_once(event: LabEvent, context: Context) -> None:
        await count_events(event, context)
        if lab.handled[0] == 1:
            raise ContentServiceUnavailableError("after the write")

    async with lab.engine(fails_once):
        assert await counts_in(lab, 1) == {0: 1}


async def test_a_worker_killed_in_step_5_of_6_resumes_at_step_5(lab: Lab) -> None:
    """The ledger of the paid service shows it: steps 1 to 4 were paid once, by the first worker."""
    await lab.create(partitions=1)
    await lab.send(1)
    ledger, never = Ledger(), asyncio.Event()

    async def six_steps(event: LabEvent, context: Context) -> None:
        for number in range(1, 7):
            if number == 5 and lab.handled[0] == 1:
                await never.wait()
            step = f"step-{number}"
            result = await context.step(step, lambda step=step: ledger.call(event, step), into=Paid)  # type: ignore[misc]
            assert result.answer == f"0:{step}"

    async with lab.doomed_engine(six_steps):
        await until(lambda: ledger.calls[0, "step-4"] == 1, "step 4 to be paid")
        await lab.changelog(keys=4)
    async with lab.engine(six_steps):
        await lab.outputs_complete()
    assert ledger.calls == Counter({(0, f"step-{number}"): 1 for number in range(1, 7)})


async def test_journals_are_gone_when_their_event_is_done(lab: Lab) -> None:
    await lab.create(partitions=1)
    await lab.send(20)
    ledger = Ledger()

    async def slow_steps(event: LabEvent, context: Context) -> None:
        await context.step("one", lambda: ledger.call(event, "one"), into=Paid)
        await asyncio.sleep(3 * FAST.commit_interval_seconds)

    async with lab.engine(slow_steps):
        await lab.outputs_complete()
    left = await lab.changelog()
    assert left, "the steps were never journaled, so the test shows nothing"
    assert set(left.values()) == {None}


async def test_the_steps_of_a_fast_event_are_never_written(lab: Lab) -> None:
    await lab.create(partitions=1)
    await lab.send(50)

    async def fast_step(event: LabEvent, context: Context) -> None:
        async def instant() -> Paid:
            return Paid(answer=str(event.n))

        await context.step("one", instant, into=Paid)

    async with lab.engine(fast_step):
        await lab.outputs_complete()
    assert await lab.changelog() == {}


@pytest.mark.parametrize("worker", ["the same one", "another one"])
async def test_the_same_event_id_again_changes_nothing_across_restarts(lab: Lab, tmp_path: Path, worker: str) -> None:
    await lab.create()
    await lab.send(20)
    async with lab.engine():
        await lab.outputs_complete()
    lab.sent = 0
    await lab.send(20)
    async with lab.doomed_engine():
        await lab.send(5)
        await lab.read(lab.out, 25)
    lab.sent = 20
    await lab.send(5)
    if worker == "another one":
        lab.state_dir = tmp_path / "another"
    async with lab.engine() as engine:
        await until(lambda: not engine.reasons(), "the worker to be ready")
        lab.sent = 25
        await lab.send(1)
        await lab.read(lab.out, 26)
    assert set(lab.handled.values()) == {1}


async def test_the_same_event_id_of_another_learner_is_another_event(lab: Lab) -> None:
    """Senders may count for each learner on its own."""
    await lab.create(partitions=1)
    async with lab.engine():
        for n, learner in enumerate((b"a", b"b", b"a")):
            await lab.send_raw(b'{"userId": "%s", "eventId": "first", "n": %d}' % (learner, n), key=learner)
        await lab.send_raw(b'{"userId": "a", "n": 3}', key=b"a")
        await until(lambda: lab.handled[3] == 1, "what was sent last")
    assert lab.handled == {0: 1, 1: 1, 3: 1}


async def test_an_event_id_is_remembered_for_seven_days(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    await lab.create(partitions=1)
    days, now = 0.0, time.time
    monkeypatch.setattr(time, "time", lambda: now() + days * 24 * 3600)
    async with lab.engine():
        for days, times in ((0.0, 1), (6.9, 1), (7.1, 2)):
            lab.sent = 0
            await lab.send(1)
            marker = 1_000 + int(10 * days)
            await lab.send_raw(b'{"userId": "learner-0", "n": %d}' % marker, key=b"learner-0")
            await until(lambda: lab.handled[marker] == 1, "what was sent after it")  # noqa: B023
            assert lab.handled[0] == times


async def test_journals_of_another_version_of_the_flow_are_ignored_and_removed(lab: Lab) -> None:
    await lab.create(partitions=1)
    await lab.send(1)
    ledger, never = Ledger(), asyncio.Event()

    async def one_step(event: LabEvent, context: Context) -> None:
        await context.step("one", lambda: ledger.call(event, "one"), into=Paid)
        if lab.version == 1:
            await never.wait()

    async with lab.doomed_engine(one_step):
        await lab.changelog(keys=1)
    lab.version = 2
    async with lab.engine(one_step):
        await lab.outputs_complete()
    assert ledger.calls[0, "one"] == 2
    assert list((await lab.changelog()).values()) == [None]
