"""What should never happen to an engine and does: each costs one event, one partition or a pause, and nothing else."""

import asyncio
import dataclasses
from pathlib import Path
from typing import NoReturn

import pytest
import structlog
from aiokafka import TopicPartition
from aiokafka.admin import NewPartitions

from clients.cluster import Cluster
from clients.embedded_kafka import EmbeddedKafka
from clients.embedded_kafka.codes import Code, RefusedError
from clients.embedded_kafka.group import Group
from clients.group import request_rejoin
from clients.kafka import Connection
from consumers.engine.context import Context
from producers.transaction import TransactionalProducer
from tests.integration.lab import FAST, Lab, LabEvent, until
from tests.integration.test_state import count_events, counts_in
from tests.kafka import RealKafka


@pytest.fixture
def lab(connection: Connection) -> Lab:
    return Lab(connection)


async def test_a_record_too_large_to_be_forwarded_is_a_dead_letter_and_the_next_goes_through(lab: Lab) -> None:
    await lab.create(partitions=1, repartition={"max.message.bytes": "2000"})
    big = b'{"userId": "learner-0", "eventId": "big", "n": 99, "metadata": {"x": "%s"}}' % (b"y" * 1_900)
    await lab.send_raw(big, key=None)
    await lab.send(3, keyed=False)
    async with lab.engine():
        (letter,) = await lab.read(f"{lab.topic}.dlq", 1)
        await lab.outputs_complete()
    assert letter.value == big


async def test_a_stranger_in_the_repartition_topic_is_a_dead_letter(lab: Lab) -> None:
    await lab.create(partitions=1)
    async with lab.connection.producer() as producer:
        await producer.send_and_wait(f"{lab.group}-repartition", b"not ours", key=b"k")
    await lab.send(3)
    async with lab.engine():
        await lab.outputs_complete()
        (letter,) = await lab.read(f"{lab.topic}.dlq", 1)
    assert dict(letter.headers)["kafka_dlt-original-topic"] == f"{lab.group}-repartition".encode()


async def test_a_handler_that_ends_cancelled_by_itself_is_a_bug_and_keeps_its_worker(lab: Lab) -> None:
    await lab.create(partitions=1)
    await lab.send(6, keys=2)

    async def awaits_a_cancelled_future(event: LabEvent, _context: Context) -> None:
        if event.n == 2:
            gone = asyncio.get_running_loop().create_future()
            gone.cancel()
            await gone

    async with lab.engine(awaits_a_cancelled_future, dataclasses.replace(FAST, max_in_flight=1)):
        (letter,) = await lab.read(f"{lab.topic}.dlq", 1)
        records = await lab.read(lab.out, 5)
    assert dict(letter.headers)["pathstream-error-code"] == b"UNEXPECTED"
    assert sorted(int(record.value) for record in records) == [0, 1, 3, 4, 5]


async def test_work_of_a_task_that_somebody_else_went_on_with_is_dropped(lab: Lab) -> None:
    """Another owner takes the task, commits half of what is in flight here, and goes away again."""
    await lab.create(partitions=1)
    await lab.send(10)
    go, never = asyncio.Event(), asyncio.Event()

    async def hold(event: LabEvent, _context: Context) -> None:
        if 10 <= event.n < 20 and lab.handled[event.n] == 1:
            try:
                await (go if event.n == 19 else never).wait()
            except asyncio.CancelledError:
                return  # a handler that swallows its cancellation: its worker has to live on all the same

    async with lab.engine(hold, dataclasses.replace(FAST, max_in_flight=10)) as engine:
        await lab.read(lab.out, 10)
        await lab.send(10)
        await until(lambda: lab.handled.total() == 20, "the second ten to be in flight")
        async with Cluster(lab.connection) as cluster:
            other = TransactionalProducer(cluster, f"{lab.group}-0", timeout_seconds=5)
            await other.start()
            await other.commit([], {TopicPartition(lab.topic, 0): (15, "")}, lab.group)
        go.set()  # its result is refused, and that tells the worker
        await lab.send(1)
        await lab.read(lab.out, 16)
        await until(lambda: not engine.reasons(), "the worker to be ready again")
        numbers = sorted(int(record.value) for record in await lab.read(lab.out, 16))
    assert numbers == [*range(10), *range(15, 21)], "what the other owner had done was published here too"


async def test_a_partition_that_cannot_be_read_is_named_and_costs_no_other(embedded_kafka: EmbeddedKafka) -> None:
    """A damaged batch in partition 1; thousands of events in partition 0 go through."""
    lab = Lab.embedded(embedded_kafka)
    await lab.create(partitions=2)
    await lab.send(4_000, keys=50)
    damaged = embedded_kafka._parts.topics.partition(lab.topic, 1)
    whole = damaged.end_offset
    readable = embedded_kafka._parts.topics.partition(lab.topic, 0).end_offset
    assert 0 < readable < 4_000
    first = damaged._batches[0]
    damaged._batches[0] = dataclasses.replace(first, data=first.data[:17] + bytes(4) + first.data[21:])
    async with lab.engine() as engine:
        records = await lab.read(lab.out, readable)
        await until(lambda: any("cannot be read" in reason for reason in engine.reasons()), "the reason on /readyz")
        assert f"{lab.topic}-1" in "".join(engine.reasons())
        damaged._batches[0] = first
        records = await lab.read(lab.out, readable + whole)
        await until(lambda: not engine.reasons(), "the worker to be ready again")
    assert len({record.value for record in records}) == len(records) == 4_000


async def test_an_input_that_gets_more_partitions_while_running_is_named_with_its_remedy(
    real_kafka: RealKafka,
) -> None:
    lab = Lab(Connection(bootstrap_servers=real_kafka.bootstrap_servers))
    await lab.create(partitions=2)
    await lab.send(20)
    async with lab.engine() as engine:
        await lab.outputs_complete()
        admin = lab.connection.admin()
        await admin.start()
        await admin.create_partitions({lab.topic: NewPartitions(total_count=4)})
        await admin.close()
        assert engine._session is not None
        await engine._session._consumer._client.force_metadata_update()
        await until(lambda: "partition count" in "".join(engine.reasons()), "the reason on /readyz")


async def test_a_stop_is_heard_before_the_group_has_settled(lab: Lab) -> None:
    """Another member of the group takes its time; a worker that is still joining stops at once."""
    await lab.create()
    slow = lab.connection.consumer(lab.topic, group_id=lab.group, session_timeout_ms=30_000)
    async with slow:
        await slow.getmany(timeout_ms=100)
        started = asyncio.get_running_loop().time()
        async with lab.engine():
            await asyncio.sleep(0)
        assert asyncio.get_running_loop().time() - started < FAST.shutdown_seconds


async def test_a_restore_that_fails_leaves_the_task_inactive_until_it_works(
    embedded_kafka: EmbeddedKafka, tmp_path: Path
) -> None:
    """A damaged changelog: never with empty state, but with a reason on /readyz, and again and again."""
    lab = Lab.embedded(embedded_kafka, state_dir=tmp_path / "first")
    await lab.create(partitions=1)
    await lab.send(20, keys=2)
    async with lab.engine(count_events):
        await lab.read(lab.out, 40)
    changelog = embedded_kafka._parts.topics.partition(f"{lab.group}-state", 0)
    whole = changelog._batches[0]
    changelog._batches[0] = dataclasses.replace(whole, data=whole.data[:17] + bytes(4) + whole.data[21:])
    lab.state_dir = tmp_path / "empty"
    await lab.send(20, keys=2)
    async with lab.engine(count_events) as engine:
        await until(lambda: any("CorruptRecord" in reason for reason in engine.reasons()), "the reason on /readyz")
        assert lab.handled.total() == 20
        changelog._batches[0] = whole
        assert await counts_in(lab, 40) == {number: number // 2 + 1 for number in range(40)}
        await until(lambda: not engine.reasons(), "the worker to be ready")


async def test_a_heartbeat_that_is_refused_as_no_other_before_costs_a_session_and_not_the_worker(
    embedded_kafka: EmbeddedKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    """aiokafka ends its heartbeats with an error, for good, and goes on with everything else."""
    lab, go = Lab.embedded(embedded_kafka), asyncio.Event()
    await lab.create(partitions=2)

    def refused(*_: object, **__: object) -> NoReturn:
        raise RefusedError(Code.INVALID_GROUP_ID)

    async def hold(_event: LabEvent, _context: Context) -> None:
        await go.wait()

    async with lab.engine(hold) as engine:
        await lab.send(20, keys=20)
        await until(lambda: lab.handled.total() == 20, "all to be in flight")
        first = engine._session
        with monkeypatch.context() as group:
            group.setattr(Group, "heartbeat", refused)
            await until(lambda: engine._session is not first, "another session")
        go.set()
        await lab.outputs_complete()
        await until(lambda: not engine.reasons(), "the worker to be ready")


class BrokenPipe:
    """A log's last processor; what reads the log has gone away at the first rebalance, for one line."""

    def __init__(self) -> None:
        self.is_broken = False

    def __call__(self, _logger: object, _method: str, event: structlog.typing.EventDict) -> NoReturn:
        if event["event"] == "tasks.revoked" and self.is_broken:
            self.is_broken = False
            raise BrokenPipeError
        raise structlog.DropEvent


async def test_a_rebalance_that_fails_in_the_middle_ends_the_session_and_not_the_worker(lab: Lab) -> None:
    """aiokafka would go on as if nothing had been, with tasks that nobody has left and that are then driven twice."""
    await lab.create(partitions=2)
    await lab.send(20)
    pipe, go = BrokenPipe(), asyncio.Event()
    structlog.configure(processors=[pipe])

    async def hold(event: LabEvent, _context: Context) -> None:
        if event.n >= 20:
            await go.wait()

    try:
        async with lab.engine(hold) as engine:
            await lab.read(lab.out, 20)
            await lab.send(20)
            await until(lambda: lab.handled.total() == 30, "the second twenty to be in flight")
            first, pipe.is_broken = engine._session, True
            assert first is not None
            request_rejoin(first._consumer)
            await until(lambda: engine._session is not first, "another session")
            go.set()
            await lab.outputs_complete()
            await until(lambda: not engine.reasons(), "the worker to be ready")
            drivers = [task for task in asyncio.all_tasks() if "Driver._drive" in repr(task.get_coro())]
            assert len(drivers) == 2, "a task is driven twice"
    finally:
        structlog.reset_defaults()
