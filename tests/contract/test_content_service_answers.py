"""What the content service's client makes of answers that are not quite as promised."""

import math
from collections.abc import AsyncIterator

import httpx2
import pytest
from aiohttp import web

from clients.clock import FakeClock
from clients.http import open_http_client
from schemas.errors import ContentServiceUnavailableError
from tests.contract.test_content_service import USER, answering, answering_json, client_of


@pytest.fixture
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    async with open_http_client(max_connections=4) as client:
        yield client


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.mark.parametrize("wrapped", [False, True])
async def test_mastery_keeps_what_is_a_share_and_drops_the_rest(
    http: httpx2.AsyncClient, clock: FakeClock, *, wrapped: bool
) -> None:
    scores = {
        "a": 0,
        "b": 1.004,
        "c": 0.5,
        "percent": 85,
        "text": "0.5",
        "flag": True,
        "none": None,
        "nan": math.nan,
    }
    scores |= {"minus": -0.5, " ": 0.5, "huge": 10**400}
    async with answering_json({"mastery_scores": scores} if wrapped else scores) as base_url:
        service = client_of(http, base_url, clock)

        assert await service.get_user_mastery_score(USER) == {"a": 0.0, "b": 1.0, "c": 0.5}
        assert service.dropped_entries == 8


async def test_resources_drop_what_is_none_and_keep_the_first_of_an_id(
    http: httpx2.AsyncClient, clock: FakeClock
) -> None:
    good = {"resourceId": 7, "name": "A", "type": None, "description": None, "extra": {"kept": [1]}}
    entries = [
        good,
        {"resourceId": "7", "name": "B"},
        {"name": "no id"},
        "text",
        None,
        {"resourceId": "8", "name": " "},
    ]
    async with answering_json(entries) as base_url:
        service = client_of(http, base_url, clock)
        [resource] = await service.get_available_resources(USER)

    assert (resource.resourceId, resource.name, resource.type) == ("7", "A", "")
    assert (resource.model_extra or {})["extra"] == {"kept": [1]}
    assert service.dropped_entries == 5


@pytest.mark.parametrize("user_id", ["a/b", "..", ".", "a?x=1#y", "Zoë Ünal", "a%2Fb", "Ω" * 60])
async def test_any_id_stays_one_segment_of_the_path(http: httpx2.AsyncClient, clock: FakeClock, user_id: str) -> None:
    paths: list[str] = []

    async def note(request: web.Request) -> web.StreamResponse:
        paths.append(request.raw_path)
        return web.json_response([])

    async with answering(note) as base_url:
        await client_of(http, base_url + "/", clock).get_available_resources(user_id)

    [path] = paths
    assert path.count("/") == 3
    assert httpx2.URL("http://x" + path).path == f"/users/{user_id}/resources"


async def test_a_compressed_body_is_not_inflated(http: httpx2.AsyncClient, clock: FakeClock) -> None:
    async def compress(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=b"x", headers={"Content-Encoding": "gzip", "Content-Type": "application/json"})

    async with answering(compress) as base_url:
        with pytest.raises(ContentServiceUnavailableError, match="compressed"):
            await client_of(http, base_url, clock).get_available_resources(USER)
