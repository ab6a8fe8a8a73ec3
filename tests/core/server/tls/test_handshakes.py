"""Real handshakes with a TLS port: pins, the server's authority, TLS versions, and plain HTTP."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
import json
from pathlib import Path
import ssl

import aiohttp
import pytest

from zeroconf_ai.backends.zeroconfai import fingerprint_ssl
from zeroconf_ai.protocol.hand_over import fingerprint_of
from zeroconf_ai.server.tls.certificates import to_pem

from ....support.server import CHAT, Served, served
from .certificates import Clock, other_authority, server_tls, trusting

pytestmark = pytest.mark.usefixtures("own_loopback")


@pytest.fixture
async def secure(tmp_path: Path) -> AsyncIterator[Served]:
    """A gateway on a TLS port."""
    async with served(tls=server_tls(tmp_path / "tls")) as gateway:
        yield gateway


async def raw(port: int, sent: bytes) -> bytes:
    """What a plain TCP client gets, to the end of the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    async with asyncio.timeout(10):
        received = await reader.read()
    writer.close()
    return received


async def test_client_with_the_right_pin_is_answered_and_streams(secure: Served) -> None:
    assert secure.gateway.tls is not None
    pinned = fingerprint_ssl(secure.gateway.tls.fingerprint)
    status, body, _ = await secure.get("health", ssl=pinned)
    assert (status, body["id"]) == (200, "gateway-id")
    async with secure.session.post(
        f"{secure.url}/chat/completions", json=CHAT | {"model": "auto", "stream": True}, ssl=pinned
    ) as answer:
        assert (await answer.read()).endswith(b"data: [DONE]\n\n")


async def test_client_with_a_wrong_pin_sends_nothing(secure: Served) -> None:
    with pytest.raises(aiohttp.ServerFingerprintMismatch):
        await secure.get("health", ssl=fingerprint_ssl(fingerprint_of(b"another certificate")))


async def test_client_with_the_imported_authority_reaches_the_server_by_name_and_address(secure: Served) -> None:
    assert secure.gateway.tls is not None
    context = trusting(secure.gateway.tls.authority_pem)
    for host in ("127.0.0.1", "localhost"):
        async with secure.session.get(f"https://{host}:{secure.port}/v1/health", ssl=context) as answer:
            assert answer.status == 200
    with pytest.raises(aiohttp.ClientConnectorCertificateError):
        await secure.get("health")  # without the authority
    with pytest.raises(aiohttp.ClientConnectorCertificateError):
        await secure.get("health", ssl=trusting(to_pem([other_authority().certificate])))


@pytest.mark.parametrize(("days", "accepted"), [(-1, True), (1, True), (400, False), (-30, False)])
async def test_certificate_made_by_a_clock_that_is_off_is_accepted_within_a_day(
    days: int, *, accepted: bool, tmp_path: Path
) -> None:
    made = server_tls(tmp_path / "tls", Clock(datetime.now(UTC) - timedelta(days=days)))
    async with served(tls=made) as gateway:
        if accepted:
            assert (await gateway.get("health", ssl=trusting(made.authority_pem)))[0] == 200
        else:
            with pytest.raises(aiohttp.ClientConnectorCertificateError, match=r"expired|not yet valid"):
                await gateway.get("health", ssl=trusting(made.authority_pem))
        # A pin stands for this one certificate, whatever the clocks say.
        assert (await gateway.get("health", ssl=fingerprint_ssl(made.fingerprint)))[0] == 200


@pytest.mark.parametrize(("version", "accepted"), [(ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True)])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
async def test_tls_before_1_2_is_refused(version: ssl.TLSVersion, *, accepted: bool, secure: Served) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version, context.maximum_version = version, version
    if accepted:
        assert (await secure.get("health", ssl=context))[0] == 200
    else:
        with pytest.raises(aiohttp.ClientConnectorError):
            await secure.get("health", ssl=context)


@pytest.mark.parametrize(
    ("host", "named"),
    [("attic.local:8443", "https://attic.local:8443"), ("[::1]:8443", "https://[::1]:8443"), ('x"><b', None), (None, None)],
)
async def test_plain_http_is_answered_with_the_https_address(host: str | None, named: str | None, secure: Served) -> None:
    header = "" if host is None else f"Host: {host}\r\n"
    version = "1.0" if host is None else "1.1"
    received = await raw(
        secure.port, f"POST /v1/chat/completions HTTP/{version}\r\n{header}Content-Length: 2\r\n\r\n{{}}".encode()
    )
    head, _, body = received.partition(b"\r\n\r\n")
    assert head.split()[1] == b"400"
    error = json.loads(body)["error"]
    assert (error["type"], error["code"]) == ("invalid_request_error", "https_required")
    assert error["message"].endswith(f"Use {named or f'https://127.0.0.1:{secure.port}'}/v1/chat/completions")


async def test_a_first_byte_of_neither_kind_is_refused_and_a_client_that_leaves_is_forgotten(secure: Served) -> None:
    assert b"400" in (await raw(secure.port, b"\x00\x01\x02\r\n\r\n")).split(b"\r\n")[0]
    for sent in (b"", b"\x16\x03\x01\x00"):
        _, writer = await asyncio.open_connection("127.0.0.1", secure.port)
        writer.write(sent)
        writer.close()
        await writer.wait_closed()
    assert secure.gateway.tls is not None
    assert (await secure.get("health", ssl=fingerprint_ssl(secure.gateway.tls.fingerprint)))[0] == 200


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01\x00", b"GET /v1/health HTTP/1.1\r\n"])
async def test_server_that_closes_ends_connections_before_their_first_request(sent: bytes, tmp_path: Path) -> None:
    """A client that says nothing, or half a handshake or request, would otherwise reach a server that is closed already."""
    async with served(tls=server_tls(tmp_path / "tls")) as gateway:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(sent)
        # Its turn has come once a later connection is answered.
        assert gateway.gateway.tls is not None
        assert (await gateway.get("health", ssl=fingerprint_ssl(gateway.gateway.tls.fingerprint)))[0] == 200
        await gateway.runner.cleanup()
        assert not [task for task in asyncio.all_tasks() if task.get_name() == "zeroconf_ai TLS handshake"]
        async with asyncio.timeout(5):  # far below the 15 s of a handshake
            assert await reader.read() == b""
    writer.close()


async def test_authority_is_downloaded_without_a_key(tmp_path: Path) -> None:
    made = server_tls(tmp_path / "tls")
    async with served(tls=made, key="zai_an-example-key-of-these-tests") as gateway:
        status, body, headers = await gateway.get("/ca.pem", ssl=fingerprint_ssl(made.fingerprint))
        assert (status, body, headers["Content-Type"]) == (200, made.authority_pem, "application/x-pem-file")
    async with served() as plain:
        status, body, _ = await plain.get("/ca.pem")
        assert (status, body["error"]["code"]) == (404, "not_found")
