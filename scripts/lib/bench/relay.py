"""What the relay adds: the same backend asks the same server by HTTP and over a link, in turn, in one process.

Both ends are in this process, so that its CPU time has those of both; the model behind the server is a process of its own. The
link has a WebSocket over TCP on the loopback interface, without TLS, as the direct connections have.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
import json
import statistics
import sys
import time

import aiohttp
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from zeroconf_ai.accounting.connectors import PairedConnector
from zeroconf_ai.accounting.one_time_codes import OneTimeCode, OneTimeCodes
from zeroconf_ai.backends.base import Backend, BackendInfo, Endpoint
from zeroconf_ai.backends.zeroconfai import ZeroconfAIBackend
from zeroconf_ai.engine import Engine
from zeroconf_ai.protocol.request import Kind, Request
from zeroconf_ai.relay.frames import MAX_FRAME_BYTES, SUBPROTOCOL
from zeroconf_ai.relay.handshake import Welcome, authenticate_to_house, public_bytes
from zeroconf_ai.relay.hub import RelayHub
from zeroconf_ai.relay.link import Link, Role
from zeroconf_ai.relay.relayed_requests import RelayedRequests
from zeroconf_ai.relay.session import relay_session, relay_url
from zeroconf_ai.server.access.relayed import House, RelayedAccess
from zeroconf_ai.server.app import create_app, create_runner
from zeroconf_ai.server.gateway import Gateway
from zeroconf_ai.server.in_process import InProcess

from . import upstream

FIRST_TOKENS = 60
"""Requests one after the other whose first token is timed."""
STREAMS = 32
"""Streams at a time."""
DIRECT, RELAY = "direct", "relay"
FIRST, SPEED, CPU = "first token, ms", f"tokens/s, {STREAMS} streams", "CPU ms per 1,000 tokens"
_BODY = {"model": "swift", "messages": [{"role": "user", "content": "Is it on?"}], "stream": True}


class _Known:
    """The one connector of the house."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._connector = PairedConnector("bench", "bench", public_bytes(key), 0.0)

    async def find(self, key: bytes) -> PairedConnector | None:
        """The connector, whatever key it has proved."""
        return self._connector if key == self._connector.key else None

    async def add(self, key: bytes, name: str, code: OneTimeCode) -> PairedConnector:
        """The connector; nothing is stored."""
        return self._connector


async def _open_runner(stack: AsyncExitStack, gateway: Gateway) -> tuple[web.AppRunner, int]:
    runner = create_runner(create_app(gateway, drain_seconds=0.0))
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner, runner.addresses[0][1]


@asynccontextmanager
async def _backends(model_port: int) -> AsyncIterator[dict[str, Backend]]:
    """The server with the model as two backends: by HTTP and over a link."""
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
        served, house = Engine(own_id="machine"), Engine(own_id="house")
        for engine in (served, house):
            stack.push_async_callback(engine.close)
        model = ZeroconfAIBackend(session, BackendInfo("model", "model"), Endpoint(f"http://127.0.0.1:{model_port}/v1"))
        await served.checker.check(served.add(model))
        _, port = await _open_runner(stack, Gateway(served, provider_id="machine", name="machine"))
        relayed = Gateway(served, provider_id="machine", name="machine", access=RelayedAccess())
        inside, _ = await _open_runner(stack, relayed)
        key, other = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
        hub = RelayHub(key, Welcome("house", "house"), _Known(other), OneTimeCodes())
        entrance = Gateway(house, provider_id="house", name="house")
        entrance.relay = hub
        _, house_port = await _open_runner(stack, entrance)
        socket = await session.ws_connect(
            f"http://127.0.0.1:{house_port}/v1/relay", protocols=(SUBPROTOCOL,), max_msg_size=MAX_FRAME_BYTES
        )
        await authenticate_to_house(socket, other, public_bytes(key))
        requests = RelayedRequests(InProcess(inside))
        link = Link(socket, Role.CONNECTOR, accept=lambda stream: requests.answer(link, House("house", "house"), stream))
        running = asyncio.create_task(link.run())
        stack.push_async_callback(asyncio.wait, {running})
        stack.push_async_callback(link.close)
        stack.push_async_callback(hub.close)
        over = await stack.enter_async_context(relay_session(hub.uplink("bench")))
        yield {
            DIRECT: ZeroconfAIBackend(session, BackendInfo(DIRECT, DIRECT), Endpoint(f"http://127.0.0.1:{port}/v1")),
            RELAY: ZeroconfAIBackend(over, BackendInfo(RELAY, RELAY), Endpoint(relay_url("bench"))),
        }


async def _read(backend: Backend) -> float:
    """Read a stream to its end; the seconds until its first token."""
    begun = time.perf_counter()
    first = 0.0
    answer = await backend.send(Request.parse(Kind.CHAT, dict(_BODY)))
    try:
        async for _ in answer.batches():
            first = first or time.perf_counter() - begun
    finally:
        await answer.close()
    return first


async def _first(backend: Backend) -> float:
    """The seconds until the first token of a stream that is then cancelled."""
    begun = time.perf_counter()
    answer = await backend.send(Request.parse(Kind.CHAT, dict(_BODY)))
    try:
        await anext(aiter(answer.batches()))
        return time.perf_counter() - begun
    finally:
        await answer.close()


async def _measure(port: int, rounds: int) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, list[float]]] = {figure: {DIRECT: [], RELAY: []} for figure in (FIRST, SPEED, CPU)}
    async with _backends(port) as backends:
        for _ in range(rounds):
            for name, backend in backends.items():
                firsts = [await _first(backend) for _ in range(FIRST_TOKENS)]
                found[FIRST][name].append(1000 * statistics.median(firsts))
                await asyncio.sleep(0.1)  # the cancelled streams end
                seconds, cpu = await _spread(partial(_read, backend))
                found[SPEED][name].append(STREAMS * upstream.TOKENS / seconds)
                found[CPU][name].append(1000 * cpu / STREAMS)
    return {figure: {name: statistics.median(values) for name, values in names.items()} for figure, names in found.items()}


async def _spread(work: Callable[[], Awaitable[float]]) -> tuple[float, float]:
    """Seconds and CPU seconds of STREAMS streams at a time."""
    begun, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(work() for _ in range(STREAMS)))
    return time.perf_counter() - begun, time.process_time() - cpu


def main(rounds: int, *, as_json: bool) -> None:
    """Run and print."""
    with upstream.running() as port:
        table = asyncio.run(_measure(port, rounds))
    if as_json:
        sys.stdout.write(json.dumps(table, indent=2) + "\n")
        return
    sys.stdout.write(f"{'':28}{DIRECT:>12}{RELAY:>12}{'ratio':>8}{'added':>10}\n")
    for figure, by_name in table.items():
        direct, relay = by_name[DIRECT], by_name[RELAY]
        sys.stdout.write(f"{figure:28}{direct:>12,.2f}{relay:>12,.2f}{relay / direct:>8.2f}{relay - direct:>10,.2f}\n")
