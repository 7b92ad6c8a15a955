"""What waits in memory is bounded, and one learner's events keep nobody else's waiting."""

import asyncio
import dataclasses
import json

from clients.kafka import Connection
from consumers.engine.context import Context
from producers.output import partition_for
from tests.integration.lab import FAST, Lab, LabEvent, until


async def test_memory_is_bounded_in_bytes_while_one_learner_is_stuck(connection: Connection) -> None:
    lab = Lab(connection)
    await lab.create(partitions=2)
    await lab.send(2000, keys=1)
    release = asyncio.Event()

    async def stuck(_event: LabEvent, _context: Context) -> None:
        await release.wait()

    small = dataclasses.replace(FAST, max_buffered_bytes=200_000, poll_max_records=50)
    async with lab.engine(stuck, small) as engine:
        await until(lambda: engine.buffered_bytes >= 200_000, "the buffer to be full")
        assert engine.buffered_bytes < 250_000
        release.set()
        await lab.outputs_complete()
        await until(lambda: engine.buffered_bytes == 0, "the buffer to be empty")


async def test_a_learner_with_large_slow_events_keeps_no_other_partition_waiting(connection: Connection) -> None:
    """Far more of them than fit into memory; the others' events go through meanwhile, and memory stays bounded."""
    lab = Lab(connection)
    await lab.create(partitions=2)
    hot = next(name for n in range(99) if partition_for(f"hot-{n}".encode(), 2) == 0 for name in [f"hot-{n}"])
    others = [name for n in range(40) if partition_for((name := f"learner-{n}").encode(), 2) == 1]
    release, most = asyncio.Event(), 0

    async def slow_for_one(event: LabEvent, _context: Context) -> None:
        nonlocal most
        most = max(most, engine.buffered_bytes)
        if event.user_id == hot:
            await release.wait()

    limits = dataclasses.replace(FAST, max_buffered_bytes=300_000, poll_max_records=20)
    async with lab.connection.producer() as producer:
        for n in range(400):
            event = {"userId": hot, "n": n, "metadata": {"x": "y" * 2_000}}
            await producer.send(lab.topic, json.dumps(event).encode(), key=hot.encode())
        await producer.flush()
        async with lab.engine(slow_for_one, limits) as engine:
            await until(lambda: engine.buffered_bytes >= limits.max_buffered_bytes, "the memory to be full")
            for n, learner in enumerate(others * 20, start=1_000):
                event = {"userId": learner, "n": n, "metadata": {"x": "y" * 2_000}}
                await producer.send(lab.topic, json.dumps(event).encode(), key=learner.encode())
            await producer.flush()
            await lab.read(lab.out, 20 * len(others))
            assert lab.handled.total() == 20 * len(others) + 1, "more than the hot learner's first event was begun"
            assert most < 2 * limits.max_buffered_bytes
            release.set()
            await lab.read(lab.out, 20 * len(others) + 400)


async def test_learners_are_handled_in_turn(connection: Connection) -> None:
    """Fifty events of one learner stand before those of five others; there is one worker."""
    lab, handled = Lab(connection), list[str]()
    await lab.create(partitions=1)
    await lab.send(50, keys=1)
    for n in range(5):
        await lab.send_raw(b'{"userId": "other-%d", "n": %d}' % (n, 50 + n), key=b"other-%d" % n)

    async def note(event: LabEvent, _context: Context) -> None:
        handled.append(event.user_id)

    async with lab.engine(note, dataclasses.replace(FAST, max_in_flight=1, poll_max_records=500)):
        await lab.read(lab.out, 55)
    others = [place for place, learner in enumerate(handled) if learner.startswith("other")]
    assert others[-1] <= 2 * len(others), "a learner had a second turn before everybody had one"


async def test_a_stuck_event_keeps_its_partition_to_the_window_and_no_other(connection: Connection) -> None:
    """Progress beyond the committed offset has to fit into the commit: so far, and no further, events go on."""
    lab, release = Lab(connection), asyncio.Event()
    await lab.create(partitions=2)
    await lab.send(2_000, keys=200)
    hot = partition_for(b"learner-0", 2)
    of_hot = {n for n in range(2_000) if partition_for(b"learner-%d" % (n % 200), 2) == hot}

    async def the_first_is_stuck(event: LabEvent, _context: Context) -> None:
        if event.n == 0:
            await release.wait()

    limits = dataclasses.replace(FAST, window=100, poll_max_records=50)
    async with lab.engine(the_first_is_stuck, limits):
        await until(lambda: all(lab.handled[n] for n in range(2_000) if n not in of_hot), "the other partition")
        assert sum(lab.handled[n] for n in of_hot) <= limits.window + limits.poll_max_records
        release.set()
        await lab.outputs_complete()
