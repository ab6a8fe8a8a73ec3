"""Headers with bytes that are no UTF-8, which aiohttp reads as lone surrogates: no provider is blamed, and nothing fails."""

import asyncio
import json

import aiohttp
from aiohttp import web
import pytest

from ...support.fakes.provider import FakeProvider
from ...support.server import CHAT, served, upstream

HEADERS = (b"Via: 1.1 \xff", b"X-Request-ID: \xff", b"X-Session-ID: \xff", b"Authorization: Bearer \xff", b"Origin: http://\xff")


@pytest.mark.parametrize("header", HEADERS)
async def test_header_that_is_no_utf8_leaves_the_request_to_be_answered(header: bytes) -> None:
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
