"""What sensors read: right at once, after a restart, at midnight, and when the clock jumps."""

import asyncio
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.accounting.usage import totals as totals_module
from zeroconf_ai.accounting.usage.rollups import OTHER
from zeroconf_ai.accounting.usage.summary import Aggregate
from zeroconf_ai.accounting.usage.totals import Subject, Totals

from ....support.waiting import next_turn, until
from ..conftest import FreshDatabase, Make

BERLIN = ZoneInfo("Europe/Berlin")


class Clock:
    """A fake clock."""

    def __init__(self, text: str) -> None:
        """The time in Berlin, ISO 8601."""
        self.time = datetime.fromisoformat(text).replace(tzinfo=BERLIN)

    def set(self, text: str) -> None:
        """Jump."""
        self.time = datetime.fromisoformat(text).replace(tzinfo=BERLIN)

    def __call__(self) -> float:
        """Seconds since the epoch."""
        return self.time.timestamp()


def counted(totals: Totals) -> tuple[int, int, int]:
    household = totals.household
    return household.today.requests, household.month.requests, household.total.requests


async def opened(store_url: str | Path, clock: Clock) -> AccountingStore:
    """An accounting store whose totals use the fake clock."""
    return await AccountingStore.open(store_url, zone=BERLIN, clock=clock)


async def test_totals_are_kept_after_a_restart(fresh_database: FreshDatabase, make: Make) -> None:
    store = await AccountingStore.open(fresh_database.url, zone=BERLIN)
    key, _ = await store.keys.create("Phone")
    for number in range(3):
        store.ledger.record(make(f"{number}", backend_id="b", key_id=key.id, user_id="u", cost=number, duration=1.5))
    subjects = [(Subject.BACKEND, "b"), (Subject.KEY, key.id), (Subject.USER, "u")]
    before = [store.totals.household, *(store.totals.of(*subject) for subject in subjects)]
    assert [standing.total.costs for standing in before] == [{"USD": 3}] * 4
    assert store.totals.of(Subject.KEY, "nobody").total == Aggregate()
    await store.close()
    store = await AccountingStore.open(fresh_database.url, zone=BERLIN)
    assert [store.totals.household, *(store.totals.of(*subject) for subject in subjects)] == before
    await store.close()


async def test_usage_read_during_writes_is_exact(store: AccountingStore, make: Make) -> None:
    async def record() -> None:
        for number in range(300):
            store.ledger.record(make(f"{number}"))
            await next_turn()

    recording = asyncio.ensure_future(record())
    while not recording.done():
        await asyncio.gather(store.flush(), store.ledger.refresh(lambda _: True))
    assert counted(store.totals) == (300, 300, 300)
    await store.flush()
    await store.ledger.refresh(lambda _: True)
    assert counted(store.totals) == (300, 300, 300)


async def test_totals_periods_start_at_midnight_and_month_end(file: Path, make: Make) -> None:
    clock = Clock("2026-10-24T23:59:00")
    store = await opened(file, clock)
    store.ledger.record(make("1", created=clock.time.timestamp()))
    assert counted(store.totals) == (1, 1, 1)
    clock.set("2026-10-25T00:00:01")  # the day of 25 hours
    assert counted(store.totals) == (0, 1, 1)
    for hour in (2, 3, 23):
        clock.set(f"2026-10-25T{hour:02}:30:00")
        store.ledger.record(make(f"{hour}", created=clock.time.timestamp()))
    assert counted(store.totals) == (3, 4, 4)
    clock.set("2026-11-01T00:00:00")
    assert counted(store.totals) == (0, 0, 4)
    store.ledger.record(make("late", created=clock.time.timestamp() - 5))
    assert counted(store.totals) == (0, 0, 5)
    await store.ledger.refresh(lambda _: True)
    assert counted(store.totals) == (0, 0, 5)
    await store.close()


async def test_totals_clock_jump_loses_nothing(file: Path, make: Make) -> None:
    clock = Clock("2026-11-20T12:00:00")
    store = await opened(file, clock)
    store.ledger.record(make("1", created=clock.time.timestamp()))
    clock.set("2036-01-01T00:00:00")
    store.ledger.record(make("2", created=clock.time.timestamp()))
    assert counted(store.totals) == (1, 1, 2)
    clock.set("2026-11-20T12:00:10")
    store.ledger.record(make("3", created=clock.time.timestamp()))
    assert store.totals.household.total.requests == 3
    await until(lambda: not store.totals.stale)
    assert counted(store.totals) == (2, 2, 3)
    await store.close()


async def test_usage_of_another_time_zone_starts_at_its_midnight(file: Path, make: Make) -> None:
    clock = Clock("2026-11-20T00:30:00")
    store = await opened(file, clock)
    store.ledger.record(make("1", created=clock.time.timestamp()))
    await store.flush()
    store.zone = ZoneInfo("America/New_York")
    assert store.totals.stale
    store.ledger.record(make("2", created=clock.time.timestamp()))
    await store.ledger.refresh(lambda _: True)
    assert (store.totals.date.isoformat(), store.zone, store.budgets.zone) == ("2026-11-19", store.totals.zone, store.zone)
    assert counted(store.totals) == (1, 2, 2)
    await store.close()


async def test_usage_of_revoked_keys_is_merged_as_other(store: AccountingStore, make: Make) -> None:
    key, _ = await store.keys.create("Phone")
    store.ledger.record(make("1", key_id=key.id))
    await store.keys.revoke(key.id)
    await store.ledger.refresh(lambda key_id: store.keys.get(key_id) is not None)
    assert store.totals.ids(Subject.KEY) == [OTHER]
    assert store.totals.of(Subject.KEY, OTHER).total.requests == 1
    assert counted(store.totals) == (1, 1, 1)


async def test_totals_are_bounded(store: AccountingStore, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(totals_module, "SUBJECT_LIMIT", 5)
    for number in range(50):
        store.ledger.record(make(f"{number}", user_id=f"u{number}"))
    assert len(store.totals.ids(Subject.USER)) == 6
    assert store.totals.of(Subject.USER, OTHER).total.requests == 45


async def test_totals_read_are_copies(store: AccountingStore, make: Make) -> None:
    standing = store.totals.household
    standing.total.costs["USD"] = 5
    standing.total.requests = 5
    store.ledger.record(make("1"))
    assert counted(store.totals) == (1, 1, 1)
    assert store.totals.household.total.costs == {}
