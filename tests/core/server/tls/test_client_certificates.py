"""Client certificates over real handshakes: enrolment, identities, limits, renewal, revocation, expiry, another CA."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
import shutil
import socket
import ssl
import time

import aiohttp
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
import pytest

from zeroconf_ai.accounting.one_time_codes import Purpose
from zeroconf_ai.accounting.usage.rollups import Group
from zeroconf_ai.backends.demo.backend import DemoBackend
from zeroconf_ai.protocol.record import Auth

from ....support.enrolling import EnrollingClient, EnrollingServer, enrolling
from ....support.server import CHAT
from .certificates import server_tls

pytestmark = pytest.mark.usefixtures("own_loopback")

DAY = 86_400.0


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EnrollingServer]:
    """A server that needs a client certificate."""
    async with enrolling(tmp_path, server_tls(tmp_path / "tls")) as running:
        yield running


@pytest.fixture
async def client(server: EnrollingServer, tmp_path: Path) -> EnrollingClient:
    """A client that has enrolled."""
    made = EnrollingClient(server, tmp_path / "client")
    assert (await made.by_code(server.enrolment.codes.make(Purpose.ENROLL).code))[0] == 200
    return made


async def models(session: aiohttp.ClientSession, server: EnrollingServer, **headers: str) -> tuple[int, str | None]:
    """Status and error code of the list of models."""
    async with session.get(f"{server.served.url}/models", headers=headers) as answer:
        found = await answer.json()
        return answer.status, found.get("error", {}).get("code")


async def test_certificate_ignores_subject_and_extensions_of_the_request(client: EnrollingClient) -> None:
    assert client.certificate is not None
    made = x509.load_pem_x509_certificate(client.certificate.encode())
    assert "admin" not in made.subject.rfc4514_string()
    assert not made.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    usage = made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert made.public_key() == client.key.public_key()
    lifetime = made.not_valid_after_utc - datetime.now(UTC)
    assert timedelta(days=89, hours=23) < lifetime <= timedelta(days=90)


async def test_client_without_a_certificate_reaches_public_routes_only(server: EnrollingServer) -> None:
    served = server.served
    assert (await served.get("health", ssl=server.pin))[0] == 200
    assert (await served.get("/ca.pem", ssl=server.pin))[0] == 200
    for method, path in (("GET", "models"), ("POST", "chat/completions"), ("GET", "/api/tags"), ("GET", "status")):
        status, body, _ = await served.ask(method, path, ssl=server.pin, json=CHAT if method == "POST" else None)
        assert status == 401, path
        assert "missing_certificate" in str(body) or "client certificate" in str(body), path
    _, secret = await server.store.keys.create("a key")
    status, body, _ = await served.get("models", ssl=server.pin, headers={"Authorization": f"Bearer {secret}"})
    assert (status, body["error"]["code"]) == (401, "missing_certificate")


async def test_certificate_is_an_identity_with_scope_limits_and_ledger(server: EnrollingServer, client: EnrollingClient) -> None:
    (key,) = server.store.keys
    assert (key.name, key.certificate, key.admin) == ("laptop", True, False)
    async with client.session() as session:
        assert await models(session, server) == (200, None)
        async with session.post(f"{server.served.url}/chat/completions", json=CHAT | {"model": "auto"}) as answer:
            assert answer.status == 200
        await server.store.keys.update(key.id, endpoints=("chat",))
        assert await models(session, server) == (403, "endpoint_not_allowed")
        await server.store.keys.update(key.id, endpoints=(), requests_per_minute=1)
        async with session.post(f"{server.served.url}/chat/completions", json=CHAT | {"model": "auto"}) as answer:
            assert answer.status in (200, 429)
        async with session.post(f"{server.served.url}/chat/completions", json=CHAT | {"model": "auto"}) as answer:
            assert answer.status == 429
    await server.store.flush()
    (row,) = (await server.store.ledger.usage(*2 * (server.store.ledger.totals.date,), [Group.KEY]))[:1]
    assert row.group[Group.KEY] == key.id
    found = server.store.keys.get(key.id)
    assert found is not None
    assert found.last_used is not None


async def test_certificate_counts_in_mode_token_besides_keys(tmp_path: Path) -> None:
    async with enrolling(tmp_path, server_tls(tmp_path / "tls"), Auth.TOKEN) as server:
        client = EnrollingClient(server, tmp_path / "client")
        assert (await client.by_code(server.enrolment.codes.make(Purpose.ENROLL).code))[0] == 200
        async with client.session() as session:
            assert await models(session, server) == (200, None)
            assert await models(session, server, Authorization="Bearer made-up") == (200, None)
        _, secret = await server.store.keys.create("a key")
        status, _, _ = await server.served.get("models", ssl=server.pin, headers={"Authorization": f"Bearer {secret}"})
        assert status == 200
        assert (await server.served.get("models", ssl=server.pin))[1]["error"]["code"] == "missing_api_key"


async def test_handshake_asks_for_no_certificate_before_a_client_has_one(tmp_path: Path) -> None:
    async with enrolling(tmp_path, server_tls(tmp_path / "tls"), Auth.TOKEN) as server:
        modes = [server.tls.context.verify_mode]
        client = EnrollingClient(server, tmp_path / "client")
        await client.by_code(server.enrolment.codes.make(Purpose.ENROLL).code)
        modes.append(server.tls.context.verify_mode)
        assert modes == [ssl.CERT_NONE, ssl.CERT_OPTIONAL]


async def test_revoked_certificate_is_refused_and_its_open_connections_are_closed(tmp_path: Path) -> None:
    async with enrolling(tmp_path, server_tls(tmp_path / "tls"), backends=(DemoBackend(word_seconds=0.2),)) as server:
        client = EnrollingClient(server, tmp_path / "client")
        await client.by_code(server.enrolment.codes.make(Purpose.ENROLL).code)
        (key,) = server.store.keys
        async with client.session() as session, client.session() as idle:
            assert await models(idle, server) == (200, None)
            chat = CHAT | {"model": "auto", "stream": True}
            async with session.post(f"{server.served.url}/chat/completions", json=chat) as answer:
                assert await answer.content.readany()
                await server.store.keys.update(key.id, enabled=False)
                with pytest.raises(aiohttp.ClientPayloadError):
                    await answer.read()
            assert await models(idle, server) == (403, "key_disabled")
            await server.store.keys.update(key.id, enabled=True)
            assert await models(session, server) == (200, None)
            await server.store.keys.revoke(key.id)
            assert await models(session, server) == (401, "invalid_certificate")


async def test_expired_certificate_is_refused_with_the_reason(
    server: EnrollingServer, client: EnrollingClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time
    async with client.session() as session:
        assert await models(session, server) == (200, None)
        monkeypatch.setattr("zeroconf_ai.accounting.keys.key_store.time.time", lambda: now() + 91 * DAY)
        assert await models(session, server) == (401, "certificate_expired")
        assert (await client.renew(session, client.key))[1]["error"]["code"] == "certificate_expired"


async def test_certificate_that_expired_by_the_calendar_passes_the_handshake_and_is_told(tmp_path: Path) -> None:
    async with enrolling(tmp_path, server_tls(tmp_path / "tls")) as server:
        client = EnrollingClient(server, tmp_path / "client")
        authority = server.enrolment._authority
        authority._now = lambda: datetime.now(UTC) - timedelta(days=120)
        assert (await client.by_code(server.enrolment.codes.make(Purpose.ENROLL).code))[0] == 200
        async with client.session() as session:
            assert await models(session, server) == (401, "certificate_expired")


async def test_certificate_of_another_authority_breaks_the_handshake(
    server: EnrollingServer, client: EnrollingClient, tmp_path: Path
) -> None:
    async with enrolling(tmp_path / "other", server_tls(tmp_path / "other" / "tls")) as other:
        stranger = EnrollingClient(other, tmp_path / "stranger")
        assert (await stranger.by_code(other.enrolment.codes.make(Purpose.ENROLL).code))[0] == 200
        stranger.server = server
        async with stranger.session() as session:
            with pytest.raises((aiohttp.ClientError, ssl.SSLError)):
                await models(session, server)


type _Answered = tuple[bytes, bool, ssl.SSLSession | None]


def over_one_connection(port: int, context: ssl.SSLContext, session: ssl.SSLSession | None) -> _Answered:
    """The answer to a request over a new connection, whether it resumed `session`, and its own session."""
    with (
        socket.create_connection(("127.0.0.1", port), 10) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1", session=session) as secure,
    ):
        secure.sendall(b"GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        answer = b""
        while part := secure.recv(65536):
            answer += part
        return answer, bool(secure.session_reused), secure.session


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_resumed_connection_has_its_certificate_until_it_is_revoked(
    server: EnrollingServer, client: EnrollingClient, version: ssl.TLSVersion
) -> None:
    context = client.context()
    context.maximum_version = version
    port = server.served.port
    answer, reused, session = await asyncio.to_thread(over_one_connection, port, context, None)
    assert (answer[:12], reused) == (b"HTTP/1.1 200", False)
    answer, reused, session = await asyncio.to_thread(over_one_connection, port, context, session)
    assert (answer[:12], reused) == (b"HTTP/1.1 200", True)
    (key,) = server.store.keys
    await server.store.keys.revoke(key.id)
    answer, _, _ = await asyncio.to_thread(over_one_connection, port, context, session)
    assert answer.startswith(b"HTTP/1.1 401")
    assert b"invalid_certificate" in answer


async def test_replaced_authority_ends_its_certificates_with_a_clear_answer(
    server: EnrollingServer, client: EnrollingClient, tmp_path: Path
) -> None:
    async with client.session() as session:
        assert await models(session, server) == (200, None)
        await server.enrolment.replace_authority(actor="anna")
        assert await models(session, server) == (401, "certificate_expired")
    async with client.session() as session:
        assert await models(session, server) == (401, "certificate_expired")
    again = EnrollingClient(server, tmp_path / "again")
    assert (await again.by_code(server.enrolment.codes.make(Purpose.ENROLL).code))[0] == 200
    async with again.session() as session:
        assert await models(session, server) == (200, None)


async def test_certificate_is_renewed_in_mid_session_and_the_former_one_stays_valid(
    server: EnrollingServer, client: EnrollingClient
) -> None:
    (key,) = server.store.keys
    async with client.session() as session:
        # Twice over the first one, as if the answer had been lost.
        former, first_key = client.certificate, client.key
        assert (await client.renew(session, ec.generate_private_key(ec.SECP256R1())))[0] == 200
        lost = client.session()
        assert (await client.renew(session, ec.generate_private_key(ec.SECP384R1())))[0] == 200
        assert await models(session, server) == (200, None)
        assert client.certificate != former
        async with client.session() as renewed:
            assert await models(renewed, server) == (200, None)
        async with lost:
            assert await models(lost, server) == (401, "invalid_certificate")
        assert first_key is not client.key
    (found,) = server.store.keys
    assert (found.id, found.name) == (key.id, "laptop")
    assert found.prefix != key.prefix


async def test_restarted_server_accepts_the_certificates_of_before(tmp_path: Path) -> None:
    async with enrolling(tmp_path, server_tls(tmp_path / "tls")) as server:
        client = EnrollingClient(server, tmp_path / "client")
        assert (await client.by_code(server.enrolment.codes.make(Purpose.ENROLL).code))[0] == 200
    async with enrolling(tmp_path, server_tls(tmp_path / "tls")) as restarted:
        client.server = restarted
        async with client.session() as session:
            assert await models(session, restarted) == (200, None)
        await restarted.enrolment.replace_authority()
    async with enrolling(tmp_path, server_tls(tmp_path / "tls")) as again:
        client.server = again
        async with client.session() as session:
            assert await models(session, again) == (401, "certificate_expired")


@pytest.mark.parametrize(
    ("restored", "same_pin", "answer"),
    [
        (("tls", "gateway.db"), True, (200, None)),
        (("gateway.db",), False, None),
        (("tls",), True, (401, "invalid_certificate")),
    ],
)
async def test_backup_restored_on_another_machine_keeps_pins_and_certificates(
    restored: tuple[str, ...], *, same_pin: bool, answer: tuple[int, str | None] | None, tmp_path: Path
) -> None:
    machine, other = tmp_path / "machine", tmp_path / "other"
    machine.mkdir()
    other.mkdir()
    async with enrolling(machine, server_tls(machine / "tls")) as server:
        client = EnrollingClient(server, tmp_path / "client")
        assert (await client.by_code(server.enrolment.codes.make(Purpose.ENROLL).code))[0] == 200
        pin = server.fingerprint
    for name in restored:
        (shutil.copytree if (machine / name).is_dir() else shutil.copy)(machine / name, other / name)
    async with enrolling(other, server_tls(other / "tls")) as again:
        client.server = again
        assert (again.fingerprint == pin) is same_pin
        async with client.session() as session:
            if answer is not None:
                assert await models(session, again) == answer
            else:  # the authority for clients is another one
                with pytest.raises((aiohttp.ClientError, ssl.SSLError)):
                    await models(session, again)
        anew = EnrollingClient(again, tmp_path / "anew")
        assert (await anew.by_code(again.enrolment.codes.make(Purpose.ENROLL).code))[0] == 200


def test_key_files_of_the_authority_for_clients_are_apart_and_private(tmp_path: Path) -> None:
    async def run() -> None:
        async with enrolling(tmp_path, server_tls(tmp_path / "tls")) as server:
            await server.enrolment.replace_authority()

    asyncio.run(run())
    files = {file.name: file.stat().st_mode & 0o777 for file in (tmp_path / "tls").iterdir()}
    assert files["client-ca-private.pem"] == files["client-ca-former.pem"] == files["server.pem"] == 0o600
    assert (tmp_path / "tls").stat().st_mode & 0o777 == 0o700
    database = (tmp_path / "gateway.db").read_bytes()
    assert b"PRIVATE KEY" not in database
    server, clients = (
        x509.load_pem_x509_certificate((tmp_path / "tls" / name).read_bytes()) for name in ("ca.pem", "client-ca.pem")
    )
    assert server.public_key() != clients.public_key()
