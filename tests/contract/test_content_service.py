"""The content service's client against a real server on loopback: the shipped stub and its faults."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx2
import pytest
from aiohttp import web
from pydantic import SecretStr

from clients.backoff import Backoff
from clients.clock import FakeClock
from clients.content_service import ContentService
from clients.content_service_stub import ContentServiceStub, mastery_for, resources_for
from clients.http import open_http_client
from clients.stub_server import Fault
from schemas.errors import ContentServiceDeniedError, ContentServiceUnavailableError

USER = "user_789"
SECRET = "s3cret"  # noqa: S105 - the stub's


@pytest.fixture
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    async with open_http_client(max_connections=16) as client:
        yield client


@pytest.fixture
async def stub() -> AsyncIterator[ContentServiceStub]:
    async with ContentServiceStub(secret=SECRET) as running:
        yield running


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def service(http: httpx2.AsyncClient, stub: ContentServiceStub, clock: FakeClock) -> ContentService:
    return client_of(http, stub.base_url, clock)


def client_of(http: httpx2.AsyncClient, base_url: str, clock: FakeClock) -> ContentService:
    return ContentService(
        http,
        base_url=base_url,
        secret=SecretStr(SECRET),
        timeout_seconds=1.0,
        clock=clock,
        backoff=Backoff(),
    )


@asynccontextmanager
async def answering(handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    """Serve `handler` on every path; yields the base URL."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def answering_json(content: object, **more: int) -> AsyncIterator[str]:
    async def handler(_request: web.Request) -> web.StreamResponse:
        return web.json_response(content, status=more.get("status", 200))

    async with answering(handler) as base_url:
        yield base_url


async def test_reads_resources_with_all_their_fields(service: ContentService) -> None:
    resources = await service.get_available_resources(USER)

    assert [resource.model_dump() for resource in resources] == resources_for(USER)


async def test_reads_mastery(service: ContentService) -> None:
    assert await service.get_user_mastery_score(USER) == mastery_for(USER)


async def test_asks_once_for_everyone_who_waits_and_again_after_60_seconds(
    service: ContentService, stub: ContentServiceStub, clock: FakeClock
) -> None:
    await asyncio.gather(*(service.get_available_resources(USER) for _ in range(20)))
    await service.get_available_resources(USER)
    assert stub.calls == {f"/users/{USER}/resources": 1}

    clock.advance(61)
    await service.get_available_resources(USER)
    assert stub.calls == {f"/users/{USER}/resources": 2}


async def test_a_cancelled_asker_leaves_the_others_their_answer(
    service: ContentService, stub: ContentServiceStub
) -> None:
    first = asyncio.ensure_future(service.get_available_resources(USER))
    others = [asyncio.ensure_future(service.get_available_resources(USER)) for _ in range(3)]
    await asyncio.sleep(0)
    first.cancel()

    assert all(len(resources) == len(resources_for(USER)) for resources in await asyncio.gather(*others))
    assert stub.calls[f"/users/{USER}/resources"] <= 2


@pytest.mark.parametrize("fault", ["error", "silent", "html", "half_body", "huge_body"])
async def test_tries_three_times_then_says_unavailable_and_recovers(
    service: ContentService, stub: ContentServiceStub, clock: FakeClock, fault: Fault
) -> None:
    stub.fault = fault
    with pytest.raises(ContentServiceUnavailableError):
        await service.get_available_resources(USER)
    assert stub.calls[f"/users/{USER}/resources"] == 3
    assert len(clock.slept) == 2

    stub.fault = None
    assert await service.get_available_resources(USER), "a failure is not kept"


async def test_refused_connection_is_unavailable(
    http: httpx2.AsyncClient, clock: FakeClock, unused_tcp_port: int
) -> None:
    service = client_of(http, f"http://127.0.0.1:{unused_tcp_port}", clock)

    with pytest.raises(ContentServiceUnavailableError):
        await service.get_user_mastery_score(USER)
    assert len(clock.slept) == 2


async def test_denied_is_not_retried_and_shown_until_it_is_over(
    service: ContentService, stub: ContentServiceStub, clock: FakeClock
) -> None:
    stub.fault = "denied"
    with pytest.raises(ContentServiceDeniedError) as denied:
        await service.get_available_resources(USER)
    assert service.denied
    assert stub.calls == {f"/users/{USER}/resources": 1}
    assert clock.slept == []
    assert SECRET not in str(denied.value)

    stub.fault = None
    await service.get_available_resources(USER)
    assert not service.denied


async def test_a_wrong_secret_is_denied(http: httpx2.AsyncClient, stub: ContentServiceStub, clock: FakeClock) -> None:
    service = ContentService(http, base_url=stub.base_url, secret=SecretStr("wrong"), clock=clock)

    with pytest.raises(ContentServiceDeniedError):
        await service.get_available_resources(USER)


async def test_404_means_nothing_for_this_learner(http: httpx2.AsyncClient, clock: FakeClock) -> None:
    async with answering_json({"error": "unknown user"}, status=404) as base_url:
        service = client_of(http, base_url, clock)

        assert await service.get_available_resources(USER) == []
        assert await service.get_user_mastery_score(USER) == {}


@pytest.mark.parametrize("status", [302, 400, 422])
async def test_what_would_be_refused_again_is_not_asked_again(
    http: httpx2.AsyncClient, clock: FakeClock, status: int
) -> None:
    async with answering_json([], status=status) as base_url:
        with pytest.raises(ContentServiceUnavailableError):
            await client_of(http, base_url, clock).get_available_resources(USER)
    assert clock.slept == []


async def test_waits_as_long_as_the_service_asks(http: httpx2.AsyncClient, clock: FakeClock) -> None:
    calls = 0

    async def busy_once(_request: web.Request) -> web.StreamResponse:
        nonlocal calls
        calls += 1
        if calls == 1:
            return web.json_response([], status=429, headers={"Retry-After": "7"})
        return web.json_response([])

    async with answering(busy_once) as base_url:
        assert await client_of(http, base_url, clock).get_available_resources(USER) == []
    assert clock.slept == [7.0]


async def test_does_not_wait_beyond_the_deadline(http: httpx2.AsyncClient, clock: FakeClock) -> None:
    async def busy(_request: web.Request) -> web.StreamResponse:
        return web.json_response([], status=503, headers={"Retry-After": "3600"})

    async with answering(busy) as base_url:
        with pytest.raises(ContentServiceUnavailableError):
            await client_of(http, base_url, clock).get_available_resources(USER)
    assert clock.slept == []


async def test_answers_of_many_learners_stay_within_the_bound(
    http: httpx2.AsyncClient, stub: ContentServiceStub, clock: FakeClock
) -> None:
    service = ContentService(http, base_url=stub.base_url, secret=SecretStr(SECRET), cache_bytes=20_000, clock=clock)
    for number in range(10):
        await service.get_available_resources(f"user-{number}")
    await service.get_available_resources("user-9")
    await service.get_available_resources("user-0")

    assert stub.calls["/users/user-9/resources"] == 1
    assert stub.calls["/users/user-0/resources"] == 2
