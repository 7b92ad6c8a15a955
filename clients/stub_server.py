"""What the stubs of the HTTP services share: a real server on loopback, its secret, its faults."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import TracebackType
from typing import Literal, Self, assert_never

from aiohttp import web

Fault = Literal["error", "denied", "silent", "html", "half_body", "huge_body"]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_HUGE_BODY_BYTES = 50 * 2**20
_CHUNK_BYTES = 2**16


class StubServer(ABC):
    """A service on a free port of 127.0.0.1, while its async context is open.

    `fault`, when set, is what every call gets from then on; `calls` counts them by path. With a `secret`,
    calls without it are denied.
    """

    def __init__(self, *, secret: str | None = None, silent_seconds: float = 30.0) -> None:
        self.fault: Fault | None = None
        self.calls: dict[str, int] = {}
        self.base_url = ""
        self._secret = secret
        self._silent_seconds = silent_seconds
        self._runner: web.AppRunner | None = None

    @abstractmethod
    def _routes(self) -> list[web.RouteDef]:
        """The calls that the service takes, and what it answers when nothing is wrong."""

    async def __aenter__(self) -> Self:
        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._guard(request, handler)

        app = web.Application(middlewares=[guard])
        app.add_routes(self._routes())
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

    async def _guard(self, request: web.Request, answer: Handler) -> web.StreamResponse:
        self.calls[request.path] = self.calls.get(request.path, 0) + 1
        if self.fault is not None:
            return await self._misbehave(request, self.fault)
        if self._secret and request.headers.get("authorization") != f"Bearer {self._secret}":
            return web.json_response({"error": "unauthorized"}, status=401)
        return await answer(request)

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
