"""Requests with a household token: for how long, for what, and how much of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.fakes.upstream import StubBackend
from tests.support.server import CHAT, Served, served
from zeroconf_ai.accounting.household_cap import HouseholdCap
from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.accounting.usage.record_search import RecordFilter
from zeroconf_ai.backends.base import Endpoint
from zeroconf_ai.backends.identity_probe import proves_key
from zeroconf_ai.protocol.household import HouseholdCode, HouseholdKey, SealError, expiry
from zeroconf_ai.protocol.models import ModelInfo
from zeroconf_ai.protocol.record import Cost, Placement
from zeroconf_ai.protocol.values import NANO
from zeroconf_ai.routing.accounting import Accounting
from zeroconf_ai.server.access.guard import Guard
from zeroconf_ai.server.access.household import HouseholdTokens
from zeroconf_ai.server.endpoints import OWN_PORT_ROUTES, ROUTES

ID = "gateway-id"
START = 1_900_000_800.0 // 3600 * 3600
ASK = CHAT | {"model": "m", "max_tokens": 10}
PRICED = ModelInfo("m", pricing={"input_cost_per_1m": 10, "output_cost_per_1m": 100})


class Clock:
    """Seconds since the epoch, moved by the test."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def key() -> HouseholdKey:
    return HouseholdKey(HouseholdCode.generate())


@pytest.fixture
def tokens(key: HouseholdKey, clock: Clock) -> HouseholdTokens:
    return HouseholdTokens(key, ID, clock)


def current(tokens: HouseholdTokens, key: HouseholdKey, clock: Clock) -> str:
    """The token in the advertisement, as a member of the household opens it."""
    return key.open(tokens.sealed, ID, clock.now).token


def bearer(secret: str) -> dict[str, Any]:
    return {"headers": {"Authorization": f"Bearer {secret}"}}


@asynccontextmanager
async def gateway_of(
    file: Path, tokens: HouseholdTokens, cap: HouseholdCap, *backends: StubBackend
) -> AsyncIterator[tuple[Served, AccountingStore]]:
    """A gateway with an accounting store and a household."""
    store = await AccountingStore.open(file)
    try:
        guard = Guard(store.keys, household=tokens)
        async with served(
            *(backends or (StubBackend("local"),)),
            provider_id=ID,
            access=guard,
            ledger=store.ledger,
            totals=store.totals,
            images=store.images,
            responses=store.responses,
        ) as gateway:
            await gateway.engine.attach(Accounting.of(store))
            await gateway.engine.attach(Accounting(household=cap))
            yield gateway, store
    finally:
        await store.close()


def test_token_changes_each_hour_and_is_valid_for_ten_more_minutes(
    tokens: HouseholdTokens, key: HouseholdKey, clock: Clock
) -> None:
    first = current(tokens, key, clock)
    clock.now = START + 3599
    assert not tokens.rotate()
    assert tokens.accepts(first)
    clock.now = START + 3600
    assert tokens.rotate()
    second = current(tokens, key, clock)
    assert first != second
    clock.now = START + 3600 + 599
    assert (tokens.accepts(first), tokens.accepts(second)) == (True, True)
    clock.now = START + 3600 + 600
    assert (tokens.accepts(first), tokens.accepts(second)) == (False, True)


def test_token_of_a_server_that_slept_is_not_accepted(tokens: HouseholdTokens, key: HouseholdKey, clock: Clock) -> None:
    first = current(tokens, key, clock)
    clock.now = expiry(int(START // 3600))
    assert not tokens.accepts(first)
    assert tokens.rotate()
    assert not tokens.accepts(first)
    assert tokens.accepts(current(tokens, key, clock))


@pytest.mark.parametrize("step", [-86_400.0, -3600.0, 86_400.0])
def test_token_before_a_clock_was_set_is_valid_for_ten_minutes_at_most(
    tokens: HouseholdTokens, key: HouseholdKey, clock: Clock, step: float
) -> None:
    first = current(tokens, key, clock)
    clock.now = START + step
    assert tokens.rotate()
    assert tokens.accepts(current(tokens, key, clock))
    clock.now += 600
    assert not tokens.accepts(first)


async def test_tokens_are_announced_when_they_change_and_end_with_the_server(key: HouseholdKey, clock: Clock) -> None:
    tokens = HouseholdTokens(key, ID, clock)
    clock.now = START + 3600.0
    announced = asyncio.Event()
    tokens.start(announced.set)
    await asyncio.wait_for(announced.wait(), 10)
    token = current(tokens, key, clock)
    assert tokens.accepts(token)
    await tokens.close()
    assert not tokens.accepts(token)


async def test_household_token_may_chat_and_nothing_else(
    tmp_path: Path, tokens: HouseholdTokens, key: HouseholdKey, clock: Clock
) -> None:
    allowed = {"chat", "models", "status"}
    stores = "/v1/images/upload"  # a path of chat that keeps something, which every member of the household could change
    async with gateway_of(tmp_path / "db", tokens, HouseholdCap(10_000, 0, clock)) as (gateway, store):
        asked = bearer(current(tokens, key, clock))
        assert (await gateway.ask("POST", "chat/completions", json=ASK, **asked))[0] == 200
        assert (await gateway.get("models", **asked))[0] == 200
        status, body, _ = await gateway.get("status", **asked)
        assert status == 200
        assert "usage" not in body
        forbidden = [
            route
            for route in (*ROUTES, *OWN_PORT_ROUTES)
            if not route.public and (route.scope not in allowed or route.path == stores)
        ]
        assert len(forbidden) > 15
        for route in forbidden:
            path = route.path.replace(":.+", "").replace("{", "").replace("}", "")
            status, body, _ = await gateway.ask(route.method, path, json={}, **asked)
            assert status == 403, route
            assert "household token may not use" in str(body), route
        status, body, _ = await gateway.ask("POST", "enroll", json={"csr": "x", "name": "x"}, **asked)
        assert (status, body["error"]["code"]) == (400, "https_required")  # over HTTPS it counts as no key
        await store.flush()
        [row] = await store.ledger.search(RecordFilter())
    assert (row["key_id"], row["caller"]) == ("household", "Household")


async def test_household_token_passes_on_no_hosted_tools(
    tmp_path: Path, tokens: HouseholdTokens, key: HouseholdKey, clock: Clock
) -> None:
    local = StubBackend("local")
    async with gateway_of(tmp_path / "db", tokens, HouseholdCap(10_000, 0, clock), local) as (gateway, _):
        asked = bearer(current(tokens, key, clock))
        search = {"web_search_options": {}, "tools": [{"type": "web_search"}]}
        status, _, headers = await gateway.ask("POST", "chat/completions", json=ASK | search, **asked)
        assert status == 200
        assert "web_search" in headers["X-ZeroconfAI-Dropped-Tools"]
        sent = local.sent[-1].body
        assert not {"web_search_options", "tools"} & sent.keys()


async def test_household_token_is_refused_when_it_is_old_or_of_another_household(
    tmp_path: Path, tokens: HouseholdTokens, key: HouseholdKey, clock: Clock
) -> None:
    foreign = HouseholdKey(HouseholdCode.generate())
    with pytest.raises(SealError):
        foreign.open(tokens.sealed, ID, clock.now)
    others = HouseholdTokens(foreign, ID, clock)
    async with gateway_of(tmp_path / "db", tokens, HouseholdCap(10_000, 0, clock)) as (gateway, _):
        first = current(tokens, key, clock)
        for secret in (tokens.sealed, current(others, foreign, clock), f"{first}x"):
            status, body, _ = await gateway.get("models", **bearer(secret))
            assert (status, body["error"]["code"]) == (401, "invalid_api_key")
        clock.now += 2 * 3600
        tokens.rotate()
        assert (await gateway.get("models", **bearer(first)))[0] == 401
        assert (await gateway.get("models", **bearer(current(tokens, key, clock))))[0] == 200


async def test_server_proves_the_current_tokens_and_no_expired_one(
    tmp_path: Path, tokens: HouseholdTokens, key: HouseholdKey, clock: Clock
) -> None:
    async with gateway_of(tmp_path / "db", tokens, HouseholdCap(10_000, 0, clock)) as (gateway, _):
        endpoint = Endpoint(gateway.url)
        first = current(tokens, key, clock)
        assert await proves_key(endpoint, "It", ID, first)
        clock.now += 3600
        tokens.rotate()
        assert await proves_key(endpoint, "It", ID, first)
        assert await proves_key(endpoint, "It", ID, current(tokens, key, clock))
        clock.now += 600
        assert not await proves_key(endpoint, "It", ID, first)


async def test_household_tokens_per_hour_are_limited_for_all_its_members_together(
    tmp_path: Path, tokens: HouseholdTokens, key: HouseholdKey, clock: Clock
) -> None:
    async with gateway_of(tmp_path / "db", tokens, HouseholdCap(30, 0, clock)) as (gateway, store):
        asked = bearer(current(tokens, key, clock))
        codes = [(await gateway.ask("POST", "chat/completions", json=ASK, **asked))[0] for _ in range(9)]
        assert codes[0] == 200
        assert codes[-1] == 429
        status, body, headers = await gateway.ask("POST", "chat/completions", json=ASK, **asked)
        assert (status, body["error"]["code"]) == (429, "rate_limit_exceeded")
        assert "30 tokens per hour" in body["error"]["message"]
        assert int(headers["Retry-After"]) == 3600
        _, secret = await store.keys.create("Phone")
        assert (await gateway.ask("POST", "chat/completions", json=ASK, **bearer(secret)))[0] == 200
        clock.now += 3600
        tokens.rotate()
        asked = bearer(current(tokens, key, clock))
        assert (await gateway.ask("POST", "chat/completions", json=ASK, **asked))[0] == 200


async def test_household_without_money_reaches_free_providers_only(
    tmp_path: Path, tokens: HouseholdTokens, key: HouseholdKey, clock: Clock
) -> None:
    cloud = StubBackend("cloud", models=[PRICED], cost=Cost.METERED, placement=Placement.CLOUD, priority=1)
    unpriced = StubBackend("unpriced", cost=Cost.METERED, placement=Placement.CLOUD, priority=0)
    local = StubBackend("local", priority=2)
    async with gateway_of(tmp_path / "db", tokens, HouseholdCap(10_000, 0, clock), cloud, unpriced, local) as (gateway, _):
        asked = bearer(current(tokens, key, clock))
        _, _, headers = await gateway.ask("POST", "chat/completions", json=ASK, **asked)
        assert headers["X-ZeroconfAI-Provider"] == "Local"
        for model in ("cloud/m", "unpriced/m"):
            status, body, _ = await gateway.ask("POST", "chat/completions", json=ASK | {"model": model}, **asked)
            assert (status, body["error"]["code"]) == (429, "budget_exceeded")
            assert "0.00 per hour" in body["error"]["message"]
        assert (len(cloud.sent), len(unpriced.sent)) == (0, 0)


async def test_household_money_per_hour_is_limited(
    tmp_path: Path, tokens: HouseholdTokens, key: HouseholdKey, clock: Clock
) -> None:
    cloud = StubBackend("cloud", models=[PRICED], cost=Cost.METERED, placement=Placement.CLOUD)
    async with gateway_of(tmp_path / "db", tokens, HouseholdCap(10_000, NANO // 600, clock), cloud) as (gateway, _):
        asked = bearer(current(tokens, key, clock))
        codes = [(await gateway.ask("POST", "chat/completions", json=ASK, **asked))[0] for _ in range(5)]
        assert codes[0] == 200
        assert codes[-1] == 429
        spent = codes.count(200)
        assert len(cloud.sent) == spent
        clock.now += 3600
        tokens.rotate()
        asked = bearer(current(tokens, key, clock))
        assert (await gateway.ask("POST", "chat/completions", json=ASK, **asked))[0] == 200
