"""Clients that send or read slowly, keep connections, or send compressed bodies without a key."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
import gzip
import json
import socket
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.compression_utils import ZLibDecompressor
import pytest

from tests.core.server.test_audio import FakeAudio
from tests.support.fakes.provider import FakeProvider
from tests.support.server import CHAT, KEY, Endless, Served, served, upstream
from tests.support.waiting import AT_ONCE, observe, until
from zeroconf_ai.server import connections, request_body
from zeroconf_ai.server.connections import ConnectionLimits
from zeroconf_ai.server.content_encoding import Decompressor

BOMB = gzip.compress(b"a" * 20_000_000)
BODY = json.dumps(CHAT | {"model": "auto"}).encode()


def head(path: str, length: int, *headers: str, method: str = "POST") -> bytes:
    lines = (f"{method} {path} HTTP/1.1", "Host: localhost", f"Content-Length: {length}", *headers)
    return "\r\n".join((*lines, "", "")).encode()


@asynccontextmanager
async def connected(gateway: Served) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to a gateway."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    with closing(writer):
        yield reader, writer


async def drip(writer: asyncio.StreamWriter, data: bytes, seconds: float) -> None:
    """Send byte by byte, with pauses, until the other side closes."""
    for byte in data:
        writer.write(bytes([byte]))
        await asyncio.sleep(seconds)


async def read_response(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the next response."""
    lines = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), AT_ONCE)).decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
    return int(lines[0].split()[1]), headers, await reader.readexactly(int(headers["content-length"]))


@pytest.mark.parametrize("before", [b"", head("/v1/health", 0, method="GET")], ids=["first request", "second request"])
async def test_headers_that_arrive_too_slowly_get_408_and_the_connection_ends(
    before: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.3)
    async with served() as gateway, connected(gateway) as (reader, writer):
        if before:
            writer.write(before)
            assert (await read_response(reader))[0] == 200
        dripping = asyncio.create_task(drip(writer, head("/v1/models", 0, "X-A: " + "b" * 5000), 0.01))
        status, headers, body = await read_response(reader)
        assert (status, headers["connection"], json.loads(body)["error"]["code"]) == (408, "close", "request_timeout")
        assert await asyncio.wait_for(reader.read(), AT_ONCE) == b""
        dripping.cancel()


async def test_connection_that_sends_nothing_ends_silently(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.1)
    async with served() as gateway, connected(gateway) as (reader, _):
        assert await asyncio.wait_for(reader.read(), AT_ONCE) == b""


async def test_idle_connection_ends_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "IDLE_SECONDS", 0.2)
    async with served() as gateway, connected(gateway) as (reader, writer):
        for _ in range(2):
            writer.write(head("/v1/health", 0, method="GET"))
            assert (await read_response(reader))[0] == 200
        assert await asyncio.wait_for(reader.read(), AT_ONCE) == b""


@pytest.mark.parametrize(
    "path", ["/v1/chat/completions", "/v1/messages", "/v1/responses", "/v1/audio/transcriptions", "/api/show"]
)
async def test_body_that_arrives_too_slowly_gets_408_and_the_connection_ends(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_body, "BODY_SECONDS", 0.3)
    form = 'multipart/form-data; boundary="xx"' if "audio" in path else "application/json"
    async with served(audio=FakeAudio()) as gateway, connected(gateway) as (reader, writer):
        writer.write(head(path, 5000, f"Content-Type: {form}"))
        dripping = asyncio.create_task(drip(writer, b"--xx\r\n" + b"a" * 4000, 0.01))
        status, headers, body = await read_response(reader)
        assert (status, headers["connection"]) == (408, "close")
        assert b"too slowly" in body
        dripping.cancel()
        assert gateway.gateway.body_memory.free == type(gateway.gateway.body_memory)().free


async def test_body_on_a_slow_link_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_body, "BODY_SECONDS", 0.2)
    monkeypatch.setattr(request_body, "BYTES_PER_SECOND", 16 * 1024)
    padded = BODY + b" " * 32 * 1024
    async with served() as gateway, connected(gateway) as (reader, writer):
        writer.write(head("/v1/chat/completions", len(padded), "Content-Type: application/json"))
        for start in range(0, len(padded), 4096):
            writer.write(padded[start : start + 4096])
            await asyncio.sleep(0.1)
        assert (await read_response(reader))[0] == 200


async def test_compressed_body_that_drips_gets_no_time_for_what_it_unpacks_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_body, "BODY_SECONDS", 0.3)
    packed = gzip.compress(BODY + b" " * 20_000_000)
    async with served() as gateway, connected(gateway) as (reader, writer):
        writer.write(head("/v1/chat/completions", len(packed), "Content-Type: application/json", "Content-Encoding: gzip"))
        dripping = asyncio.create_task(drip(writer, packed, 0.02))
        assert (await read_response(reader))[0] == 408
        dripping.cancel()


@pytest.mark.parametrize("stream", [True, False])
async def test_client_that_does_not_read_is_disconnected_and_its_upstream_request_ends(
    stream: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "STALL_SECONDS", 0.5)
    endless = Endless()
    gone = endless.gone

    async def flood(request: web.Request) -> web.StreamResponse:
        await request.read()
        if not stream:
            message = {"role": "assistant", "content": "word " * 4_000_000}
            gone.set()
            return web.json_response({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        chunk = json.dumps({"choices": [{"index": 0, "delta": {"content": "word " * 2000}}]}).encode()
        try:
            while True:
                await response.write(b"data: " + chunk + b"\n\n")
        finally:
            gone.set()

    provider = FakeProvider(answers=[flood])
    async with aiohttp.ClientSession() as session, upstream(provider, session) as backend, served(backend) as gateway:
        with closing(socket.socket()) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.setblocking(False)
            await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", gateway.port))
            body = json.dumps(CHAT | {"stream": stream}).encode()
            await asyncio.get_running_loop().sock_sendall(client, head("/v1/chat/completions", len(body)) + body)
            await asyncio.wait_for(gone.wait(), AT_ONCE)
            server = gateway.runner.server
            assert server is not None
            await until(lambda: not server.connections, seconds=AT_ONCE)


async def test_client_that_reads_slowly_but_steadily_gets_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "STALL_SECONDS", 0.3)
    monkeypatch.setattr(connections, "STALL_BYTES", 1024)
    length = 6_000_000

    async def answer(request: web.Request) -> web.Response:
        await request.read()
        message = {"role": "assistant", "content": "a" * length}
        return web.json_response({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})

    provider = FakeProvider(answers=[answer])
    async with aiohttp.ClientSession() as session, upstream(provider, session) as backend, served(backend) as gateway:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port, limit=64 * 1024)
        body = json.dumps(CHAT).encode()
        writer.write(head("/v1/chat/completions", len(body)) + body)
        received = 0
        while received < length:
            part = await asyncio.wait_for(reader.read(300_000), AT_ONCE)
            assert part, f"closed after {received} bytes"
            received += len(part)
            await observe(0.02)
        writer.close()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/v1/chat/completions", 401),
        ("POST", "/v1/messages", 401),
        ("POST", "/v1/responses", 401),
        ("POST", "/v1/embeddings", 401),
        ("POST", "/v1/audio/transcriptions", 401),
        ("POST", "/v1/audio/speech", 401),
        ("POST", "/api/chat", 401),
        ("GET", "/v1/models", 401),
        ("GET", "/v1/health", 200),
        ("GET", "/", 200),
        ("POST", "/nothing", 404),
        ("POST", "/v1/models", 405),
        ("OPTIONS", "/v1/models", 405),
    ],
)
async def test_compressed_body_without_a_key_is_not_unpacked(
    method: str, path: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    unpacked: list[int] = []

    def unpack(*arguments: Any, **_: Any) -> bytes:
        unpacked.append(len(arguments[-1]))
        return b""

    monkeypatch.setattr(ZLibDecompressor, "decompress_sync", unpack)
    monkeypatch.setattr(Decompressor, "feed", unpack)
    async with served(key=KEY) as gateway, connected(gateway) as (reader, writer):
        writer.write(head(path, len(BOMB), "Content-Type: application/json", "Content-Encoding: gzip", method=method) + BOMB)
        found, _, _ = await read_response(reader)
        assert found == status
        await observe(0.1)
    assert unpacked == []


async def test_compressed_body_of_very_many_members_is_refused() -> None:
    data = gzip.compress(b"") * 100_000
    async with served() as gateway:
        status, body, _ = await gateway.ask("POST", "chat/completions", data=data, headers={"Content-Encoding": "gzip"})
    assert (status, body["error"]["code"]) == (400, "invalid_body")


async def test_connections_of_an_address_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 8)
    async with served() as gateway:
        async with connected(gateway), connected(gateway), connected(gateway), connected(gateway):
            server = gateway.runner.server
            assert server is not None
            await until(lambda: len(server.connections) == 4)
            async with connected(gateway) as (reader, _):
                status, headers, body = await read_response(reader)
                assert (status, headers["connection"], headers["retry-after"]) == (503, "close", "5")
                assert json.loads(body)["error"]["code"] == "too_many_connections"
        await until(lambda: not server.connections)
        async with connected(gateway) as (reader, writer):
            writer.write(head("/v1/health", 0, method="GET"))
            assert (await read_response(reader))[0] == 200


def test_connections_of_all_addresses_together_are_bounded() -> None:
    limits = ConnectionLimits(8)
    assert [limits.admit(f"192.0.2.{number}") for number in range(9)] == [True] * 8 + [False]
    limits.leave("192.0.2.1")
    assert limits.admit("192.0.2.77")
