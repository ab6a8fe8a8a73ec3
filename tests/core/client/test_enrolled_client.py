"""The client library, and the pool of `serve`, use the certificate of an enrolment by themselves."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import aiohttp
import pytest

from tests.core.server.tls.certificates import HOSTS, Clock
from tests.support.enrolling import EnrollingServer, enrolling
from tests.support.waiting import until
from zeroconf_ai.accounting.one_time_codes import Purpose
from zeroconf_ai.backends.enrolments import EnrolmentStore
from zeroconf_ai.client.client import Client
from zeroconf_ai.client.connections import KeyRequiredError, NoProviderError
from zeroconf_ai.client.sync_client import SyncClient
from zeroconf_ai.config.members import ConfiguredMembers
from zeroconf_ai.config.providers_file import quick_config
from zeroconf_ai.engine import Engine
from zeroconf_ai.lan.discovery import DiscoveryManager
from zeroconf_ai.presence.discovered_members import DiscoveredMembers
from zeroconf_ai.presence.enrolment import Enroller, look_at
from zeroconf_ai.presence.own_certificates import OwnCertificates
from zeroconf_ai.protocol.hand_over import fingerprint_of
from zeroconf_ai.protocol.record import SERVICE_TYPE, Auth, ServiceRecord
from zeroconf_ai.protocol.status import ProviderState
from zeroconf_ai.server.tls.server_tls import ServerTls

pytestmark = pytest.mark.usefixtures("own_loopback")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def server(tmp_path: Path, clock: Clock) -> AsyncIterator[EnrollingServer]:
    """A server that needs a client certificate."""
    tls = ServerTls(tmp_path / "tls", "gateway-id", "Attic", now=clock)
    tls.refresh(HOSTS)
    async with enrolling(tmp_path, tls) as running:
        yield running


@pytest.fixture
async def folder(server: EnrollingServer, tmp_path: Path) -> Path:
    """The folder with the enrolment of a client."""
    async with aiohttp.ClientSession() as session:
        enroller = Enroller(session, await look_at(session, server.served.url, name="Attic"), "laptop")
        found = await enroller.with_code(server.enrolment.codes.make(Purpose.ENROLL).code)
    found.save(EnrolmentStore(tmp_path / "clients"))
    return tmp_path / "clients"


def advertised(server: EnrollingServer) -> ServiceRecord:
    return ServiceRecord(
        name="Attic",
        host="attic.local.",
        port=server.served.port,
        addresses=(ip_address("127.0.0.1"),),
        id="gateway-id",
        auth=Auth.MTLS,
        tls=True,
        fingerprint=server.tls.fingerprint,
    )


async def test_client_of_a_url_uses_its_certificate(server: EnrollingServer, folder: Path) -> None:
    async with Client(server.served.url, enrolments=folder) as ai:
        assert str(await ai.chat("hello"))
    (key,) = server.store.keys
    assert key.last_used is not None

    def ask() -> str:
        with SyncClient(server.served.url, enrolments=folder) as ai:
            return str(ai.chat("hello"))

    assert await asyncio.to_thread(ask)


async def test_client_that_is_not_enrolled_is_told_how_to_enrol(
    server: EnrollingServer, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"127.0.0.1:{server.served.port}"
    with pytest.raises(NoProviderError, match="cannot be verified"):
        async with Client(server.served.url, enrolments=tmp_path / "empty"):
            pass
    (key,) = server.store.keys
    await server.store.keys.revoke(key.id)
    with pytest.raises(NoProviderError, match=rf"not any more.* zeroconf-ai enroll {address}") as raised:
        async with Client(server.served.url, enrolments=folder):
            pass
    assert not isinstance(raised.value, KeyRequiredError)  # a chat would ask for an API key


async def test_client_follows_a_renewed_certificate_of_the_server_and_refuses_a_new_one(
    server: EnrollingServer, folder: Path, clock: Clock
) -> None:
    clock.advance(300)
    assert server.tls.refresh(HOSTS)
    async with Client(server.served.url, enrolments=folder) as ai:
        assert str(await ai.chat("hello"))
    store = EnrolmentStore(folder)
    (enrolment,) = store.all()
    assert enrolment.pin == server.tls.fingerprint
    lost = fingerprint_of(b"another certificate")
    store.update(replace(enrolment, pin=lost))
    with pytest.raises(NoProviderError, match="did not sign it"):
        async with Client(server.served.url, enrolments=folder):
            pass
    assert [found.pin for found in store.all()] == [lost]


async def test_serve_adds_a_discovered_provider_with_its_certificate_and_not_with_another_pin(
    server: EnrollingServer, folder: Path
) -> None:
    engine, manager = Engine(), DiscoveryManager()
    async with aiohttp.ClientSession() as session:
        store = EnrolmentStore(folder)
        (enrolment,) = store.all()
        store.update(replace(enrolment, pin=fingerprint_of(b"another")))
        certificates = await OwnCertificates(session, store).load()
        members = DiscoveredMembers(engine, manager, session, certificates=certificates)
        members.start()
        try:
            record = advertised(server)
            manager.registry.put((SERVICE_TYPE, record.name), record)
            await until(lambda: not members._tasks)
            assert not list(engine.pool)
            store.update(enrolment)  # as if it had been enrolled with again
            await certificates.load()
            await until(lambda: any(member.online for member in engine.pool))
            await server.store.keys.revoke(next(iter(server.store.keys)).id)
            (member,) = engine.pool
            await engine.checker.check(member, models=True)
            assert (member.state, member.wants_certificate) == (ProviderState.UNAUTHORIZED, True)
        finally:
            await members.close()
            await engine.close()


async def test_backend_of_the_file_uses_its_certificate(server: EnrollingServer, folder: Path) -> None:
    engine = Engine()
    async with aiohttp.ClientSession() as session:
        certificates = await OwnCertificates(session, EnrolmentStore(folder)).load()

        def tls_at(url: str) -> object:
            held = certificates.at(url)
            return None if held is None else held.context

        members = ConfiguredMembers(engine, session, tls_at=tls_at)  # type: ignore[arg-type]
        try:
            await members.apply(quick_config([f"zeroconfai={server.served.url}"], {}))
            (member,) = engine.pool
            assert member.online
            await members.reconnect(certificates.of("gateway-id").enrolment.is_at)  # type: ignore[union-attr]
            (again,) = engine.pool
            await until(lambda: again.online)
        finally:
            await engine.close()
