"""`BudgetStore`: reservations, charges, periods and threshold events."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, tzinfo
from itertools import pairwise
from pathlib import Path
import time
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, given, settings, strategies as st
import pytest

from zeroconf_ai.accounting.admission import AdmissionRequest
from zeroconf_ai.accounting.budget import Action, BudgetEvent, Scope, make_budget, parse_amount
from zeroconf_ai.accounting.budgets.balances import BudgetWindow
from zeroconf_ai.accounting.budgets.budget_store import BudgetState
from zeroconf_ai.accounting.periods import Period, Window, Windows, window
from zeroconf_ai.accounting.storage.database import Database
from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.accounting.usage.generation import Outcome
from zeroconf_ai.protocol.errors import QuotaError
from zeroconf_ai.protocol.usage import Usage
from zeroconf_ai.protocol.values import NANO

from ....support.waiting import next_turn
from ..conftest import FreshDatabase, Make

BERLIN = ZoneInfo("Europe/Berlin")


def admission_request(cost: int | dict[str, int] = 10, **fields: Any) -> AdmissionRequest:
    costs = cost if isinstance(cost, dict) else {"cloud": cost}
    return AdmissionRequest("http", "chat", "m", worst_costs=costs, answer_tokens=100, **{"key_id": "k", **fields})


def at(text: str, zone: tzinfo = BERLIN) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


async def spend(store: AccountingStore, make: Make, cost: int, **fields: Any) -> None:
    """One request that costs so much."""
    admission = await store.admission_control.admit(admission_request(cost, **fields))
    named = {"key_id": "k", **{name: value for name, value in fields.items() if name in ("key_id", "user_id", "created")}}
    generation = make("g", cost=cost, backend_id="cloud", model="m", **named)
    admission.reconcile(generation)
    store.ledger.record(generation)


async def spent(store: AccountingStore, budget_id: str) -> int:
    """What is spent by the database's own word."""
    await store.flush()
    await store.budgets.refresh()
    budget = store.budgets.get(budget_id)
    assert budget is not None
    now = BudgetWindow(budget, Windows(store.budgets.zone).at(budget.period, time.time()))
    return (await store.budgets.balances.read([now]))[0].spent


# Periods.


@pytest.mark.parametrize(
    ("period", "moment", "start", "end"),
    [
        (Period.DAY, "2026-03-29T12:00", "2026-03-29T00:00", "2026-03-30T00:00"),  # 23 hours
        (Period.DAY, "2026-10-25T23:59:59", "2026-10-25T00:00", "2026-10-26T00:00"),  # 25 hours
        (Period.WEEK, "2026-11-22T23:00", "2026-11-16T00:00", "2026-11-23T00:00"),  # a Sunday
        (Period.WEEK, "2026-11-23T00:00", "2026-11-23T00:00", "2026-11-30T00:00"),
        (Period.MONTH, "2026-03-31T23:59:59", "2026-03-01T00:00", "2026-04-01T00:00"),
        (Period.MONTH, "2026-12-31T12:00", "2026-12-01T00:00", "2027-01-01T00:00"),
        (Period.MONTH, "2028-02-29T12:00", "2028-02-01T00:00", "2028-03-01T00:00"),
    ],
)
def test_period_follows_the_time_zone(period: Period, moment: str, start: str, end: str) -> None:
    found = window(period, at(moment), BERLIN)
    assert (found.start, found.end) == (at(start), at(end))
    assert found.label == start[:10]


def test_period_day_of_a_clock_change_has_its_length() -> None:
    lengths = [window(Period.DAY, at(f"2026-{day}T12:00"), BERLIN) for day in ("03-28", "03-29", "10-25")]
    assert [(found.end - found.start) / 3600 for found in lengths] == [24, 23, 25]
    gone = window(Period.DAY, at("2026-09-06T12:00", ZoneInfo("America/Santiago")), ZoneInfo("America/Santiago"))
    assert (gone.end - gone.start) / 3600 == 23  # its midnight does not exist


@given(moment=st.floats(0, 4e9), zone=st.sampled_from(["Europe/Berlin", "America/Santiago", "Australia/Lord_Howe", "Asia/Gaza"]))
@pytest.mark.parametrize("period", list(Period))
def test_period_each_moment_is_in_exactly_one(period: Period, moment: float, zone: str) -> None:
    windows = Windows(ZoneInfo(zone))
    found = windows.at(period, moment)
    assert moment in found
    assert windows.at(period, found.end).start == found.end
    assert windows.at(period, found.start - 0.001).end == found.start


@pytest.mark.parametrize(("text", "amount"), [("5/month", 5 * NANO), ("0.000000001/month", 1), (" 2.50 / Month ", 2_500_000_000)])
def test_budget_notation_is_parsed(text: str, amount: int) -> None:
    assert parse_amount(text) == (amount, Period.MONTH)


@pytest.mark.parametrize("text", ["5", "5/year", "/month", "-1/day", "nan/day", "1e99/day", "inf/day"])
def test_budget_invalid_notation_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="Write an amount and a period"):
        parse_amount(text)


def test_budget_has_a_scope_and_subject() -> None:
    for scope, subject in ((Scope.KEY, None), (Scope.HOUSEHOLD, "k")):
        with pytest.raises(ValueError, match="needs its id"):
            make_budget(scope, subject, 1, Period.DAY)
    with pytest.raises(ValueError, match="per cent"):
        make_budget(Scope.KEY, "k", 1, Period.DAY, thresholds=(0,))


# Setting aside and charging.


async def test_budget_reservation_is_not_available_to_others(store: AccountingStore, make: Make) -> None:
    await store.budgets.set(Scope.KEY, "k", 100, Period.MONTH)
    first = await store.admission_control.admit(admission_request(60))
    with pytest.raises(QuotaError, match="reserved for requests in progress") as caught:
        await store.admission_control.admit(admission_request(60))
    assert caught.value.retry_after == 5.0
    assert caught.value.headers()["x-should-retry"] == "true"
    first.reconcile(make("g", cost=10, backend_id="cloud"))
    first.reconcile(make("g", cost=10, backend_id="cloud"))  # once counts
    (await store.admission_control.admit(admission_request(90))).reconcile(make("g"))
    assert await spent(store, "key:k:month") == 10


async def test_budget_refuses_a_request_beyond_it_but_not_a_limited_one(store: AccountingStore, make: Make) -> None:
    await store.budgets.set(Scope.USER, "u", NANO, Period.MONTH)
    with pytest.raises(QuotaError, match=r"1\.00 left, and this request may cost up to 2\.00.*max_tokens below 100") as caught:
        await store.admission_control.admit(admission_request(2 * NANO, user_id="u"))
    headers = caught.value.headers()
    assert headers["x-should-retry"] == "false"
    assert int(headers["Retry-After"]) > 60 or window(Period.MONTH, time.time(), store.budgets.zone).end - time.time() < 61
    assert (caught.value.code, caught.value.type) == ("budget_exceeded", "insufficient_quota")
    (await store.admission_control.admit(admission_request(NANO, user_id="u"))).reconcile(make("g"))


async def test_budget_exhausted_refuses_or_leaves_free_backends(store: AccountingStore, make: Make) -> None:
    await store.budgets.set(Scope.HOUSEHOLD, None, 100, Period.DAY, action=Action.FREE_ONLY)
    await spend(store, make, 100)
    costs = {"cloud": 1, "local": 0}
    admission = await store.admission_control.admit(admission_request(costs))
    assert admission.barred == {"cloud"}
    with pytest.raises(QuotaError, match="no provider that costs nothing"):
        await store.admission_control.admit(admission_request(1))
    await store.budgets.set(Scope.HOUSEHOLD, None, 100, Period.DAY, action=Action.REFUSE)
    with pytest.raises(QuotaError, match="is spent"):
        await store.admission_control.admit(admission_request({"local": 0}))


async def test_budget_of_a_backend_excludes_only_this_backend(store: AccountingStore, make: Make) -> None:
    await store.budgets.set(Scope.BACKEND, "cloud", 100, Period.MONTH)
    limits = {"other": 50}
    costs = {"cloud": 101, "other": 50, "third": 1_000}
    admission = await store.admission_control.admit(admission_request(costs, monthly_limits=limits))
    assert admission.barred == {"cloud"}
    admission.reconcile(make("g", cost=50, backend_id="other"))
    assert store.budgets.month_cost("other") in (0, 50)  # a shared database updates it a moment later
    admission = await store.admission_control.admit(
        admission_request({"cloud": 1, "other": 0, "third": 1}, monthly_limits=limits)
    )
    assert admission.barred == {"other"}
    assert await spent(store, "backend:cloud:month") == 0
    await store.budgets.refresh()
    assert store.budgets.month_cost("other") == 50


async def test_budgets_of_a_request_are_charged_and_no_others(store: AccountingStore, make: Make) -> None:
    whose = [(Scope.KEY, "k"), (Scope.USER, "u"), (Scope.BACKEND, "cloud"), (Scope.HOUSEHOLD, None)]
    others = [(Scope.KEY, "x"), (Scope.USER, "x"), (Scope.BACKEND, "x")]
    budgets = [await store.budgets.set(scope, subject, NANO, period) for scope, subject in whose + others for period in Period]
    await spend(store, make, 7, user_id="u")
    found = {budget.id: await spent(store, budget.id) for budget in budgets}
    assert found == {budget.id: 0 if budget.subject == "x" else 7 for budget in budgets}


async def test_budget_cancelled_request_is_charged_its_recorded_cost(store: AccountingStore, make: Make) -> None:
    await store.budgets.set(Scope.KEY, "k", 100, Period.MONTH)
    admission = await store.admission_control.admit(admission_request(90))
    admission.reconcile(make("g", outcome=Outcome.CANCELLED, cost=None, usage=Usage(5, 2, cost=31), backend_id="cloud"))
    assert await spent(store, "key:k:month") == 31


async def test_budget_spent_equals_the_ledger_including_earlier_costs(store: AccountingStore, make: Make) -> None:
    for cost in (3, 4):
        await spend(store, make, cost)
    await store.budgets.set(Scope.KEY, "k", NANO, Period.MONTH)
    await store.budgets.set(Scope.HOUSEHOLD, None, NANO, Period.DAY)
    for cost in (5, 6):
        await spend(store, make, cost)
    await spend(store, make, 100, key_id="other")
    assert await spent(store, "key:k:month") == 18
    assert await spent(store, "household:day") == store.ledger.totals.household.today.usage.cost == 118


async def test_budget_spent_is_kept_after_a_restart_with_one_event(fresh_database: FreshDatabase, make: Make) -> None:
    told: list[int] = []
    for _ in range(3):
        store = await AccountingStore.open(fresh_database.url)
        store.budgets.listen(lambda event: told.append(event.threshold))
        if not len(store.budgets):
            await store.budgets.set(Scope.KEY, "k", 100, Period.MONTH)
        await spend(store, make, 30)
        await store.close()
    assert told == [80]
    store = await AccountingStore.open(fresh_database.url)
    store.budgets.listen(lambda event: told.append(event.threshold))
    assert store.budgets.state("key:k:month").spent == 90
    await spend(store, make, 10)
    await store.close()
    assert told == [80, 100]


async def test_budget_threshold_is_one_event_with_its_data(store: AccountingStore, make: Make) -> None:
    events: list[BudgetEvent] = []
    store.budgets.listen(lambda _: 1 / 0)  # type: ignore[arg-type]
    stop = store.budgets.listen(events.append)
    budget = await store.budgets.set(Scope.KEY, "k", 100, Period.MONTH, thresholds=(50, 100, 80))
    for _ in range(10):
        await spend(store, make, 10)
    await spent(store, budget.id)
    assert [(event.threshold, event.spent) for event in events] == [(50, 50), (80, 80), (100, 100)]
    assert {event.budget for event in events} == {budget}
    assert events[0].period.label == window(Period.MONTH, time.time(), store.budgets.zone).label
    stop()
    await store.budgets.reset(budget.id)
    await spend(store, make, 60)
    assert len(events) == 3


async def test_budget_changed_during_requests_applies(store: AccountingStore, make: Make) -> None:
    events: list[int] = []
    store.budgets.listen(lambda event: events.append(event.threshold))
    changes: list[int] = []
    store.budgets.watch(lambda: changes.append(len(store.budgets)))
    budget = await store.budgets.set(Scope.KEY, "k", 100, Period.MONTH)
    await spend(store, make, 90)
    await spent(store, budget.id)
    assert events == [80]
    await store.budgets.set(Scope.KEY, "k", 1000, Period.MONTH)
    assert await spent(store, budget.id) == 90
    await spend(store, make, 710)
    await spent(store, budget.id)
    assert events == [80, 80]
    await store.budgets.set(Scope.KEY, "k", 500, Period.MONTH)
    await spent(store, budget.id)
    assert events == [80, 80, 100]
    await store.budgets.reset(budget.id)
    assert await spent(store, budget.id) == 0
    await spend(store, make, 400)
    await spent(store, budget.id)
    assert events == [80, 80, 100, 80]
    await store.budgets.remove(budget.id)
    await spend(store, make, 9_999)
    assert len(store.budgets) == 0
    assert changes == [1, 1, 1, 1, 0]
    acts = {(act.act, act.subject) for act in await store.audit.list()}
    assert acts == {(f"budget.{act}", budget.id) for act in ("set", "reset", "remove")}
    with pytest.raises(KeyError):
        await store.budgets.reset(budget.id)


async def test_budget_changes_reach_another_process(fresh_database: FreshDatabase, make: Make) -> None:
    here, there = await AccountingStore.open(fresh_database.url), await AccountingStore.open(fresh_database.url)
    try:
        budget = await there.budgets.set(Scope.KEY, "k", 100, Period.MONTH)
        await here.budgets.refresh()
        assert list(here.budgets) == [budget]
        await spend(here, make, 100)
        await here.flush()
        await there.budgets.reset(budget.id)
        await here.budgets.refresh()
        await spend(here, make, 60)
        await there.budgets.remove(budget.id)
        await here.budgets.refresh()
        assert not list(here.budgets)
    finally:
        await here.close()
        await there.close()


@asynccontextmanager
async def timed(fresh_database: FreshDatabase, moment: list[float]) -> AsyncIterator[AccountingStore]:
    """An accounting store whose budgets use a fake clock."""
    store = await AccountingStore.open(fresh_database.url, zone=BERLIN, clock=lambda: moment[0])
    yield store
    await store.close()


async def test_budget_period_end_resets_and_a_clock_going_back_does_not(fresh_database: FreshDatabase, make: Make) -> None:
    before, after = at("2026-10-31T23:59:59"), at("2026-11-01T00:00:01")
    now = [before]
    async with timed(fresh_database, now) as store:
        events: list[str] = []
        store.budgets.listen(lambda event: events.append(event.period.label))
        budget = await store.budgets.set(Scope.KEY, "k", 100, Period.MONTH)

        async def spend_at(moment: float, cost: int) -> None:
            now[0] = moment
            admission = await store.admission_control.admit(admission_request(cost, created=moment))
            admission.reconcile(make("g", cost=cost, created=moment, backend_id="cloud"))
            await store.flush()
            await store.budgets.refresh()

        await spend_at(before, 90)
        late = await store.admission_control.admit(admission_request(10, created=before))
        await spend_at(after, 100)
        late.reconcile(make("g", cost=10, created=before, backend_id="cloud"))  # of October, whenever it ends
        await store.flush()
        for moment in (after, before, at("2031-05-05T00:00"), after):
            now[0] = moment
            if moment < at("2030-01-01T00:00"):
                with pytest.raises(QuotaError, match="spent"):
                    await spend_at(moment, 1)
            else:
                await spend_at(moment, 100)
        await store.budgets.refresh()
        assert store.budgets.state(budget.id).spent == 100
        assert sorted(events) == ["2026-10-01", "2026-10-01", "2026-11-01", "2026-11-01", "2031-05-01", "2031-05-01"]


def test_period_days_of_a_year_have_no_gaps() -> None:
    windows = Windows(BERLIN)
    found = [windows.at(Period.DAY, at("2026-01-01T12:00", UTC) + day * 86_400) for day in range(365)]
    assert all(one.end == following.start for one, following in pairwise(found))


# Whatever order things come in.

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["ask", "settle", "cancel", "reset", "flush", "raise"]),
        st.integers(0, 60),
        st.floats(0, 1, exclude_max=True),
    ),
    max_size=60,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
@pytest.mark.parametrize("shared", [False, True], ids=["memory", "database"])
def test_budget_any_order_of_events_never_overspent(
    tmp_path: Path, make: Make, shared: bool, steps: list[tuple[str, int, float]]
) -> None:
    async def run() -> None:
        store = await AccountingStore.open(tmp_path / f"{time.monotonic_ns()}.db")
        amount, total = 100, 0
        open_requests: list[tuple[Any, int]] = []
        try:
            await store.budgets.set(Scope.KEY, "k", amount, Period.MONTH)
            for step, cost, share in steps:
                if step == "ask":
                    try:
                        open_requests.append((await store.admission_control.admit(admission_request(cost)), cost))
                    except QuotaError:
                        held = sum(worst for _, worst in open_requests)
                        assert total + held + cost > amount or total >= amount
                elif step in ("settle", "cancel") and open_requests:
                    admission, worst = open_requests.pop(int(share * len(open_requests)))
                    real = round(worst * share) if step == "settle" else 0
                    total += real
                    admission.reconcile(make("g", cost=real, backend_id="cloud"))
                elif step == "reset":
                    await next_turn()
                    await store.budgets.reset("key:k:month")
                    total = 0
                elif step == "flush":
                    await store.flush()
                elif step == "raise":
                    amount = max(total, amount - cost)
                    await store.budgets.set(Scope.KEY, "k", amount, Period.MONTH)
                assert total <= max(amount, 100)
            assert await spent(store, "key:k:month") == total
            for admission, worst in open_requests:
                admission.reconcile(make("g", cost=worst, backend_id="cloud"))
            assert await spent(store, "key:k:month") == total + sum(worst for _, worst in open_requests) <= 100
        finally:
            await store.close()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Database, "shared", shared)
        asyncio.run(run())


@pytest.mark.parametrize(
    ("spent", "passed", "expected"),
    [
        (5.0, 0.25, 0.5),  # half of it in a quarter of the period
        (9.0, 0.5, 0.5 * 10 / 9),
        (4.0, 0.5, None),  # it lasts beyond the period
        (5.0, 0.05, None),  # too early for a forecast
        (0.0, 0.5, None),
        (10.0, 0.5, None),  # spent already
        (12.0, 0.5, None),
    ],
)
def test_budget_forecast_follows_the_rate_of_the_period(spent: float, passed: float, expected: float | None) -> None:
    budget = make_budget(Scope.HOUSEHOLD, None, 10 * NANO, Period.DAY)
    begin, length = 1_000_000.0, 86_400.0
    state = BudgetState(budget, Window("1970-01-12", begin, begin + length), round(spent * NANO), 0)
    found = state.spent_at(begin + passed * length)
    assert found == (None if expected is None else pytest.approx(begin + expected * length))
