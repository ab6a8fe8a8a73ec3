"""Clients that send or read slowly, keep connections, or send compressed bodies without a key."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
import gzip
import json
import socket
from typing import Any, cast, override

import aiohttp
from aiohttp import web
from aiohttp.compression_utils import ZLibDecompressor
import pytest

from tests.core.server.test_audio import FakeAudio
from tests.support.fakes.provider import FakeProvider
from tests.support.server import CHAT, KEY, Endless, Served, served, upstream
from tests.support.waiting import AT_ONCE, cancel, observe, until
from zeroconf_ai.server import connections, request_body
from zeroconf_ai.server.connections import ConnectionLimits
from zeroconf_ai.server.content_encoding import Decompressor

BOMB = gzip.compress(b"a" * 20_000_000)
BODY = json.dumps(CHAT | {"model": "auto"}).encode()


def head(path: str, length: int, *headers: str, method: str = "POST") -> bytes:
    lines = (f"{method} {path} HTTP/1.1", "Host: localhost", f"Content-Length: {length}", *headers)
    return "\r\n".join((*lines, "", "")).encode()


class Client(asyncio.Protocol):
    """A client's end of a connection. What has arrived stays readable when the server resets the connection."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._transport: asyncio.Transport | None = None
        self._closed = False

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    @override
    def data_received(self, data: bytes) -> None:
        self._received += data

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._closed = True

    def write(self, data: bytes) -> None:
        """Send, unless the server has closed the connection."""
        assert self._transport is not None
        if not self._closed:
            self._transport.write(data)

    def close(self) -> None:
        """Close the connection."""
        assert self._transport is not None
        self._transport.close()

    @asynccontextmanager
    async def dripping(self, data: bytes, seconds: float) -> AsyncIterator[None]:
        """Send byte by byte with pauses, until the end of the block."""

        async def drip() -> None:
            for byte in data:
                self.write(bytes([byte]))
                await asyncio.sleep(seconds)

        task = asyncio.create_task(drip())
        try:
            yield
        finally:
            await cancel(task)

    async def response(self) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the next response."""
        await until(lambda: b"\r\n\r\n" in self._received, seconds=AT_ONCE)
        top, _, _ = bytes(self._received).partition(b"\r\n\r\n")
        lines = top.decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
        start = len(top) + 4
        end = start + int(headers["content-length"])
        await until(lambda: len(self._received) >= end, seconds=AT_ONCE)
        body = bytes(self._received[start:end])
        del self._received[:end]
        return int(lines[0].split()[1]), headers, body

    async def ends(self) -> bytes:
        """What still arrives until the server closes the connection."""
        await until(lambda: self._closed, seconds=AT_ONCE)
        return bytes(self._received)


@asynccontextmanager
async def connected(gateway: Served) -> AsyncIterator[Client]:
    """A connection to a gateway."""
    _, client = await asyncio.get_running_loop().create_connection(Client, "127.0.0.1", gateway.port)
    with closing(client):
        yield client


@pytest.mark.parametrize("before", [b"", head("/v1/health", 0, method="GET")], ids=["first request", "second request"])
async def test_headers_that_arrive_too_slowly_get_408_and_the_connection_ends(
    before: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.3)
    async with served() as gateway, connected(gateway) as client:
        if before:
            client.write(before)
            assert (await client.response())[0] == 200
        async with client.dripping(head("/v1/models", 0, "X-A: " + "b" * 5000), 0.01):
            status, headers, body = await client.response()
            assert (status, headers["connection"], json.loads(body)["error"]["code"]) == (408, "close", "request_timeout")
            assert await client.ends() == b""


async def test_connection_that_sends_nothing_ends_silently(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.1)
    async with served() as gateway, connected(gateway) as client:
        assert await client.ends() == b""


async def test_idle_connection_ends_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "IDLE_SECONDS", 0.2)
    async with served() as gateway, connected(gateway) as client:
        for _ in range(2):
            client.write(head("/v1/health", 0, method="GET"))
            assert (await client.response())[0] == 200
        assert await client.ends() == b""


@pytest.mark.parametrize(
    "path", ["/v1/chat/completions", "/v1/messages", "/v1/responses", "/v1/audio/transcriptions", "/api/show"]
)
async def test_body_that_arrives_too_slowly_gets_408_and_the_connection_ends(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_body, "BODY_SECONDS", 0.3)
    form = 'multipart/form-data; boundary="xx"' if "audio" in path else "application/json"
    async with served(audio=FakeAudio()) as gateway, connected(gateway) as client:
        client.write(head(path, 5000, f"Content-Type: {form}"))
        async with client.dripping(b"--xx\r\n" + b"a" * 4000, 0.01):
            status, headers, body = await client.response()
            assert (status, headers["connection"]) == (408, "close")
            assert b"too slowly" in body
        assert gateway.gateway.body_memory.free == type(gateway.gateway.body_memory)().free


async def test_body_on_a_slow_link_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_body, "BODY_SECONDS", 0.2)
    monkeypatch.setattr(request_body, "BYTES_PER_SECOND", 16 * 1024)
    padded = BODY + b" " * 32 * 1024
    async with served() as gateway, connected(gateway) as client:
        client.write(head("/v1/chat/completions", len(padded), "Content-Type: application/json"))
        for start in range(0, len(padded), 4096):
            client.write(padded[start : start + 4096])
            await asyncio.sleep(0.1)
        assert (await client.response())[0] == 200


async def test_compressed_body_that_drips_gets_no_time_for_what_it_unpacks_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_body, "BODY_SECONDS", 0.3)
    packed = gzip.compress(BODY + b" " * 20_000_000)
    async with served() as gateway, connected(gateway) as client:
        client.write(head("/v1/chat/completions", len(packed), "Content-Type: application/json", "Content-Encoding: gzip"))
        async with client.dripping(packed, 0.02):
            assert (await client.response())[0] == 408


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
    async with served(key=KEY) as gateway, connected(gateway) as client:
        client.write(head(path, len(BOMB), "Content-Type: application/json", "Content-Encoding: gzip", method=method) + BOMB)
        found, _, _ = await client.response()
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
            async with connected(gateway) as client:
                status, headers, body = await client.response()
                assert (status, headers["connection"], headers["retry-after"]) == (503, "close", "5")
                assert json.loads(body)["error"]["code"] == "too_many_connections"
        await until(lambda: not server.connections)
        async with connected(gateway) as client:
            client.write(head("/v1/health", 0, method="GET"))
            assert (await client.response())[0] == 200


def test_connections_of_all_addresses_together_are_bounded() -> None:
    limits = ConnectionLimits(8)
    assert [limits.admit(f"192.0.2.{number}") for number in range(9)] == [True] * 8 + [False]
    limits.leave("192.0.2.1")
    assert limits.admit("192.0.2.77")
