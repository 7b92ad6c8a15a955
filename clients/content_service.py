"""What a learner may use and what they master already: the content service over HTTP (contracts).

Called by the flows inside a step; every failure leaves here as one of the two errors of schemas/errors.
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import quote

import httpx2
from pydantic import SecretStr, ValidationError

from clients.answer_cache import AnswerCache
from clients.backoff import Backoff, retrying
from clients.clock import Clock
from clients.json_api import JsonApi, Service
from schemas.errors import ContentServiceDeniedError, ContentServiceRefusedError, ContentServiceUnavailableError
from schemas.outputs import Resource

Value = TypeVar("Value")

_MAX_RESOURCES = 10_000
_MAX_SCORES = 10_000
_SCORE_TOLERANCE = 0.01  # rounding noise of the sender; beyond it a score is no share but something else


class ContentService(JsonApi):
    """The content service's reads; lists are cached per learner for `cache_seconds` in at most `cache_bytes`.

    `denied` and `dropped_entries` as in JsonApi.
    """

    _service = Service(
        name="content service",
        bearer_setting="CONTENT_SERVICE_SECRET",
        unavailable=ContentServiceUnavailableError,
        refused=ContentServiceRefusedError,
        denied=ContentServiceDeniedError,
    )

    def __init__(
        self,
        http: httpx2.AsyncClient,
        *,
        base_url: str,
        secret: SecretStr | None,
        timeout_seconds: float = 5.0,
        backoff: Backoff | None = None,
        cache_seconds: float = 60.0,
        cache_bytes: int = 32 * 2**20,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(
            http, base_url=base_url, secret=secret, timeout_seconds=timeout_seconds, backoff=backoff, clock=clock
        )
        self._resources: AnswerCache[list[Resource]] = AnswerCache(
            self._clock, keep_seconds=cache_seconds, max_weight=cache_bytes
        )
        self._mastery: AnswerCache[dict[str, float]] = AnswerCache(
            self._clock, keep_seconds=cache_seconds, max_weight=cache_bytes
        )

    async def get_available_resources(self, user_id: str) -> list[Resource]:
        """Return the resources on offer to a learner, each id once; empty when the service has none for them.

        Raises ContentServiceUnavailableError after retries, ContentServiceDeniedError at once.
        """

        async def load() -> tuple[list[Resource], int]:
            return await self._read_for(user_id, "resources", self._parse_resources)

        return list(await self._resources.get(user_id, load))

    async def get_user_mastery_score(self, user_id: str) -> dict[str, float]:
        """Return a learner's mastery, 0..1 by concept or skill; empty when the service has none for them.

        Raises ContentServiceUnavailableError after retries, ContentServiceDeniedError at once.
        """

        async def load() -> tuple[dict[str, float], int]:
            return await self._read_for(user_id, "mastery-scores", self._parse_mastery)

        return dict(await self._mastery.get(user_id, load))

    async def is_enrolled(self, user_id: str, course_id: str) -> bool:
        """Whether a learner is enrolled in a course: 200 is yes, 403 and 404 are no (contracts). Never cached.

        Raises ContentServiceUnavailableError after retries, ContentServiceDeniedError at once.
        """
        path = f"/users/{_path_segment(user_id)}/courses/{_path_segment(course_id)}/enrollment"
        async for attempt in retrying(self._backoff, self._clock):
            with attempt:
                reply = await self._call(path, None)
                if reply.status == HTTPStatus.FORBIDDEN:
                    return False
                self._judge(reply, (HTTPStatus.NOT_FOUND,))
                return reply.status != HTTPStatus.NOT_FOUND
        raise AssertionError("the retry loop ends by returning or raising")

    async def _read_for(self, user_id: str, what: str, parse: Callable[[object], Value]) -> tuple[Value, int]:
        path = f"/users/{_path_segment(user_id)}/{what}"
        return await self._read(path, parse, nothing=(HTTPStatus.NOT_FOUND,))

    def _parse_resources(self, content: object) -> list[Resource]:
        if content is None:
            return []
        if not isinstance(content, list):
            raise ContentServiceUnavailableError("resources are not a JSON list")
        resources: dict[str, Resource] = {}
        for entry in content[:_MAX_RESOURCES]:
            resource = _resource(entry)
            if resource is not None:
                resources.setdefault(resource.resourceId, resource)
        self._count_dropped("resources", len(content) - len(resources))
        return list(resources.values())

    def _parse_mastery(self, content: object) -> dict[str, float]:
        if content is None:
            return {}
        if isinstance(content, dict) and isinstance(content.get("mastery_scores"), dict):
            content = content["mastery_scores"]
        if not isinstance(content, dict):
            raise ContentServiceUnavailableError("mastery scores are not a JSON object")
        entries = list(content.items())[:_MAX_SCORES]
        scores = {name: score for name, value in entries if name.strip() and (score := _share(value)) is not None}
        self._count_dropped("mastery scores", len(content) - len(scores))
        return scores


def _path_segment(user_id: str) -> str:
    """Percent-encode an id as one path segment; `.` and `..` alone would mean another path."""
    encoded = quote(user_id, safe="")
    return encoded if encoded.strip(".") else encoded.replace(".", "%2E")


def _resource(entry: object) -> Resource | None:
    """Read one resource: numeric ids become text, nulls count as absent, anything else wrong gives None."""
    if not isinstance(entry, dict):
        return None
    fields = {name: value for name, value in entry.items() if value is not None}
    for name in ("resourceId", "conceptId"):
        if isinstance(fields.get(name), int) and not isinstance(fields[name], bool):
            fields[name] = str(fields[name])
    try:
        resource = Resource.model_validate(fields)
    except ValidationError:
        return None
    return resource if resource.resourceId.strip() and resource.name.strip() else None


def _share(value: object) -> float | None:
    """Return a score clipped to 0..1, or None when it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not -_SCORE_TOLERANCE <= value <= 1 + _SCORE_TOLERANCE:
        return None
    return min(max(float(value), 0.0), 1.0)
