"""The plan of a request that is not sent."""

from collections.abc import AsyncIterator
from dataclasses import replace
import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.engine import CALLER
from tests.support.fakes.upstream import StubBackend
from zeroconf_ai.accounting.admission_control import MeteredClosed
from zeroconf_ai.accounting.budget import Action, Scope
from zeroconf_ai.accounting.periods import Period
from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.admin.names import Names
from zeroconf_ai.admin.why import Why, why, why_pasted
from zeroconf_ai.engine import Caller, Engine
from zeroconf_ai.protocol.errors import InvalidRequestError, NotFoundError, UpstreamConnectionError
from zeroconf_ai.protocol.home_rule import HomeRule
from zeroconf_ai.protocol.prices import Prices
from zeroconf_ai.protocol.record import Cost, Placement
from zeroconf_ai.protocol.request import Kind, Request
from zeroconf_ai.protocol.values import NANO
from zeroconf_ai.routing.accounting import Accounting
from zeroconf_ai.routing.policy import Terms

HELLO = {"messages": [{"role": "user", "content": "Hello"}]}


def plan_of(engine: Engine, caller: Caller = CALLER, **fields: Any) -> Why:
    """The plan of a short chat."""
    return why(engine, Request.parse(Kind.CHAT, HELLO | fields), caller)


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    engine = Engine()
    yield engine
    await engine.close()


async def test_why_candidates_have_order_reasons_and_worst_cost_and_nothing_is_sent(engine: Engine) -> None:
    prices = {"*": Prices(2_000_000_000, 8_000_000_000)}
    cloud = StubBackend("cloud", models=["gpt"], priority=20, cost=Cost.METERED)
    attic = StubBackend("attic", models=["qwen"], priority=10)
    for backend, terms in ((cloud, Terms(prices=prices)), (attic, Terms())):
        await engine.checker.check(engine.add(backend, terms), models=True)
    plan = plan_of(engine, max_tokens=1000)
    assert [(one["backend"], one["model"]) for one in plan["candidates"]] == [("Attic", "qwen"), ("Cloud", "gpt")]
    assert plan["candidates"][1]["most"] == pytest.approx(0.008, rel=0.6)
    assert plan["candidates"][1]["currency"] == "USD"
    assert plan["error"] is None
    assert (plan["requested_model"], plan["strategy"]) == ("auto", "priority")
    assert cloud.sent == attic.sent == []
    assert len(engine.running) == 0


async def test_why_backend_that_cannot_is_named_with_its_reason(engine: Engine) -> None:
    attic, away = StubBackend("attic", models=["qwen"]), StubBackend("cellar", models=["qwen"])
    members = [engine.add(backend) for backend in (attic, away)]
    for member in members:
        await engine.checker.check(member, models=True)
    for _ in range(3):
        engine.pool.record_failure(members[1], UpstreamConnectionError("unreachable"))
    plan = plan_of(engine, model="qwen")
    assert [(one["backend"], one["now"]) for one in plan["candidates"]] == [("Attic", True), ("Cellar", False)]
    assert plan["rejections"] == [{"backend": "Cellar", "reason": "offline"}]


async def test_why_unknown_model_has_the_error_that_a_request_would_get(engine: Engine) -> None:
    await engine.checker.check(engine.add(StubBackend("attic", models=["qwen"])), models=True)
    plan = plan_of(engine, model="gpt-9")
    assert plan["candidates"] == []
    assert plan["error"] is not None
    assert "gpt-9" in plan["error"]


async def test_why_names_the_rule_that_keeps_the_request_at_home(engine: Engine) -> None:
    for backend in (StubBackend("cloud", placement=Placement.CLOUD), StubBackend("home")):
        await engine.checker.check(engine.add(backend), models=True)
    assert plan_of(engine)["home_rule"] is None
    plan = plan_of(engine, replace(CALLER, home_rule=HomeRule.KEY))
    assert plan["home_rule"] == "key"
    assert [one["backend"] for one in plan["candidates"]] == ["Home"]
    assert plan["rejections"] == [{"backend": "Cloud", "reason": "outside the home, and requests with this API key stay at home"}]
    engine.home_only = True
    assert plan_of(engine, replace(CALLER, home_rule=HomeRule.KEY))["home_rule"] == "switch"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[AccountingStore]:
    store = await AccountingStore.open(tmp_path / "gateway.db")
    yield store
    await store.close()


async def with_cloud(engine: Engine, store: AccountingStore) -> None:
    """A free provider and one that charges 8 per million tokens of an answer, with the budgets of a store."""
    cloud = StubBackend("cloud", models=["gpt"], priority=10, cost=Cost.METERED)
    await engine.checker.check(engine.add(cloud, Terms(prices={"*": Prices(2 * NANO, 8 * NANO)})), models=True)
    await engine.checker.check(engine.add(StubBackend("attic", models=["qwen"], priority=20)), models=True)
    await engine.attach(Accounting(admission_control=store.admission_control))


async def test_why_budget_that_is_too_small_excludes_the_provider_and_says_what_is_left(
    engine: Engine, store: AccountingStore
) -> None:
    await with_cloud(engine, store)
    await store.budgets.set(Scope.HOUSEHOLD, None, NANO // 1000, Period.MONTH)
    plan = plan_of(engine, max_tokens=1000)
    assert [one["backend"] for one in plan["candidates"]] == ["Attic"]
    assert [one["backend"] for one in plan["rejections"]] == ["Cloud"]
    assert "has 0.001 left" in plan["rejections"][0]["reason"]
    assert plan["error"] is None
    plan = plan_of(engine, model="gpt", max_tokens=1000)
    assert plan["candidates"] == []
    assert plan["error"] is not None
    assert "has 0.001 left" in plan["error"]
    assert not any(store.budgets.state(budget.id).reserved for budget in store.budgets)


async def test_why_budget_of_a_key_counts_for_that_key_only(engine: Engine, store: AccountingStore) -> None:
    await with_cloud(engine, store)
    key, _ = await store.keys.create("Tablet")
    await store.budgets.set(Scope.KEY, key.id, 0, Period.DAY, action=Action.REFUSE)
    names = Names(store.keys)
    assert why_pasted(engine, "Hello", names)["error"] is None
    refused = why_pasted(engine, "Hello", names, key_id=key.id)
    assert refused["asker"] == "Tablet"
    assert refused["error"] is not None
    assert "is spent" in refused["error"]


async def test_why_database_that_is_lost_excludes_providers_that_cost_money(engine: Engine) -> None:
    cloud = StubBackend("cloud", models=["gpt"], cost=Cost.METERED)
    await engine.checker.check(engine.add(cloud, Terms(prices={"*": Prices(2 * NANO, 8 * NANO)})), models=True)
    await engine.attach(Accounting(admission_control=MeteredClosed(lambda: True)))
    plan = plan_of(engine)
    assert plan["candidates"] == []
    assert plan["error"] is not None
    assert "cannot be opened" in plan["error"]


async def test_why_key_is_asked_with_its_models_and_says_why_it_is_refused(engine: Engine, store: AccountingStore) -> None:
    await with_cloud(engine, store)
    key, secret = await store.keys.create("Tablet", models=("gpt*",))
    names = Names(store.keys)
    plan = why_pasted(engine, "Hello", names, key_id=key.id)
    assert [one["model"] for one in plan["candidates"]] == ["gpt"]
    curl = f"curl http://x/v1/chat/completions -H 'Authorization: Bearer {secret}' -d '{json.dumps(HELLO)}'"
    pasted = why_pasted(engine, curl, names)
    assert (pasted["asker"], pasted["form"]) == ("Tablet", "curl")
    assert [one["model"] for one in pasted["candidates"]] == ["gpt"]
    assert secret not in json.dumps(pasted)
    assert store.keys.get(key.id) == key
    await store.keys.update(key.id, endpoints=("embeddings",))
    assert "embeddings" in (why_pasted(engine, "Hello", names, key_id=key.id)["error"] or "")
    await store.keys.update(key.id, enabled=False)
    assert "disabled" in (why_pasted(engine, curl, names)["error"] or "")
    with pytest.raises(NotFoundError):
        why_pasted(engine, "Hello", names, key_id="x")


async def test_why_user_asks_an_assistant_and_keys_of_former_users_are_refused(engine: Engine, store: AccountingStore) -> None:
    await with_cloud(engine, store)
    key, _ = await store.keys.create("Tablet", user_id="u2")
    await store.budgets.set(Scope.USER, "u1", 0, Period.MONTH)
    names = Names(store.keys, {"u1": "Ada"}.get)
    plan = why_pasted(engine, "Hello", names, user_id="u1")
    assert (plan["asker"], [one["backend"] for one in plan["candidates"]]) == ("Ada", ["Attic"])
    former = why_pasted(engine, "Hello", names, key_id=key.id, active_user={"u1"}.__contains__)
    assert "deactivated" in (former["error"] or "")
    with pytest.raises(NotFoundError):
        why_pasted(engine, "Hello", names, user_id="u9")


async def test_why_embeddings_and_plain_text_have_their_kind(engine: Engine) -> None:
    await engine.checker.check(engine.add(StubBackend("attic", models=["qwen"])), models=True)
    plan = why_pasted(engine, '{"model": "qwen", "input": "Hello", "encoding_format": "float"}', Names())
    assert (plan["form"], plan["kind"], plan["needs"]) == ("json", "embeddings", ["embeddings"])
    assert why_pasted(engine, "Hello", Names(), model="qwen")["form"] == "text"
    with pytest.raises(InvalidRequestError, match="messages"):
        why_pasted(engine, '{"model": "auto"}', Names())
