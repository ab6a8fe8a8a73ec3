"""Reasons for callers: no address, no exception, and still something to go by."""

import asyncio
import errno
import ssl

import aiohttp
from hypothesis import given, strategies as st
import pytest

from zeroconf_ai.protocol.reasons import connection_reason, status_reason, without_addresses


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Cannot connect to host 10.213.1.2:8600 ssl:default", "Cannot connect to host … ssl:default"),
        ("see http://box.example/v1?key=a, then", "see … then"),
        ("fe80::1%eth0: gone", "…: gone"),
        ("[fd00::7]:8000 refused", "… refused"),
        ("at ::1 and 192.168.1.20.", "at … and …."),
        ("ollama.local:11434 and localhost:8000 fail", "… and … fail"),
        ("at 12:30:45 there were 5: a, b", "at 12:30:45 there were 5: a, b"),
        ("max_tokens: must be below 4096", "max_tokens: must be below 4096"),
        ("body.messages.0.content: field required", "body.messages.0.content: field required"),
        ("version 0.6.2 does not know it", "version 0.6.2 does not know it"),
    ],
)
def test_without_addresses_replaces_addresses_only(text: str, told: str) -> None:
    assert without_addresses(text) == told


@given(st.ip_addresses(), st.integers(1, 65535))
def test_without_addresses_of_any_text_leaves_no_address(address: object, port: int) -> None:
    shown = f"[{address}]" if ":" in str(address) else str(address)
    assert str(address) not in without_addresses(f"refused by {shown}:{port}, was {address}")


async def reason(url: str) -> str:
    """Why nothing can be had there."""
    async with aiohttp.ClientSession() as session:
        with pytest.raises((aiohttp.ClientError, OSError)) as raised:
            await session.get(url)
    return connection_reason(raised.value)


async def test_connection_reason_of_each_error_is_standard() -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"What?")
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        assert await reason(f"https://127.0.0.1:{port}/") == "there is no secure connection (TLS) to it"
    assert await reason(f"http://127.0.0.1:{port}/") == "the connection was refused"


@pytest.mark.parametrize(
    ("err", "told"),
    [
        (OSError(errno.EHOSTUNREACH, "No route to host 10.0.0.7"), "there is no route to it"),
        (ConnectionResetError(errno.ECONNRESET, "reset by 10.0.0.7"), "the connection was closed"),
        (TimeoutError(errno.ETIMEDOUT, "10.0.0.7"), "the connection timed out"),
        (ssl.SSLCertVerificationError("10.0.0.7"), "there is no secure connection (TLS) to it"),
        (ValueError("header of 10.0.0.7"), "the connection failed"),
    ],
)
def test_connection_reason_of_any_error_is_standard(err: Exception, told: str) -> None:
    assert connection_reason(err) == told


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (401, "refused the API key"),
        (429, "has reached its rate limit"),
        (500, "answered with an error (HTTP 500)"),
        (418, "answered with an error (HTTP 418)"),
    ],
)
def test_status_reason_of_each_status_is_standard(status: int, told: str) -> None:
    assert status_reason(status) == told
