"""A house behind nginx, which terminates TLS and cuts connections that are silent (60 s in the docs, 1 s here)."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
import json
from pathlib import Path
import re
import shutil

import aiohttp
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
import pytest

from tests.core.server.tls.certificates import given_files, other_authority
from tests.support.fakes.chunks import delta
from tests.support.fakes.provider import FakeProvider
from tests.support.ports import free_port
from tests.support.server import CHAT, upstream
from tests.support.waiting import pause_fake, until
from zeroconf_ai.relay.connector import Timing
from zeroconf_ai.relay.dial import ConnectError, pair
from zeroconf_ai.server.tls.identity_files import fingerprint

from .connectors import LIMIT, Road, road

CUT_SECONDS = 1
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin")


@asynccontextmanager
async def behind_nginx(found: Road, folder: Path) -> AsyncGenerator[tuple[str, str]]:
    """The URL of the house behind nginx, and the fingerprint of its certificate, which no authority of the system has signed."""
    assert NGINX is not None, "nginx is not installed: run scripts/setup"
    port, (given, made) = free_port(), given_files(folder / "tls", other_authority())
    configuration = folder / "nginx.conf"
    configuration.write_text(
        f"""
daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1; user root;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  map $http_upgrade $connection_upgrade {{ default upgrade; "" close; }}
  server {{
    listen 127.0.0.1:{port} ssl; ssl_certificate {given.certificate}; ssl_certificate_key {given.key};
    location / {{
      proxy_pass http://127.0.0.1:{found.home.server.port}; proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade; proxy_set_header Host $host;
      proxy_read_timeout {CUT_SECONDS}s; proxy_send_timeout {CUT_SECONDS}s;
    }}
    location /plain/ {{ return 307 http://127.0.0.1:{found.home.server.port}/v1/relay; }}
    location /down/ {{ proxy_pass http://127.0.0.1:1; }}
    location /page/ {{ return 200 "<html></html>"; }}
  }}
}}
""",
        encoding="utf-8",
    )
    process = await asyncio.create_subprocess_exec(NGINX, "-c", str(configuration), "-p", str(folder))

    async def listens() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            assert process.returncode is None, (folder / "error.log").read_text()
            return False
        writer.close()
        return True

    try:
        await until(listens, seconds=LIMIT)
        yield f"wss://127.0.0.1:{port}/v1/relay", fingerprint(made.certificate)
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.wait(), LIMIT)


async def silent_for_three_cuts(request: web.Request) -> web.StreamResponse:
    """A model that thinks for longer than nginx lets connections be silent."""
    await request.read()
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    await pause_fake(3 * CUT_SECONDS)
    for part in (delta("thought "), delta("about it", finish="stop")):
        await response.write(b"data: " + json.dumps(part).encode() + b"\n\n")
    await response.write(b"data: [DONE]\n\n")
    return response


async def test_link_through_nginx_stays_open_while_a_model_thinks(tmp_path: Path) -> None:
    """The heartbeats keep it open; the certificate is the pinned one."""
    timing = Timing(heartbeat=0.2, dead=10.0, delay=lambda _: 0.01)
    provider = FakeProvider(answers=[silent_for_three_cuts])
    async with (
        aiohttp.ClientSession() as session,
        upstream(provider, session) as backend,
        road(backend, timing=timing) as found,
        behind_nginx(found, tmp_path) as (url, pin),
    ):
        found.connector.house = replace(found.connector.house, url=url, pin=pin)
        found.connector.start()
        await found.opened()
        engine = found.home.server.engine
        await engine.checker.check(engine.add(found.home.backend()), models=True)
        status, streamed, _ = await found.home.server.ask("POST", "chat/completions", json={**CHAT, "stream": True})
        assert status == 200
        assert b"about it" in streamed
        assert streamed.endswith(b"data: [DONE]\n\n")
        assert len(found.heard.all("opened")) == 1


async def test_link_without_heartbeats_is_cut_by_nginx_and_opened_again(tmp_path: Path) -> None:
    """So the test above tests something."""
    timing = Timing(heartbeat=60.0, dead=90.0, delay=lambda _: 0.01)
    async with road(timing=timing) as found, behind_nginx(found, tmp_path) as (url, pin):
        found.connector.house = replace(found.connector.house, url=url, pin=pin)
        found.connector.start()
        await found.opened(2)
        assert found.heard.all("closed")


@pytest.mark.parametrize(
    ("pin", "reason"),
    [("A" * 43, "the certificate is not the pinned one"), (None, "no authority that this system trusts")],
    ids=["another pin", "no pin"],
)
async def test_certificate_that_is_neither_pinned_nor_valid_gets_nothing(tmp_path: Path, pin: str | None, reason: str) -> None:
    """Somebody is in between, or the house has a new certificate: the owner is told at once."""
    async with road() as found, behind_nginx(found, tmp_path) as (url, _):
        found.connector.house = replace(found.connector.house, url=url, pin=pin)
        found.connector.start()
        await until(lambda: bool(found.heard.all("failing")), seconds=LIMIT)
        assert reason in found.heard.all("failing")[0][1]
        assert not found.heard.all("opened")


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/plain/v1/relay", "the server redirects to an address without TLS"),
        ("/down/v1/relay", "the house does not answer (status 502)"),
        ("/page/v1/relay", "the house refuses the connection (status 200)"),
    ],
)
async def test_proxy_that_leads_to_no_house_is_named_and_gets_nothing(tmp_path: Path, path: str, reason: str) -> None:
    """In particular, no link leaves TLS because somebody set up a redirect."""
    async with road() as found, behind_nginx(found, tmp_path) as (url, pin):
        key = Ed25519PrivateKey.generate()
        with pytest.raises(ConnectError, match=re.escape(reason)):
            await pair(found.session, url.replace("/v1/relay", path), pin, key, "GPU box", "3F7A-9KMT")


@asynccontextmanager
async def web_proxy(*, allowed: bool = True) -> AsyncGenerator[tuple[str, list[str]]]:
    """A proxy of an office network: its URL, and the heads of the requests that it got (RFC 9110, section 9.3.6)."""
    heads: list[str] = []

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        if not allowed:
            writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            writer.close()
            return
        host, _, port = heads[-1].split()[1].rpartition(":")
        inner, outer = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await asyncio.gather(pump(reader, outer), pump(inner, writer))

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://user:password@127.0.0.1:{server.sockets[0].getsockname()[1]}", heads


@pytest.mark.parametrize("allowed", [True, False])
async def test_link_goes_through_the_proxy_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, allowed: bool
) -> None:
    """An office lets nothing out but through its proxy. The house's certificate is pinned all the same."""
    async with road() as found, behind_nginx(found, tmp_path) as (url, pin), web_proxy(allowed=allowed) as (proxy, heads):
        monkeypatch.setenv("https_proxy", proxy)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        found.connector.house = replace(found.connector.house, url=url, pin=pin)
        found.connector.start()
        if allowed:
            await found.opened()
        else:
            await until(lambda: bool(found.heard.all("failing")), seconds=LIMIT)
            assert "refuses the connection (status 403)" in found.heard.all("failing")[0][1]
        assert heads[0].startswith(f"CONNECT {url.split('/')[2]} HTTP/1.1")
        assert "Proxy-Authorization: Basic" in heads[0]
        await found.connector.stop()
