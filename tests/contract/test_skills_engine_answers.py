"""What the Skills Engine's client makes of answers, promised and not: whatever comes, skills or one of two errors."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import httpx2
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from clients.backoff import Backoff
from clients.clock import FakeClock
from clients.http import open_http_client
from clients.skills_engine import SkillsEngine
from schemas.errors import SkillsEngineDeniedError, SkillsEngineUnavailableError
from tests.contract.test_content_service import answering_json

Outcome = dict[str, list[str]] | SkillsEngineUnavailableError | SkillsEngineDeniedError
Ask = Callable[[bytes, list[str]], Outcome]

NAMES = ["SQL", "sql", "Zoë", "data", "response", "error"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from([*NAMES, "competencies", " sql "]) | st.text(), inner)
    ),
)
SKILLS = st.text(max_size=320) | st.sampled_from(["Joins", " joins ", "JOINS", "", " "])


@pytest.fixture
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    async with open_http_client(max_connections=4) as client:
        yield client


def engine_at(http: httpx2.AsyncClient, base_url: str) -> SkillsEngine:
    once = Backoff(attempts=1)
    return SkillsEngine(http, base_url=base_url, secret=None, timeout_seconds=2.0, clock=FakeClock(), backoff=once)


async def answered(http: httpx2.AsyncClient, content: object, asked: list[str]) -> tuple[dict[str, list[str]], int]:
    """The breakdown that the client makes of a JSON answer, and how many entries it dropped."""
    async with answering_json(content) as base_url:
        engine = engine_at(http, base_url)
        return await engine.break_down(asked), engine.dropped_entries


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda found: found,
        lambda found: {"response": {"competencies": found}},
        lambda found: {"data": found},
        lambda found: {"success": True, "data": found},
        lambda found: {"response": {"competencies": found, "count": 1}, "status": "ok"},
    ],
)
async def test_reads_each_of_the_promised_shapes(
    http: httpx2.AsyncClient, wrapped: Callable[[dict[str, list[str]]], object]
) -> None:
    found = {"SQL": ["joins", "grouping"], "Python": ["classes"]}

    assert await answered(http, wrapped(found), ["SQL", "Python"]) == (found, 0)


@pytest.mark.parametrize("status", [200, 201])
async def test_takes_an_answer_that_a_post_created(http: httpx2.AsyncClient, status: int) -> None:
    async with answering_json({"SQL": ["joins"]}, status=status) as base_url:
        assert await engine_at(http, base_url).break_down(["SQL"]) == {"SQL": ["joins"]}


async def test_competencies_may_be_called_like_a_wrapper(http: httpx2.AsyncClient) -> None:
    found = {"data": ["types"], "response": ["HTTP"]}

    assert await answered(http, found, ["response", "data"]) == (found, 0)


async def test_answers_in_the_spelling_and_order_of_the_question(http: httpx2.AsyncClient) -> None:
    found = {" python  oop ": ["classes"], "ZOE\N{COMBINING DIAERESIS}": ["x"], "STRASSE": ["y"]}

    breakdown, _ = await answered(http, found, ["Straße", "Zo\N{LATIN SMALL LETTER E WITH DIAERESIS}", "Python OOP"])

    assert list(breakdown.items()) == [("Straße", ["y"]), ("Zoë", ["x"]), ("Python OOP", ["classes"])]


async def test_each_spelling_asked_for_gets_all_skills_of_all_spellings(http: httpx2.AsyncClient) -> None:
    found = {"SQL": ["joins"], "sql": ["grouping", "joins"]}

    breakdown, _ = await answered(http, found, ["SQL", "Sql"])

    assert breakdown == {"SQL": ["joins", "grouping"], "Sql": ["joins", "grouping"]}


async def test_drops_and_counts_what_is_no_skill_and_what_nobody_asked_for(http: httpx2.AsyncClient) -> None:
    found = {
        "SQL": [" joins ", "joins", "", " \t", 7, None, ["x"], {"name": "x"}, True, "x" * 301, "grouping"],
        "Python": "classes",
        "Excel": ["pivot"],
        "Nothing": [],
    }

    assert await answered(http, found, ["SQL", "Python", "Go", "Nothing"]) == (
        {"SQL": ["joins", "grouping"], "Nothing": []},
        11,
    )


async def test_keeps_no_more_than_10_000_skills_of_one_answer(http: httpx2.AsyncClient) -> None:
    found = {"A": [f"a{number}" for number in range(8_000)], "B": [f"b{number}" for number in range(8_000)]}

    breakdown, dropped = await answered(http, found, ["A", "B"])

    assert {name: len(skills) for name, skills in breakdown.items()} == {"A": 8_000, "B": 2_000}
    assert dropped == 6_000


@pytest.mark.parametrize("content", [None, [], ["SQL"], "SQL", 1, True])
async def test_what_is_no_object_is_unavailable(http: httpx2.AsyncClient, content: object) -> None:
    with pytest.raises(SkillsEngineUnavailableError, match="not a JSON object"):
        await answered(http, content, ["SQL"])


@pytest.fixture(scope="module")
def ask() -> Iterator[Ask]:
    """Ask over a connection whose other end sends the given bytes, as they stand, and closes."""
    with asyncio.Runner() as runner:
        client = runner.run(_opened())

        async def once(sent: bytes, asked: list[str]) -> Outcome:
            async with _sending(sent) as base_url:
                try:
                    return await engine_at(client, base_url).break_down(asked)
                except (SkillsEngineUnavailableError, SkillsEngineDeniedError) as error:
                    return error

        yield lambda sent, asked: runner.run(once(sent, asked))
        runner.run(client.aclose())


async def _opened() -> httpx2.AsyncClient:
    return await open_http_client(max_connections=4).__aenter__()


@asynccontextmanager
async def _sending(sent: bytes) -> AsyncIterator[str]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        [length] = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        await reader.readexactly(int(length.partition(b":")[2]))
        writer.write(sent)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def response(body: bytes, *, status: int = 200, headers: bytes = b"") -> bytes:
    return b"HTTP/1.1 %d X\r\ncontent-length: %d\r\n%s\r\n%s" % (status, len(body), headers, body)


def check(outcome: Outcome, asked: list[str]) -> None:
    """A dict of lists of skills, for no other competency than those asked for; or an error, which `ask` lets by."""
    if isinstance(outcome, dict):
        assert outcome.keys() <= set(asked)
        for skills in outcome.values():
            assert all(isinstance(skill, str) and skill.strip() == skill != "" for skill in skills)
            assert len(set(skills)) == len(skills)


@settings(max_examples=300)
@given(content=JSON, asked=st.lists(st.sampled_from(NAMES), min_size=1, unique=True))
def test_any_json_gives_skills_or_unavailable(ask: Ask, content: object, asked: list[str]) -> None:
    outcome = ask(response(_json(content)), asked)

    check(outcome, asked)
    assert isinstance(outcome, dict) == isinstance(content, dict)


@settings(max_examples=300)
@given(found=st.dictionaries(st.sampled_from(NAMES), st.lists(SKILLS)), shape=st.integers(0, 2))
def test_every_usable_skill_of_every_shape_arrives(ask: Ask, found: dict[str, list[str]], shape: int) -> None:
    content = [found, {"data": found}, {"response": {"competencies": found}}][shape]

    outcome = ask(response(_json(content)), NAMES)

    check(outcome, NAMES)
    assert isinstance(outcome, dict)
    for name, listed in found.items():
        assert {skill.strip() for skill in listed if 0 < len(skill.strip()) <= 300} <= set(outcome[name])


@settings(max_examples=300)
@given(
    body=st.binary() | st.text().map(str.encode),
    status=st.integers(200, 599),
    headers=st.sampled_from(
        [b"", b"content-type: text/html; charset=x\r\n", b"location: http://[\r\n", b"retry-after: -1\r\n"]
    ),
)
@example(body=b"", status=204, headers=b"")
@example(body=b"[" * 100_000, status=200, headers=b"")
@example(body=b'{"SQL": ["\\ud800"]}', status=200, headers=b"")
@example(body=b"x", status=302, headers=b"location: http://[\r\n")
def test_any_answer_gives_skills_or_one_of_the_two_errors(ask: Ask, body: bytes, status: int, headers: bytes) -> None:
    outcome = ask(response(body, status=status, headers=headers), ["SQL"])

    check(outcome, ["SQL"])
    assert isinstance(outcome, SkillsEngineDeniedError) == (status in (401, 403))


@settings(max_examples=300)
@given(sent=st.binary() | st.binary().map(lambda rest: b"HTTP/1.1 200 OK\r\n" + rest))
@example(sent=b"")
@example(sent=b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
@example(sent=b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n")
def test_what_is_no_http_is_unavailable(ask: Ask, sent: bytes) -> None:
    assert isinstance(ask(sent, ["SQL"]), SkillsEngineUnavailableError)


def _json(content: object) -> bytes:
    return json.dumps(content).encode()
