"""The service in this process around its topics: a worker with settings of the test's own, and seed 004's event."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import ConsumerRecord

from consumers.app import Worker
from consumers.settings import Settings
from consumers.topics import LEARNING_GOAL, LEARNING_PATH, dead_letter_topic
from tests.integration.lab import Lab
from tests.kafka import KafkaUnderTest

DEAD_LETTERS = dead_letter_topic(LEARNING_GOAL)


def goal_event(learner: str = "u1", **changes: Any) -> dict[str, Any]:
    """Seed 004's event."""
    return {
        "eventId": f"evt-{learner}",
        "eventType": "LEARNING_GOAL",
        "eventData": {
            "learningGoal": "Learn Python programming",
            "currentLevel": "beginner",
            "preferences": {"format": "video", "topics": ["basics", "OOP"]},
            "availableTime": "2 hours/day",
        },
        "userId": learner,
        "metadata": {"source": "test", "version": "1.0.0"},
    } | changes


class Service:
    """A worker under test and the topics around it."""

    def __init__(self, kafka: KafkaUnderTest) -> None:
        self._lab = Lab(kafka.connection)
        self._connection = kafka.connection

    async def send(self, value: bytes | dict[str, Any] | None, key: bytes | None = b"u1", headers: Any = ()) -> None:
        producer = self._connection.producer(max_request_size=2**24)
        async with producer:
            raw = json.dumps(value).encode() if isinstance(value, dict) else value
            await producer.send_and_wait(LEARNING_GOAL, raw, key=key, headers=list(headers))

    async def read(self, topic: str, count: int = 1) -> list[ConsumerRecord]:
        return await self._lab.read(topic, count, seconds=40)

    async def path(self) -> dict[str, Any]:
        """The one learning path that came out."""
        (record,) = await self.read(LEARNING_PATH)
        path: dict[str, Any] = json.loads(record.value)
        return path


@asynccontextmanager
async def working(kafka: KafkaUnderTest, content_url: str, **changes: Any) -> AsyncIterator[tuple[Worker, Service]]:
    """A worker in this process."""
    settings = Settings(
        kafka_bootstrap_servers=kafka.bootstrap_servers,
        content_service_base_url=content_url,
        http_port=0,
        commit_interval_ms=20,
        **changes,
    )
    async with Worker(settings) as worker:
        yield worker, Service(kafka)
