"""A budget is exceeded with the first request that it does not pay for, not only when all of it is spent."""

import asyncio
from typing import Any

import pytest

from zeroconf_ai.accounting.admission import AdmissionRequest
from zeroconf_ai.accounting.budget import EXCEEDED, Action, BudgetEvent, Scope
from zeroconf_ai.accounting.periods import Period
from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.protocol.errors import QuotaError

from ..conftest import FreshDatabase, Make


def admission_request(cost: int = 10, **fields: Any) -> AdmissionRequest:
    return AdmissionRequest("http", "chat", "m", worst_costs=fields.pop("costs", {"cloud": cost}), **fields)


async def spend(store: AccountingStore, make: Make, cost: int) -> None:
    admission = await store.admission_control.admit(admission_request(cost))
    admission.reconcile(make("g", cost=cost, backend_id="cloud"))
    await store.flush()


async def told(store: AccountingStore, events: list[BudgetEvent]) -> list[tuple[int, bool]]:
    await store.flush()
    await store.budgets.refresh()
    return [(event.threshold, event.refused) for event in events]


@pytest.mark.parametrize("action", list(Action))
async def test_budget_first_refusal_exceeds_it_once_per_period(fresh_database: FreshDatabase, make: Make, action: Action) -> None:
    store = await AccountingStore.open(fresh_database.url)
    events: list[BudgetEvent] = []
    store.budgets.listen(events.append)
    await store.budgets.set(Scope.HOUSEHOLD, None, 100, Period.MONTH, action=action)
    await spend(store, make, 70)
    assert not store.budgets.state("household:month").exceeded
    for _ in range(3):
        with pytest.raises(QuotaError):
            await store.admission_control.admit(admission_request(40))
    assert await told(store, events) == [(100, True)]
    state = store.budgets.state("household:month")
    assert (state.exceeded, state.spent, state.percent) == (True, 70, 70.0)
    # Nor again when all is spent, nor after a restart.
    await spend(store, make, 30)
    assert await told(store, events) == [(100, True)]
    await store.close()
    store = await AccountingStore.open(fresh_database.url)
    store.budgets.listen(events.append)
    with pytest.raises(QuotaError):
        await store.admission_control.admit(admission_request(40))
    await store.budgets.refresh()
    assert store.budgets.state("household:month").exceeded
    assert await told(store, events) == [(100, True)]
    # More money ends it, and makes it news again.
    await store.budgets.set(Scope.HOUSEHOLD, None, 200, Period.MONTH)
    await store.budgets.refresh()
    assert not store.budgets.state("household:month").exceeded
    with pytest.raises(QuotaError):
        await store.admission_control.admit(admission_request(150))
    assert await told(store, events) == [(100, True), (100, True)]
    await store.close()


async def test_budget_that_excludes_metered_backends_is_exceeded_despite_a_free_answer(store: AccountingStore) -> None:
    events: list[BudgetEvent] = []
    store.budgets.listen(events.append)
    await store.budgets.set(Scope.HOUSEHOLD, None, 100, Period.MONTH)
    admission = await store.admission_control.admit(admission_request(costs={"cloud": 101, "local": 0}))
    assert admission.barred == {"cloud"}
    assert await told(store, events) == [(100, True)]


async def test_budget_with_enough_for_a_cheaper_backend_is_not_exceeded(store: AccountingStore) -> None:
    await store.budgets.set(Scope.HOUSEHOLD, None, 100, Period.MONTH)
    admission = await store.admission_control.admit(admission_request(costs={"dear": 101, "cheap": 5}))
    assert admission.barred == {"dear"}
    await store.budgets.refresh()
    assert not store.budgets.state("household:month").exceeded


async def test_budget_reserved_for_running_requests_is_not_exceeded(store: AccountingStore, make: Make) -> None:
    await store.budgets.set(Scope.HOUSEHOLD, None, 100, Period.MONTH)
    running = await store.admission_control.admit(admission_request(80))
    with pytest.raises(QuotaError):
        await store.admission_control.admit(admission_request(40))
    running.reconcile(make("g", cost=1, backend_id="cloud"))
    await store.flush()
    await store.budgets.refresh()
    assert not store.budgets.state("household:month").exceeded


async def test_budget_without_the_last_threshold_is_exceeded_without_event(store: AccountingStore) -> None:
    events: list[BudgetEvent] = []
    store.budgets.listen(events.append)
    await store.budgets.set(Scope.HOUSEHOLD, None, 100, Period.MONTH, thresholds=(50,))
    with pytest.raises(QuotaError):
        await store.admission_control.admit(admission_request(101))
    assert await told(store, events) == []
    assert store.budgets.state("household:month").exceeded


async def test_budget_exceeded_by_many_requests_is_one_event(fresh_database: FreshDatabase) -> None:
    several = [await AccountingStore.open(fresh_database.url) for _ in range(2)]
    events: list[BudgetEvent] = []
    for store in several:
        store.budgets.listen(events.append)
    await several[0].budgets.set(Scope.HOUSEHOLD, None, 100, Period.MONTH)
    await several[1].budgets.refresh()
    one = several if "postgresql" in fresh_database.url else several[:1]
    refused = [store.admission_control.admit(admission_request(101)) for store in one for _ in range(10)]
    found = await asyncio.gather(*refused, return_exceptions=True)
    assert all(isinstance(error, QuotaError) for error in found)
    assert [event.threshold for event in events] == [EXCEEDED]
    for store in several:
        await store.close()


async def test_monthly_limit_of_a_backend_is_listed_as_a_budget(store: AccountingStore, make: Make) -> None:
    events: list[BudgetEvent] = []
    seen = 0

    def changed() -> None:
        nonlocal seen
        seen += 1

    store.budgets.listen(events.append)
    store.budgets.watch(changed)
    store.budgets.set_limits({"cloud": 100})
    await store.budgets.refresh()
    limit = store.budgets.limit("cloud")
    assert limit is not None
    assert (store.budgets.limits, list(store.budgets), seen) == ((limit,), [], 2)
    admission = await store.admission_control.admit(admission_request(90, monthly_limits={"cloud": 100}))
    admission.reconcile(make("g", cost=90, backend_id="cloud"))
    await store.flush()
    await store.budgets.refresh()
    state = store.budgets.state(limit.id)
    assert (state.spent, state.exceeded, [event.threshold for event in events]) == (90, False, [80])
    with pytest.raises(QuotaError):
        await store.admission_control.admit(admission_request(20, monthly_limits={"cloud": 100}))
    assert await told(store, events) == [(80, False), (100, True)]
    assert store.budgets.state(limit.id).exceeded
    await store.budgets.reset(limit.id)
    await store.budgets.refresh()
    assert (store.budgets.state(limit.id).spent, store.budgets.state(limit.id).exceeded) == (0, False)
    store.budgets.set_limits({})
    assert store.budgets.limit("cloud") is None
    with pytest.raises(KeyError):
        store.budgets.state(limit.id)


async def test_budget_new_allows_free_backends_and_an_existing_one_keeps_its_action(store: AccountingStore) -> None:
    made = await store.budgets.set(Scope.HOUSEHOLD, None, 100, Period.MONTH)
    assert made.action is Action.FREE_ONLY
    await store.budgets.set(Scope.HOUSEHOLD, None, 100, Period.MONTH, action=Action.REFUSE, thresholds=(50,))
    kept = await store.budgets.set(Scope.HOUSEHOLD, None, 200, Period.MONTH)
    assert (kept.amount, kept.action, kept.thresholds) == (200, Action.REFUSE, (50,))
