"""A budget is exceeded with the first request that it does not pay for, not only when all of it is spent."""

import asyncio
from typing import Any

import pytest

from zeroconf_ai.accounting.admission import Asked
from zeroconf_ai.accounting.budget import EXCEEDED, Action, BudgetEvent, Scope
from zeroconf_ai.accounting.periods import Period
from zeroconf_ai.accounting.store import Books
from zeroconf_ai.protocol.errors import QuotaError

from ..conftest import Make, Store


def asked(cost: int = 10, **fields: Any) -> Asked:
    return Asked("http", "chat", "m", worst_costs=fields.pop("costs", {"cloud": cost}), **fields)


async def spend(books: Books, make: Make, cost: int) -> None:
    admission = await books.gatekeeper.admit(asked(cost))
    admission.settle(make("g", cost=cost, backend_id="cloud"))
    await books.flush()


async def told(books: Books, events: list[BudgetEvent]) -> list[tuple[int, bool]]:
    await books.flush()
    await books.budgets.refresh()
    return [(event.threshold, event.refused) for event in events]


@pytest.mark.parametrize("action", list(Action))
async def test_budget_first_refusal_exceeds_it_once_in_its_period(store: Store, make: Make, action: Action) -> None:
    books = await Books.open(store.url)
    events: list[BudgetEvent] = []
    books.budgets.listen(events.append)
    await books.budgets.set(Scope.HOUSEHOLD, None, 100, Period.MONTH, action=action)
    await spend(books, make, 70)
    assert not books.budgets.state("household:month").exceeded
    for _ in range(3):
        with pytest.raises(QuotaError):
            await books.gatekeeper.admit(asked(40))
    assert await told(books, events) == [(100, True)]
    state = books.budgets.state("household:month")
    assert (state.exceeded, state.spent, state.percent) == (True, 70, 70.0)
    # Nor again when all is spent, nor after a restart.
    await spend(books, make, 30)
    assert await told(books, events) == [(100, True)]
    await books.close()
    books = await Books.open(store.url)
    books.budgets.listen(events.append)
    with pytest.raises(QuotaError):
        await books.gatekeeper.admit(asked(40))
    await books.budgets.refresh()
    assert books.budgets.state("household:month").exceeded
    assert await told(books, events) == [(100, True)]
    # More money ends it, and makes it news again.
    await books.budgets.set(Scope.HOUSEHOLD, None, 200, Period.MONTH)
    await books.budgets.refresh()
    assert not books.budgets.state("household:month").exceeded
    with pytest.raises(QuotaError):
        await books.gatekeeper.admit(asked(150))
    assert await told(books, events) == [(100, True), (100, True)]
    await books.close()


async def test_budget_that_bars_what_costs_money_is_exceeded_though_a_free_backend_answers(books: Books) -> None:
    events: list[BudgetEvent] = []
    books.budgets.listen(events.append)
    await books.budgets.set(Scope.HOUSEHOLD, None, 100, Period.MONTH)
    admission = await books.gatekeeper.admit(asked(costs={"cloud": 101, "local": 0}))
    assert admission.barred == {"cloud"}
    assert await told(books, events) == [(100, True)]


async def test_budget_with_enough_for_a_cheaper_backend_is_not_exceeded(books: Books) -> None:
    await books.budgets.set(Scope.HOUSEHOLD, None, 100, Period.MONTH)
    admission = await books.gatekeeper.admit(asked(costs={"dear": 101, "cheap": 5}))
    assert admission.barred == {"dear"}
    await books.budgets.refresh()
    assert not books.budgets.state("household:month").exceeded


async def test_budget_set_aside_for_requests_that_are_answered_is_not_exceeded(books: Books, make: Make) -> None:
    await books.budgets.set(Scope.HOUSEHOLD, None, 100, Period.MONTH)
    running = await books.gatekeeper.admit(asked(80))
    with pytest.raises(QuotaError):
        await books.gatekeeper.admit(asked(40))
    running.settle(make("g", cost=1, backend_id="cloud"))
    await books.flush()
    await books.budgets.refresh()
    assert not books.budgets.state("household:month").exceeded


async def test_budget_without_its_last_threshold_is_exceeded_and_not_told(books: Books) -> None:
    events: list[BudgetEvent] = []
    books.budgets.listen(events.append)
    await books.budgets.set(Scope.HOUSEHOLD, None, 100, Period.MONTH, thresholds=(50,))
    with pytest.raises(QuotaError):
        await books.gatekeeper.admit(asked(101))
    assert await told(books, events) == []
    assert books.budgets.state("household:month").exceeded


async def test_budget_exceeded_for_many_at_once_is_told_once(store: Store) -> None:
    several = [await Books.open(store.url) for _ in range(2)]
    events: list[BudgetEvent] = []
    for books in several:
        books.budgets.listen(events.append)
    await several[0].budgets.set(Scope.HOUSEHOLD, None, 100, Period.MONTH)
    await several[1].budgets.refresh()
    one = several if "postgresql" in store.url else several[:1]
    refused = [books.gatekeeper.admit(asked(101)) for books in one for _ in range(10)]
    found = await asyncio.gather(*refused, return_exceptions=True)
    assert all(isinstance(error, QuotaError) for error in found)
    assert [event.threshold for event in events] == [EXCEEDED]
    for books in several:
        await books.close()


async def test_monthly_limit_of_a_backend_is_a_budget_to_look_at(books: Books, make: Make) -> None:
    events: list[BudgetEvent] = []
    seen = 0

    def changed() -> None:
        nonlocal seen
        seen += 1

    books.budgets.listen(events.append)
    books.budgets.watch(changed)
    books.budgets.set_limits({"cloud": 100})
    await books.budgets.refresh()
    limit = books.budgets.limit("cloud")
    assert limit is not None
    assert (books.budgets.limits, list(books.budgets), seen) == ((limit,), [], 2)
    admission = await books.gatekeeper.admit(asked(90, monthly_limits={"cloud": 100}))
    admission.settle(make("g", cost=90, backend_id="cloud"))
    await books.flush()
    await books.budgets.refresh()
    state = books.budgets.state(limit.id)
    assert (state.spent, state.exceeded, [event.threshold for event in events]) == (90, False, [80])
    with pytest.raises(QuotaError):
        await books.gatekeeper.admit(asked(20, monthly_limits={"cloud": 100}))
    assert await told(books, events) == [(80, False), (100, True)]
    assert books.budgets.state(limit.id).exceeded
    await books.budgets.reset(limit.id)
    await books.budgets.refresh()
    assert (books.budgets.state(limit.id).spent, books.budgets.state(limit.id).exceeded) == (0, False)
    books.budgets.set_limits({})
    assert books.budgets.limit("cloud") is None
    with pytest.raises(KeyError):
        books.budgets.state(limit.id)


async def test_budget_new_leaves_what_is_free_and_a_known_one_keeps_what_it_does(books: Books) -> None:
    made = await books.budgets.set(Scope.HOUSEHOLD, None, 100, Period.MONTH)
    assert made.action is Action.FREE_ONLY
    await books.budgets.set(Scope.HOUSEHOLD, None, 100, Period.MONTH, action=Action.REFUSE, thresholds=(50,))
    kept = await books.budgets.set(Scope.HOUSEHOLD, None, 200, Period.MONTH)
    assert (kept.amount, kept.action, kept.thresholds) == (200, Action.REFUSE, (50,))
