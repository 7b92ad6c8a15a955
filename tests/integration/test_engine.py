"""The engine's promises, on both brokers: nothing lost, nothing twice, each learner in order, whatever goes wrong."""

import asyncio
import dataclasses
from pathlib import Path

import pytest

from clients.kafka import Connection
from consumers.engine.context import Context
from consumers.engine.repartition import origin_of
from schemas.errors import ContentServiceUnavailableError
from tests.integration.lab import FAST, Lab, LabEvent, until
from tests.kafka import KafkaUnderTest


@pytest.fixture
def lab(connection: Connection) -> Lab:
    return Lab(connection)


async def test_every_event_comes_out_once_and_each_learner_in_order(lab: Lab) -> None:
    await lab.create()
    await lab.send(500)
    async with lab.engine():
        await lab.outputs_complete()
    assert set(lab.handled.values()) == {1}


async def test_a_slow_learner_delays_nobody_else(lab: Lab) -> None:
    """Event 0 waits; everybody else's events are handled, published and remembered as done beyond the commit."""
    await lab.create(partitions=1)
    await lab.send(100, keys=10)
    never = asyncio.Event()

    async def first_one_waits(event: LabEvent, _context: Context) -> None:
        if event.n == 0:
            await never.wait()

    async with lab.doomed_engine(first_one_waits):
        others = await lab.read(lab.out, 90)
        assert len(others) == 90
    assert lab.handled[0] == 1

    async with lab.engine():
        await lab.outputs_complete()
    assert all(lab.handled[n] == 1 for n in range(100) if n % 10), "finished events were handled again"


async def test_a_crash_with_work_in_flight_loses_and_repeats_nothing(lab: Lab) -> None:
    await lab.create()
    await lab.send(300)

    async def a_little_work(event: LabEvent, _context: Context) -> None:
        await asyncio.sleep(0.005 * (event.n % 7))

    async with lab.doomed_engine(a_little_work):
        await until(lambda: lab.handled.total() > 100, "the first engine to be in the middle of it")
    async with lab.engine(a_little_work):
        await lab.outputs_complete()


async def test_a_failing_event_keeps_its_lane_waiting_and_no_other(lab: Lab) -> None:
    await lab.create()
    await lab.send(40, keys=4)

    async def fails_twice(event: LabEvent, _context: Context) -> None:
        if event.n == 0 and lab.handled[0] < 3:
            assert not any(lab.handled[n] for n in range(4, 40, 4)), "overtaken by a later event of the same learner"
            raise ContentServiceUnavailableError("away")

    async with lab.engine(fails_twice):
        await lab.outputs_complete()
    assert lab.handled[0] == 3


async def test_an_event_that_keeps_failing_becomes_a_dead_letter_and_the_next_goes_through(lab: Lab) -> None:
    await lab.create()
    await lab.send(8, keys=2)

    async def away(event: LabEvent, _context: Context) -> None:
        if event.n == 2:
            raise ContentServiceUnavailableError("away")

    async with lab.engine(away):
        records = await lab.read(lab.out, 7)
        (letter,) = await lab.read(f"{lab.topic}.dlq", 1)
    assert sorted(int(record.value) for record in records) == [0, 1, 3, 4, 5, 6, 7]
    assert lab.handled[2] == FAST.max_attempts
    headers = dict(letter.headers)
    assert headers["pathstream-error-code"] == b"CONTENT_SERVICE_UNAVAILABLE"
    assert headers["pathstream-error-category"] == b"content_service"
    assert headers["pathstream-attempts"] == b"5"
    assert headers["kafka_dlt-original-topic"] == lab.topic.encode()
    assert len(headers["kafka_dlt-original-offset"]) == 8
    assert len(headers["kafka_dlt-original-partition"]) == 4


async def test_a_bug_is_tried_once_more_and_then_a_dead_letter_with_its_trace(lab: Lab) -> None:
    await lab.create()
    await lab.send(1)

    async def bug(_event: LabEvent, _context: Context) -> None:
        raise ZeroDivisionError("a bug in a flow")

    async with lab.engine(bug):
        (letter,) = await lab.read(f"{lab.topic}.dlq", 1)
    headers = dict(letter.headers)
    assert lab.handled[0] == 2
    assert headers["pathstream-error-code"] == b"UNEXPECTED"
    assert headers["kafka_dlt-exception-fqcn"] == b"builtins.ZeroDivisionError"
    assert b"in bug" in headers["kafka_dlt-exception-stacktrace"]


async def test_records_without_their_learners_key_are_forwarded_once_and_kept_in_order(lab: Lab) -> None:
    """As kafka-console-producer sends them (seed 004): no key."""
    await lab.create()
    await lab.send(30, keyed=False, keys=1)
    seen: list[tuple[str, int]] = []

    async def where(_event: LabEvent, context: Context) -> None:
        origin = origin_of(context.record)
        assert context.record.topic.endswith("-repartition")
        assert origin.key is None
        seen.append((origin.at.topic, origin.at.offset))

    async with lab.engine(where):
        records = await lab.read(lab.out, 30)
    assert sorted(int(record.value) for record in records) == list(range(30))
    assert {topic for topic, _ in seen} == {lab.topic}
    assert {record.key for record in records} == {b"learner-0"}


async def test_a_second_worker_takes_tasks_over_without_loss_or_repetition(lab: Lab) -> None:
    await lab.create(partitions=4)
    await lab.send(400)

    async def work(_event: LabEvent, _context: Context) -> None:
        await asyncio.sleep(0.02)

    async with lab.engine(work) as first:
        await until(lambda: lab.handled.total() > 50, "the first worker to be at work")
        async with lab.engine(work) as second:
            await lab.send(400)
            await until(lambda: not first.reasons() and not second.reasons(), "both workers to be ready")
            await lab.outputs_complete()
    assert set(lab.handled.values()) == {1}, "an event was handled twice over a rebalance"


async def test_a_zombie_is_fenced_and_publishes_nothing(lab: Lab) -> None:
    """Somebody else starts a producer with the task's transactional id; the worker notices, rejoins and goes on."""
    await lab.create(partitions=1)
    await lab.send(10)
    go = asyncio.Event()

    async def wait_for_go(event: LabEvent, _context: Context) -> None:
        if event.n >= 10:
            await go.wait()

    async with lab.engine(wait_for_go) as engine:
        await lab.read(lab.out, 10)
        await lab.send(10)
        await until(lambda: lab.handled[10] == 1, "the second batch to be in flight")
        usurper = lab.connection.producer(transactional_id=f"{lab.group}-0")
        await usurper.start()
        await usurper.stop()
        go.set()
        await lab.outputs_complete()
        await until(lambda: not engine.reasons(), "the worker to be ready again")


async def test_a_missing_output_topic_holds_everything_back_until_it_exists(lab: Lab) -> None:
    await lab.create(without=(lab.out,))
    await lab.send(20)
    async with lab.engine() as engine:
        await until(lambda: bool(engine.reasons()) and lab.out in engine.reasons()[0], "the reason on /readyz")
        assert not lab.handled
        await lab.create(without=tuple(topic for topic in lab.topics if topic != lab.out))
        await lab.outputs_complete()


async def test_a_shutdown_finishes_what_is_in_a_handler_and_leaves_the_rest_untouched(lab: Lab) -> None:
    await lab.create()
    await lab.send(200, keys=200)

    async def work(_event: LabEvent, _context: Context) -> None:
        await asyncio.sleep(0.05)

    async with lab.engine(work, dataclasses.replace(FAST, max_in_flight=8)):
        await until(lambda: lab.handled.total() >= 20, "the engine to be in the middle of it")
    before = lab.handled.total()
    assert before < 200
    assert len(await lab.read(lab.out, before)) == before, "an event that was begun was not published"
    async with lab.engine():
        await lab.outputs_complete()
    assert set(lab.handled.values()) == {1}


async def test_the_broker_goes_away_and_comes_back(lab: Lab, kafka: KafkaUnderTest) -> None:
    """Longer than a transaction may last: what was finished meanwhile is published when the broker is back."""
    await lab.create()
    await lab.send(200)

    async def work(_event: LabEvent, _context: Context) -> None:
        await asyncio.sleep(0.05)

    async with lab.engine(work) as engine:
        await until(lambda: lab.handled.total() > 40, "the engine to be at work")
        async with kafka.outage():
            await asyncio.sleep(FAST.transaction_timeout_seconds + 2)
        await lab.outputs_complete()
        await until(lambda: not engine.reasons(), "the worker to be ready again")


async def test_an_input_whose_partition_count_changed_is_refused_at_start_with_the_remedy(
    lab: Lab, tmp_path: Path
) -> None:
    """State was made for two partitions, the input has three: a learner's state would lie in the wrong place."""
    lab.state_dir = tmp_path / "state"
    internal = tuple(topic for topic in lab.topics if topic.startswith(lab.group))
    await lab.create(partitions=2, without=tuple(topic for topic in lab.topics if topic not in internal))
    await lab.create(partitions=3, without=internal)
    await lab.send(5)
    async with lab.engine() as engine:
        await until(lambda: "one partition count" in str(engine.reasons()), "the reason on /readyz")
        (reason,) = engine.reasons()
    assert f"{lab.topic} has 3, {lab.group}-repartition has 2, {lab.group}-state has 2" in reason
    assert f"delete {', '.join(internal)} and run `pathstream topics create`" in reason
    assert not lab.handled
