"""Whatever a client sends to a separate port: every answer is JSON, none repeats the request, and none leaves a traceback."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
import logging
from typing import Any

import orjson
import pytest

from tests.support.server import KEY, served
from zeroconf_ai.server.connections import LONGEST_LINE, MOST_FIELDS
from zeroconf_ai.server.request_log import AccessLog

SECRET = b"sk-never-repeat-this"
GET = b"GET /v1/models HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + KEY.encode() + b"\r\n"
POST = GET.replace(b"GET /v1/models", b"POST /v1/chat/completions") + b"Content-Type: application/json\r\n"
END = b"Connection: close\r\n\r\n"

REFUSED: Mapping[str, tuple[bytes, int, str | None]] = {
    "long query": (GET.replace(b"models", b"usage?key=" + SECRET * 1000) + END, 414, "uri_too_long"),
    "query of the longest line": (GET.replace(b"models", b"models?" + b"a" * (LONGEST_LINE - 30)) + END, 200, None),
    "long header": (GET + b"X-Long: " + SECRET * 1000 + b"\r\n" + END, 431, "headers_too_large"),
    "long header name": (GET + SECRET * 1000 + b": x\r\n" + END, 431, "headers_too_large"),
    "many headers": (GET + b"".join(b"X-%d: 1\r\n" % number for number in range(MOST_FIELDS)) + END, 431, "headers_too_large"),
    "no HTTP": (SECRET + b"\r\n\r\n", 400, "invalid_http"),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + SECRET, 400, "invalid_http"),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "invalid_http"),
    "version": (b"GET / HTTP/9.9\r\nHost: x\r\n\r\n", 400, "invalid_http"),
    "method": (b"SK-NEVER /v1/models HTTP/1.1\r\nHost: x\r\n\r\n", 400, "invalid_http"),
    "no Host": (b"GET /v1/models HTTP/1.1\r\n\r\n", 400, "invalid_http"),
    "two Hosts": (GET + b"Host: y\r\n" + END, 400, "invalid_http"),
    "header without a colon": (GET + SECRET + b"\r\n" + END, 400, "invalid_http"),
    "control character": (GET + b"X-Bad: a\x00" + SECRET + b"\r\n" + END, 400, "invalid_http"),
    "two lengths": (POST + b"Content-Length: 2\r\nContent-Length: 3\r\n" + END + b"{}", 400, "invalid_http"),
    "length and chunks": (POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n" + END + b"{}", 400, "invalid_http"),
    "negative length": (POST + b"Content-Length: -1\r\n" + END, 400, "invalid_http"),
    "bad URL": (GET.replace(b"/v1/models", b"sk-never/v1/models") + END, 400, "invalid_http"),
    "CONNECT": (b"CONNECT example.com:443 HTTP/1.1\r\nHost: x\r\n" + END, 404, None),
    "bad chunk": (POST + b"Transfer-Encoding: chunked\r\n" + END + b"zz\r\n" + SECRET + b"\r\n0\r\n\r\n", 400, "invalid_http"),
    "Expect": (POST + b"Content-Length: 2\r\nExpect: " + SECRET + b"\r\n" + END, 417, "expectation_failed"),
    "Expect without a route": (GET.replace(b"v1/models", b"nothing") + b"Expect: x\r\n" + END, 417, "expectation_failed"),
    "unknown path": (GET.replace(b"/v1/models", b"/nothing") + END, 404, None),
    "wrong method": (GET.replace(b"GET", b"DELETE").replace(b"/models", b"/embeddings") + END, 405, None),
    "TRACE": (GET.replace(b"GET", b"TRACE") + END, 405, None),
    "large body": (POST + b"Content-Length: 99999999999\r\n" + END, 413, None),
    "body that is no JSON": (POST + b"Content-Length: 1\r\n" + END + b"{", 400, None),
    "upgrade": (GET + b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nConnection: Upgrade, close\r\n\r\n", 200, None),
    "HTTP/2 upgrade": (GET + b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\nConnection: Upgrade, close\r\n\r\n", 200, None),
    "HTTP/1.0": (GET.replace(b"HTTP/1.1", b"HTTP/1.0") + b"\r\n", 200, None),
    "HTTP/1.0 without Host": (b"GET /nothing HTTP/1.0\r\n\r\n", 404, None),
}


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection, which has 10 s for all it does."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(10):
            yield reader, writer
    finally:
        writer.close()


async def exchange(port: int, sent: bytes) -> tuple[int, dict[str, str], Any]:
    """Status, headers and JSON value of the only response to `sent`."""
    async with connected(port) as (reader, writer):
        writer.write(sent)
        found = await response(reader)
        writer.write_eof()
        assert await reader.read() == b""
        return found


async def response(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], Any]:
    """Status, headers and JSON value of the next response."""
    line, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
    headers = {name.lower(): value for name, _, value in (header.partition(": ") for header in lines)}
    assert headers["content-type"].split(";")[0] == "application/json", line
    return int(line.split()[1]), headers, orjson.loads(await reader.readexactly(int(headers["content-length"])))


async def test_unreadable_requests_each_kind_json_error_and_line(caplog: pytest.LogCaptureFixture) -> None:
    lines: list[Mapping[str, Any]] = []
    async with served(key=KEY) as server:
        server.gateway.request_log = AccessLog(lines.append, silent=frozenset())
        for name, (sent, status, code) in REFUSED.items():
            lines.clear()
            found, headers, body = await exchange(server.port, sent)
            assert found == status, (name, body)
            if status >= 400:
                assert set(body["error"]) >= {"message", "type", "param", "code"}, name
                assert code is None or body["error"]["code"] == code, (name, body)
                assert SECRET.decode() not in str(body), name
            assert "x-request-id" in headers, name
            assert [line["status"] for line in lines] == [status], name
            assert SECRET.decode() not in str(lines), name
    assert SECRET.decode() not in caplog.text
    assert [record for record in caplog.records if record.levelno > logging.INFO] == []


async def test_unreadable_request_after_a_good_one_connection_closed() -> None:
    async with served(key=KEY) as server, connected(server.port) as (reader, writer):
        writer.write(GET.replace(b"/v1/models", b"/v1/nothing") + b"\r\n")
        assert (await response(reader))[0] == 404
        writer.write(SECRET + b"\r\n\r\n")
        status, _, body = await response(reader)
        assert await reader.read() == b""
    assert (status, body["error"]["code"]) == (400, "invalid_http")


async def test_unreadable_chunk_after_the_head_one_answer(caplog: pytest.LogCaptureFixture) -> None:
    lines: list[Mapping[str, Any]] = []
    async with served(key=KEY) as server:
        server.gateway.request_log = AccessLog(lines.append, silent=frozenset())
        async with connected(server.port) as (reader, writer):
            writer.write(POST + b"Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n")
            assert b"100 Continue" in await reader.readuntil(b"\r\n\r\n")
            writer.write(b"zz\r\n" + SECRET + b"\r\n")
            status, _, body = await response(reader)
    assert (status, body["error"]["code"]) == (400, "invalid_body")
    assert [line["status"] for line in lines] == [400]
    assert SECRET.decode() not in caplog.text


@pytest.mark.parametrize(
    ("failure", "status", "code"), [(RuntimeError(SECRET), 500, "internal_error"), (TimeoutError(), 504, "provider_timeout")]
)
async def test_failing_middleware_answer_json(failure: Exception, status: int, code: str) -> None:
    def fails(_: Mapping[str, Any]) -> None:
        raise failure

    async with served(key=KEY) as server:
        server.gateway.request_log = AccessLog(fails, silent=frozenset())
        found, _, body = await exchange(server.port, GET + END)
    assert (found, body["error"]["code"]) == (status, code)
    assert SECRET.decode() not in str(body)
