"""How `zeroconf-ai serve` stops: what runs may end, what is new is refused, and a second signal waits for nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
import json
from pathlib import Path
import signal
from typing import Any

import aiohttp
import pytest

from ...support.command import Server, run, serving
from ...support.fakes.provider import FakeProvider, Paused, running
from ...support.ports import free_port
from ...support.waiting import until
from .test_serve_upstreams import gateway

pytestmark = pytest.mark.usefixtures("own_loopback")

QUIET = ("--no-advertise",)


def counting(to: int) -> dict[str, Any]:
    return {"model": "demo-rules", "messages": [{"role": "user", "content": f"count to {to}"}], "stream": True}


@asynccontextmanager
async def stream(session: aiohttp.ClientSession, server: Server, to: int) -> AsyncIterator[aiohttp.ClientResponse]:
    """A stream that has begun."""
    async with session.post(f"{server.url}/chat/completions", json=counting(to)) as response:
        assert response.status == 200
        await response.content.readline()
        yield response


async def status(session: aiohttp.ClientSession, url: str) -> int:
    async with session.get(url) as response:
        return response.status


async def is_refusing(session: aiohttp.ClientSession, url: str) -> bool:
    return await status(session, f"{url}/health") == 503


async def test_serve_signal_lets_a_stream_finish_and_refuses_new_requests(tmp_path: Path) -> None:
    paused = Paused()
    async with running(FakeProvider()) as provider, aiohttp.ClientSession() as session:
        provider.answers = [paused]
        options = ("--upstream", f"openai_compatible={provider.base_url}", "--health-port", str(free_port()))
        async with gateway(tmp_path, *options, *QUIET) as served:
            url, health = served.ready["url"], served.ready["health"]
            assert health.startswith("http://127.0.0.1:")
            assert await status(session, f"{health}/readyz") == 200
            asked = {"model": "auto", "messages": [{"role": "user", "content": "Hi"}], "stream": True}
            async with session.post(f"{url}/chat/completions", json=asked) as response:
                await paused.begun.wait()
                served.process.send_signal(signal.SIGTERM)
                await until(lambda: is_refusing(session, url))
                # Also on a new connection: the port listens until the last request has ended.
                async with aiohttp.ClientSession() as another:
                    for path in ("chat/completions", "messages"):
                        async with another.post(f"{url}/{path}", json=asked) as refused:
                            assert (refused.status, refused.headers["Connection"]) == (503, "close")
                            assert int(refused.headers["Retry-After"]) > 0
                            assert "stopping" in (await refused.json())["error"]["message"]
                    async with another.get(url.removesuffix("v1")) as page:
                        assert (page.status, page.headers["Connection"]) == (200, "close")
                    assert await status(session, f"{health}/readyz") == 503
                    assert await status(session, f"{health}/healthz") == 200
                    assert await status(session, f"{health}/metrics") == 200
                paused.go.set()
                assert (await response.text()).endswith("data: [DONE]\n\n")
            assert await asyncio.wait_for(served.process.wait(), 20) == 0
        assert len(provider.requests) == 1


async def test_serve_signal_ends_a_stream_at_its_limit_and_stores_its_usage(tmp_path: Path) -> None:
    with serving(tmp_path, "--delay", "0.05", "--keys", "--auth", "none", "--drain-seconds", "1", *QUIET) as server:
        async with aiohttp.ClientSession() as session, stream(session, server, 1000) as response:
            server.process.send_signal(signal.SIGINT)
            events = (await response.text()).strip().split("\n\n")
        assert len(events) > 10
        assert "stopping" in json.loads(events[-1].removeprefix("data: "))["error"]["message"]
        assert await asyncio.to_thread(server.process.wait, 20) == 0
    [row] = json.loads(run(tmp_path, "usage", "--format", "json").stdout)["data"]
    assert (row["requests"], row["tokens_completion"] > 10) == (1, True)


async def test_serve_second_signal_ends_at_once(tmp_path: Path) -> None:
    with serving(tmp_path, "--delay", "0.05", "--drain-seconds", "3600", *QUIET) as server:
        async with aiohttp.ClientSession() as session, stream(session, server, 10_000) as response:
            server.process.send_signal(signal.SIGTERM)
            await until(lambda: is_refusing(session, server.url))
            server.process.send_signal(signal.SIGTERM)
            assert "stopping" in (await response.text()).rpartition("data: ")[2]
        assert await asyncio.to_thread(server.process.wait, 20) == 0
