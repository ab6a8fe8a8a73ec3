"""Browsers in mode `none`: names of the server, origins of web pages, and types of bodies."""

import asyncio
import json
from typing import Any

import pytest

from zeroconf_ai.protocol.record import Auth
from zeroconf_ai.server.access.guard import Guard

from ....support.server import KEY, served
from .guards import DEMO, bearer, get_as


async def raw(port: int, *lines: str) -> tuple[int, dict[str, Any]]:
    """Status and JSON of a request written by hand."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write("\r\n".join([*lines, "Connection: close", "", ""]).encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "192.168.1.5:8000",
        "[::1]:8000",
        "[fe80::1]",
        "localhost",
        "LOCALHOST:8000",
        "app.localhost",
        "homeassistant",
        "homeassistant:8123",
        "homeassistant.local",
        "homeassistant.local.",
        "ha.internal",
        "ha.home.arpa",
        "ha.lan",
        "ai.example.net",
        "AI.example.net:443",
    ],
)
async def test_guard_host_of_the_server_is_accepted(host: str) -> None:
    async with served(access=Guard(mode=Auth.NONE, host_names=("ai.example.net",))) as gateway:
        status, _ = await raw(gateway.port, "GET /v1/models HTTP/1.1", f"Host: {host}")
    assert status == 200


@pytest.mark.parametrize(
    "host",
    [
        "rebind.example.net",
        "rebind.example.net:8000",
        "127.0.0.1.example.net",
        "127.0.0.1.nip.io",
        "localhost.example.net",
        "homeassistant.local.example.net",
        "notlocal.net",
        ".",
        ":8000",
        "[::1].example.net",
        "[rebind.example.net]",
        "127.0.0.1@rebind.example.net",
        "rebind.example.net, 127.0.0.1",
    ],
)
async def test_guard_host_of_a_public_name_is_refused(host: str) -> None:
    async with served(access=Guard(mode=Auth.NONE)) as gateway:
        status, body = await raw(gateway.port, "GET /v1/models HTTP/1.1", f"Host: {host}")
    assert status in (400, 403)
    if status == 403:
        assert body["error"]["code"] == "host_not_allowed"


async def test_guard_request_without_host_is_accepted() -> None:
    async with served(access=Guard(mode=Auth.NONE)) as gateway:
        status, _ = await raw(gateway.port, "GET /v1/models HTTP/1.0")
    assert status == 200


@pytest.mark.parametrize(
    "origin",
    [
        "https://elsewhere.example.net",
        "null",
        "http://127.0.0.1",
        "http://127.0.0.1:1",
        "http://localhost:{port}",
        "x",
        "http://[",
    ],
)
async def test_guard_origin_of_another_site_is_refused(origin: str) -> None:
    async with served(access=Guard(mode=Auth.NONE)) as gateway:
        assert await get_as(gateway, Origin=origin.format(port=gateway.port)) == (403, "origin_not_allowed")


async def test_guard_origin_of_the_server_and_allowed_ones_are_accepted() -> None:
    async with served(access=Guard(mode=Auth.NONE, origins=("https://chat.example.net",))) as gateway:
        assert await get_as(gateway, Origin=f"http://127.0.0.1:{gateway.port}") == (200, None)
        assert await get_as(gateway, Origin="https://chat.example.net") == (200, None)
        assert await get_as(gateway, Origin="http://chat.example.net") == (403, "origin_not_allowed")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""])
async def test_guard_body_type_of_forms_is_refused(kind: str) -> None:
    async with served(access=Guard(mode=Auth.NONE)) as gateway:
        body = json.dumps(DEMO).encode()
        status, answer, _ = await gateway.ask("POST", "chat/completions", data=body, headers={"Content-Type": kind})
    assert (status, answer["error"]["code"]) == (415, "unsupported_media_type")


async def test_guard_valid_key_skips_origin_host_and_body_checks() -> None:
    async with served(access=Guard(mode=Auth.NONE, key=KEY, networks=())) as gateway:
        headers = bearer(KEY) | {"Origin": "https://x.example.net", "Host": "x.example.net", "Content-Type": "text/plain"}
        status, _, _ = await gateway.ask("POST", "chat/completions", data=json.dumps(DEMO).encode(), headers=headers)
    assert status == 200
