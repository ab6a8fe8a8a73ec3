"""Headers with bytes that are no UTF-8, which aiohttp reads as lone surrogates: no provider is blamed, and nothing fails."""

import asyncio
from collections.abc import Callable
import json

import aiohttp
from aiohttp import web
import pytest

from zeroconf_ai.server.access.auth import Access, KeyCheck
from zeroconf_ai.server.access.guard import Guard

from ...support.fakes.provider import FakeProvider
from ...support.server import CHAT, served, upstream

HEADERS = (b"Via: 1.1 \xff", b"X-Request-ID: \xff", b"X-Session-ID: \xff", b"Authorization: Bearer \xff", b"Origin: http://\xff")


@pytest.mark.parametrize("header", HEADERS)
async def test_header_that_is_not_utf8_is_tolerated(header: bytes) -> None:
    seen: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        seen.append(request.headers["Via"])
        return web.json_response({"choices": [{"message": {"content": "Hi"}}]})

    body = json.dumps(CHAT).encode()
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n"
    async with (
        aiohttp.ClientSession() as session,
        upstream(FakeProvider(answers=[answer]), session) as backend,
        served(backend) as gateway,
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(head + b"Content-Length: %d\r\n%s\r\n\r\n%s" % (len(body), header, body))
        answered = await reader.read()
        writer.close()
        member = gateway.engine.pool.get(backend.info.id)
        assert member is not None
        assert (member.online, member.last_error) == (True, None)
    assert answered.startswith(b"HTTP/1.1 200 ")
    assert seen == ["1.1 gateway-id"]


@pytest.mark.parametrize("access", [KeyCheck, lambda key: Guard(None, key=key)], ids=["KeyCheck", "Guard"])
@pytest.mark.parametrize(("key", "sent"), [("caf\udce9", b"caf\xe9"), ("\ud800", b"other")])
async def test_key_that_is_not_utf8_is_compared(access: Callable[[str], Access], key: str, sent: bytes) -> None:
    async with served(access=access(key)) as gateway:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(
            b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer %s\r\n\r\n" % sent
        )
        answered = await reader.read()
        writer.close()
    assert answered.startswith(b"HTTP/1.1 200 " if sent == b"caf\xe9" else b"HTTP/1.1 401 ")
