"""`ask`: finds, validates and asks again; the real SDK against a server that answers what the test says."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, SecretStr

from clients.http import open_http_client
from clients.llm import Model, Prompt, ask
from clients.llm.ask import _objects
from clients.llm.gemini import GeminiModel
from schemas.errors import ModelBlockedError, ModelMalformedError, ModelTruncatedError
from tests.gemini_server import GeminiServer

PROMPT = Prompt(instructions="Choose a colour.", data="sea")


class Colour(BaseModel):
    name: str = Field(min_length=1)
    share: float = Field(ge=0, le=1)


GOOD = '{"name": "blue", "share": 0.5}'
BAD = '{"name": "blue", "share": 7}'


@pytest.fixture
async def server() -> AsyncIterator[GeminiServer]:
    async with GeminiServer() as running:
        yield running


@pytest.fixture
async def model(server: GeminiServer) -> AsyncIterator[Model]:
    async with open_http_client(max_connections=4) as http:
        yield GeminiModel(http, api_key=SecretStr("k3y"), model="test", base_url=server.base_url)


def answers(server: GeminiServer, *texts: str) -> None:
    """Let the server answer with these texts, one per call; the last one stays."""
    left = list(texts)
    server.text = lambda _request: left.pop(0) if len(left) > 1 else left[0]


def instructions(request: dict[str, Any]) -> str:
    return str(request["systemInstruction"]["parts"][0]["text"])


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        f"Of course! {GOOD} Anything else?",
        f"```json\n{GOOD}\n```",
        f'As in {{"name": "x"}}: {GOOD}',
        f"{{not json}} {GOOD}",
    ],
)
async def test_takes_the_object_that_fits(model: Model, server: GeminiServer, text: str) -> None:
    answers(server, text)

    asked = await ask(model, PROMPT, Colour)

    assert asked.value == Colour(name="blue", share=0.5)
    assert (asked.calls, asked.model) == (1, "gemini/test")


async def test_asks_again_and_says_what_was_wrong_but_not_the_value(model: Model, server: GeminiServer) -> None:
    answers(server, '{"name": "SECRET-VALUE", "share": 7}', "no object at all", GOOD)

    asked = await ask(model, PROMPT, Colour)

    assert asked.calls == 3
    assert asked.usage.input_tokens == 300
    first, second, third = map(instructions, server.requests)
    assert first == "Choose a colour."
    assert "share: Input should be less than or equal to 1" in second
    assert "SECRET-VALUE" not in second
    assert "no JSON object" in third
    assert "share" not in third


async def test_gives_up_after_two_more_calls(model: Model, server: GeminiServer) -> None:
    answers(server, BAD)

    with pytest.raises(ModelMalformedError, match="share"):
        await ask(model, PROMPT, Colour)
    assert len(server.requests) == 3


async def test_a_cut_answer_is_asked_for_shorter(model: Model, server: GeminiServer) -> None:
    answers(server, GOOD)
    server.modes = ["truncated", "ok"]

    assert (await ask(model, PROMPT, Colour)).calls == 2
    assert "shorter" in instructions(server.requests[1])


async def test_an_answer_that_is_always_cut_stays_truncated(model: Model, server: GeminiServer) -> None:
    server.modes = ["truncated"]

    with pytest.raises(ModelTruncatedError):
        await ask(model, PROMPT, Colour, reasks=1)
    assert len(server.requests) == 2


async def test_a_blocked_prompt_is_not_asked_again(model: Model, server: GeminiServer) -> None:
    server.modes = ["blocked_prompt"]

    with pytest.raises(ModelBlockedError):
        await ask(model, PROMPT, Colour)
    assert len(server.requests) == 1


async def test_a_check_may_refuse_what_fits_the_schema(model: Model, server: GeminiServer) -> None:
    answers(server, GOOD, GOOD.replace("blue", "green"))

    asked = await ask(model, PROMPT, Colour, check=lambda colour: "blue is taken" if colour.name == "blue" else None)

    assert asked.value.name == "green"
    assert "blue is taken" in instructions(server.requests[1])


async def test_neither_nan_nor_lone_surrogates_get_through(model: Model, server: GeminiServer) -> None:
    answers(server, '{"name": "x", "share": NaN}', '{"name": "\\ud800", "share": 1}', GOOD)

    assert (await ask(model, PROMPT, Colour)).calls == 3


@given(st.dictionaries(st.text(), st.integers() | st.text(), min_size=1), st.text(), st.text())
def test_finds_an_object_whatever_stands_around_it(found: dict[str, Any], before: str, after: str) -> None:
    before = before.replace("{", "(")

    assert next(_objects(f"{before}{json.dumps(found)}{after}")) == found


@pytest.mark.parametrize("text", ["{" * 100_000, '{"a":' * 100_000, "}" * 1000, "", "null", "[1, 2]"])
def test_hostile_text_is_searched_in_bounded_time(text: str) -> None:
    assert list(_objects(text)) == []
