"""A content service for the demo and the tests: real HTTP on loopback, the same answers every time."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Self, assert_never

from aiohttp import web

Fault = Literal["error", "denied", "silent", "html", "half_body", "huge_body"]

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_HUGE_BODY_BYTES = 50 * 2**20
_CHUNK_BYTES = 2**16
_SUBJECTS = {
    "python": "Python programming",
    **dict.fromkeys(("sql", "data", "statistics"), "Data analysis"),
    **dict.fromkeys(("html", "javascript"), "Web development"),
    **dict.fromkeys(("project", "stakeholder"), "Project management"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Concept:
    """One thing to learn, what comes before it, and the resources about it as (type, name, minutes)."""

    id: str
    level: str
    about: str
    resources: tuple[tuple[str, str, int], ...]
    prerequisites: tuple[str, ...] = ()


def _concept(
    concept_id: str, level: str, about: str, *resources: tuple[str, str, int], after: tuple[str, ...] = ()
) -> Concept:
    return Concept(id=concept_id, level=level, about=about, resources=resources, prerequisites=after)


CATALOGUE: tuple[Concept, ...] = (
    _concept(
        "python-basics",
        "beginner",
        "Variables, types, conditions and loops in Python",
        ("video", "Python from zero: variables, conditions, loops", 95),
        ("exercise", "Twenty warm-up exercises in Python", 120),
    ),
    _concept(
        "python-functions",
        "beginner",
        "Functions, arguments, return values and scope in Python",
        ("video", "Python functions step by step", 60),
        ("article", "How Python passes arguments", 25),
        after=("python-basics",),
    ),
    _concept(
        "python-data-structures",
        "beginner",
        "Lists, dictionaries, sets and tuples in Python, and when to use which",
        ("video", "Lists and dictionaries in practice", 80),
        ("exercise", "Word counts: a Python exercise with dictionaries", 90),
        after=("python-basics",),
    ),
    _concept(
        "python-oop",
        "intermediate",
        "Classes, objects, OOP and composition in Python",
        ("video", "Classes and objects in Python", 75),
        ("article", "Composition before inheritance", 20),
        after=("python-functions", "python-data-structures"),
    ),
    _concept(
        "python-testing",
        "intermediate",
        "Tests for Python code",
        ("course", "Testing Python with pytest", 180),
        after=("python-functions",),
    ),
    _concept(
        "sql-select",
        "beginner",
        "Reading data from tables with SQL: select, filter, sort",
        ("video", "SQL in one evening", 70),
        ("exercise", "Fifty SQL queries", 150),
    ),
    _concept(
        "sql-joins",
        "intermediate",
        "Joining tables in SQL and grouping the data",
        ("video", "SQL joins drawn by hand", 45),
        ("exercise", "A shop's orders: SQL join exercises", 120),
        after=("sql-select",),
    ),
    _concept(
        "data-visualisation",
        "beginner",
        "Charts that answer a question about data",
        ("project", "A report for the data of a bike rental", 240),
    ),
    _concept(
        "statistics-basics",
        "intermediate",
        "Averages, spread and samples of data",
        ("course", "Statistics for data analysts", 300),
        after=("data-visualisation",),
    ),
    _concept(
        "html-css",
        "beginner",
        "Web pages with HTML and CSS",
        ("video", "Your first web page", 90),
    ),
    _concept(
        "javascript-basics",
        "beginner",
        "JavaScript in the web browser: events and the page",
        ("course", "JavaScript for the browser", 240),
        after=("html-css",),
    ),
    _concept(
        "project-planning",
        "beginner",
        "Planning a project: goals, milestones and risks",
        ("article", "A project plan on one page", 35),
        ("video", "Milestones and risks in project management", 50),
    ),
    _concept(
        "stakeholder-communication",
        "intermediate",
        "Communication with the stakeholders of a project",
        ("video", "Difficult conversations in project management", 40),
        after=("project-planning",),
    ),
)


def resources_for(_user_id: str) -> list[dict[str, object]]:
    """Return the catalogue in the content service's shape; the same for every learner."""
    return [
        {
            "resourceId": f"res-{concept.id}-{number}",
            "name": name,
            "type": kind,
            "description": concept.about,
            "url": f"https://content.example/{concept.id}/{number}",
            "conceptId": concept.id,
            "level": concept.level,
            "durationMinutes": minutes,
            "prerequisites": list(concept.prerequisites),
            "subject": _SUBJECTS[concept.id.split("-", maxsplit=1)[0]],
        }
        for concept in CATALOGUE
        for number, (kind, name, minutes) in enumerate(concept.resources, start=1)
    ]


def mastery_for(user_id: str) -> dict[str, float]:
    """Return a learner's mastery: some way into every subject, further in the basics, the same every time."""
    scores = {}
    for concept in CATALOGUE:
        digest = hashlib.sha256(f"{user_id}/{concept.id}".encode()).digest()
        ceiling = 0.55 if concept.prerequisites else 0.95
        if digest[1] % 3:  # a third was never assessed
            scores[concept.id] = round(digest[0] / 255 * ceiling, 2)
    return scores


class ContentServiceStub:
    """A content service on a free port of 127.0.0.1, while its async context is open.

    `fault`, when set, is what every call gets from then on; `calls` counts them by path. With a `secret`,
    calls without it are denied. The answers' shapes: contracts, 'HTTP that the service calls'.
    """

    def __init__(self, *, secret: str | None = None, silent_seconds: float = 30.0) -> None:
        self.fault: Fault | None = None
        self.calls: dict[str, int] = {}
        self.base_url = ""
        self._secret = secret
        self._silent_seconds = silent_seconds
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/users/{user_id}/resources", self._answers(resources_for))
        app.router.add_get("/users/{user_id}/mastery-scores", self._answers(mastery_for))
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.base_url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def _answers(self, data_for: Callable[[str], object]) -> _Handler:
        async def answer(request: web.Request) -> web.StreamResponse:
            self.calls[request.path] = self.calls.get(request.path, 0) + 1
            if self.fault is not None:
                return await self._misbehave(request, self.fault)
            if self._secret and request.headers.get("authorization") != f"Bearer {self._secret}":
                return web.json_response({"error": "unauthorized"}, status=401)
            return web.json_response(data_for(request.match_info["user_id"]))

        return answer

    async def _misbehave(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        match fault:
            case "error" | "denied":
                return web.json_response({"error": fault}, status=500 if fault == "error" else 401)
            case "silent":
                await asyncio.sleep(self._silent_seconds)
                return web.json_response([])
            case "html":
                return web.Response(text="<html><body>Maintenance</body></html>", content_type="text/html")
            case "half_body":
                return await _cut_off(request)
            case "huge_body":
                return await _huge(request)
            case _:
                assert_never(fault)


async def _cut_off(request: web.Request) -> web.StreamResponse:
    """Promise 1,000 bytes, send some and hang up."""
    response = web.StreamResponse(headers={"content-length": "1000", "content-type": "application/json"})
    await response.prepare(request)
    await response.write(b'[{"resourceId": "res-1", "name": "Half')
    if request.transport is not None:
        request.transport.abort()
    return response


async def _huge(request: web.Request) -> web.StreamResponse:
    """Send valid JSON of 50 MB."""
    response = web.StreamResponse(headers={"content-type": "application/json"})
    await response.prepare(request)
    await response.write(b"[")
    with suppress(ConnectionError):  # a client that has read enough hangs up
        for _ in range(_HUGE_BODY_BYTES // _CHUNK_BYTES):
            await response.write(b" " * _CHUNK_BYTES)
        await response.write(b"]")
    return response
