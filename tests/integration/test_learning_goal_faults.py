"""What the flow makes of a content service and of a model that fail: a path all the same, marked as degraded."""

import json
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from clients.content_service_stub import ContentServiceStub, resources_for
from clients.stub_server import Fault
from consumers.topics import PATH_PROGRESS
from tests.gemini_server import GeminiServer, Mode, plan_json
from tests.integration.lab import until
from tests.integration.service import DEAD_LETTERS, goal_event, working
from tests.kafka import KafkaUnderTest


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
            progress = await flow.read(PATH_PROGRESS, 2)
    assert dict(letter.headers)["pathstream-error-code"] == b"LLM_INVALID_OUTPUT"
    assert dict(letter.headers)["pathstream-error-category"] == b"llm"
    assert json.loads(progress[-1].value)["status"] == "failed"


async def test_a_failing_model_can_be_waited_for(embedded_service: KafkaUnderTest, content: ContentServiceStub) -> None:
    async with GeminiServer(modes=["unavailable"]) as gemini:
        settings = gemini_settings(gemini, on_llm_failure="retry", max_attempts=50)
        async with working(embedded_service, content.base_url, **settings) as (_, flow):
            await flow.send(goal_event())
            await until(lambda: len(gemini.requests) >= 4, "a second attempt at the event")
            gemini.modes[:] = ["ok"]
            assert (await flow.path())["generated_by"] == "gemini/gemini-flash-latest"
