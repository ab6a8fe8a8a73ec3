"""What is noticed: providers that stop answering and answer again, and new ones on the network."""

import asyncio
from collections.abc import AsyncIterator
from ipaddress import ip_address

import pytest

from tests.support.fakes.upstream import StubBackend
from tests.support.waiting import observe, until
from zeroconf_ai.alerts.alert import Alert, AlertKind
from zeroconf_ai.alerts.discovery_watch import DiscoveryWatch
from zeroconf_ai.alerts.provider_watch import ProviderWatch
from zeroconf_ai.engine import Engine
from zeroconf_ai.lan.discovery import DiscoveryManager
from zeroconf_ai.protocol.errors import UpstreamConnectionError
from zeroconf_ai.protocol.record import SERVICE_TYPE, ServiceRecord
from zeroconf_ai.routing.pool.member import Member


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    engine = Engine()
    yield engine
    await engine.close()


async def online(engine: Engine, name: str) -> Member:
    member = engine.add(StubBackend(name, models=["m"]))
    await engine.checker.check(member, models=True)
    return member


def fail(engine: Engine, member: Member) -> None:
    for _ in range(3):
        engine.pool.record_failure(member, UpstreamConnectionError("the connection was refused"))


async def test_provider_watch_reports_those_that_stay_offline_together_and_each_that_is_back(engine: Engine) -> None:
    got: list[Alert] = []
    watch = ProviderWatch(engine.pool, got.append, grace=0.2)
    watch.start()
    attic, cellar = await online(engine, "attic"), await online(engine, "cellar")
    for member in (attic, cellar):
        fail(engine, member)
    assert got == []
    await until(lambda: bool(got))
    assert [(alert.kind, alert.text()) for alert in got] == [(AlertKind.PROVIDER_DOWN, "Attic, Cellar do not answer.")]
    fail(engine, attic)
    await engine.checker.check(attic)
    assert [alert.text() for alert in got[1:]] == ["Attic answers again."]
    watch.close()
    watch.close()
    await engine.checker.check(cellar)
    assert len(got) == 2


async def test_provider_watch_reports_neither_a_restart_nor_one_that_never_answered(engine: Engine) -> None:
    got: list[Alert] = []
    watch = ProviderWatch(engine.pool, got.append, grace=0.5)
    watch.start()
    attic = await online(engine, "attic")
    never = engine.add(StubBackend("cellar", models=["m"]))
    fail(engine, never)
    fail(engine, attic)
    await engine.checker.check(attic)
    gone = await online(engine, "garage")
    fail(engine, gone)
    await engine.remove(gone.id)
    disabled = await online(engine, "barn")
    disabled.enabled = False
    fail(engine, disabled)
    await observe(1.0)
    assert got == []
    watch.close()


async def test_provider_watch_that_is_closed_keeps_no_timer(engine: Engine) -> None:
    got: list[Alert] = []
    watch = ProviderWatch(engine.pool, got.append, grace=0.1)
    watch.start()
    attic = await online(engine, "attic")
    fail(engine, attic)
    watch.close()
    await asyncio.sleep(0.3)
    assert got == []


def advertisement(number: int) -> ServiceRecord:
    return ServiceRecord(
        name=f"Box {number}", host=f"box-{number}.local.", port=8000, id=f"id-{number}", addresses=(ip_address("192.168.1.9"),)
    )


async def test_discovery_watch_reports_each_new_provider_that_is_not_set_up_once() -> None:
    got: list[Alert] = []
    discovery = DiscoveryManager()
    watch = DiscoveryWatch(discovery, {"id-2"}.__contains__, got.append, settle=0.0)
    known = advertisement(0)
    discovery.registry.put((SERVICE_TYPE, known.name), known)
    watch.start()
    for number in (1, 2, 1):
        found = advertisement(number)
        discovery.registry.put((SERVICE_TYPE, found.name), found)
        discovery.registry.remove((SERVICE_TYPE, found.name))
    assert [(alert.kind, alert.to_json()["id"]) for alert in got] == [(AlertKind.PROVIDER_DISCOVERED, "id-1")]
    assert got[0].text().startswith("Box 1 at box-1.local")
    watch.close()
    watch.close()
    later = advertisement(3)
    discovery.registry.put((SERVICE_TYPE, later.name), later)
    assert len(got) == 1


async def test_discovery_watch_reports_nothing_that_is_found_soon_after_the_start_and_a_bounded_number() -> None:
    got: list[Alert] = []
    discovery = DiscoveryManager()
    watch = DiscoveryWatch(discovery, lambda _: False, got.append)
    watch.start()
    early = advertisement(1)
    discovery.registry.put((SERVICE_TYPE, early.name), early)
    assert got == []
    watch.close()
    flooded = DiscoveryWatch(discovery, lambda _: False, got.append, settle=0.0)
    flooded.start()
    for number in range(2, 600):
        found = advertisement(number)
        discovery.registry.put((SERVICE_TYPE, found.name), found)
        discovery.registry.remove((SERVICE_TYPE, found.name))
    assert len(got) == 255
    flooded.close()
