"""A client enrols with a real server over real handshakes, renews its certificate, and refuses whoever is in between."""

import asyncio
import base64
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
import ssl
import stat
from typing import Self

import aiohttp
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
import pytest

from tests.core.server.tls.certificates import HOSTS, Clock, other_authority, server_tls
from tests.support.enrolling import EnrollingServer, enrolling
from tests.support.server import CHAT
from zeroconf_ai.accounting.one_time_codes import Purpose
from zeroconf_ai.backends.base import Endpoint
from zeroconf_ai.backends.enrolments import Enrolment, EnrolmentStore
from zeroconf_ai.backends.http import HttpUpstream
from zeroconf_ai.presence.enrolment import Enroller, look_at
from zeroconf_ai.presence.enrolment_wire import CodeRefusedError, EnrolmentError, PinChangedError, RefusedByOwnerError
from zeroconf_ai.presence.own_certificates import OwnCertificates
from zeroconf_ai.presence.renewal import follow_hand_over, renew
from zeroconf_ai.presence.signing import issued
from zeroconf_ai.protocol.errors import ApiError, CertificateError, ClientCertificateError, PermissionDeniedError
from zeroconf_ai.server.tls.certificates import key_to_pem, make_server, to_pem
from zeroconf_ai.server.tls.server_tls import ServerTls

pytestmark = pytest.mark.usefixtures("own_loopback")


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EnrollingServer]:
    """A server that needs a client certificate."""
    async with enrolling(tmp_path, server_tls(tmp_path / "tls")) as running:
        yield running


@pytest.fixture
def store(tmp_path: Path) -> EnrolmentStore:
    return EnrolmentStore(tmp_path / "clients")


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as made:
        yield made


def new_code(server: EnrollingServer) -> str:
    """A one-time code of the server's owner."""
    return server.enrolment.codes.make(Purpose.ENROLL).code


async def enrolled(session: aiohttp.ClientSession, server: EnrollingServer, store: EnrolmentStore) -> Enrolment:
    """The stored enrolment of a client that had a code."""
    provider = await look_at(session, server.served.url)
    found = await Enroller(session, provider, "laptop").with_code(new_code(server))
    found.save(store)
    stored = store.get(provider.id)
    assert stored is not None
    return stored


async def models(session: aiohttp.ClientSession, store: EnrolmentStore, enrolment: Enrolment) -> bytes:
    """The server's list of models, with the client certificate. Raises ApiError."""
    endpoint = Endpoint(enrolment.base_url, ssl=store.context(enrolment))
    return await HttpUpstream(session, endpoint, name="Attic").get("/models")


async def test_client_with_a_code_is_known_by_its_certificate(
    server: EnrollingServer, store: EnrolmentStore, session: aiohttp.ClientSession
) -> None:
    enrolment = await enrolled(session, server, store)
    assert enrolment.pin == server.tls.fingerprint
    assert timedelta(days=89) < enrolment.end - datetime.now(UTC) < timedelta(days=91)
    assert enrolment.begin < datetime.now(UTC) - timedelta(days=1)  # so that a server whose clock is set back accepts it
    assert b'"object"' in await models(session, store, enrolment)
    body, context = CHAT | {"model": "auto", "stream": True}, store.context(enrolment)
    async with session.post(f"{enrolment.base_url}/chat/completions", json=body, ssl=context) as answer:
        assert (await answer.read()).endswith(b"data: [DONE]\n\n")


async def test_private_key_is_readable_by_its_user_only(
    server: EnrollingServer, store: EnrolmentStore, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    enrolment = await enrolled(session, server, store)
    folder = tmp_path / "clients" / enrolment.provider_id
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {
        "client.pem": 0o600,
        "enrolment.json": 0o600,
    }
    assert b"PRIVATE" not in (folder / "enrolment.json").read_bytes()
    assert "CERTIFICATE" not in repr(enrolment)


async def test_wrong_code_is_refused_and_a_code_ends_after_three_tries(
    server: EnrollingServer, session: aiohttp.ClientSession
) -> None:
    code = new_code(server)
    wrong = "0000-0000" if code != "0000-0000" else "1111-1111"
    provider = await look_at(session, server.served.url)
    for _ in range(3):
        with pytest.raises(CodeRefusedError, match="mistyped"):
            await Enroller(session, provider, "laptop").with_code(wrong)
    with pytest.raises(CodeRefusedError):
        await Enroller(session, provider, "laptop").with_code(code)
    assert not list(server.store.keys)


async def test_owner_approves_a_client_whose_digits_agree(
    server: EnrollingServer, store: EnrolmentStore, session: aiohttp.ClientSession
) -> None:
    provider = await look_at(session, server.served.url)
    enroller = Enroller(session, provider, "laptop")
    pending = await enroller.ask_owner()
    assert await enroller.decision(pending) is None
    (asked,) = server.enrolment.pending
    assert (asked.name, asked.check) == ("laptop", pending.digits)
    await server.enrolment.approve(asked.id)
    found = await enroller.wait(pending)
    found.save(store)
    assert b'"object"' in await models(session, store, found.enrolment)


async def test_client_that_the_owner_refuses_is_told(server: EnrollingServer, session: aiohttp.ClientSession) -> None:
    enroller = Enroller(session, await look_at(session, server.served.url), "laptop")
    pending = await enroller.ask_owner()
    (asked,) = server.enrolment.pending
    server.enrolment.refuse(asked.id)
    with pytest.raises(RefusedByOwnerError):
        await enroller.wait(pending)


class Between:
    """A machine between client and server: it ends TLS with its own certificate, and passes everything on."""

    def __init__(self, folder: Path, server: EnrollingServer) -> None:
        self.sent: list[bytes] = []
        self._server = server
        identity = make_server("Attic", HOSTS, other_authority(), datetime.now(UTC))
        folder.mkdir()
        file = folder / "between.pem"
        file.write_bytes(key_to_pem(identity.key) + to_pem([identity.certificate]))
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(file)
        self._listening: asyncio.Server | None = None
        self._running: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._listening = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._context)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._listening is not None
        self._listening.close()
        for task in [*self._running]:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    @property
    def url(self) -> str:
        assert self._listening is not None
        return f"https://127.0.0.1:{self._listening.sockets[0].getsockname()[1]}/v1"

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        others = await asyncio.open_connection("127.0.0.1", self._server.served.port, ssl=context)
        try:
            await asyncio.gather(self._pass(reader, others[1], keep=True), self._pass(others[0], writer))
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._running.discard(task)
            writer.transport.abort()
            others[1].transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, keep: bool = False) -> None:
        while part := await reader.read(65536):
            if keep:
                self.sent.append(part)
            writer.write(part)
            await writer.drain()
        writer.transport.abort()


@pytest.fixture
async def between(server: EnrollingServer, tmp_path: Path) -> AsyncIterator[Between]:
    async with Between(tmp_path / "between", server) as running:
        yield running


async def test_machine_in_between_cannot_use_a_typed_code(
    server: EnrollingServer, between: Between, session: aiohttp.ClientSession
) -> None:
    code = new_code(server)
    provider = await look_at(session, between.url)
    with pytest.raises(CodeRefusedError, match="another machine answers"):
        await Enroller(session, provider, "laptop").with_code(code)
    everything = b"".join(between.sent)
    assert b"pake" in everything
    assert code.encode() not in everything
    assert code.replace("-", "").encode() not in everything
    assert not list(server.store.keys)
    straight = await look_at(session, server.served.url)  # the code is still good at the server itself
    assert (await Enroller(session, straight, "laptop").with_code(code)).enrolment.pin == server.tls.fingerprint


async def test_machine_in_between_gets_nothing_from_a_client_with_a_pin(
    server: EnrollingServer, between: Between, session: aiohttp.ClientSession
) -> None:
    with pytest.raises(PinChangedError, match="Nothing was sent"):
        await look_at(session, between.url, pin=server.tls.fingerprint)
    assert between.sent == []


async def test_digits_differ_with_a_machine_in_between(
    server: EnrollingServer, between: Between, session: aiohttp.ClientSession
) -> None:
    pending = await Enroller(session, await look_at(session, between.url), "laptop").ask_owner()
    (asked,) = server.enrolment.pending
    assert asked.check != pending.digits


async def test_certificate_is_renewed_while_a_stream_runs_and_the_former_one_goes_on(
    server: EnrollingServer, store: EnrolmentStore, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    enrolment = await enrolled(session, server, store)
    file = tmp_path / "clients" / enrolment.provider_id / "client.pem"
    former, context = file.read_bytes(), store.context(enrolment)
    body = CHAT | {"model": "auto", "stream": True}
    async with session.post(f"{enrolment.base_url}/chat/completions", json=body, ssl=context) as answer:
        first = await answer.content.readany()
        renewed = await renew(session, store, enrolment)
        assert (first + await answer.read()).endswith(b"data: [DONE]\n\n")
    assert file.read_bytes() != former
    assert {found.name for found in file.parent.iterdir()} == {"client.pem", "enrolment.json"}
    assert b'"object"' in await models(session, store, renewed)
    async with session.get(f"{enrolment.base_url}/models", ssl=context) as answer:
        assert answer.status == 200


def issues_at(server: EnrollingServer, days: float) -> None:
    """Let the server's clock differ from now when it issues certificates."""
    server.enrolment._authority._now = lambda: datetime.now(UTC) + timedelta(days=days)


@pytest.mark.parametrize(("days", "is_due"), [(-59, False), (-61, True)])
async def test_certificate_is_renewed_when_a_third_of_its_lifetime_is_left(
    server: EnrollingServer, store: EnrolmentStore, session: aiohttp.ClientSession, days: float, is_due: bool
) -> None:
    issues_at(server, days)
    enrolment = await enrolled(session, server, store)
    issues_at(server, 0)
    certificates = await OwnCertificates(session, store).load()
    told: list[Enrolment] = []
    certificates.listen(told.append)
    await certificates.renew_due()
    assert [found.end - enrolment.end > timedelta(days=60) for found in told] == [True] * is_due
    assert b'"object"' in await models(session, store, store.get(enrolment.provider_id) or enrolment)


@pytest.mark.parametrize("days", [-1, 1])
async def test_clock_of_the_server_that_is_a_day_off_does_not_matter(
    server: EnrollingServer, store: EnrolmentStore, session: aiohttp.ClientSession, days: float
) -> None:
    issues_at(server, days)
    assert b'"object"' in await models(session, store, await enrolled(session, server, store))


async def test_expired_certificate_is_told_and_the_failed_renewal_is_logged(
    server: EnrollingServer, store: EnrolmentStore, session: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    issues_at(server, -120)
    enrolment = await enrolled(session, server, store)
    with pytest.raises(ClientCertificateError, match="has expired"):
        await models(session, store, enrolment)
    await (await OwnCertificates(session, store).load()).renew_due()
    assert "is not renewed: the client certificate has expired" in caplog.text


async def test_certificate_of_another_server_is_told(
    server: EnrollingServer, store: EnrolmentStore, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    await enrolled(session, server, store)
    async with enrolling(tmp_path / "other", server_tls(tmp_path / "other" / "tls")) as other:
        enrolment = await enrolled(session, other, EnrolmentStore(tmp_path / "stranger"))
        astray = replace(enrolment, base_url=server.served.url, pin=server.tls.fingerprint)
        with pytest.raises(ApiError, match="does not accept the client certificate"):
            await models(session, EnrolmentStore(tmp_path / "stranger"), astray)


async def test_renewal_that_fails_keeps_the_certificate(
    server: EnrollingServer, store: EnrolmentStore, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    enrolment = await enrolled(session, server, store)
    former = (tmp_path / "clients" / enrolment.provider_id / "client.pem").read_bytes()
    (key,) = server.store.keys
    await server.store.keys.update(key.id, enabled=False)
    with pytest.raises(ApiError):
        await renew(session, store, enrolment)
    await server.store.keys.update(key.id, enabled=True)
    assert (tmp_path / "clients" / enrolment.provider_id / "client.pem").read_bytes() == former
    assert b'"object"' in await models(session, store, enrolment)


async def test_revoked_and_disabled_certificates_are_told(
    server: EnrollingServer, store: EnrolmentStore, session: aiohttp.ClientSession
) -> None:
    enrolment = await enrolled(session, server, store)
    (key,) = server.store.keys
    await server.store.keys.update(key.id, enabled=False)
    with pytest.raises(PermissionDeniedError):
        await models(session, store, enrolment)
    await server.store.keys.revoke(key.id)
    with pytest.raises(ClientCertificateError, match="not any more"):
        await models(session, store, enrolment)


async def test_replaced_authority_of_the_server_is_told(
    server: EnrollingServer, store: EnrolmentStore, session: aiohttp.ClientSession
) -> None:
    enrolment = await enrolled(session, server, store)
    await server.enrolment.replace_authority()
    with pytest.raises(ApiError) as raised:
        await models(session, store, enrolment)
    assert isinstance(raised.value, ClientCertificateError), raised.value


async def test_missing_certificate_is_told(server: EnrollingServer, session: aiohttp.ClientSession) -> None:
    endpoint = Endpoint(server.served.url, ssl=server.pin)
    with pytest.raises(ClientCertificateError, match="requires a client certificate"):
        await HttpUpstream(session, endpoint, name="Attic").get("/models")


async def test_renewed_certificate_of_the_server_is_followed_and_another_one_is_not(
    tmp_path: Path, store: EnrolmentStore, session: aiohttp.ClientSession
) -> None:
    clock = Clock()
    tls = ServerTls(tmp_path / "tls", "gateway-id", "Attic", now=clock)
    tls.refresh(HOSTS)
    async with enrolling(tmp_path, tls) as server:
        enrolment = await enrolled(session, server, store)
        assert await follow_hand_over(session, store, enrolment) == enrolment
        clock.advance(300)
        assert tls.refresh(HOSTS)
        with pytest.raises(CertificateError, match="different certificate"):
            await models(session, store, enrolment)
        followed = await follow_hand_over(session, store, enrolment)
        assert followed.pin == tls.fingerprint != enrolment.pin
        stored = store.get(enrolment.provider_id)
        assert stored == followed
        assert b'"object"' in await models(session, store, followed)


async def test_certificate_of_the_server_made_anew_is_an_error(
    server: EnrollingServer, between: Between, store: EnrolmentStore, session: aiohttp.ClientSession
) -> None:
    enrolment = await enrolled(session, server, store)
    elsewhere = Enrolment(
        enrolment.provider_id, "Attic", between.url, enrolment.pin, enrolment.authority, enrolment.begin, enrolment.end
    )
    store.update(elsewhere)
    with pytest.raises(CertificateError):
        await models(session, store, elsewhere)
    with pytest.raises(PinChangedError, match="enrol with it again"):
        await follow_hand_over(session, store, elsewhere)
    assert store.get(enrolment.provider_id) == elsewhere  # its pin is the former one


@pytest.mark.parametrize("case", ["another key", "another authority", "no certificate", "unknown kind of key"])
def test_answer_without_a_certificate_for_this_client_is_refused(case: str) -> None:
    own, other, authority = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1()), other_authority()
    made = make_server("Attic", HOSTS, authority, datetime.now(UTC))
    pem, authority_pem = to_pem([made.certificate]).decode(), to_pem([authority.certificate]).decode()
    answers = {
        "another key": (pem, authority_pem, other),
        "another authority": (pem, to_pem([other_authority().certificate]).decode(), made.key),
        "no certificate": ("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----", authority_pem, own),
        "unknown kind of key": (without_a_known_key(made.certificate), authority_pem, made.key),
    }
    certificate, signer, key = answers[case]
    with pytest.raises(EnrolmentError, match="not for this client"):
        issued({"certificate": certificate, "authority": signer}, key, "Attic")
    assert issued({"certificate": pem, "authority": authority_pem}, made.key, "Attic").leaf == made.certificate


def without_a_known_key(certificate: x509.Certificate) -> str:
    """The certificate with another object identifier for the kind of its key, of the same length, which is no kind of key."""
    der = certificate.public_bytes(Encoding.DER)
    changed = der.replace(bytes.fromhex("06072a8648ce3d0201"), bytes.fromhex("06072a8648ce3d027f"))
    return f"-----BEGIN CERTIFICATE-----\n{base64.encodebytes(changed).decode()}-----END CERTIFICATE-----\n"
