"""What skills a competency is made of: the Skills Engine over HTTP (contracts).

Called by the flows inside a step; every failure leaves here as one of the two errors of schemas/errors.
"""

from collections.abc import Sequence
from typing import TypeGuard

import httpx2
from pydantic import SecretStr

from clients.backoff import Backoff
from clients.clock import Clock
from clients.json_api import JsonApi, Service
from schemas.errors import SkillsEngineDeniedError, SkillsEngineRefusedError, SkillsEngineUnavailableError
from schemas.gap import MOST_SKILLS, Skills, competency_key

_PATH = "/api/skills/breakdown"
_MAX_SKILL_CHARS = 300  # as in a gap


class SkillsEngine(JsonApi):
    """The Skills Engine's breakdown of competencies; `denied` and `dropped_entries` as in JsonApi."""

    _service = Service(
        name="Skills Engine",
        bearer_setting="SKILLS_ENGINE_SECRET",
        unavailable=SkillsEngineUnavailableError,
        refused=SkillsEngineRefusedError,
        denied=SkillsEngineDeniedError,
    )

    def __init__(
        self,
        http: httpx2.AsyncClient,
        *,
        base_url: str,
        secret: SecretStr | None,
        timeout_seconds: float = 10.0,
        backoff: Backoff | None = None,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(
            http, base_url=base_url, secret=secret, timeout_seconds=timeout_seconds, backoff=backoff, clock=clock
        )

    async def break_down(self, competencies: Sequence[str]) -> Skills:
        """Return the skills of each competency, spelled and ordered as asked for; asked for none, make no call.

        A competency that the engine does not name is left out; names are compared as in a gap (competency_key).
        Raises SkillsEngineUnavailableError after retries, SkillsEngineDeniedError at once.
        """
        if not competencies:
            return {}
        asked = list(dict.fromkeys(competencies))
        question = {"competencies": asked, "level": "lowest", "include_expansions": True, "granularity": "lowest"}
        skills, _ = await self._read(_PATH, lambda content: self._parse(asked, content), send=question)
        return skills

    def _parse(self, asked: list[str], content: object) -> Skills:
        wanted = {competency_key(name) for name in asked}
        found: dict[str, dict[str, None]] = {}
        dropped, room = 0, MOST_SKILLS
        for name, listed in _competencies(content).items():
            key = competency_key(name)
            if key not in wanted or not isinstance(listed, list):
                dropped += 1
                continue
            skills = found.setdefault(key, {})
            before = len(skills)
            skills.update(dict.fromkeys(skill.strip() for skill in listed[:room] if _is_skill(skill)))
            room -= len(skills) - before
            dropped += len(listed) - (len(skills) - before)
        self._count_dropped("skills", dropped)
        return {name: list(found[key]) for name in asked if (key := competency_key(name)) in found}


def _competencies(content: object) -> dict[str, object]:
    """Take an answer out of its wrapper, if it has one; raises SkillsEngineUnavailableError when it is no object."""
    match content:
        case {"response": {"competencies": dict(wrapped)}} | {"data": dict(wrapped)}:
            return wrapped
        case dict():
            return content
        case _:
            raise SkillsEngineUnavailableError("the breakdown is not a JSON object")


def _is_skill(entry: object) -> TypeGuard[str]:
    return isinstance(entry, str) and 0 < len(entry.strip()) <= _MAX_SKILL_CHARS
