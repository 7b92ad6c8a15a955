"""What a learner may use and what they master already: the content service over HTTP (contracts).

Called by the flows inside a step; every failure leaves here as one of the two errors of schemas/errors.
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import quote

import httpx2
import pydantic_core
import structlog
from pydantic import SecretStr, ValidationError

from clients.answer_cache import AnswerCache
from clients.backoff import Backoff, retry_after_seconds, retrying
from clients.clock import Clock, SystemClock
from clients.http import Reply, get
from schemas.errors import ContentServiceDeniedError, ContentServiceUnavailableError
from schemas.outputs import Resource

Value = TypeVar("Value")

_log = structlog.get_logger(__name__)

_DENIED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_NOT_NOW = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS)
_MAX_RESOURCES = 10_000
_MAX_SCORES = 10_000
_SCORE_TOLERANCE = 0.01  # rounding noise of the sender; beyond it a score is no share but something else


class ContentService:
    """The content service's two reads, cached per learner for `cache_seconds` in at most `cache_bytes`.

    `denied` is true from a 401 or 403 until an answer comes again: an operator has to correct the secret.
    `dropped_entries` counts the resources and scores that were not as promised and left out.
    """

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
        self._http = http
        self._base_url = base_url.rstrip("/")
        self._secret = secret
        self._timeout_seconds = timeout_seconds
        self._backoff = backoff or Backoff()
        self._clock = clock or SystemClock()
        self._resources: AnswerCache[list[Resource]] = AnswerCache(
            self._clock, keep_seconds=cache_seconds, max_weight=cache_bytes
        )
        self._mastery: AnswerCache[dict[str, float]] = AnswerCache(
            self._clock, keep_seconds=cache_seconds, max_weight=cache_bytes
        )
        self.denied = False
        self.dropped_entries = 0

    async def get_available_resources(self, user_id: str) -> list[Resource]:
        """Return the resources on offer to a learner, each id once; empty when the service has none for them.

        Raises ContentServiceUnavailableError after retries, ContentServiceDeniedError at once.
        """

        async def load() -> tuple[list[Resource], int]:
            return await self._read(user_id, "resources", self._parse_resources)

        return list(await self._resources.get(user_id, load))

    async def get_user_mastery_score(self, user_id: str) -> dict[str, float]:
        """Return a learner's mastery, 0..1 by concept or skill; empty when the service has none for them.

        Raises ContentServiceUnavailableError after retries, ContentServiceDeniedError at once.
        """

        async def load() -> tuple[dict[str, float], int]:
            return await self._read(user_id, "mastery-scores", self._parse_mastery)

        return dict(await self._mastery.get(user_id, load))

    async def _read(self, user_id: str, what: str, parse: Callable[[object], Value]) -> tuple[Value, int]:
        """Return the parsed answer and its bytes."""
        url = f"{self._base_url}/users/{_path_segment(user_id)}/{what}"
        async for attempt in retrying(self._backoff, self._clock):
            with attempt:
                reply = await self._get(url)
                content = _content(reply)
                return parse(content), max(len(reply.body), 1)
        raise AssertionError("the retry loop ends by returning or raising")

    async def _get(self, url: str) -> Reply:
        headers = {"accept": "application/json"}
        if self._secret is not None:
            headers["authorization"] = f"Bearer {self._secret.get_secret_value()}"
        try:
            reply = await get(self._http, url, headers=headers, deadline_seconds=self._timeout_seconds)
        except TimeoutError as exc:
            raise ContentServiceUnavailableError(f"no answer within {self._timeout_seconds} s") from exc
        except httpx2.HTTPError as exc:
            raise ContentServiceUnavailableError(f"{type(exc).__name__}: {exc}") from exc
        self._judge(reply)
        return reply

    def _judge(self, reply: Reply) -> None:
        """Raise for an answer that is neither data nor 'no data'; keep `denied` up to date."""
        if reply.status in _DENIED:
            if not self.denied:
                _log.error("content service denies CONTENT_SERVICE_SECRET", status=reply.status)
            self.denied = True
            raise ContentServiceDeniedError(f"HTTP {reply.status}: check CONTENT_SERVICE_SECRET")
        if reply.status in (HTTPStatus.OK, HTTPStatus.NOT_FOUND):
            if self.denied:
                _log.info("content service accepts CONTENT_SERVICE_SECRET again")
            self.denied = False
            return
        if reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR or reply.status in _NOT_NOW:
            raise _TryLaterError(reply.status, retry_after_seconds(reply.headers, self._clock))
        raise _WrongCallError(f"HTTP {reply.status}")

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

    def _count_dropped(self, what: str, dropped: int) -> None:
        if dropped:
            self.dropped_entries += dropped
            _log.warning("content service sent unusable entries", what=what, dropped=dropped)


class _TryLaterError(ContentServiceUnavailableError):
    """A status that says 'not now': 5xx, 429, 408, 425."""

    def __init__(self, status: int, retry_after: float | None) -> None:
        super().__init__(f"HTTP {status}")
        self.retry_after_seconds = retry_after


class _WrongCallError(ContentServiceUnavailableError):
    """A status that the same call would get again: a redirect, another 4xx."""

    retriable = False


def _path_segment(user_id: str) -> str:
    """Percent-encode an id as one path segment; `.` and `..` alone would mean another path."""
    encoded = quote(user_id, safe="")
    return encoded if encoded.strip(".") else encoded.replace(".", "%2E")


def _content(reply: Reply) -> object:
    """Parse a body; None when the service has no data for this learner."""
    if reply.status == HTTPStatus.NOT_FOUND:
        return None
    try:
        parsed: object = pydantic_core.from_json(reply.body)
    except ValueError:
        kind = reply.headers.get("content-type", "no content type")
        raise ContentServiceUnavailableError(f"not JSON but {kind[:60]}, {len(reply.body)} bytes") from None
    return parsed


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
