"""The scan of a home's network: several hosts, one of them hostile, one silent."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from ipaddress import IPv4Address, IPv4Interface
import json
import subprocess
import sys
import time

from devhome.namespaces import Host, Lan
from tests.support.clouds.ollama import PLAIN, FakeOllama
from tests.support.clouds.server import FakeCloud, engine, locked_engine
from tests.support.fakes.provider import FakeProvider
from tests.support.fakes.server import FakeServer
from zeroconf_ai.presence.network_scan import Known, NetworkScan, home_networks

type Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

LM_STUDIO = {
    "v1__models": (200, "application/json", {"data": [{"id": "qwen3"}]}),
    "lmstudio-greeting": (200, "", {"lmstudio": True}),
}


LITELLM = {"/v1/models": LM_STUDIO["v1__models"], "/health/liveliness": (200, "text/plain", "I'm alive!")}


@asynccontextmanager
async def serving(host: Host, fake: FakeServer, port: int) -> AsyncGenerator[None]:
    """The fake on a port of the host."""
    fake.host = host.ipv4
    with host.namespace.entered():
        await fake.start(port)
    try:
        yield
    finally:
        await fake.stop()


@asynccontextmanager
async def raw(host: Host, port: int, handle: Handler) -> AsyncGenerator[None]:
    """A server that answers with bytes of its own."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            await handle(reader, writer)
        writer.close()

    with host.namespace.entered():
        server = await asyncio.start_server(answer, host.ipv4, port)
    try:
        yield
    finally:
        server.close()
        server.close_clients()


async def endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while not writer.is_closing():
        writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
        await writer.drain()


async def huge_headers(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while not writer.is_closing():
        writer.write(b"X-Filler: " + b"y" * 8000 + b"\r\n")
        await writer.drain()


async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    while await reader.read(1024):
        pass


async def test_scan_finds_engines_by_their_signatures_and_asks_nothing_outside(lan: Lan) -> None:
    tester, gpu, desk, evil, quiet = (lan.host(name) for name in ("tester", "scangpu", "scandesk", "scanevil", "scanquiet"))
    outside = FakeOllama()
    outside.host = "127.0.0.1"

    async def redirect(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 302 Found\r\nLocation: {outside.root}/api/tags\r\nContent-Length: 0\r\n\r\n".encode())

    async with AsyncExitStack() as stack:
        await stack.enter_async_context(outside)
        await stack.enter_async_context(serving(gpu, FakeOllama(), 11434))
        studio: FakeCloud = engine(**LM_STUDIO)
        await stack.enter_async_context(serving(desk, studio, 1234))
        await stack.enter_async_context(serving(desk, FakeProvider(), 8000))  # of this protocol: it advertises itself
        await stack.enter_async_context(serving(desk, locked_engine(LITELLM, ["/health/liveliness"]), 4000))
        for port, handle in ((11434, redirect), (1234, huge_headers), (8080, endless), (8000, silent), (4000, redirect)):
            await stack.enter_async_context(raw(evil, port, handle))
        networks = home_networks([IPv4Interface(f"{tester.ipv4}/25"), IPv4Interface("127.0.0.1/8"), IPv4Interface("8.8.8.8/24")])
        assert [str(network) for network in networks] == ["10.213.0.0/25"]
        shares: list[float] = []
        known = [Known(IPv4Address(gpu.ipv4), "gpu"), Known(IPv4Address("192.0.2.1"), "elsewhere")]
        started = time.monotonic()
        result = await NetworkScan(networks, known, on_progress=shares.append).run()
        seconds = time.monotonic() - started
        command = ("-m", "zeroconf_ai.cli", "discover", "--scan", "--json", "--timeout", "0.1", "--interface", tester.ipv4)
        process = await asyncio.create_subprocess_exec(sys.executable, *command, stdout=subprocess.PIPE)
        printed, _ = await process.communicate()
    assert [(server.title, server.port) for server in result.servers] == [
        ("Ollama on gpu", 11434),
        (f"LM Studio on {desk.ipv4}", 1234),
        (f"LiteLLM on {desk.ipv4}", 4000),
    ]
    assert [server.is_locked for server in result.servers] == [False, False, True]
    by_command = json.loads(printed)
    assert [server["base_url"] for server in by_command["servers"]] == [server.base_url for server in result.servers]
    assert (by_command["networks"], process.returncode) == (["10.213.0.0/25"], 0)
    assert PLAIN in result.servers[0].models
    assert {quiet.ipv4, evil.ipv4} <= set(result.silent)  # there, and no engine answers
    assert outside.received == []
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert seconds < 30  # 2 s on a machine without other work
