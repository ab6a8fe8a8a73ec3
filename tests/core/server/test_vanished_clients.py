"""Clients that leave, and clients that vanish without a word."""

import asyncio
import json
import logging
import socket
import struct

import aiohttp
from aiohttp import web
import pytest

from tests.support.fakes.provider import FakeProvider
from tests.support.server import CHAT, Endless, served, upstream
from tests.support.waiting import AT_ONCE, run_pending_tasks, until
from zeroconf_ai.server import connections, dispatch
from zeroconf_ai.server.app import create_app
from zeroconf_ai.server.vanished_clients import VANISHED_SECONDS, watch_client

PATHS = ("/v1/chat/completions", "/v1/messages", "/v1/responses", "/api/chat")
SLOW_CALLBACK = "Executing %s took %.3f seconds"
"""What asyncio's debug mode warns of on a busy machine."""
COUNT = b'{"model": "auto", "stream": true, "input": "count to 400", "messages": [{"role": "user", "content": "count to 400"}]}'


def head(path: str, length: int, *headers: str) -> bytes:
    lines = (f"POST {path} HTTP/1.1", "Host: localhost", "Content-Type: application/json", f"Content-Length: {length}", *headers)
    return "\r\n".join((*lines, "", "")).encode()


def assert_watched(transport: asyncio.BaseTransport) -> None:
    connection = transport.get_extra_info("socket")
    options = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
    idle, interval, probes = (connection.getsockopt(socket.IPPROTO_TCP, option) for option in options)
    assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    assert idle + interval * probes <= VANISHED_SECONDS
    assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == VANISHED_SECONDS * 1000


async def test_connection_is_watched_by_the_system_from_its_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[asyncio.BaseTransport] = []

    def watch(transport: asyncio.BaseTransport) -> None:
        watch_client(transport)
        assert_watched(transport)
        seen.append(transport)

    monkeypatch.setattr(connections, "watch_client", watch)
    async with served() as gateway:
        for _ in range(2):
            status, _, _ = await gateway.ask("POST", "chat/completions", json={**CHAT, "model": "auto"})
            assert status == 200
    assert len(seen) == 1


async def test_connection_of_another_server_is_watched_from_its_first_request(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[asyncio.BaseTransport] = []

    def watch(transport: asyncio.BaseTransport) -> None:
        watch_client(transport)
        assert_watched(transport)
        seen.append(transport)

    monkeypatch.setattr(dispatch, "watch_client", watch)
    async with served() as gateway:
        runner = web.AppRunner(create_app(gateway.gateway, drain_seconds=None))  # as Home Assistant's
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        async with gateway.session.get(f"http://127.0.0.1:{runner.addresses[0][1]}/v1/models") as response:
            assert response.status == 200
        await runner.cleanup()
    assert len(seen) == 1


@pytest.mark.parametrize("leaves", ["resets", "closes"])
@pytest.mark.parametrize(
    "sent",
    [
        b"POST /v1/chat/completions HTTP/1.1\r\nHos",
        head("/v1/chat/completions", 1000) + b'{"model": ',
        head("/nothing", 1000) + b'{"model": ',
        head("/nothing", 9, "Content-Encoding: gzip") + b"123456789",
        head("/v1/messages", 9, "Content-Encoding: gzip") + b"123456789",
        head("/v1/responses", len(COUNT)) + COUNT,
        (head("/v1/chat/completions", len(COUNT)) + COUNT) * 5,
    ],
    ids=["head", "body", "body of no path", "broken body of no path", "broken body", "stream", "pipelined streams"],
)
async def test_client_that_leaves_causes_no_traceback(sent: bytes, leaves: str, caplog: pytest.LogCaptureFixture) -> None:
    async with served() as gateway:
        server = gateway.runner.server
        assert server is not None
        for turns in range(12):
            _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
            writer.write(sent)
            await until(lambda: server.connections)
            await run_pending_tasks(turns)
            if leaves == "resets":
                reset(writer)
            else:
                writer.close()
            await until(lambda: not server.connections)
    records = [record for record in caplog.records if record.exc_info or record.levelno >= logging.WARNING]
    assert not [record for record in records if record.msg != SLOW_CALLBACK]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("silent", [False, True])
async def test_client_that_leaves_during_its_answer_causes_no_traceback(
    path: str, silent: bool, caplog: pytest.LogCaptureFixture
) -> None:
    endless = Endless(silent=silent)
    provider = FakeProvider(answers=[endless])
    async with aiohttp.ClientSession() as session, upstream(provider, session) as backend, served(backend) as gateway:
        body = json.dumps({**CHAT, "input": "Hello", "max_tokens": 9, "stream": True}).encode()
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(head(path, len(body)) + body)
        await asyncio.wait_for(endless.begun.wait(), AT_ONCE)
        if not silent:
            await reader.readuntil(b"word")
        reset(writer)
        await asyncio.wait_for(endless.gone.wait(), AT_ONCE)
        server = gateway.runner.server
        assert server is not None
        await until(lambda: not server.connections)
    assert not [record for record in caplog.records if record.exc_info or record.levelno >= logging.ERROR]


def reset(writer: asyncio.StreamWriter) -> None:
    """Close a connection as a crash does."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
