"""The skills-gap flow from outside: what its neighbours send and read, and a worker with a model on loopback."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import ConsumerRecord

from consumers.app import Worker
from consumers.settings import Settings
from consumers.topics import (
    APPROVAL_DECISION,
    APPROVAL_REQUESTED,
    COMPANY_UPDATED,
    DISTRIBUTION,
    LEARNING_PATH,
    PATH_PROGRESS,
    SKILLS_GAP_GROUP,
    SKILLS_GAP_UPDATED,
    dead_letter_topic,
)
from tests.integration.lab import Lab
from tests.kafka import KafkaUnderTest

COMPETENCY = "React Development"
FRONT_END = {"Front End": ["MGS_Hooks", "MGS_Grid"], "Tools": ["MGS_Bundler"]}
OUTPUTS = (LEARNING_PATH, DISTRIBUTION, APPROVAL_REQUESTED, PATH_PROGRESS)
DEAD_GAPS, DEAD_DECISIONS = dead_letter_topic(SKILLS_GAP_UPDATED), dead_letter_topic(APPROVAL_DECISION)


def gap_event(learner: str = "kim", event_id: str | None = None, **changes: Any) -> dict[str, Any]:
    """Seed 000's payload."""
    return {
        "eventId": event_id,
        "action": "update_skills_gap",
        "user_id": learner,
        "user_name": learner.title(),
        "company_id": "techcorp",
        "company_name": "TechCorp Inc.",
        "competency_target_name": COMPETENCY,
        "exam_status": None,
        "gap": FRONT_END,
    } | changes


class GapLab:
    """A broker with the service's topics, as the flow's neighbours see it."""

    def __init__(self, kafka: KafkaUnderTest) -> None:
        self._lab = Lab(kafka.connection)
        self.connection = kafka.connection

    async def send(self, topic: str, *values: bytes | dict[str, Any] | None, key: str | None = None) -> None:
        """Records under their learner's id, or their company's, or `key`."""
        async with self.connection.producer(max_request_size=2**24) as producer:
            for value in values:
                whose = key or (value.get("user_id") or value["company_id"] if isinstance(value, dict) else "kim")
                raw = json.dumps(value).encode() if isinstance(value, dict) else value
                await producer.send_and_wait(topic, raw, key=whose.encode())

    async def gap(self, *events: dict[str, Any]) -> None:
        await self.send(SKILLS_GAP_UPDATED, *events)

    async def decide(self, request: dict[str, Any], decision: str, **changes: Any) -> None:
        answer = {name: request[name] for name in ("approval_id", "user_id", "competency_target_name")}
        await self.send(APPROVAL_DECISION, answer | {"decision": decision, **changes})

    async def company(self, policy: str, **changes: Any) -> None:
        await self.send(COMPANY_UPDATED, {"company_id": "techcorp", "approval_policy": policy} | changes)

    async def read(self, topic: str, count: int, seconds: float = 40) -> list[dict[str, Any]]:
        """At least `count` committed records, and all that are there."""
        return [json.loads(record.value) for record in await self._lab.read(topic, count, seconds)]

    async def letters(self, topic: str, count: int) -> list[str]:
        """The codes of at least `count` dead letters."""
        records = await self._lab.read(topic, count, 40)
        return [dict(record.headers)["pathstream-error-code"].decode() for record in records]

    async def journaled(self, count: int) -> None:
        """Wait until exactly so many finished steps of unfinished events are committed."""
        left: set[bytes] = set()
        async with self._lab.reader(f"{SKILLS_GAP_GROUP}-state") as changelog:
            while len(left) != count:
                for records in (await changelog.getmany(timeout_ms=100)).values():
                    for record in records:
                        _note(record, left)

    async def everything(self) -> dict[str, list[Any]]:
        """All that came out, topic by topic, save for the times."""
        found: dict[str, list[Any]] = {}
        for topic in (*OUTPUTS, DEAD_GAPS, DEAD_DECISIONS):
            records = await self._lab.read(topic, 0)
            found[topic] = [(_timeless(json.loads(record.value)), _headers(record)) for record in records]
        return found


def _note(record: ConsumerRecord[Any, Any], left: set[bytes]) -> None:
    if record.key.startswith(b"j"):
        (left.add if record.value is not None else left.discard)(record.key)


def _timeless(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name != "at" and not name.endswith("_at")}


def _headers(record: ConsumerRecord[Any, Any]) -> dict[str, bytes]:
    return {name: value for name, value in record.headers if name != "kafka_dlt-original-timestamp"}


@asynccontextmanager
async def gap_worker(kafka: KafkaUnderTest, **settings: Any) -> AsyncIterator[tuple[Worker, GapLab]]:
    """A worker in this process."""
    given = Settings(kafka_bootstrap_servers=kafka.bootstrap_servers, http_port=0, commit_interval_ms=20, **settings)
    async with Worker(given) as worker:
        yield worker, GapLab(kafka)
