"""What is noticed: providers that stop answering and answer again, and new ones on the network."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.support.fakes.upstream import StubBackend
from tests.support.waiting import observe, until
from zeroconf_ai.alerts.alert import Alert, AlertKind
from zeroconf_ai.alerts.provider_watch import ProviderWatch
from zeroconf_ai.engine import Engine
from zeroconf_ai.protocol.errors import UpstreamConnectionError
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
