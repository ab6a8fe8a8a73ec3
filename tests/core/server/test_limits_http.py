"""Limits over HTTP: headers, refusals and `/v1/status`, in all dialects."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
import re
from typing import Any, override

import openai
import pytest

from tests.support.fakes.upstream import StubBackend
from tests.support.server import CHAT, Served, served
from zeroconf_ai.accounting.budget import Action, Scope
from zeroconf_ai.accounting.periods import Period
from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.engine import Caller, Source
from zeroconf_ai.protocol.errors import QuotaError
from zeroconf_ai.protocol.models import ModelInfo
from zeroconf_ai.protocol.record import Cost, Placement
from zeroconf_ai.protocol.values import NANO
from zeroconf_ai.routing.accounting import Accounting
from zeroconf_ai.routing.policy import Terms
from zeroconf_ai.server.access.guard import Guard

from ...support.fakes.upstream import chat

ASK = CHAT | {"model": "m", "max_tokens": 10}
PRICED = ModelInfo("m", pricing={"input_cost_per_1m": 10, "output_cost_per_1m": 100})


@asynccontextmanager
async def limited(file: Path, *backends: StubBackend) -> AsyncIterator[tuple[Served, AccountingStore]]:
    """A gateway with an accounting store."""
    store = await AccountingStore.open(file)
    try:
        async with served(*(backends or (StubBackend("local"),)), access=Guard(store.keys)) as gateway:
            await gateway.engine.attach(Accounting.of(store))
            yield gateway, store
    finally:
        await store.close()


def bearer(secret: str) -> dict[str, Any]:
    return {"headers": {"Authorization": f"Bearer {secret}"}}


@pytest.mark.parametrize("stream", [False, True])
async def test_rate_limit_headers_contain_the_remaining_amount(tmp_path: Path, stream: bool) -> None:
    async with limited(tmp_path / "gateway.db") as (gateway, store):
        _, secret = await store.keys.create("Phone", requests_per_minute=60, tokens_per_minute=100_000)
        async with gateway.session.post(
            f"{gateway.url}/chat/completions", json=ASK | {"stream": stream}, **bearer(secret)
        ) as response:
            await response.read()
            found = {name.lower(): value for name, value in response.headers.items() if name.lower().startswith("x-ratelimit")}
    assert found["x-ratelimit-limit-requests"] == "60"
    assert found["x-ratelimit-remaining-requests"] == "59"
    assert found["x-ratelimit-reset-requests"] == "1s"
    assert found["x-ratelimit-limit-tokens"] == "100000"
    assert int(found["x-ratelimit-remaining-tokens"]) <= 100_000 - 10
    assert re.fullmatch(r"\d+ms", found["x-ratelimit-reset-tokens"])


@pytest.mark.parametrize("path", ["chat/completions", "messages", "responses", "embeddings"])
async def test_rate_limit_applies_to_all_endpoints(tmp_path: Path, path: str) -> None:
    async with limited(tmp_path / "gateway.db") as (gateway, store):
        _, secret = await store.keys.create("Phone", requests_per_minute=1)
        body = {**ASK, "input": "Hello"}
        await gateway.ask("POST", "chat/completions", json=ASK, **bearer(secret))
        status, _, headers = await gateway.ask("POST", path, json=body, **bearer(secret))
    assert status == 429
    assert 50 < int(headers["Retry-After"]) <= 60
    assert 50_000 < int(headers["retry-after-ms"]) <= 60_000
    assert headers["x-ratelimit-remaining-requests"] == "0"


async def test_rate_limit_headers_are_parsed_by_the_sdk(tmp_path: Path) -> None:
    async with limited(tmp_path / "gateway.db") as (gateway, store):
        _, secret = await store.keys.create("Phone", requests_per_minute=1)
        async with gateway.sdk(secret) as client:
            await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hi"}])
            with pytest.raises(openai.RateLimitError) as caught:
                await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hi"}])
    assert (caught.value.code, caught.value.type) == ("rate_limit_exceeded", "rate_limit_error")


async def test_status_contains_the_callers_rate_limits(tmp_path: Path) -> None:
    async with limited(tmp_path / "gateway.db") as (gateway, store):
        _, secret = await store.keys.create("Phone", requests_per_minute=60, parallel=3)
        _, other = await store.keys.create("Other")
        await gateway.ask("POST", "chat/completions", json=ASK, **bearer(secret))
        _, body, _ = await gateway.get("status", **bearer(secret))
        _, nothing, _ = await gateway.get("status", **bearer(other))
    limits = body["rate_limits"]
    assert limits["parallel"] == {"limit": 3, "remaining": 3, "reset_seconds": 0.0}
    assert (limits["requests"]["limit"], limits["requests"]["remaining"]) == (60, 59)
    assert 0 < limits["requests"]["reset_seconds"] <= 1
    assert set(limits) == {"requests", "parallel"}
    assert "rate_limits" not in nothing


async def test_budget_exhausted_leaves_free_backends(tmp_path: Path) -> None:
    cloud = StubBackend("cloud", models=[PRICED], cost=Cost.METERED, placement=Placement.CLOUD, priority=1)
    local = StubBackend("local", priority=2)
    unpriced = StubBackend("unpriced", cost=Cost.METERED, placement=Placement.CLOUD, priority=0)
    async with limited(tmp_path / "gateway.db", cloud, local, unpriced) as (gateway, store):
        _, secret = await store.keys.create("Phone")
        who = [(await gateway.ask("POST", "chat/completions", json=ASK, **bearer(secret)))[2]["X-ZeroconfAI-Provider"]]
        await store.budgets.set(Scope.HOUSEHOLD, None, 0, Period.MONTH, action=Action.FREE_ONLY)
        who.append((await gateway.ask("POST", "chat/completions", json=ASK, **bearer(secret)))[2]["X-ZeroconfAI-Provider"])
        pinned = ASK | {"model": "cloud/m"}
        status, body, headers = await gateway.ask("POST", "chat/completions", json=pinned, **bearer(secret))
    assert who == ["Unpriced", "Local"]
    assert (status, body["error"]["code"], headers["x-should-retry"]) == (429, "budget_exceeded", "false")
    assert "no provider that costs nothing" in body["error"]["message"]
    assert (len(cloud.sent), len(unpriced.sent)) == (0, 1)


async def test_budget_of_a_backend_excludes_it_and_is_reported(tmp_path: Path) -> None:
    cloud = StubBackend("cloud", models=[PRICED], cost=Cost.METERED, priority=1)
    async with limited(tmp_path / "gateway.db", cloud, StubBackend("local", priority=2)) as (gateway, store):
        member = gateway.engine.pool.get("cloud")
        assert member is not None
        member.terms = Terms(monthly_limit=NANO // 600)
        _, secret = await store.keys.create("Phone")
        who = [
            (await gateway.ask("POST", "chat/completions", json=ASK, **bearer(secret)))[2]["X-ZeroconfAI-Provider"]
            for _ in range(3)
        ]
        assert who == ["Cloud", "Local", "Local"]
        assert member.month_cost == 3 * 10_000 + 2 * 100_000


async def test_budget_applies_to_home_assistants_requests(tmp_path: Path) -> None:
    cloud = StubBackend("cloud", models=[PRICED], cost=Cost.METERED)
    async with limited(tmp_path / "gateway.db", cloud) as (gateway, store):
        await store.budgets.set(Scope.USER, "u", 1, Period.DAY)
        for source in (Source.ASSIST, Source.AI_TASK, Source.ACTION, Source.CLI):
            with pytest.raises(QuotaError):
                async with gateway.engine.run(chat(), Caller(source, user_id="u")):
                    pass
        async with gateway.engine.run(chat(), Caller(Source.ASSIST, user_id="another")):
            pass
    assert len(cloud.sent) == 1


async def test_budget_of_a_key_includes_costs_of_agents(tmp_path: Path) -> None:
    cloud = StubBackend("cloud", models=[PRICED], cost=Cost.METERED)
    async with limited(tmp_path / "gateway.db", cloud) as (gateway, store):
        key, _ = await store.keys.create("Phone", parallel=1, requests_per_minute=1)
        engine = gateway.engine

        class Agent(StubBackend):
            @override
            async def send(self, request: Any) -> Any:
                async with engine.run(chat(), Caller(Source.ASSIST, user_id="u")):
                    return await super().send(request)

        await engine.checker.check(engine.add(Agent("agent", models=["assist"], agent=True)))
        budget = await store.budgets.set(Scope.KEY, key.id, NANO, Period.DAY)
        async with engine.run(chat(model="assist"), Caller(Source.HTTP, key_id=key.id)):
            pass
        assert store.budgets.state(budget.id).spent == 3 * 10_000 + 2 * 100_000
        await store.budgets.set(Scope.KEY, key.id, 1, Period.DAY)
        await store.keys.update(key.id, requests_per_minute=None)
        with pytest.raises(QuotaError):
            async with engine.run(chat(model="assist"), Caller(Source.HTTP, key_id=key.id)):
                pass
