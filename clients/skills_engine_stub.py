"""A Skills Engine for the demo and the tests: real HTTP on loopback, the same answers every time."""

import hashlib
from typing import Literal

from aiohttp import web
from pydantic import BaseModel, ValidationError

from clients.stub_server import StubServer

_ASPECTS = (
    "vocabulary",
    "first steps",
    "everyday tasks",
    "tools",
    "finding mistakes",
    "working with others",
    "good practice",
)
_FEWEST_SKILLS = 3


class Question(BaseModel):
    """What the service asks (contracts)."""

    competencies: list[str]
    level: Literal["lowest"]
    include_expansions: Literal[True]
    granularity: Literal["lowest"]


def skills_for(competency: str) -> list[str]:
    """Return a competency's skills: three to seven, the same every time."""
    digest = hashlib.sha256(competency.encode()).digest()
    count = _FEWEST_SKILLS + digest[0] % (len(_ASPECTS) - _FEWEST_SKILLS + 1)
    return [f"{competency}: {aspect}" for aspect in _ASPECTS[:count]]


class SkillsEngineStub(StubServer):
    """A Skills Engine; base_url, calls, fault and secret as in StubServer, the answer's shape: contracts.

    Another question than the promised one gets 400.
    """

    def _routes(self) -> list[web.RouteDef]:
        return [web.post("/api/skills/breakdown", self._break_down)]

    async def _break_down(self, request: web.Request) -> web.StreamResponse:
        try:
            question = Question.model_validate_json(await request.read())
        except ValidationError:
            return web.json_response({"error": "bad request"}, status=400)
        return web.json_response({competency: skills_for(competency) for competency in question.competencies})
