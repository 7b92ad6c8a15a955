"""Workers with KAFKA_GROUP_INSTANCE_ID on a real Kafka: a restart moves nothing, and no two share a place."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from time import time
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from prometheus_client import CollectorRegistry

from clients.cluster import Cluster
from clients.content_service_stub import ContentServiceStub
from clients.kafka import Connection
from consumers.engine.limits import Limits
from consumers.engine.loop import Engine
from consumers.observability import Metrics
from consumers.topics import LEARNING_GOAL, LEARNING_PATH
from schemas.errors import InstanceTakenError
from tests.integration.conftest import make_service_topics
from tests.integration.handlers import Hold
from tests.integration.lab import FAST, Handler, Lab, until
from tests.integration.service import goal_event
from tests.integration.workers import WorkerProcess
from tests.kafka import RealKafka, free_port

PARTITIONS = 6
LEARNERS = 60
USUAL_WAIT_SECONDS = 0.5
"""What an event may take on a busy machine without any restart."""


def worker_of(kafka: RealKafka, folder: Path, content_url: str, *, instance_id: str, name: str) -> WorkerProcess:
    settings = {
        "KAFKA_GROUP_INSTANCE_ID": instance_id,
        "CONTENT_SERVICE_BASE_URL": content_url,
        "COMMIT_INTERVAL_MS": "50",
        "STATE_DIR": str(folder / "state"),
    }
    return WorkerProcess(kafka.bootstrap_servers, folder / f"{name}.log", free_port(), settings)


@contextmanager
def closing(workers: list[WorkerProcess]) -> Iterator[list[WorkerProcess]]:
    try:
        yield workers
    finally:
        for worker in workers:
            worker.close()


def assignments(worker: WorkerProcess) -> dict[str, list[list[int]]]:
    """Every assignment of tasks that the worker's log tells of, by flow."""
    lines = [json.loads(line) for line in worker.log.splitlines() if '"tasks.assigned"' in line]
    flows = {line["flow"] for line in lines}
    return {flow: [line["tasks"] for line in lines if line["flow"] == flow] for flow in flows}


@asynccontextmanager
async def steady_load(connection: Connection) -> AsyncIterator[list[float]]:
    """Learning goals, one every ten milliseconds, until the block ends; gives the times they were sent."""
    sent: list[float] = []
    stop = asyncio.Event()

    async def send() -> None:
        async with connection.producer() as producer:
            while not stop.is_set():
                learner = f"learner-{len(sent) % LEARNERS}"
                event = goal_event(learner, eventId=f"e-{len(sent)}")
                await producer.send_and_wait(LEARNING_GOAL, json.dumps(event).encode(), key=learner.encode())
                sent.append(time())
                await asyncio.sleep(0.01)

    async with asyncio.TaskGroup() as group:
        group.create_task(send())
        try:
            yield sent
        finally:
            stop.set()


@pytest.mark.real_kafka
@pytest.mark.timeout(180)
async def test_a_rolling_restart_under_load_moves_no_partition_and_holds_no_event_up(
    real_kafka: RealKafka, tmp_path: Path, content: ContentServiceStub
) -> None:
    """Three workers are restarted one after the other while learning goals keep coming."""
    connection = Connection(bootstrap_servers=real_kafka.bootstrap_servers)
    await make_service_topics(connection, partitions=PARTITIONS)
    names = ("one", "two", "three")
    with closing(
        [worker_of(real_kafka, tmp_path, content.base_url, instance_id=name, name=name) for name in names]
    ) as workers:
        for worker in workers:
            worker.start()
        for worker in workers:
            await asyncio.to_thread(worker.wait_until_ready)
        before = [assignments(worker) for worker in workers]
        flows = set.union(*(set(of_worker) for of_worker in before))
        for flow in flows:
            assert sorted(task for of_worker in before for task in of_worker[flow][-1]) == list(range(PARTITIONS))
        longest_restart = 0.0
        async with steady_load(connection) as sent:
            for worker in workers:
                begun = time()
                worker.terminate()
                assert await asyncio.to_thread(worker.wait) == 0
                worker.start()
                await asyncio.to_thread(worker.wait_until_ready)
                longest_restart = max(longest_restart, time() - begun)
        for worker, earlier in zip(workers, before, strict=True):
            later = {flow: tasks[len(earlier[flow]) :] for flow, tasks in assignments(worker).items()}
            assert later == {flow: [earlier[flow][-1]] for flow in flows}, worker.log
        paths = await Lab(connection).read(LEARNING_PATH, len(sent))
    assert sorted(json.loads(path.value)["source_event_id"] for path in paths) == sorted(
        f"e-{number}" for number in range(len(sent))
    )
    waits = [
        path.timestamp / 1000 - sent[int(json.loads(path.value)["source_event_id"].removeprefix("e-"))]
        for path in paths
    ]
    print(f"longest restart {longest_restart:.1f} s, longest wait {max(waits):.1f} s, {len(sent)} events")
    assert max(waits) <= longest_restart + USUAL_WAIT_SECONDS


@pytest.mark.real_kafka
@pytest.mark.timeout(120)
async def test_of_two_workers_with_one_instance_id_the_older_one_ends_and_says_why(
    real_kafka: RealKafka, tmp_path: Path, content: ContentServiceStub
) -> None:
    connection = Connection(bootstrap_servers=real_kafka.bootstrap_servers)
    await make_service_topics(connection, partitions=PARTITIONS)
    with closing(
        [worker_of(real_kafka, tmp_path, content.base_url, instance_id="same", name=name) for name in ("old", "new")]
    ) as (old, new):
        old.start()
        await asyncio.to_thread(old.wait_until_ready)
        new.start()
        assert await asyncio.to_thread(old.wait) == 1
        last_line = old.log.splitlines()[-1]
        assert last_line.startswith("pathstream: KAFKA_GROUP_INSTANCE_ID: another process has joined"), last_line
        await asyncio.to_thread(new.wait_until_ready)
        event = json.dumps(goal_event("u1")).encode()
        async with connection.producer() as producer:
            await producer.send_and_wait(LEARNING_GOAL, event, key=b"u1")
        await Lab(connection).read(LEARNING_PATH, 1)
        assert new.running


async def test_of_two_that_start_together_under_one_instance_id_one_ends_and_one_works(connection: Connection) -> None:
    """Neither has a place that the other could take when they begin."""
    lab = Lab(connection)
    await lab.create(partitions=6)
    async with Cluster(connection) as cluster:
        engines = [same_engine(lab, cluster) for _ in range(2)]
        stop = asyncio.Event()
        running = [asyncio.ensure_future(engine.run(stop)) for engine in engines]
        (loser,), (winner,) = await asyncio.wait(running, timeout=30, return_when=asyncio.FIRST_COMPLETED)
        with pytest.raises(InstanceTakenError):
            await loser
        await lab.send(20)
        await lab.outputs_complete()
        stop.set()
        await winner


async def test_a_worker_that_is_replaced_while_it_stops_leaves_its_place_to_the_other(connection: Connection) -> None:
    """An orchestrator that starts the next process before the last one has ended."""
    lab, hold = Lab(connection), Hold()
    await lab.create(partitions=6)
    async with Cluster(connection) as cluster:
        old, new = same_engine(lab, cluster, hold), same_engine(lab, cluster)
        stop_old, stop_new = asyncio.Event(), asyncio.Event()
        old_runs = asyncio.ensure_future(old.run(stop_old))
        await until(lambda: not old.reasons(), "the old one to be ready")
        await lab.send(10)
        await until(lambda: lab.handled.total() == 10, "all to be in their handlers")
        stop_old.set()
        new_runs = asyncio.ensure_future(new.run(stop_new))
        await lab.outputs_complete()
        await old_runs
        await lab.send(10)
        await lab.outputs_complete()
        stop_new.set()
        await new_runs


def same_engine(lab: Lab, cluster: Cluster, handler: Handler | None = None, limits: Limits = FAST) -> Engine:
    return Engine(
        lab.flow(handler),
        connection=lab.connection,
        cluster=cluster,
        limits=limits,
        metrics=Metrics(CollectorRegistry()),
        group_instance_id="same",
    )


class SlowToLeave(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka has no types
    """A member that holds every rebalance up until it is told to go on."""

    def __init__(self) -> None:
        self.is_asked, self.may_leave = asyncio.Event(), asyncio.Event()

    async def on_partitions_revoked(self, revoked: list[TopicPartition]) -> None:
        if revoked:
            self.is_asked.set()
            await self.may_leave.wait()

    async def on_partitions_assigned(self, assigned: list[TopicPartition]) -> None:
        pass

    async def lets_go_once(self) -> None:
        await asyncio.wait_for(self.is_asked.wait(), 20)
        self.is_asked.clear()
        self.may_leave.set()
        await asyncio.sleep(0)
        self.may_leave.clear()


async def test_a_worker_that_is_replaced_amid_a_rebalance_ends_too(connection: Connection) -> None:
    """It has asked to join and waits for a slow member when another process takes its place."""
    lab = Lab(connection)
    await lab.create(partitions=6)
    topics, slow = [lab.topic, f"{lab.group}-repartition"], SlowToLeave()
    async with member(lab) as first, member(lab) as third, member(lab, group_instance_id="same") as newer:
        first.subscribe(topics, listener=slow)
        await until(lambda: bool(first.assignment()), "the slow member to have its partitions")
        async with Cluster(connection) as cluster:
            older = same_engine(lab, cluster)
            ended = asyncio.ensure_future(older.run(asyncio.Event()))
            await slow.lets_go_once()
            await until(lambda: not older.reasons(), "the older one to be ready")
            third.subscribe(topics)
            await asyncio.wait_for(slow.is_asked.wait(), 20)
            await until(lambda: bool(older.reasons()), "the older one to wait for the slow member")
            newer.subscribe(topics)
            with pytest.raises(InstanceTakenError):
                await asyncio.wait_for(ended, 30)
        slow.may_leave.set()
        await until(lambda: bool(newer.assignment()), "the newer one to have the place")


def member(lab: Lab, **options: Any) -> AIOKafkaConsumer:
    times = {"session_timeout_ms": 10_000, "heartbeat_interval_ms": 200, "rebalance_timeout_ms": 60_000}
    return lab.connection.consumer(group_id=lab.group, **times, **options)
