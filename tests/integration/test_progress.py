"""What is done beyond the committed offset goes along with the commit, whole or not at all."""

import asyncio
import dataclasses
import random

from aiokafka.structs import OffsetAndMetadata
from structlog.testing import capture_logs

from clients.kafka import Connection
from consumers.engine.context import Context
from consumers.engine.offsets import decode
from tests.integration.lab import FAST, Lab, LabEvent, until

MANY = 400
"""Events of which every second one, at random, is slow: a map of as many bits."""
SMALL = dataclasses.replace(FAST, max_in_flight=MANY, metadata_max_chars=50)
"""A map of so many bits does not fit."""


async def test_the_commit_carries_what_is_done_beyond_the_committed_offset(connection: Connection) -> None:
    lab = Lab(connection)
    await lab.create(partitions=1)
    await lab.send(10, keys=10)
    never = asyncio.Event()

    async def the_third_waits(event: LabEvent, _context: Context) -> None:
        if event.n == 3:
            await never.wait()

    async with lab.doomed_engine(the_third_waits):
        await lab.read(lab.out, 9)
    committed = await committed_in(lab)
    position = decode(committed.offset, committed.metadata)
    assert position.next_offset == 3
    assert position.done == {4, 5, 6, 7, 8, 9}


async def test_progress_that_does_not_fit_into_a_commit_waits_and_survives_a_crash(connection: Connection) -> None:
    """Had the map been cut, what it had left out would be published twice."""
    lab, slow = Lab(connection), random.Random(4).sample(range(MANY), MANY // 2)
    await lab.create(partitions=1)
    await lab.send(MANY, keys=MANY)
    go = asyncio.Event()

    async def some_are_slow(event: LabEvent, _context: Context) -> None:
        if event.n in slow:
            await go.wait()

    with capture_logs() as logs:

        async def held_back(times: int) -> None:
            await until(lambda: "checkpoint.held_back" in [line["event"] for line in logs], "the map to be too long")
            await until(lambda: all(lab.handled[n] == times for n in slow), "every event to be begun")

        async with lab.doomed_engine(some_are_slow, SMALL):
            await held_back(1)
        logs.clear()
        async with lab.engine(some_are_slow, SMALL):
            await held_back(2)
            assert len((await committed_in(lab)).metadata) <= SMALL.metadata_max_chars
            go.set()
            await lab.outputs_complete()


async def committed_in(lab: Lab) -> OffsetAndMetadata:
    """What the group has committed for the lab's one partition."""
    admin = lab.connection.admin()
    await admin.start()
    try:
        committed = await admin.list_consumer_group_offsets(lab.group)
    finally:
        await admin.close()
    return next(found for source, found in committed.items() if source.topic == lab.topic)
