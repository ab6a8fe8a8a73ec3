"""The port for health and metrics: what it has, who may read it, and what it says while the server stops."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
import pytest

from zeroconf_ai.protocol.record import Auth
from zeroconf_ai.server.access.guard import Guard
from zeroconf_ai.server.app import create_runner
from zeroconf_ai.server.health_port import create_health_app
from zeroconf_ai.server.metrics import Metrics

from ...support.server import Served, served


@asynccontextmanager
async def health_port(*networks: str) -> AsyncIterator[tuple[Served, str]]:
    """A gateway that requires a key, and the address of its health port."""
    async with served(key="zai_an-example-key-of-these-tests") as gateway:
        gateway.gateway.metrics = metrics = Metrics(gateway.engine.pool, gateway.engine.limiter)
        guard = Guard(mode=Auth.NONE, networks=networks) if networks else Guard(mode=Auth.NONE)
        runner = create_runner(create_health_app(gateway.gateway, guard))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield gateway, f"http://127.0.0.1:{runner.addresses[0][1]}"
        await runner.cleanup()
        metrics.close()


async def test_health_port_needs_no_key_and_has_health_and_metrics_only() -> None:
    async with health_port() as (gateway, url):
        ask = gateway.session.request
        for path, word in (("/healthz", "ok"), ("/livez", "ok"), ("/readyz", "ok"), ("/health", "ok"), ("/v1/health", "ok")):
            async with ask("GET", url + path) as response:
                assert (response.status, (await response.json())["status"]) == (200, word), path
        for path in ("/metrics", "/v1/metrics"):
            async with ask("GET", url + path) as response:
                assert response.status == 200
                assert "local_ai_requests_total" in await response.text()
        async with ask("HEAD", f"{url}/readyz") as response:
            assert response.status == 200
        for method, path, status in (("GET", "/v1/models", 404), ("GET", "/admin/", 404), ("POST", "/readyz", 405)):
            async with ask(method, url + path) as response:
                assert response.status == status
                assert (await response.json())["error"]["message"]
        assert (await gateway.get("/metrics"))[0] == 401


async def test_health_port_while_the_server_stops_is_alive_and_not_ready() -> None:
    async with health_port() as (gateway, url):
        gateway.gateway.reject_new()
        found = {}
        for path in ("/healthz", "/readyz", "/metrics"):
            async with gateway.session.get(url + path) as response:
                found[path] = response.status
        assert found == {"/healthz": 200, "/readyz": 503, "/metrics": 200}


@pytest.mark.parametrize(
    ("networks", "headers"),
    [(("192.0.2.0/24",), {}), ((), {"Host": "rebound.example.com"}), ((), {"Origin": "https://evil.example.com"})],
)
async def test_health_port_refuses_other_networks_and_web_pages(networks: tuple[str, ...], headers: dict[str, str]) -> None:
    async with health_port(*networks) as (gateway, url):
        for path in ("/metrics", "/readyz"):
            async with gateway.session.get(url + path, headers=headers) as response:
                assert response.status == 403
