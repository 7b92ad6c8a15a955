"""The exam flow in this process around its topics, with a model on loopback that keeps a ledger."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import ConsumerRecord
from pydantic import SecretStr

from clients.kafka import Connection
from consumers.topics import EVALUATION, EXAM_SUBMITTED, dead_letter_topic
from tests.gemini_server import GeminiServer
from tests.integration.lab import Lab
from tests.integration.service import working
from tests.kafka import KafkaUnderTest

DEAD_LETTERS = dead_letter_topic(EXAM_SUBMITTED)


class Exams:
    """Sends submissions, reads evaluations."""

    def __init__(self, connection: Connection) -> None:
        self._lab = Lab(connection)
        self._connection = connection

    async def send(self, value: dict[str, Any] | bytes, key: bytes | None = None, headers: Any = ()) -> None:
        """Send a submission under its student's id."""
        raw = value if isinstance(value, bytes) else json.dumps(value).encode()
        if key is None and isinstance(value, dict):
            key = value.get("student_id", "s1").encode()
        async with self._connection.producer(max_request_size=2**24) as producer:
            await producer.send_and_wait(EXAM_SUBMITTED, raw, key=key, headers=list(headers))

    async def read(self, topic: str, count: int = 1, seconds: float = 40) -> list[ConsumerRecord]:
        """At least `count` records of a topic."""
        return await self._lab.read(topic, count, seconds=seconds)

    async def evaluations(self, count: int = 1, seconds: float = 40) -> list[dict[str, Any]]:
        """All evaluations, at least `count`."""
        return [json.loads(record.value) for record in await self.read(EVALUATION, count, seconds)]

    async def replay(self, letter: ConsumerRecord) -> None:
        """Send a dead letter back as `pathstream dlq replay` does: its bytes, its key, where it first stood."""
        kept = [(name, value) for name, value in letter.headers if name.startswith("kafka_dlt-original")]
        await self.send(letter.value, key=letter.key, headers=kept)


@asynccontextmanager
async def grading(
    kafka: KafkaUnderTest, content_url: str = "http://127.0.0.1:1", gemini: GeminiServer | None = None, **changes: Any
) -> AsyncIterator[Exams]:
    """A worker that grades exams, by the model behind `gemini` or offline."""
    settings: dict[str, Any] = {}
    if gemini is not None:
        settings = {
            "llm_provider": "gemini",
            "GOOGLE_API_KEY": SecretStr("test-key"),
            "llm_base_url": gemini.base_url,
            "llm_timeout_seconds": 5.0,
            "on_llm_failure": "dead_letter",
        }
    async with working(kafka, content_url, **(settings | changes)):
        yield Exams(kafka.connection)
