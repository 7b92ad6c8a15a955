"""What the clients of our JSON services share: the secret, the deadline, retries, and what a status means.

Every failure leaves here as one of the service's own errors of schemas/errors.
"""

from collections.abc import Callable, Container
from dataclasses import dataclass
from http import HTTPStatus
from typing import ClassVar, TypeVar

import httpx2
import pydantic_core
import structlog
from pydantic import SecretStr

from clients.backoff import Backoff, retry_after_seconds, retrying
from clients.clock import Clock, SystemClock
from clients.http import Reply, get, post
from schemas.errors import ServiceError

Value = TypeVar("Value")

_log = structlog.get_logger(__name__)

# 201 is what some frameworks answer to every POST.
_DATA = (HTTPStatus.OK, HTTPStatus.CREATED)
_DENIED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_NOT_NOW = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What a service is called in logs, the setting that holds its secret, and its errors."""

    name: str
    bearer_setting: str
    unavailable: type[ServiceError]
    refused: type[ServiceError]
    denied: type[ServiceError]


class JsonApi:
    """Base of a service's client: one method that reads.

    `denied` is true from a 401 or 403 until an answer comes again: an operator has to correct the secret.
    `dropped_entries` counts the parts of answers that were not as promised and left out.
    """

    _service: ClassVar[Service]

    def __init__(
        self,
        http: httpx2.AsyncClient,
        *,
        base_url: str,
        secret: SecretStr | None,
        timeout_seconds: float,
        backoff: Backoff | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._http = http
        self._base_url = base_url.rstrip("/")
        self._secret = secret
        self._timeout_seconds = timeout_seconds
        self._backoff = backoff or Backoff()
        self._clock = clock or SystemClock()
        self.denied = False
        self.dropped_entries = 0

    async def _read(
        self, path: str, parse: Callable[[object], Value], *, send: object = None, nothing: Container[int] = ()
    ) -> tuple[Value, int]:
        """GET, or POST `send` as JSON; return the parsed answer and its bytes. A call may be made several times.

        `parse` gets None for a status in `nothing`, which says 'no data', and may raise the service's errors.
        Raises the service's `unavailable` after retries, `refused` and `denied` at once.
        """
        async for attempt in retrying(self._backoff, self._clock):
            with attempt:
                reply = await self._call(path, send)
                self._judge(reply, nothing)
                content = None if reply.status in nothing else self._content(reply)
                return parse(content), max(len(reply.body), 1)
        raise AssertionError("the retry loop ends by returning or raising")

    def _count_dropped(self, what: str, dropped: int) -> None:
        if dropped:
            self.dropped_entries += dropped
            _log.warning(f"{self._service.name} sent unusable entries", what=what, dropped=dropped)

    async def _call(self, path: str, send: object) -> Reply:
        url, seconds = self._base_url + path, self._timeout_seconds
        headers = {"accept": "application/json"}
        if self._secret is not None:
            headers["authorization"] = f"Bearer {self._secret.get_secret_value()}"
        try:
            if send is None:
                return await get(self._http, url, headers=headers, deadline_seconds=seconds)
            return await post(self._http, url, content=send, headers=headers, deadline_seconds=seconds)
        except TimeoutError as exc:
            raise self._service.unavailable(f"no answer within {seconds} s") from exc
        except httpx2.HTTPError as exc:
            raise self._service.unavailable(f"{type(exc).__name__}: {exc}") from exc

    def _judge(self, reply: Reply, nothing: Container[int]) -> None:
        """Raise for an answer that is neither data nor 'no data'; keep `denied` up to date."""
        service = self._service
        if reply.status in _DATA or reply.status in nothing:
            if self.denied:
                _log.info(f"{service.name} accepts {service.bearer_setting} again")
            self.denied = False
            return
        if reply.status in _DENIED:
            if not self.denied:
                _log.error(f"{service.name} denies {service.bearer_setting}", status=reply.status)
            self.denied = True
            raise service.denied(f"HTTP {reply.status}: check {service.bearer_setting}")
        if reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR or reply.status in _NOT_NOW:
            wait = retry_after_seconds(reply.headers, self._clock)
            raise service.unavailable(f"HTTP {reply.status}", retry_after_seconds=wait)
        raise service.refused(f"HTTP {reply.status}")

    def _content(self, reply: Reply) -> object:
        try:
            parsed: object = pydantic_core.from_json(reply.body)
        except ValueError:
            kind = reply.headers.get("content-type", "no content type")
            raise self._service.unavailable(f"not JSON but {kind[:60]}, {len(reply.body)} bytes") from None
        return parsed
