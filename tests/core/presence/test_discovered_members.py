"""`DiscoveredMembers`: discovered providers come after configured backends, and only with an unchanged identity."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from ipaddress import ip_address
import json
from pathlib import Path

import aiohttp
import pytest
import pytest_socket

from tests.support.fakes.provider import FakeProvider, running
from tests.support.fakes.upstream import Upstream, answers
from tests.support.waiting import until
from zeroconf_ai.engine import Engine
from zeroconf_ai.lan.discovery import DiscoveryManager
from zeroconf_ai.lan.provider_cache import MAX_PROVIDERS, CachedProvider, ProviderCache
from zeroconf_ai.lan.trust import TrustStore
from zeroconf_ai.presence.discovered_members import DISCOVERED_PRIORITY_OFFSET, DiscoveredMembers
from zeroconf_ai.protocol.record import SERVICE_TYPE, Auth, ServiceRecord

LOOPBACK = ip_address("127.0.0.1")


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    engine = Engine()
    yield engine
    await engine.close()


def hear(manager: DiscoveryManager, record: ServiceRecord) -> None:
    """As if it had advertised itself."""
    manager.registry.put((SERVICE_TYPE, record.name), record)


def leave(manager: DiscoveryManager, record: ServiceRecord) -> None:
    manager.registry.remove((SERVICE_TYPE, record.name))


async def until_listed(engine: Engine, *models: str) -> None:
    await until(lambda: [model.id for _, model in engine.models()] == list(models))


def provider(number: int, upstream: Upstream) -> Upstream:
    health = {"status": "ok", "id": f"id-{number}"}
    return upstream.on("/health", answers(health)).on("/models", answers({"data": [{"id": f"m{number}"}]}))


def record(number: int, upstream: Upstream, **changes: object) -> ServiceRecord:
    port = int(upstream.base_url.removesuffix("/v1").rpartition(":")[2])
    made = ServiceRecord(name=f"P{number}", host=f"p{number}.local.", port=port, addresses=(LOOPBACK,), id=f"id-{number}")
    return replace(made, **changes)  # type: ignore[arg-type]


async def test_discovered_members_are_added_moved_and_removed(engine: Engine) -> None:
    manager = DiscoveryManager(own_ids=("own",))
    async with Upstream() as here, Upstream() as there, aiohttp.ClientSession() as session:
        provider(1, here)
        provider(1, there).on("/models", answers({"data": [{"id": "moved"}]}))
        neighbours = DiscoveredMembers(engine, manager, session)
        neighbours.start()
        first = record(1, here, priority=0)
        hear(manager, first)
        hear(manager, record(2, here, id="own"))
        await until_listed(engine, "m1")
        (member,) = engine.pool
        assert (member.id, member.name, member.priority) == ("lan:id-1", "P1", DISCOVERED_PRIORITY_OFFSET)
        hear(manager, record(1, there))
        await asyncio.gather(*neighbours._tasks)
        await until_listed(engine, "m1")  # it still answers where it was
        assert "/v1/models" not in [request.path for request in there.received]
        here.behave.clear()
        hear(manager, record(1, there, models=("moved",)))
        await until_listed(engine, "moved")
        assert [found is member for found in engine.pool] == [True]
        leave(manager, first)
        await until_listed(engine)
        provider(1, here)
        hear(manager, first)
        leave(manager, first)
        hear(manager, first)  # back before it was let go
        await until_listed(engine, "m1")
        await neighbours.close()
        assert not list(engine.pool)
        hear(manager, record(3, here))
        assert not list(engine.pool)


async def test_discovered_provider_with_a_key_or_another_providers_name_is_ignored(engine: Engine) -> None:
    trust = TrustStore()
    manager = DiscoveryManager(trust=trust)
    async with Upstream() as upstream, aiohttp.ClientSession() as session:
        provider(1, upstream)
        trust.confirm(record(7, upstream, name="P2"))
        neighbours = DiscoveredMembers(engine, manager, session)
        hear(manager, record(1, upstream))
        neighbours.start()
        hear(manager, record(2, upstream))
        hear(manager, record(3, upstream, auth=Auth.TOKEN))
        await until_listed(engine, "m1")
        assert [member.name for member in engine.pool] == ["P1"]
        hear(manager, record(1, upstream, auth=Auth.TOKEN))
        await until_listed(engine)
        await neighbours.close()


async def test_discovered_address_of_another_provider_gets_no_request(engine: Engine) -> None:
    manager = DiscoveryManager()
    async with Upstream() as upstream, aiohttp.ClientSession() as session:
        provider(1, upstream)
        neighbours = DiscoveredMembers(engine, manager, session)
        neighbours.start()
        hear(manager, record(9, upstream))
        await until(lambda: not any(member.online for member in engine.pool))
        (member,) = engine.pool
        assert "a different provider answers" in (member.last_error or "")
        await neighbours.close()


async def test_cached_provider_is_added_without_an_advertisement(engine: Engine, tmp_path: Path) -> None:
    file = tmp_path / "state" / "providers.json"
    async with Upstream() as here, Upstream() as gone, aiohttp.ClientSession() as session:
        provider(1, here)
        provider(2, gone)
        manager = DiscoveryManager()
        neighbours = DiscoveredMembers(engine, manager, session, ProviderCache(file))
        neighbours.start()
        hear(manager, record(1, here, priority=50))
        hear(manager, record(2, gone))
        await until_listed(engine, "m1", "m2")
        await neighbours.close()
        provider(3, gone)  # another one has its address now
        silent = DiscoveredMembers(engine, DiscoveryManager(), session, ProviderCache(file))
        silent.start()
        await until_listed(engine, "m1")
        await until(lambda: "/v1/health" in [request.path for request in gone.received[2:]])
        assert [(member.id, member.priority) for member in engine.pool] == [("lan:id-1", 50 + DISCOVERED_PRIORITY_OFFSET)]
        await silent.close()
        assert not list(engine.pool)


async def test_cached_provider_that_requires_a_key_now_is_removed(engine: Engine, tmp_path: Path) -> None:
    file = tmp_path / "providers.json"
    async with Upstream() as here, aiohttp.ClientSession() as session:
        provider(1, here)
        manager = DiscoveryManager()
        neighbours = DiscoveredMembers(engine, manager, session, ProviderCache(file))
        neighbours.start()
        hear(manager, record(1, here))
        await until_listed(engine, "m1")
        hear(manager, record(1, here, auth=Auth.TOKEN))
        await until_listed(engine)
        await neighbours.close()
    assert ProviderCache(file).providers == ()


async def test_provider_cache_is_bounded_and_tolerates_any_file(tmp_path: Path) -> None:
    file = tmp_path / "providers.json"
    remembered = ProviderCache(file)
    for number in range(MAX_PROVIDERS + 5):
        remembered.put(CachedProvider(f"id-{number}", "P", "http://192.0.2.1:8000/v1", 7))
    remembered.put(CachedProvider("id-5", "P", "http://192.0.2.2:8000/v1", 7))
    await remembered.close()
    places = ProviderCache(file).providers
    assert places == remembered.providers
    assert (len(places), places[0].id, places[-1]) == (
        MAX_PROVIDERS,
        "id-6",
        CachedProvider("id-5", "P", "http://192.0.2.2:8000/v1", 7),
    )
    entries = [{"id": "a", "name": "A", "base_url": url} for url in ("file:///etc", "http://", "http://k:p@192.0.2.1", 5)]
    for text in ("", "{", "{}", "[5, null]", json.dumps(entries)):
        file.write_text(text)
        assert ProviderCache(file).providers == ()


async def test_discovered_provider_with_an_offline_first_address_is_used_at_the_other(engine: Engine) -> None:
    pytest_socket.socket_allow_hosts(["127.0.0.1", "127.0.0.9"], allow_unix_socket=True)
    manager = DiscoveryManager()
    async with Upstream() as here, aiohttp.ClientSession() as session:
        provider(1, here)
        neighbours = DiscoveredMembers(engine, manager, session)
        neighbours.start()
        both = record(1, here, addresses=(ip_address("127.0.0.9"), LOOPBACK))
        hear(manager, both)
        await until_listed(engine, "m1")
        hear(manager, replace(both, priority=3))
        (member,) = engine.pool
        await until(lambda: member.priority == DISCOVERED_PRIORITY_OFFSET + 3)
        await engine.checker.check(member)
        assert member.online, "an announcement does not lead it back to the dead address"
        await neighbours.close()


async def test_discovered_provider_advertised_before_it_listens_is_used_when_it_listens(engine: Engine) -> None:
    manager = DiscoveryManager()
    async with running(FakeProvider(id="id-1")) as late, aiohttp.ClientSession() as session:
        await late.stop()
        neighbours = DiscoveredMembers(engine, manager, session)
        neighbours.start()
        hear(manager, ServiceRecord("Late", "late.local.", late.port, (LOOPBACK,), id="id-1"))
        await until(lambda: any(member.failures for member in engine.pool))
        await late.start()
        await until_listed(engine, "test-model")
        await neighbours.close()
