"""The health server, on a real socket: what a load balancer, an orchestrator and Prometheus get."""

import socket
from collections.abc import Callable

import aiohttp
import pytest
from prometheus_client import CollectorRegistry, Gauge

from consumers.observability import HealthServer
from consumers.settings import SettingsError


def server(
    *,
    port: int = 0,
    reasons: Callable[[], list[str]] = list,
    alive: Callable[[], bool] = lambda: True,
    registry: CollectorRegistry | None = None,
) -> HealthServer:
    """A health server on the loopback address."""
    return HealthServer("127.0.0.1", port, reasons, alive, registry or CollectorRegistry())


async def get(health: HealthServer, path: str) -> tuple[int, str, str]:
    """Status, body and content type."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{health.port}{path}") as answer,
    ):
        return answer.status, await answer.text(), answer.headers["Content-Type"]


async def test_ready_until_there_is_a_reason_not_to_be() -> None:
    reasons: list[str] = []
    async with server(reasons=lambda: reasons) as health:
        assert (await get(health, "/readyz"))[:2] == (200, '{"status": "ready"}')
        reasons.append("learning_goal: task 3 is not active")
        status, body, content_type = await get(health, "/readyz")
        assert status == 503
        assert "learning_goal: task 3 is not active" in body
        assert content_type.startswith("application/json")


async def test_alive_until_it_is_not() -> None:
    alive = True
    async with server(alive=lambda: alive, reasons=lambda: ["not ready, but alive"]) as health:
        assert (await get(health, "/livez"))[0] == 200
        alive = False
        assert (await get(health, "/livez"))[0] == 503


async def test_metrics_are_those_of_the_registry() -> None:
    registry = CollectorRegistry()
    Gauge("pathstream_answer", "To everything", registry=registry).set(42)
    async with server(registry=registry) as health:
        status, body, content_type = await get(health, "/metrics")
    assert status == 200
    assert "pathstream_answer 42.0" in body
    assert content_type.startswith("text/plain")


async def test_nothing_else_is_served() -> None:
    async with server() as health:
        assert (await get(health, "/"))[0] == 404


async def test_the_port_is_free_again_afterwards() -> None:
    async with server() as health:
        port = health.port
    async with server(port=port) as again:
        assert again.port == port


async def test_a_port_in_use_is_a_setting_that_is_wrong() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=rf"HTTP_PORT: 127\.0\.0\.1:{port}: address already in use"):
            async with server(port=port):
                pass


async def test_it_is_entered_once() -> None:
    health = server()
    async with health:
        pass
    with pytest.raises(RuntimeError, match="once"):
        async with health:
            pass
