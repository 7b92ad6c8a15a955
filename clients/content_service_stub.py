"""A content service for the demo and the tests: real HTTP on loopback, the same answers every time."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from clients.stub_server import Handler, StubServer

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


class ContentServiceStub(StubServer):
    """A content service; base_url, calls, fault and secret as in StubServer, the answers' shapes: contracts.

    Who is in `not_enrolled` is enrolled in no course, everybody else in all.
    """

    not_enrolled: frozenset[str] = frozenset()

    def _routes(self) -> list[web.RouteDef]:
        return [
            web.get("/users/{user_id}/resources", self._answers(resources_for)),
            web.get("/users/{user_id}/mastery-scores", self._answers(mastery_for)),
            web.get("/users/{user_id}/courses/{course_id}/enrollment", self._enrollment),
        ]

    def _answers(self, data_for: Callable[[str], object]) -> Handler:
        async def answer(request: web.Request) -> web.StreamResponse:
            return web.json_response(data_for(request.match_info["user_id"]))

        return answer

    async def _enrollment(self, request: web.Request) -> web.StreamResponse:
        enrolled = request.match_info["user_id"] not in self.not_enrolled
        return web.json_response({"enrolled": enrolled}, status=200 if enrolled else 404)
