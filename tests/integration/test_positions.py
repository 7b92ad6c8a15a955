"""Where a task goes on: by its changelog, whatever the group says; but for an operator's reset."""

import asyncio
import json
from collections import Counter
from pathlib import Path

from aiokafka import TopicPartition

from clients.embedded_kafka import EmbeddedKafka
from clients.kafka import Connection
from consumers.engine.context import Context
from tests.integration.lab import Lab, LabEvent, until
from tests.kafka.tools import KafkaTools

EVENTS = 20


async def send_anonymous(lab: Lab, count: int = EVENTS) -> None:
    """Events without an id: nothing but positions keeps them from being handled again."""
    for n in range(lab.sent, lab.sent + count):
        learner = f"learner-{n % 5}"
        await lab.send_raw(json.dumps({"userId": learner, "n": n}).encode(), key=learner.encode())
    lab.sent += count


async def test_a_group_that_has_forgotten_its_offsets_goes_on_where_it_was(
    kafka_tools: KafkaTools, connection: Connection, tmp_path: Path
) -> None:
    """As Kafka forgets them after a week without members; the worker's disk is gone, too."""
    lab = Lab(connection, state_dir=tmp_path / "first")
    await lab.create()
    await send_anonymous(lab)
    async with lab.engine():
        await lab.outputs_complete()
    await asyncio.to_thread(kafka_tools.tool, "kafka-consumer-groups", "--delete", "--group", lab.group)
    lab.state_dir = tmp_path / "second"
    await send_anonymous(lab)
    async with lab.engine():
        await lab.outputs_complete()
    assert lab.handled == Counter(range(2 * EVENTS))


async def test_a_coordinator_that_says_nothing_is_committed_makes_nobody_begin_again(
    embedded_kafka: EmbeddedKafka, tmp_path: Path
) -> None:
    """As one does for a moment after a broker's crash: a second worker joins just then."""
    lab = Lab.embedded(embedded_kafka, state_dir=tmp_path)
    await lab.create()
    await send_anonymous(lab)
    hold = asyncio.Event()

    async def hold_the_last(event: LabEvent, _context: Context) -> None:
        if event.n == EVENTS - 1:
            await hold.wait()

    async with lab.engine(hold_the_last) as first:
        await lab.read(lab.out, EVENTS - 1)
        await until(lambda: not first.reasons(), "the first worker to be ready")
        embedded_kafka._parts.offsets._offsets.clear()
        async with lab.engine(hold_the_last) as second:
            await until(lambda: not second.reasons() and not first.reasons(), "both workers to be ready")
            await send_anonymous(lab)
            hold.set()
            await lab.outputs_complete()
    assert all(times == 1 for n, times in lab.handled.items() if n != EVENTS - 1), lab.handled


async def test_an_operators_reset_is_followed(connection: Connection, tmp_path: Path) -> None:
    """Kafka's tools write offsets without our metadata: that is how they are told from forgotten ones."""
    lab = Lab(connection, state_dir=tmp_path)
    await lab.create(partitions=1)
    await send_anonymous(lab)
    async with lab.engine():
        await lab.outputs_complete()
    tool = connection.consumer(group_id=lab.group)
    await tool.start()
    source = TopicPartition(lab.topic, 0)
    tool.assign([source])
    await tool.commit({source: 5})
    await tool.stop()
    async with lab.engine():
        await lab.read(lab.out, 2 * EVENTS - 5)
    assert lab.handled == Counter(range(EVENTS)) + Counter(range(5, EVENTS))
