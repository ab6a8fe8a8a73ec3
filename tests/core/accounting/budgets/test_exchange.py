"""Budgets in one currency over backends that are paid in another one."""

import asyncio
from typing import Any

import pytest

from zeroconf_ai.accounting.budget import Scope
from zeroconf_ai.accounting.periods import Period
from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.accounting.usage.record_search import RecordFilter
from zeroconf_ai.admin.names import Names
from zeroconf_ai.admin.requests import find_requests
from zeroconf_ai.admin.why import why
from zeroconf_ai.engine import Engine
from zeroconf_ai.protocol.errors import QuotaError, UnavailableError
from zeroconf_ai.protocol.exchange import Exchange
from zeroconf_ai.protocol.prices import Prices
from zeroconf_ai.protocol.record import Cost
from zeroconf_ai.protocol.request import Kind, Request
from zeroconf_ai.protocol.values import NANO
from zeroconf_ai.routing.accounting import Accounting
from zeroconf_ai.routing.policy import Terms

from ....support.engine import CALLER, complete
from ....support.fakes.billing import CENT, HI, Cloud, spending, spent
from ....support.fakes.upstream import StubBackend

HALF = Exchange.of("EUR", {"USD": 0.5})


def question(**fields: Any) -> Request:
    return Request.parse(Kind.CHAT, {"model": "m", "messages": HI, **fields})


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("rate", [0.5, 3.0])
async def test_budget_in_euros_pays_dollars_at_the_rate_and_is_never_overspent(
    store: AccountingStore, stream: bool, rate: float
) -> None:
    cloud = Cloud()
    async with spending(store, cloud) as engine:
        engine.exchange = Exchange.of("EUR", {"USD": rate})
        found = await asyncio.gather(*(complete(engine, question(stream=stream)) for _ in range(20)), return_exceptions=True)
        assert any(isinstance(err, QuotaError) for err in found)
        charged = await spent(store)
        assert cloud.billed * rate == pytest.approx(charged, abs=20)
        assert CENT / 2 < charged <= CENT


async def test_record_keeps_the_original_cost_beside_the_converted_one(store: AccountingStore) -> None:
    cloud = Cloud()
    async with spending(store, cloud) as engine:
        engine.exchange = HALF
        await complete(engine, question(max_tokens=100, stream=True))
    (record,) = (await find_requests(store.ledger, Names(), RecordFilter()))["requests"]
    assert (record["currency"], record["converted_currency"]) == ("USD", "EUR")
    assert record["cost"] == pytest.approx(cloud.billed / NANO)
    assert record["converted_cost"] == pytest.approx(cloud.billed / NANO / 2)
    assert store.totals.household.total.costs == {"USD": cloud.billed}


async def test_budget_whose_backend_has_no_exchange_rate_refuses_and_says_which(store: AccountingStore) -> None:
    async with spending(store, cloud := Cloud()) as engine:
        engine.exchange = Exchange.of("EUR", {"GBP": 1.2})
        with pytest.raises(UnavailableError, match="No exchange rate is set for USD") as raised:
            await complete(engine, question())
        assert raised.value.code == "exchange_rate_missing"
        assert cloud.sent == []
        plan = why(engine, question(), CALLER)
        assert plan["candidates"] == []
        assert plan["error"] == raised.value.message


async def test_budget_without_exchange_rates_counts_one_to_one_as_before(store: AccountingStore) -> None:
    async with spending(store, cloud := Cloud()) as engine:
        await complete(engine, question(max_tokens=100, stream=True))
        assert 0 < cloud.billed == await spent(store)


async def test_monthly_limit_of_a_backend_is_in_the_currency_of_budgets(store: AccountingStore) -> None:
    engine = Engine()
    member = engine.add(cloud := Cloud(), Terms(monthly_limit=CENT))
    await engine.attach(Accounting.of(store))
    await engine.checker.check(member, models=True)
    engine.exchange = HALF
    await complete(engine, question(max_tokens=1500, stream=True))
    assert CENT < cloud.billed < 2 * CENT
    await store.flush()
    await store.budgets.refresh()
    assert store.admission_control.month_cost("cloud") == pytest.approx(cloud.billed / 2, abs=2)
    await engine.close()


async def test_why_shows_the_worst_cost_in_the_currency_of_budgets() -> None:
    engine = Engine()
    pounds = StubBackend("cloud", cost=Cost.METERED)
    await engine.checker.check(engine.add(pounds, Terms(prices={"*": Prices(NANO, NANO, currency="GBP")})), models=True)
    (before,) = why(engine, question(max_tokens=1000), CALLER)["candidates"]
    engine.exchange = Exchange.of("EUR", {"GBP": 2.0})
    (after,) = why(engine, question(max_tokens=1000), CALLER)["candidates"]
    await engine.close()
    assert (before["currency"], after["currency"]) == ("GBP", "EUR")
    assert before["most"] is not None
    assert after["most"] == pytest.approx(2 * before["most"])


async def test_budget_that_begins_later_counts_what_was_spent_before_at_its_rate(store: AccountingStore) -> None:
    async with spending(store, cloud := Cloud()) as engine:
        engine.exchange = HALF
        await complete(engine, question(max_tokens=100, stream=True))
        await store.flush()
        await store.budgets.set(Scope.BACKEND, "cloud", NANO, Period.DAY)
        await store.budgets.refresh()
        assert store.budgets.state("backend:cloud:day").spent == pytest.approx(cloud.billed / 2, abs=2)
