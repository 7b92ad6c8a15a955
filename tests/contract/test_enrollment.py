"""Whether a student is enrolled, asked of a real server on loopback: each status the contract names, and the others."""

from collections.abc import AsyncIterator

import httpx2
import pytest
from aiohttp import web

from clients.backoff import Backoff
from clients.clock import FakeClock
from clients.content_service import ContentService
from clients.content_service_stub import ContentServiceStub
from clients.http import open_http_client
from clients.stub_server import StubServer
from schemas.errors import ContentServiceDeniedError, ContentServiceUnavailableError


@pytest.fixture
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    async with open_http_client(max_connections=4) as client:
        yield client


class Answers(StubServer):
    """Answers every call with one status and an empty body."""

    status = 200

    def _routes(self) -> list[web.RouteDef]:
        return [web.get("/{path:.*}", self._answer)]

    async def _answer(self, _request: web.Request) -> web.StreamResponse:
        return web.Response(status=self.status)


def client_of(http: httpx2.AsyncClient, base_url: str) -> ContentService:
    return ContentService(http, base_url=base_url, secret=None, backoff=Backoff(attempts=2), clock=FakeClock())


@pytest.mark.parametrize(("status", "enrolled"), [(200, True), (403, False), (404, False)])
async def test_a_status_says_whether_a_student_is_enrolled(
    http: httpx2.AsyncClient, status: int, *, enrolled: bool
) -> None:
    async with Answers() as server:
        server.status = status
        service = client_of(http, server.base_url)
        assert await service.is_enrolled("s/1", "c 1") is enrolled
        assert server.calls == {"/users/s/1/courses/c 1/enrollment": 1}
        assert not service.denied


async def test_a_wrong_secret_is_no_answer_about_the_student(http: httpx2.AsyncClient) -> None:
    async with Answers() as server:
        server.status = 401
        service = client_of(http, server.base_url)
        with pytest.raises(ContentServiceDeniedError):
            await service.is_enrolled("s1", "c1")
        assert service.denied


async def test_a_service_that_is_down_is_asked_again_and_then_unavailable(http: httpx2.AsyncClient) -> None:
    async with Answers() as server:
        server.status = 503
        with pytest.raises(ContentServiceUnavailableError):
            await client_of(http, server.base_url).is_enrolled("s1", "c1")
        assert sum(server.calls.values()) == 2


async def test_it_is_asked_anew_every_time(http: httpx2.AsyncClient) -> None:
    async with ContentServiceStub() as stub:
        service = client_of(http, stub.base_url)
        assert await service.is_enrolled("s1", "c1")
        stub.not_enrolled = frozenset({"s1"})
        assert not await service.is_enrolled("s1", "c1")
        assert await service.is_enrolled("s2", "c1")
