"""Steps of one event side by side: bounded, each paid for and told of once, and one that fails stops no other."""

import asyncio
import json
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from clients.kafka import Connection
from consumers.engine.context import Context, Emission
from schemas.errors import ContentServiceUnavailableError
from tests.integration.lab import Lab, LabEvent
from tests.integration.test_state import Ledger, Paid
from tests.integration.test_steps import Told


@pytest.fixture
def lab(connection: Connection, tmp_path: Path) -> Lab:
    return Lab(connection, state_dir=tmp_path / "state")


async def test_steps_side_by_side_are_bounded_and_each_is_paid_once(lab: Lab) -> None:
    await lab.create(partitions=1)
    await lab.send(1)
    ledger, at_once, most = Ledger(), 0, 0

    async def many(event: LabEvent, context: Context) -> None:
        async def one(step: str) -> Paid:
            nonlocal at_once, most
            at_once += 1
            most = max(most, at_once)
            try:
                if step == "s7" and lab.handled[0] == 1:
                    raise ContentServiceUnavailableError("the seventh fails at first")
                return await ledger.call(event, step)
            finally:
                at_once -= 1

        results = await context.steps(
            {f"s{n}": lambda n=n: one(f"s{n}") for n in range(12)},  # type: ignore[misc]
            into=Paid,
            limit=3,
            emits=lambda step, paid: [Emission(lab.out, Told(told=f"{step} {paid.answer}"), place=step)],
        )
        assert [result.answer for result in results.values()] == [f"0:s{n}" for n in range(12)]

    async with lab.engine(many):
        records = await lab.read(lab.out, 13)
    told = [json.loads(record.value)["told"] for record in records if b"told" in record.value]
    assert sorted(told) == sorted(f"s{n} 0:s{n}" for n in range(12)), "each tells of itself once, in two attempts"
    assert most == 3
    assert set(ledger.calls.values()) == {1}


async def test_one_of_steps_side_by_side_may_fail_for_long_and_the_others_are_begun_once(lab: Lab) -> None:
    """What fails is tried again like a single step, not given up like a bug; its siblings come to their ends."""
    await lab.create(partitions=1)
    await lab.send(1)
    begun: Counter[str] = Counter()

    async def handle(event: LabEvent, context: Context) -> None:
        async def one(step: str) -> Paid:
            begun[step] += 1
            if step == "s1" and lab.handled[0] <= 3:
                raise ContentServiceUnavailableError("out for a while")
            await asyncio.sleep(0.1)
            return Paid(answer=step)

        named = {f"s{n}": partial(one, f"s{n}") for n in range(3)}
        assert list(await context.steps(named, into=Paid, limit=3)) == list(named)

    async with lab.engine(handle):
        await lab.outputs_complete()
    assert begun == {"s0": 1, "s1": 4, "s2": 1}
