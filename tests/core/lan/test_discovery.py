"""Finding providers by real mDNS packets, which stay on the loopback interface."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import ip_address
import itertools
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from zeroconf import const
from zeroconf._dns import DNSPointer
from zeroconf._protocol.outgoing import DNSOutgoing
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

from tests.support.waiting import GIVE_UP_SECONDS
from zeroconf_ai.engine import ask_health
from zeroconf_ai.lan.discovery import QUIET_SECONDS, DiscoveryManager, Preferences
from zeroconf_ai.lan.providers import Change, ChangeKind
from zeroconf_ai.lan.trust import Trust, TrustStore
from zeroconf_ai.protocol.record import SATURN_TYPE, SERVICE_TYPE, Capability, Cost, Load, Placement, ServiceRecord
from zeroconf_ai.protocol.status import ProviderState

from ...support.fakes.provider import FakeProvider, running

pytestmark = pytest.mark.usefixtures("own_loopback")

_NUMBER = itertools.count()
LOOPBACK = ip_address("127.0.0.1")


def record(**fields: Any) -> ServiceRecord:
    """An advertisement with a unique name."""
    number = next(_NUMBER)
    base: dict[str, Any] = {
        "name": f"Test {number}",
        "host": f"test-{number}.local.",
        "port": 8000 + number,
        "id": f"id-{number}",
        "models": ("a", "b"),
        "addresses": (LOOPBACK,),
    }
    return ServiceRecord(**(base | fields))


def info(of: ServiceRecord, *, saturn: bool = False, txt: dict[str, str] | None = None) -> AsyncServiceInfo:
    """The service that advertises a record."""
    service_type = SATURN_TYPE if saturn else SERVICE_TYPE
    return AsyncServiceInfo(
        service_type,
        f"{of.name}.{service_type}",
        port=of.port,
        server=of.host,
        parsed_addresses=[str(address) for address in of.addresses],
        properties=(of.to_saturn_txt() if saturn else of.to_txt()) | (txt or {}),
        host_ttl=120,
        other_ttl=120,
    )


@pytest.fixture
async def network() -> AsyncIterator[AsyncZeroconf]:
    """The advertiser's side of the network."""
    async with AsyncZeroconf(interfaces=["127.0.0.1"]) as zeroconf:
        yield zeroconf


@asynccontextmanager
async def advertised(network: AsyncZeroconf, *services: AsyncServiceInfo) -> AsyncIterator[None]:
    """The services, advertised inside the block."""
    for service in services:
        await (await network.async_register_service(service))
    yield
    for service in services:
        await (await network.async_unregister_service(service))


class Watch:
    """A discovery manager and the changes that it reported."""

    def __init__(self, manager: DiscoveryManager) -> None:
        self.manager = manager
        self.changes: list[Change] = []
        manager.watch_for_changes(self.changes.append)

    async def until(self, kind: ChangeKind, provider_id: str, seconds: float = 3) -> Change:
        """The first such change, waiting for it."""
        async with asyncio.timeout(seconds):
            while True:
                for change in self.changes:
                    if change.kind is kind and change.provider.id == provider_id:
                        return change
                await asyncio.sleep(0.01)

    async def heard(self, records: int) -> None:
        """Wait until so many advertisements are known, whatever providers they make."""
        async with asyncio.timeout(GIVE_UP_SECONDS):
            while sum(len(provider.records) for provider in self.manager.providers) < records:
                await asyncio.sleep(0.01)


@pytest.fixture
async def watch() -> AsyncIterator[Watch]:
    """The browser's side of the network."""
    async with AsyncZeroconf(interfaces=["127.0.0.1"]) as zeroconf, DiscoveryManager(zeroconf) as manager:
        yield Watch(manager)


async def test_discovery_reports_a_provider_added_updated_moved_and_removed(network: AsyncZeroconf, watch: Watch) -> None:
    first = record()
    async with advertised(network, info(first)):
        found = (await watch.until(ChangeKind.ADDED, first.id)).provider
        assert found.record.models == ("a", "b")
        assert found.base_url == f"http://127.0.0.1:{first.port}/v1"
        assert found.trust is Trust.NEW
        changed = replace(first, models=("c",), priority=7)
        await (await network.async_update_service(info(changed)))
        updated = (await watch.until(ChangeKind.UPDATED, first.id)).provider
        assert (updated.record.models, updated.record.priority) == (("c",), 7)
        moved = replace(changed, port=first.port + 500)
        await (await network.async_update_service(info(moved)))
        assert (await watch.until(ChangeKind.MOVED, first.id)).provider.record.port == first.port + 500
    await watch.until(ChangeKind.REMOVED, first.id)
    assert watch.manager.get(first.id) is None


async def test_discovery_change_of_the_load_only_is_heard(network: AsyncZeroconf, watch: Watch) -> None:
    first = replace(record(), load=Load.IDLE)
    async with advertised(network, info(first)):
        await watch.until(ChangeKind.ADDED, first.id)
        watch.changes.clear()
        await (await network.async_update_service(info(replace(first, load=Load.FULL))))
        async with asyncio.timeout(GIVE_UP_SECONDS):
            while (known := watch.manager.get(first.id)) is None or known.record.load is not Load.FULL:
                await asyncio.sleep(0.01)
        await watch.until(ChangeKind.HEARD, first.id)
        assert {change.kind for change in watch.changes} == {ChangeKind.HEARD}


async def test_discovery_both_service_types_are_one_provider_until_both_end(network: AsyncZeroconf, watch: Watch) -> None:
    both = record(admin="owner@example.com", cost=Cost.METERED)
    saturn = info(both, saturn=True)
    async with advertised(network, info(both)):
        await (await network.async_register_service(saturn))
        await watch.heard(2)
        assert [provider.id for provider in watch.manager.providers] == [both.id]
        assert watch.manager.providers[0].record.service_type == SERVICE_TYPE
    await asyncio.sleep(0.3)
    assert not any(change.kind is ChangeKind.REMOVED for change in watch.changes)
    provider = watch.manager.get(both.id)
    assert provider is not None
    assert provider.record.cost is Cost.METERED
    await (await network.async_unregister_service(saturn))
    await watch.until(ChangeKind.REMOVED, both.id)


async def test_discovery_unchanged_advertisement_after_a_crash_is_heard(network: AsyncZeroconf, watch: Watch) -> None:
    of = record()
    service = info(of)
    async with advertised(network, service):
        await watch.until(ChangeKind.ADDED, of.id)
        await asyncio.sleep(1.1)  # python-zeroconf drops a packet that equals one of the last second
        watch.changes.clear()
        network.zeroconf.async_send(network.zeroconf.generate_service_broadcast(service, 120))  # as after a restart
        await watch.until(ChangeKind.HEARD, of.id)
        await asyncio.sleep(1)
        assert {change.kind for change in watch.changes} == {ChangeKind.HEARD}


async def test_discovery_scan_ends_when_quiet_and_is_cached(network: AsyncZeroconf, watch: Watch) -> None:
    one, two = record(priority=5), record(priority=1)
    async with advertised(network, info(one), info(two)):
        started = asyncio.get_running_loop().time()
        found = await watch.manager.scan_network(60)
        assert [provider.id for provider in found] == [two.id, one.id]
        assert asyncio.get_running_loop().time() - started < 30
        started = asyncio.get_running_loop().time()
        assert await watch.manager.scan_network() == found
        assert asyncio.get_running_loop().time() - started < QUIET_SECONDS


async def test_discovery_own_advertisement_is_not_reported(network: AsyncZeroconf, watch: Watch) -> None:
    own, other = record(), record()
    watch.manager.own_ids.add(own.id)
    async with advertised(network, info(own), info(other)):
        await watch.until(ChangeKind.ADDED, other.id)
        assert watch.manager.get(own.id) is None


@pytest.mark.parametrize("txt", [{"version": "2.0"}, {"version": "one"}], ids=["newer major", "no version"])
async def test_discovery_invalid_advertisement_is_ignored(
    network: AsyncZeroconf, watch: Watch, txt: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    bad, good = record(), record()
    async with advertised(network, info(bad, txt=txt), info(good)):
        await watch.until(ChangeKind.ADDED, good.id)
        assert watch.manager.get(bad.id) is None
        assert bad.name in caplog.text


async def test_discovery_probes_health_and_does_not_select_offline_providers(network: AsyncZeroconf) -> None:
    async with (
        running(FakeProvider()) as alive,
        running(FakeProvider(key="zai_example-secret", open_health=False)) as locked,
        aiohttp.ClientSession() as session,
        AsyncZeroconf(interfaces=["127.0.0.1"]) as zeroconf,
    ):
        records = {
            "dead": record(port=1, priority=1),
            "locked": record(port=locked.port, priority=2),
            "alive": record(port=alive.port, priority=3, id=alive.id),
        }
        async with (
            advertised(network, *map(info, records.values())),
            DiscoveryManager(zeroconf, health_probe=ask_health(session)) as manager,
        ):
            await manager.scan_network()
            states = {name: provider for name, of in records.items() if (provider := manager.get(of.id))}
            assert states["dead"].state is ProviderState.OFFLINE
            assert states["locked"].state is ProviderState.UNAUTHORIZED
            assert states["alive"].state is ProviderState.HEALTHY
            assert states["alive"].latency
            best = manager.select_best_provider()
            assert best is not None
            assert best.id == records["alive"].id
            assert locked.keys == [None], "no key is shown to who was only heard of"
            await alive.stop()  # no goodbye: a zombie
            for _ in range(2):
                await manager.probe(records["alive"].id)
            zombie = await manager.probe(records["alive"].id)
            assert zombie is not None
            assert zombie.state is ProviderState.OFFLINE
            assert manager.select_best_provider() is None


async def test_discovery_provider_without_a_goodbye_is_reported_offline_by_probes(network: AsyncZeroconf) -> None:
    changes: list[Change] = []
    async with (
        running(FakeProvider()) as fake,
        aiohttp.ClientSession() as session,
        AsyncZeroconf(interfaces=["127.0.0.1"]) as zeroconf,
        DiscoveryManager(zeroconf, health_probe=ask_health(session)) as manager,
    ):
        of = record(port=fake.port, id=fake.id)
        async with advertised(network, info(of)):
            await manager.scan_network()
            manager.watch_for_changes(changes.append)
            await fake.stop()
            for _ in range(3):
                await manager.probe(of.id)
            assert [(change.kind, change.provider.state) for change in changes] == [(ChangeKind.STATE, ProviderState.OFFLINE)]


async def test_selection_uses_capabilities_model_cost_and_placement(network: AsyncZeroconf, watch: Watch) -> None:
    sees = record(priority=3, capabilities=frozenset({Capability.COMPLETION, Capability.VISION}), cost=Cost.METERED)
    local = record(priority=2, models=("small",), placement=Placement.LOCAL)
    relay = record(priority=1, models=("large",), placement=Placement.PROXY)
    async with advertised(network, info(sees), info(local), info(relay)):
        for of in (sees, local, relay):
            await watch.until(ChangeKind.ADDED, of.id)

        def best(**wanted: Any) -> str | None:
            chosen = watch.manager.select_best_provider(Preferences(**wanted))
            return chosen.id if chosen else None

        assert best() == relay.id
        assert best(capabilities=frozenset({Capability.VISION})) == sees.id
        assert best(model="small") == local.id
        assert best(prefer_local=True) == local.id
        assert best(capabilities=frozenset({Capability.VISION}), free_only=True) is None
        assert best(model="nobody has it") is None


async def test_selection_of_a_confirmed_name_with_another_id_is_excluded(network: AsyncZeroconf, tmp_path: Path) -> None:
    real, impostor = record(), record()
    impostor = replace(impostor, name=real.name)
    store = TrustStore(tmp_path / "trust.json")
    store.confirm(real)
    async with (
        AsyncZeroconf(interfaces=["127.0.0.1"]) as zeroconf,
        DiscoveryManager(zeroconf, trust=TrustStore(tmp_path / "trust.json")) as manager,
    ):
        seen = Watch(manager)
        async with advertised(network, info(impostor)):
            provider = (await seen.until(ChangeKind.ADDED, impostor.id)).provider
            assert provider.trust is Trust.CHANGED
            assert manager.select_best_provider() is None


async def test_discovery_two_hosts_with_one_id_uses_the_first(
    network: AsyncZeroconf, watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    first = record()
    second = replace(record(), id=first.id)
    async with advertised(network, info(first)):
        await watch.until(ChangeKind.ADDED, first.id)
        async with advertised(network, info(second)):
            await watch.heard(2)
            provider = watch.manager.get(first.id)
            assert provider is not None
            assert provider.record.port == first.port
    assert "Several hosts advertise the same id" in caplog.text


async def test_registry_rival_at_another_address_is_reported_and_stored_as_rival() -> None:
    manager = DiscoveryManager()
    changes: list[Change] = []
    manager.watch_for_changes(changes.append)
    first = record()
    manager.registry.put((SERVICE_TYPE, first.name), first)
    manager.registry.put((SATURN_TYPE, first.name), replace(first, service_type=SATURN_TYPE))
    rival = replace(first, name="Rival", host="rival.local.", port=first.port + 1)
    manager.registry.put((SERVICE_TYPE, rival.name), rival)
    assert [change.kind for change in changes] == [ChangeKind.ADDED, ChangeKind.MOVED]
    provider = manager.get(first.id)
    assert provider is not None
    assert provider.record == first
    assert rival in provider.records
    manager.registry.remove((SERVICE_TYPE, rival.name))
    provider = manager.get(first.id)
    assert provider is not None
    assert rival not in provider.records


async def test_discovery_advertisement_without_an_address_adds_no_provider(network: AsyncZeroconf, watch: Watch) -> None:
    out = DNSOutgoing(const._FLAGS_QR_RESPONSE | const._FLAGS_AA)
    pointer = DNSPointer(SERVICE_TYPE, const._TYPE_PTR, const._CLASS_IN, 120, f"Ghost.{SERVICE_TYPE}")
    out.add_answer_at_time(pointer, 0)
    network.zeroconf.async_send(out)
    await asyncio.sleep(0.5)
    assert watch.manager.providers == []


async def test_discovery_failing_listener_does_not_affect_others(
    network: AsyncZeroconf, watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: Change) -> None:
        raise RuntimeError("example")

    stop = watch.manager.watch_for_changes(fail)
    watch.manager.watch_for_changes(watch.changes.append)
    of = record()
    async with advertised(network, info(of)):
        await watch.until(ChangeKind.ADDED, of.id)
    assert "A listener for changes of" in caplog.text
    stop()
    stop()


async def test_discovery_closed_leaves_no_task_and_the_given_zeroconf_open(network: AsyncZeroconf) -> None:
    before = asyncio.all_tasks()
    manager = DiscoveryManager(network)
    await manager.start()
    await manager.start()
    await manager.close()
    await manager.close()
    await asyncio.sleep(0)
    left = {task.get_name() for task in asyncio.all_tasks() - before if "zeroconf_ai" in task.get_name()}
    assert left == set()
    assert not network.zeroconf.done
