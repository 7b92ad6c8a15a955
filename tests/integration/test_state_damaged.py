"""A store whose files are damaged is a cache that is lost: the state comes from Kafka, and no event pays for it."""

import random
from pathlib import Path

import pytest
from pydantic import BaseModel

from clients.kafka import Connection
from consumers.engine.context import Context
from tests.damage import damage
from tests.integration.lab import Lab, LabEvent

LEARNERS = 100


class Notes(BaseModel):
    """How many events a learner had, with so much beside it that the state takes more than one block on disk."""

    events: int = 0
    text: str = ""


async def take_notes(event: LabEvent, context: Context) -> None:
    notes = context.state("notes", Notes)
    before = notes.get("all") or Notes()
    assert before.events == event.n // LEARNERS, "the learner's state is not what its events made of it"
    notes.put("all", Notes(events=before.events + 1, text=random.Random(event.n).randbytes(200).hex()))


@pytest.mark.parametrize("share", [0.5, 0.0], ids=["can be opened, not read", "cannot be opened"])
async def test_a_damaged_store_is_built_anew_from_kafka(connection: Connection, tmp_path: Path, share: float) -> None:
    lab = Lab(connection, state_dir=tmp_path / "state")
    await lab.create(partitions=1)
    for _ in range(2):
        await lab.send(LEARNERS, keys=LEARNERS)
        async with lab.engine(take_notes):
            await lab.outputs_complete()
        damage(tmp_path / "state" / "0" / lab.group / "0" / "state", share)
    await lab.send(LEARNERS, keys=LEARNERS)
    async with lab.engine(take_notes):
        await lab.outputs_complete()
