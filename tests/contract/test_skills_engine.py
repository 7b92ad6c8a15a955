"""The Skills Engine's client against a real server on loopback: the shipped stub and its faults."""

import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest
from aiohttp import web
from pydantic import SecretStr
from structlog.testing import capture_logs

from clients.backoff import Backoff
from clients.clock import FakeClock
from clients.http import open_http_client
from clients.skills_engine import SkillsEngine
from clients.skills_engine_stub import SkillsEngineStub, skills_for
from clients.stub_server import Fault
from producers.dead_letter import error_category, error_code
from schemas.errors import (
    SkillsEngineDeniedError,
    SkillsEngineUnavailableError,
)
from tests.contract.test_content_service import answering, answering_json

ASKED = ["Python OOP", "SQL joins"]
PATH = "/api/skills/breakdown"
SECRET = "s3cret"  # noqa: S105 - the stub's


@pytest.fixture
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    async with open_http_client(max_connections=16) as client:
        yield client


@pytest.fixture
async def stub() -> AsyncIterator[SkillsEngineStub]:
    async with SkillsEngineStub(secret=SECRET) as running:
        yield running


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def engine(http: httpx2.AsyncClient, stub: SkillsEngineStub, clock: FakeClock) -> SkillsEngine:
    return engine_at(http, stub.base_url, clock)


def engine_at(http: httpx2.AsyncClient, base_url: str, clock: FakeClock) -> SkillsEngine:
    return SkillsEngine(
        http, base_url=base_url, secret=SecretStr(SECRET), timeout_seconds=1.0, clock=clock, backoff=Backoff()
    )


async def test_breaks_competencies_down_into_skills(engine: SkillsEngine) -> None:
    assert await engine.break_down(ASKED) == {competency: skills_for(competency) for competency in ASKED}
    assert engine.dropped_entries == 0


async def test_asks_as_promised(http: httpx2.AsyncClient, clock: FakeClock) -> None:
    calls: list[tuple[str, str, str, object]] = []

    async def note(request: web.Request) -> web.StreamResponse:
        calls.append((request.method, request.path, request.headers["authorization"], await request.json()))
        return web.json_response({})

    async with answering(note) as base_url:
        await engine_at(http, base_url + "/", clock).break_down(["Zoë's SQL", "ים", "Zoë's SQL"])

    body = {
        "competencies": ["Zoë's SQL", "ים"],
        "level": "lowest",
        "include_expansions": True,
        "granularity": "lowest",
    }
    assert calls == [("POST", PATH, f"Bearer {SECRET}", body)]


async def test_nothing_asked_is_no_call(engine: SkillsEngine, stub: SkillsEngineStub) -> None:
    assert await engine.break_down([]) == {}
    assert stub.calls == {}


async def test_many_breakdowns_at_once(engine: SkillsEngine) -> None:
    names = [f"competency {number}" for number in range(50)]

    answers = await asyncio.gather(*(engine.break_down([name]) for name in names))

    assert answers == [{name: skills_for(name)} for name in names]


@pytest.mark.parametrize("fault", ["error", "silent", "html", "half_body", "huge_body"])
async def test_tries_three_times_then_says_unavailable_and_recovers(
    engine: SkillsEngine, stub: SkillsEngineStub, clock: FakeClock, fault: Fault
) -> None:
    stub.fault = fault
    with pytest.raises(SkillsEngineUnavailableError) as unavailable:
        await engine.break_down(ASKED)
    assert stub.calls == {PATH: 3}
    assert len(clock.slept) == 2
    assert error_code(unavailable.value) == "SKILLS_ENGINE_UNAVAILABLE"
    assert error_category(unavailable.value) == "content_service"
    assert unavailable.value.retriable

    stub.fault = None
    assert await engine.break_down(ASKED)


async def test_refused_connection_is_unavailable(
    http: httpx2.AsyncClient, clock: FakeClock, unused_tcp_port: int
) -> None:
    with pytest.raises(SkillsEngineUnavailableError):
        await engine_at(http, f"http://127.0.0.1:{unused_tcp_port}", clock).break_down(ASKED)
    assert len(clock.slept) == 2


@pytest.mark.parametrize("status", [401, 403])
async def test_denied_is_not_retried_and_shown_until_it_is_over(
    http: httpx2.AsyncClient, clock: FakeClock, status: int
) -> None:
    statuses = [status, 500, status, 200]

    async def in_turn(_request: web.Request) -> web.StreamResponse:
        return web.json_response({}, status=statuses.pop(0))

    async with answering(in_turn) as base_url:
        engine = engine_at(http, base_url, clock)
        with capture_logs() as logs:
            with pytest.raises(SkillsEngineDeniedError) as denied:
                await engine.break_down(ASKED)
            assert engine.denied
            assert clock.slept == []
            with pytest.raises(SkillsEngineDeniedError):
                await engine.break_down(ASKED)
            assert engine.denied, "a failure of another kind says nothing about the secret"
            await engine.break_down(ASKED)
            assert not engine.denied

    assert error_code(denied.value) == "SKILLS_ENGINE_UNAVAILABLE"
    assert SECRET not in str(denied.value) + str(logs)
    assert [(line["log_level"], line["event"]) for line in logs] == [
        ("error", "Skills Engine denies SKILLS_ENGINE_SECRET"),
        ("info", "Skills Engine accepts SKILLS_ENGINE_SECRET again"),
    ]


@pytest.mark.parametrize("secret", [None, SecretStr("wrong")])
async def test_a_wrong_secret_is_denied(
    http: httpx2.AsyncClient, stub: SkillsEngineStub, clock: FakeClock, secret: SecretStr | None
) -> None:
    engine = SkillsEngine(http, base_url=stub.base_url, secret=secret, clock=clock)

    with pytest.raises(SkillsEngineDeniedError):
        await engine.break_down(ASKED)
    assert stub.calls == {PATH: 1}


@pytest.mark.parametrize("status", [302, 400, 404, 422])
async def test_what_would_be_refused_again_is_not_asked_again(
    http: httpx2.AsyncClient, clock: FakeClock, status: int
) -> None:
    async with answering_json({}, status=status) as base_url:
        with pytest.raises(SkillsEngineUnavailableError) as refused:
            await engine_at(http, base_url, clock).break_down(ASKED)
    assert clock.slept == []
    assert not refused.value.retriable


async def test_another_question_than_the_promised_one_gets_400_from_the_stub(
    http: httpx2.AsyncClient, stub: SkillsEngineStub
) -> None:
    bearer = {"authorization": f"Bearer {SECRET}"}
    for question in ({"competencies": ASKED}, {"competencies": "SQL", "level": "lowest"}, ASKED):
        assert (await http.post(stub.base_url + PATH, json=question, headers=bearer)).status_code == 400


async def test_waits_as_long_as_the_service_asks(http: httpx2.AsyncClient, clock: FakeClock) -> None:
    statuses = [429, 200]

    async def busy_once(_request: web.Request) -> web.StreamResponse:
        return web.json_response({"SQL": ["joins"]}, status=statuses.pop(0), headers={"Retry-After": "7"})

    async with answering(busy_once) as base_url:
        assert await engine_at(http, base_url, clock).break_down(["SQL"]) == {"SQL": ["joins"]}
    assert clock.slept == [7.0]


async def test_does_not_wait_beyond_the_deadline(http: httpx2.AsyncClient, clock: FakeClock) -> None:
    async def busy(_request: web.Request) -> web.StreamResponse:
        return web.json_response({}, status=503, headers={"Retry-After": "3600"})

    async with answering(busy) as base_url:
        with pytest.raises(SkillsEngineUnavailableError) as unavailable:
            await engine_at(http, base_url, clock).break_down(ASKED)
    assert clock.slept == []
    assert unavailable.value.retry_after_seconds == 3600.0, "who tries the event again knows when"


async def test_a_compressed_body_is_not_inflated(http: httpx2.AsyncClient, clock: FakeClock) -> None:
    async def compress(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=b"x", headers={"Content-Encoding": "gzip", "Content-Type": "application/json"})

    async with answering(compress) as base_url:
        with pytest.raises(SkillsEngineUnavailableError, match="compressed"):
            await engine_at(http, base_url, clock).break_down(ASKED)
