"""Providers of the household in the pool: none gets a token or a prompt that has not proved the token it advertises."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import ip_address
import logging
from typing import Any

import aiohttp
from aiohttp import web
import pytest

from tests.support.fakes.upstream import chat
from tests.support.server import Served, served
from tests.support.waiting import until
from zeroconf_ai.engine import Caller, Engine, Source
from zeroconf_ai.lan.discovery import DiscoveryManager
from zeroconf_ai.presence.discovered_members import DiscoveredMembers
from zeroconf_ai.presence.household_access import HouseholdAccess
from zeroconf_ai.protocol.household import HouseholdCode, HouseholdKey
from zeroconf_ai.protocol.record import SERVICE_TYPE, Auth, ServiceRecord
from zeroconf_ai.server.access.guard import Guard
from zeroconf_ai.server.access.household import HouseholdTokens

ID = "gateway-id"
LOOPBACK = ip_address("127.0.0.1")
START = 1_900_000_800.0 // 3600 * 3600


class Clock:
    """Seconds since the epoch, moved by the test."""

    now = START

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def key() -> HouseholdKey:
    return HouseholdKey(HouseholdCode.generate())


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tokens(key: HouseholdKey, clock: Clock) -> HouseholdTokens:
    return HouseholdTokens(key, ID, clock)


@asynccontextmanager
async def member_of(key: HouseholdKey, clock: Clock) -> AsyncIterator[tuple[Engine, DiscoveryManager]]:
    """An engine whose household has this key."""
    engine, manager = Engine(), DiscoveryManager()
    async with aiohttp.ClientSession() as session:
        members = DiscoveredMembers(engine, manager, session, household=HouseholdAccess((key,), clock))
        members.start()
        try:
            yield engine, manager
        finally:
            await members.close()
            await engine.close()


def advertised(port: int, tokens: HouseholdTokens, **changes: Any) -> ServiceRecord:
    record = ServiceRecord(
        name="Attic", host="attic.local.", port=port, addresses=(LOOPBACK,), id=ID, auth=Auth.TOKEN, sealed_token=tokens.sealed
    )
    return replace(record, **changes)


def hear(manager: DiscoveryManager, record: ServiceRecord) -> None:
    manager.registry.put((SERVICE_TYPE, record.name), record)


async def answer_of(engine: Engine) -> str:
    async with engine.run(chat(model="demo-rules"), Caller(Source.CLI)) as reply:
        return bytes(reply.body).decode()


def gateway_of(tokens: HouseholdTokens) -> Any:
    return served(provider_id=ID, access=Guard(household=tokens))


def is_online(engine: Engine) -> bool:
    return any(member.online for member in engine.pool)


async def test_provider_of_the_household_is_used_without_a_key_and_over_the_hours(
    key: HouseholdKey, tokens: HouseholdTokens, clock: Clock
) -> None:
    async with gateway_of(tokens) as gateway, member_of(key, clock) as (engine, manager):
        hear(manager, advertised(gateway.port, tokens))
        await until(lambda: is_online(engine) and engine.models())
        assert "choices" in await answer_of(engine)
        [member] = engine.pool
        former = member.backend.key  # type: ignore[attr-defined]
        clock.now += 3600
        tokens.rotate()
        hear(manager, advertised(gateway.port, tokens))
        await until(lambda: member.backend.key != former)  # type: ignore[attr-defined]
        clock.now += 600
        assert not tokens.accepts(former)
        assert "choices" in await answer_of(engine)
        assert former not in repr(member.backend)


async def test_request_with_an_old_token_takes_the_newest_once(key: HouseholdKey, tokens: HouseholdTokens, clock: Clock) -> None:
    async with gateway_of(tokens) as gateway, member_of(key, clock) as (engine, manager):
        hear(manager, advertised(gateway.port, tokens))
        await until(lambda: is_online(engine) and engine.models())
        [member] = engine.pool
        newest = tokens.sealed
        member.backend.authorize("zai_" + "0" * 32)  # type: ignore[attr-defined]
        assert "choices" in await answer_of(engine)
        assert member.backend.key == key.open(newest, ID, clock.now).token  # type: ignore[attr-defined]


async def test_provider_of_another_household_is_not_used_and_the_log_says_why(
    key: HouseholdKey, tokens: HouseholdTokens, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    other = HouseholdKey(HouseholdCode.generate())
    async with gateway_of(tokens) as gateway, member_of(other, clock) as (engine, manager):
        hear(manager, advertised(gateway.port, tokens))
        assert "Attic is not used: it belongs to another household" in caplog.text
        caplog.clear()
        hear(manager, advertised(gateway.port, tokens, priority=7))
        assert caplog.text == ""
        assert not list(engine.pool)


async def test_provider_with_an_old_advertisement_is_told_apart(
    key: HouseholdKey, tokens: HouseholdTokens, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    clock.now += 5 * 3600
    async with member_of(key, clock) as (engine, manager):
        hear(manager, advertised(1, tokens))
        assert "its household token is 5 h old: the clock of one of the two machines is wrong" in caplog.text
        assert not list(engine.pool)


@asynccontextmanager
async def impostor(gateway: Served | None) -> AsyncIterator[tuple[int, list[web.BaseRequest]]]:
    """A server that repeats what the gateway answers (None: that is what it says to be), and keeps what it is asked."""
    seen: list[web.BaseRequest] = []

    async def answer(request: web.BaseRequest) -> web.Response:
        seen.append(request)
        if gateway is None:
            return web.json_response({"status": "ok", "id": ID, "proof": "A" * 43, "data": [{"id": "demo-rules"}]})
        async with gateway.session.get(f"http://127.0.0.1:{gateway.port}{request.path_qs}") as response:
            return web.Response(body=await response.read(), content_type="application/json")

    server = web.Server(answer)
    runner = web.ServerRunner(server)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield runner.addresses[0][1], seen
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("relays", [False, True])
async def test_copied_advertisement_wins_neither_a_token_nor_a_prompt(
    key: HouseholdKey, tokens: HouseholdTokens, clock: Clock, relays: bool
) -> None:
    async with (
        gateway_of(tokens) as gateway,
        impostor(gateway if relays else None) as (port, seen),
        member_of(key, clock) as (engine, manager),
    ):
        hear(manager, advertised(port, tokens))
        await until(lambda: len(seen) > 1)  # it is asked again, as a server that starts slowly is
        assert not list(engine.pool)
        hear(manager, advertised(gateway.port, tokens))
        await until(lambda: is_online(engine) and engine.models())
        hear(manager, advertised(port, tokens))
        assert "choices" in await answer_of(engine)
        assert [member.backend.address for member in engine.pool] == [f"http://127.0.0.1:{gateway.port}/v1"]
        await gateway.runner.cleanup()  # it is gone, so that only the copy answers
        [member] = engine.pool
        before = len(seen)
        hear(manager, advertised(port, tokens, priority=7))
        await until(lambda: len(seen) > before)
        assert member.backend.address == f"http://127.0.0.1:{gateway.port}/v1"
    assert {request.path for request in seen} <= {"/v1/health", "/v1/models"}
    assert not any("Authorization" in request.headers for request in seen)


async def test_copied_advertisement_that_came_first_hides_no_provider(
    key: HouseholdKey, tokens: HouseholdTokens, clock: Clock
) -> None:
    async with gateway_of(tokens) as gateway, impostor(None) as (port, seen), member_of(key, clock) as (engine, manager):
        hear(manager, advertised(port, tokens, name="Copy", host="copy.local."))
        await until(lambda: seen)
        hear(manager, advertised(gateway.port, tokens))
        await until(lambda: is_online(engine) and engine.models())
        assert [member.backend.address for member in engine.pool] == [f"http://127.0.0.1:{gateway.port}/v1"]
        clock.now += 3600
        tokens.rotate()
        hear(manager, advertised(gateway.port, tokens))
        clock.now += 600
        assert "choices" in await answer_of(engine)
    assert not any("Authorization" in request.headers for request in seen)


async def test_provider_without_a_token_still_needs_a_key(key: HouseholdKey, tokens: HouseholdTokens, clock: Clock) -> None:
    async with gateway_of(tokens) as gateway, member_of(key, clock) as (engine, manager):
        hear(manager, advertised(gateway.port, tokens, sealed_token=None))
        hear(manager, advertised(gateway.port, tokens, name="Derived", id_derived=True))
        assert not list(engine.pool)
