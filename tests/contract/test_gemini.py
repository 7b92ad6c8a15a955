"""The Gemini provider: the real SDK against a server on loopback that answers in every way it can."""

import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest
from pydantic import SecretStr

from clients.backoff import Backoff
from clients.clock import FakeClock
from clients.http import open_http_client
from clients.llm import Prompt, RetryingModel, ask
from clients.llm.gemini import GeminiModel
from schemas.decisions import PathPlan
from schemas.errors import (
    ModelBlockedError,
    ModelError,
    ModelMalformedError,
    ModelRejectedError,
    ModelTimeoutError,
    ModelTransientError,
    ModelTruncatedError,
)
from tests.gemini_server import GeminiServer, Mode, plan_json

PROMPT = Prompt(instructions="Plan.", data="Learn Python", temperature=0.3, max_tokens=900)


@pytest.fixture
async def server() -> AsyncIterator[GeminiServer]:
    async with GeminiServer() as running:
        yield running


@pytest.fixture
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    async with open_http_client(max_connections=16) as client:
        yield client


@pytest.fixture
def gemini(http: httpx2.AsyncClient, server: GeminiServer) -> GeminiModel:
    return gemini_at(http, server.base_url)


def gemini_at(http: httpx2.AsyncClient, base_url: str, *, timeout_seconds: float = 5.0) -> GeminiModel:
    return GeminiModel(
        http,
        api_key=SecretStr("k3y"),
        model="gemini-flash-latest",
        base_url=base_url,
        timeout_seconds=timeout_seconds,
    )


async def test_sends_what_was_asked_and_returns_the_text(gemini: GeminiModel, server: GeminiServer) -> None:
    answer = await gemini.generate(PROMPT)

    assert answer.text == plan_json()
    assert (answer.model, answer.finish_reason) == ("gemini/gemini-flash-latest", "STOP")
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (100, 50)
    [sent] = server.requests
    assert sent["systemInstruction"]["parts"] == [{"text": "Plan."}]
    assert sent["contents"] == [{"parts": [{"text": "Learn Python"}], "role": "user"}]
    assert sent["generationConfig"] == {"temperature": 0.3, "maxOutputTokens": 900}
    assert server.paths == ["/v1beta/models/gemini-flash-latest:generateContent"]
    assert server.keys == ["k3y"]


async def test_sends_the_schema_without_keywords_gemini_does_not_know(
    gemini: GeminiModel, server: GeminiServer
) -> None:
    asked = await ask(gemini, PROMPT, PathPlan)

    assert asked.value.total_duration == "2 weeks"
    config = server.requests[0]["generationConfig"]
    assert config["responseMimeType"] == "application/json"
    schema = config["responseJsonSchema"]
    assert schema["properties"]["steps"]["items"] == {"$ref": "#/$defs/PathStep"}
    assert schema["properties"]["difficulty_level"]["enum"] == ["beginner", "intermediate", "advanced"]
    assert set(schema["$defs"]["PathStep"]["properties"]) >= {"title", "description", "resources"}
    assert "minLength" not in str(schema)
    assert "default" not in str(schema)


@pytest.mark.parametrize(
    ("mode", "error"),
    [
        ("rate_limited", ModelTransientError),
        ("unavailable", ModelTransientError),
        ("cut_off", ModelTransientError),
        ("huge_body", ModelTransientError),
        ("unauthorized", ModelRejectedError),
        ("bad_request", ModelRejectedError),
        ("forbidden", ModelRejectedError),
        ("not_found", ModelRejectedError),
        ("blocked_prompt", ModelBlockedError),
        ("safety", ModelBlockedError),
        ("recitation", ModelBlockedError),
        ("truncated", ModelTruncatedError),
        ("no_candidates", ModelMalformedError),
        ("empty_text", ModelMalformedError),
        ("html", ModelMalformedError),
        ("strange_body", ModelMalformedError),
        ("unknown_finish", ModelMalformedError),
    ],
)
async def test_every_failure_is_one_of_ours_after_one_call(
    gemini: GeminiModel, server: GeminiServer, mode: Mode, error: type[ModelError]
) -> None:
    server.modes = [mode]

    with pytest.raises(ModelError) as failure:
        await gemini.generate(PROMPT)

    assert type(failure.value) is error
    assert len(server.requests) == 1
    assert "SECRET-PROMPT" not in str(failure.value)
    assert "k3y" not in str(failure.value)


@pytest.mark.parametrize(("mode", "seconds"), [("rate_limited", 3.0), ("rate_limited_retry_info", 17.0)])
async def test_says_how_long_to_wait(gemini: GeminiModel, server: GeminiServer, mode: Mode, seconds: float) -> None:
    server.modes = [mode]

    with pytest.raises(ModelTransientError) as failure:
        await gemini.generate(PROMPT)

    assert failure.value.retry_after_seconds == seconds


async def test_silence_is_a_timeout(http: httpx2.AsyncClient, server: GeminiServer) -> None:
    server.modes = ["silent"]

    with pytest.raises(ModelTimeoutError):
        await gemini_at(http, server.base_url, timeout_seconds=0.2).generate(PROMPT)


async def test_nobody_listening_is_transient(http: httpx2.AsyncClient, unused_tcp_port: int) -> None:
    with pytest.raises(ModelTransientError):
        await gemini_at(http, f"http://127.0.0.1:{unused_tcp_port}").generate(PROMPT)


async def test_cancelling_is_not_a_model_error(gemini: GeminiModel, server: GeminiServer) -> None:
    server.modes = ["silent"]
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await gemini.generate(PROMPT)


async def test_retries_wait_as_asked_and_end_with_an_answer(gemini: GeminiModel, server: GeminiServer) -> None:
    server.modes = ["rate_limited", "unavailable", "ok"]
    clock = FakeClock()
    model = RetryingModel(gemini, Backoff(attempts=3, total_seconds=30), clock)

    answer = await model.generate(PROMPT)

    assert answer.text == plan_json()
    assert clock.slept[0] == 3.0
    assert len(server.requests) == 3


@pytest.mark.parametrize("mode", ["blocked_prompt", "unauthorized", "truncated", "html"])
async def test_does_not_retry_what_will_not_change(gemini: GeminiModel, server: GeminiServer, mode: Mode) -> None:
    server.modes = [mode]

    with pytest.raises(ModelError):
        await RetryingModel(gemini, Backoff(), FakeClock()).generate(PROMPT)
    assert len(server.requests) == 1


@pytest.mark.parametrize("mode", ["prose", "fenced"])
async def test_finds_the_answer_in_what_stands_around_it(gemini: GeminiModel, server: GeminiServer, mode: Mode) -> None:
    server.modes = [mode]

    assert (await ask(gemini, PROMPT, PathPlan)).value.steps[0].title == "Basics"
    assert len(server.requests) == 1


async def test_asks_again_with_what_was_wrong(gemini: GeminiModel, server: GeminiServer) -> None:
    server.modes = ["does_not_fit", "truncated", "ok"]

    asked = await ask(gemini, PROMPT, PathPlan)

    assert asked.calls == 3
    corrections = [request["systemInstruction"]["parts"][0]["text"] for request in server.requests]
    assert "difficulty_level" in corrections[1]
    assert "shorter" in corrections[2]


async def test_1000_calls_run_at_once(server: GeminiServer) -> None:
    server.modes = ["held"]
    server.hold_until = 1000

    async with open_http_client(max_connections=1000) as http:
        gemini = gemini_at(http, server.base_url, timeout_seconds=30.0)
        answers = await asyncio.gather(*(gemini.generate(PROMPT) for _ in range(1000)))

    assert len(answers) == 1000
    assert server.most_at_once == 1000
