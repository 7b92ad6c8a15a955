"""Promise 1 under fire: real workers on a real Kafka, killed and frozen at random, read by librdkafka."""

import asyncio
import json
import os
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError

from clients.content_service_stub import ContentServiceStub
from clients.kafka import Connection
from consumers.topics import LEARNING_GOAL, LEARNING_PATH
from tests.integration.conftest import make_service_topics
from tests.integration.workers import WorkerProcess
from tests.kafka import RealKafka, free_port

EVENTS = int(os.environ.get("PATHSTREAM_CHAOS_EVENTS", "20000"))
LEARNERS = 500
WORKERS = 3
TICK_SECONDS = 0.1
EVENTS_A_TICK = max(1, EVENTS // 450)  # so that the faults fall into the middle of the work
FREEZE_SECONDS = 13.0  # past the session timeout of 10 s: the group gives the frozen worker's tasks away

Coordinate = tuple[int, int]
Fault = Callable[[WorkerProcess], Coroutine[Any, Any, None]]


class Outputs:
    """What a `read_committed` consumer that is not ours has seen of `learning_path`."""

    def __init__(self, bootstrap_servers: str) -> None:
        self.by_learner: dict[str, list[Coordinate]] = defaultdict(list)
        self.count = 0
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap_servers,
                "group.id": f"reader-{random.getrandbits(32):x}",
                "isolation.level": "read_committed",
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
            }
        )
        self._consumer.subscribe([LEARNING_PATH])

    async def follow(self) -> None:
        """Read until cancelled."""
        try:
            while True:
                for message in await asyncio.to_thread(self._consumer.consume, 500, 0.2):
                    error = message.error()
                    if error is not None:
                        assert error.retriable() or error.code() == KafkaError._ALL_BROKERS_DOWN, error
                        continue
                    headers = dict(message.headers())
                    source = (int(headers["source-partition"]), int(headers["source-offset"]))
                    self.by_learner[message.key().decode()].append(source)
                    self.count += 1
        finally:
            self._consumer.close()

    async def until(self, count: int, seconds: float) -> None:
        """Wait until so many outputs are there."""
        deadline = asyncio.get_running_loop().time() + seconds
        while self.count < count:
            assert asyncio.get_running_loop().time() < deadline, f"{self.count} of {count} outputs"
            await asyncio.sleep(0.2)


async def send_events(connection: Connection, count: int) -> None:
    """Learning goals of LEARNERS learners, in turn."""
    producer = connection.producer(linger_ms=5)
    await producer.start()
    try:
        sends = []
        for number in range(count):
            if number % EVENTS_A_TICK == 0:
                await asyncio.sleep(TICK_SECONDS)
            learner = f"learner-{number % LEARNERS}"
            data = {"learningGoal": "Learn Python programming", "availableTime": "2 hours/day"}
            event = {"eventId": f"e-{number}", "userId": learner, "eventData": data}
            sends.append(await producer.send(LEARNING_GOAL, json.dumps(event).encode(), key=learner.encode()))
        await asyncio.gather(*sends)
    finally:
        await producer.stop()


@asynccontextmanager
async def running_workers(bootstrap_servers: str, folder: Path, content_url: str) -> AsyncIterator[list[WorkerProcess]]:
    """WORKERS ready workers."""
    settings = {"CONTENT_SERVICE_BASE_URL": content_url, "MAX_IN_FLIGHT": "64", "LOG_LEVEL": "WARNING"}
    workers = [
        WorkerProcess(bootstrap_servers, folder / f"worker-{n}.log", free_port(), settings) for n in range(WORKERS)
    ]
    try:
        for worker in workers:
            worker.start()
        await asyncio.gather(*(asyncio.to_thread(worker.wait_until_ready) for worker in workers))
        yield workers
    finally:
        for worker in workers:
            worker.close()


async def kill_and_restart(worker: WorkerProcess) -> None:
    await asyncio.to_thread(worker.kill)
    await asyncio.sleep(1)
    worker.start()


async def freeze_and_thaw(worker: WorkerProcess) -> None:
    worker.freeze()
    await asyncio.sleep(FREEZE_SECONDS)
    worker.thaw()


@pytest.mark.real_kafka
@pytest.mark.timeout(400)
async def test_killed_and_frozen_workers_lose_repeat_and_disorder_nothing(
    real_kafka: RealKafka, tmp_path: Path, content: ContentServiceStub
) -> None:
    """20,000 events of 500 learners, 3 workers, kill -9 and freezes past the session timeout, in random order."""
    seed = int(os.environ.get("PATHSTREAM_CHAOS_SEED", random.randrange(10**6)))
    print(f"PATHSTREAM_CHAOS_SEED={seed}")
    chance = random.Random(seed)
    connection = Connection(bootstrap_servers=real_kafka.bootstrap_servers)
    await make_service_topics(connection, partitions=12)
    outputs = Outputs(real_kafka.bootstrap_servers)
    async with asyncio.TaskGroup() as group:
        following = group.create_task(outputs.follow())
        async with running_workers(real_kafka.bootstrap_servers, tmp_path, content.base_url) as workers:
            sending = group.create_task(send_events(connection, EVENTS))
            await outputs.until(EVENTS // 50, 60)
            faults: list[Fault] = [*[kill_and_restart] * 3, *[freeze_and_thaw] * 2]
            chance.shuffle(faults)
            for fault in faults:
                assert outputs.count < EVENTS, "all was done before the faults were"
                worker = chance.choice(workers)
                print(f"{fault.__name__} of worker {workers.index(worker)} after {outputs.count} outputs")
                await fault(worker)
                await asyncio.sleep(chance.uniform(0.5, 2))
            await sending
            await outputs.until(EVENTS, 240)
            await asyncio.sleep(2)  # room for a repeated record to show up
            assert all(worker.running for worker in workers), "a fenced worker ended instead of going on"
        following.cancel()
    seen = [source for sources in outputs.by_learner.values() for source in sources]
    assert len(set(seen)) == EVENTS, f"lost {EVENTS - len(set(seen))}"
    assert len(seen) == EVENTS, f"duplicated {len(seen) - len(set(seen))}"
    assert all(sources == sorted(sources) for sources in outputs.by_learner.values()), "out of order"
