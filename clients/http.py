"""HTTP for every client: one pool of connections, bounded answers, a deadline for the whole call."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

import httpx2

CONNECT_SECONDS = 10.0
MAX_BODY_BYTES = 8 * 2**20


class BodyRefusedError(httpx2.RequestError):
    """An answer that is not read to its end: over the allowed bytes, or compressed though nobody asked.

    Stands in httpx2's tree, so an adapter translates it with all other transport errors.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A complete answer."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


def open_http_client(*, max_connections: int, max_body_bytes: int = MAX_BODY_BYTES) -> httpx2.AsyncClient:
    """Build a client whose pool holds `max_connections`; it is an async context manager, opened by the app.

    httpx2's timeouts count per read and are off, save for connecting: every call has a deadline of its own.
    A body over `max_body_bytes` raises BodyRefusedError while it is read, also inside an SDK that uses this
    client. Compression is not asked for and not accepted: a small compressed body may be gigabytes.
    """

    async def bound(response: httpx2.Response) -> None:
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise BodyRefusedError("a compressed body", request=response.request)
        if isinstance(response.stream, httpx2.AsyncByteStream):
            response.stream = _BoundedStream(response.stream, max_body_bytes)

    return httpx2.AsyncClient(
        headers={"accept-encoding": "identity"},
        limits=httpx2.Limits(max_connections=max_connections, max_keepalive_connections=max_connections),
        timeout=httpx2.Timeout(None, connect=CONNECT_SECONDS),
        follow_redirects=False,
        event_hooks={"response": [bound]},
    )


async def get(
    http: httpx2.AsyncClient, url: str, *, headers: Mapping[str, str], deadline_seconds: float
) -> Reply:
    """GET `url` and read the whole answer within `deadline_seconds`.

    Raises httpx2.HTTPError (no connection, cut off, too large) or TimeoutError.
    """
    async with asyncio.timeout(deadline_seconds):
        response = await http.get(url, headers=headers)
    return Reply(status=response.status_code, headers=response.headers, body=response.content)


class _BoundedStream(httpx2.AsyncByteStream):
    """A response's bytes, up to a limit."""

    def __init__(self, stream: httpx2.AsyncByteStream, max_bytes: int) -> None:
        self._stream = stream
        self._max_bytes = max_bytes

    async def __aiter__(self) -> AsyncIterator[bytes]:
        read = 0
        async for chunk in self._stream:
            read += len(chunk)
            if read > self._max_bytes:
                raise BodyRefusedError(f"a body of more than {self._max_bytes} bytes")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()
