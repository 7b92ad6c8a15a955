"""The main job, end to end: `learning_goal` in, `learning_path` out, and a dead letter for what is no event."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from aiokafka import ConsumerRecord
from pydantic import SecretStr

from clients.content_service_stub import ContentServiceStub, Fault, resources_for
from consumers.app import Worker
from consumers.settings import Settings
from consumers.topics import LEARNING_GOAL, LEARNING_PATH, PATH_PROGRESS, dead_letter_topic
from tests.gemini_server import GeminiServer, Mode, plan_json
from tests.integration.lab import Lab, until
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


async def test_a_goal_becomes_a_path_with_everything_that_the_contract_names(
    service: KafkaUnderTest, content: ContentServiceStub
) -> None:
    async with working(service, content.base_url) as (worker, flow):
        await flow.send(goal_event(), headers=[("traceparent", b"00-abc-def-01")])
        (record,) = await flow.read(LEARNING_PATH)
        (progress,) = await flow.read(PATH_PROGRESS)
        assert worker.reasons() == []
    path = json.loads(record.value)
    assert set(path) == {
        "event_id", "source_event_id", "user_id", "learning_goal", "learning_path", "mastery_scores",
        "available_resources", "available_resources_truncated", "profile", "recommendations", "generated_at",
        "generated_by", "degraded",
    }  # fmt: skip
    assert set(path["learning_path"]) == {"goal", "difficulty_level", "total_duration", "steps"}
    assert set(path["learning_path"]["steps"][0]) == {
        "step_number", "title", "description", "estimated_duration", "resources", "prerequisites", "skills_covered",
    }  # fmt: skip
    assert record.key == b"u1"
    assert (path["user_id"], path["source_event_id"]) == ("u1", "evt-u1")
    assert (path["generated_by"], path["degraded"]) == ("offline", False)
    assert path["available_resources"] == [entry | {"url": entry.get("url")} for entry in resources_for("u1")]
    offered = {entry["resourceId"] for entry in path["available_resources"]}
    used = {resource for step in path["learning_path"]["steps"] for resource in step["resources"]}
    assert used
    assert used <= offered
    headers = dict(record.headers)
    assert headers["event-id"].decode() == path["event_id"]
    assert headers["source-event-id"] == b"evt-u1"
    assert headers["source-topic"] == b"learning_goal"
    assert int(headers["source-partition"]) >= 0
    assert headers["source-offset"] == b"0"
    assert headers["schema-version"] == b"1"
    assert headers["content-type"] == b"application/json"
    assert headers["traceparent"] == b"00-abc-def-01"
    told = json.loads(progress.value)
    assert (told["job_id"], told["status"], told["progress"]) == ("evt-u1", "completed", 100)


BAD_INPUT: dict[str, tuple[bytes | None, bytes]] = {
    "not UTF-8": (b'{"userId": "\xff\xfe"}', b"INVALID_JSON"),
    "not JSON": (b"hello", b"INVALID_JSON"),
    "an array": (b"[1, 2]", b"INVALID_EVENT"),
    "empty value": (None, b"INVALID_EVENT"),
    "wrong types": (json.dumps(goal_event(eventData={"learningGoal": 7})).encode(), b"INVALID_EVENT"),
    "unknown level": (
        json.dumps(goal_event(eventData={"learningGoal": "x", "currentLevel": "wizard"})).encode(),
        b"INVALID_EVENT",
    ),
    "a goal of 2,001 characters": (
        json.dumps(goal_event(eventData={"learningGoal": "x" * 2001})).encode(),
        b"INVALID_EVENT",
    ),
    "no userId": (json.dumps({"eventData": {"learningGoal": "x"}}).encode(), b"INVALID_EVENT"),
    "over MAX_EVENT_BYTES": (
        json.dumps(goal_event(metadata={"x": "y" * 70_000})).encode(),
        b"EVENT_TOO_LARGE",
    ),
    "nested 10,000 deep": (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, b"INVALID_JSON"),
    "one line of a multi-line JSON text": (b'  "eventId": "evt_test123",', b"INVALID_JSON"),
    "NaN": (b'{"userId": "u1", "eventData": {"learningGoal": NaN}}', b"INVALID_JSON"),
    "a lone surrogate": (b'{"userId": "\\ud800", "eventData": {"learningGoal": "x"}}', b"INVALID_JSON"),
    "a blank id": (json.dumps(goal_event(" ")).encode(), b"INVALID_EVENT"),
    "an id of 201 characters": (json.dumps(goal_event("u" * 201)).encode(), b"INVALID_EVENT"),
    "an id with control characters": (json.dumps(goal_event("a\u0007")).encode(), b"INVALID_EVENT"),
}


async def test_what_is_no_event_becomes_a_dead_letter_byte_for_byte_and_the_next_goes_through(
    service: KafkaUnderTest, content: ContentServiceStub
) -> None:
    async with working(service, content.base_url, max_event_bytes=65_536) as (_, flow):
        for name, (value, _) in BAD_INPUT.items():
            await flow.send(value, headers=[("own", name.encode())])
            await flow.send(goal_event(eventId=f"after {name}"))
        letters = {
            dict(letter.headers)["own"].decode(): letter for letter in await flow.read(DEAD_LETTERS, len(BAD_INPUT))
        }
        paths = [json.loads(record.value) for record in await flow.read(LEARNING_PATH, len(BAD_INPUT))]
    assert [path["source_event_id"] for path in paths] == [f"after {name}" for name in BAD_INPUT]
    for name, (value, code) in BAD_INPUT.items():
        letter = letters[name]
        headers = dict(letter.headers)
        assert letter.key == b"u1", name
        assert letter.value == value, name
        assert headers["pathstream-error-code"] == code, name
        assert headers["pathstream-error-category"] == b"validation", name
        assert headers["pathstream-attempts"] == b"1", name
        assert headers["kafka_dlt-original-topic"] == b"learning_goal", name
    message = dict(letters["one line of a multi-line JSON text"].headers)["kafka_dlt-exception-message"].decode()
    assert "one line" in message
    assert "pathstream produce" in message


async def test_a_dead_letter_too_big_for_its_topic_still_lands(
    service: KafkaUnderTest, content: ContentServiceStub
) -> None:
    await set_max_message_bytes(service, DEAD_LETTERS, 10_000)
    async with working(service, content.base_url, max_event_bytes=5_000) as (_, flow):
        await flow.send(b"x" * 50_000)
        (letter,) = await flow.read(DEAD_LETTERS)
    headers = dict(letter.headers)
    assert headers["pathstream-value-truncated"] == b"50000"
    assert headers["kafka_dlt-original-offset"] == (0).to_bytes(8, "big")
    assert set(letter.value) == {ord("x")}
    assert 1_000 < len(letter.value) < 10_000


async def test_a_path_too_big_for_its_topic_keeps_the_resources_in_use(
    service: KafkaUnderTest, content: ContentServiceStub
) -> None:
    await set_max_message_bytes(service, LEARNING_PATH, 9_000)
    async with working(service, content.base_url) as (_, flow):
        await flow.send(goal_event())
        path = await flow.path()
    assert path["available_resources_truncated"] is True
    kept = {entry["resourceId"] for entry in path["available_resources"]}
    assert {name for step in path["learning_path"]["steps"] for name in step["resources"]} <= kept
    assert len(kept) < len(resources_for("u1"))


async def set_max_message_bytes(kafka: KafkaUnderTest, topic: str, limit: int) -> None:
    """Make a topic anew with a limit of its own."""
    admin = kafka.connection.admin()
    await admin.start()
    await admin.delete_topics([topic])
    await admin.close()
    for _ in range(100):
        try:
            await kafka.create_topic(topic, partitions=6, config={"max.message.bytes": str(limit)})
        except RuntimeError:
            continue
        return


@pytest.mark.parametrize("fault", ["error", "denied", "silent", "html", "half_body", "huge_body"])
async def test_a_content_service_that_fails_costs_the_resources_not_the_path(
    embedded_service: KafkaUnderTest, content: ContentServiceStub, fault: Fault
) -> None:
    content.fault = fault
    async with working(embedded_service, content.base_url, content_service_timeout_seconds=0.5) as (
        worker,
        flow,
    ):
        await flow.send(goal_event())
        path = await flow.path()
        denied = [reason for reason in worker.reasons() if "CONTENT_SERVICE_SECRET" in reason]
        async with httpx2.AsyncClient() as http:
            ready = await http.get(f"http://127.0.0.1:{worker.http_port}/readyz")
            metrics = await http.get(f"http://127.0.0.1:{worker.http_port}/metrics")
    assert path["degraded"] is True
    assert path["available_resources"] == []
    assert path["mastery_scores"] == {}
    assert path["learning_path"]["steps"]
    assert 'pathstream_events_total{flow="learning_goal",outcome="degraded"} 1.0' in metrics.text
    assert 'pathstream_tasks{flow="learning_goal",state="active"} 6.0' in metrics.text
    assert bool(denied) == (fault == "denied")
    assert ready.status_code == (503 if fault == "denied" else 200)


async def test_a_content_service_that_is_not_there_costs_the_resources_not_the_path(
    embedded_service: KafkaUnderTest,
) -> None:
    async with working(embedded_service, "http://127.0.0.1:1") as (_, flow):
        await flow.send(goal_event())
        assert (await flow.path())["degraded"] is True


def gemini_settings(gemini: GeminiServer, **changes: Any) -> dict[str, Any]:
    """A worker's settings for a model on loopback."""
    return {
        "llm_provider": "gemini",
        "GOOGLE_API_KEY": SecretStr("test-key"),
        "llm_base_url": gemini.base_url,
        "llm_timeout_seconds": 1.0,
    } | changes


ANSWERED: dict[str, list[Mode]] = {
    "an answer": ["ok"],
    "429 with Retry-After, then an answer": ["rate_limited", "ok"],
    "503, then an answer": ["unavailable", "ok"],
    "a cut answer, asked again": ["truncated", "ok"],
    "prose around the JSON": ["prose"],
    "an answer that does not fit, asked again": ["does_not_fit", "ok"],
    "resources that were never offered": ["never_offered"],
}


@pytest.mark.parametrize("modes", ANSWERED.values(), ids=ANSWERED.keys())
async def test_a_model_that_answers_in_the_end_makes_the_path(
    embedded_service: KafkaUnderTest, content: ContentServiceStub, modes: list[Mode]
) -> None:
    offered = str(resources_for("u1")[0]["resourceId"])
    async with (
        GeminiServer(modes=list(modes), text=lambda _request: plan_json([offered])) as gemini,
        working(embedded_service, content.base_url, **gemini_settings(gemini)) as (_, flow),
    ):
        await flow.send(goal_event())
        path = await flow.path()
    assert path["generated_by"] == "gemini/gemini-flash-latest"
    assert path["degraded"] is False
    used = {resource for step in path["learning_path"]["steps"] for resource in step["resources"]}
    assert used <= {entry["resourceId"] for entry in path["available_resources"]}
    assert "u1" not in json.dumps(gemini.requests), "the learner's id is in the prompt"


@pytest.mark.parametrize("mode", ["silent", "unavailable", "blocked_prompt", "safety", "does_not_fit", "unauthorized"])
async def test_a_model_that_fails_is_stood_in_for_by_the_offline_planner(
    embedded_service: KafkaUnderTest, content: ContentServiceStub, mode: Mode
) -> None:
    async with (
        GeminiServer(modes=[mode]) as gemini,
        working(embedded_service, content.base_url, **gemini_settings(gemini)) as (_, flow),
    ):
        await flow.send(goal_event())
        path = await flow.path()
    assert (path["generated_by"], path["degraded"]) == ("offline", True)
    assert path["learning_path"]["steps"]


async def test_a_failing_model_can_be_made_to_end_in_a_dead_letter(
    embedded_service: KafkaUnderTest, content: ContentServiceStub
) -> None:
    async with GeminiServer(modes=["does_not_fit"]) as gemini:
        settings = gemini_settings(gemini, on_llm_failure="dead_letter")
        async with working(embedded_service, content.base_url, **settings) as (_, flow):
            await flow.send(goal_event())
            (letter,) = await flow.read(DEAD_LETTERS)
            (progress,) = await flow.read(PATH_PROGRESS)
    assert dict(letter.headers)["pathstream-error-code"] == b"LLM_INVALID_OUTPUT"
    assert dict(letter.headers)["pathstream-error-category"] == b"llm"
    assert json.loads(progress.value)["status"] == "failed"


async def test_a_failing_model_can_be_waited_for(embedded_service: KafkaUnderTest, content: ContentServiceStub) -> None:
    async with GeminiServer(modes=["unavailable"]) as gemini:
        settings = gemini_settings(gemini, on_llm_failure="retry", max_attempts=50)
        async with working(embedded_service, content.base_url, **settings) as (_, flow):
            await flow.send(goal_event())
            await until(lambda: len(gemini.requests) >= 4, "a second attempt at the event")
            gemini.modes[:] = ["ok"]
            assert (await flow.path())["generated_by"] == "gemini/gemini-flash-latest"
