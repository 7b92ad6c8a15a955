"""The worker's HTTP side: is it alive, may it get work, what does it count. It asks nobody who they are."""

import os
from collections.abc import Callable
from types import TracebackType
from typing import Self

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from consumers.settings import SettingsError

_SHUTDOWN_SECONDS = 1.0


class HealthServer:
    """`/livez`, `/readyz` and `/metrics`. An async context manager; entering it twice raises RuntimeError.

    `reasons` says why the worker is not ready (nothing: it is), `alive` whether it works at all or needs a
    restart. Entering raises SettingsError when the port cannot be opened; port 0 takes a free one.
    """

    def __init__(
        self,
        host: str,
        port: int,
        reasons: Callable[[], list[str]],
        alive: Callable[[], bool],
        registry: CollectorRegistry,
    ) -> None:
        self._host = host
        self._wanted_port = port
        self._reasons = reasons
        self._alive = alive
        self._registry = registry
        app = web.Application()
        app.add_routes(
            [
                web.get("/livez", self._livez),
                web.get("/readyz", self._readyz),
                web.get("/metrics", self._metrics),
            ]
        )
        self._runner = web.AppRunner(app, handle_signals=False, access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS)
        self._entered = False

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._runner.addresses[0][1])

    async def __aenter__(self) -> Self:
        if self._entered:
            raise RuntimeError("a HealthServer is entered once")
        self._entered = True
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._wanted_port).start()
        except OSError as exc:
            await self._runner.cleanup()
            reason = os.strerror(exc.errno).lower() if exc.errno and exc.errno > 0 else str(exc)
            raise SettingsError(f"HTTP_HOST, HTTP_PORT: {self._host}:{self._wanted_port}: {reason}") from exc
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    async def _livez(self, _request: web.Request) -> web.Response:
        if self._alive():
            return web.json_response({"status": "alive"})
        return web.json_response({"status": "dead"}, status=503)

    async def _readyz(self, _request: web.Request) -> web.Response:
        if reasons := self._reasons():
            return web.json_response({"status": "not ready", "reasons": reasons}, status=503)
        return web.json_response({"status": "ready"})

    async def _metrics(self, request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(self._registry), headers={"Content-Type": content_type})
