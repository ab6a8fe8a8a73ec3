"""What sensors read: right at once, after a restart, at midnight, and when the clock jumps."""

import asyncio
from datetime import datetime, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from zeroconf_ai.accounting.store import Books
from zeroconf_ai.accounting.usage import totals as totals_module
from zeroconf_ai.accounting.usage.rollups import OTHER
from zeroconf_ai.accounting.usage.summary import Sums
from zeroconf_ai.accounting.usage.totals import Subject, Totals

from ..conftest import Make, Store

BERLIN = ZoneInfo("Europe/Berlin")


class Clock:
    """A clock that goes as the test says."""

    def __init__(self, text: str) -> None:
        """The time in Berlin, ISO 8601."""
        self.time = datetime.fromisoformat(text).replace(tzinfo=BERLIN)

    def set(self, text: str) -> None:
        """Jump."""
        self.time = datetime.fromisoformat(text).replace(tzinfo=BERLIN)

    def now(self, zone: tzinfo) -> datetime:
        """What the totals ask."""
        return self.time.astimezone(zone)


def counted(totals: Totals) -> tuple[int, int, int]:
    household = totals.household
    return household.today.requests, household.month.requests, household.total.requests


async def opened(store_url: str | Path, clock: Clock) -> Books:
    """Books whose totals go by that clock."""
    books = await Books.open(store_url, zone=BERLIN)
    books.totals._now = clock.now
    books.totals._turn()
    await books.ledger.refresh(lambda _: True)
    return books


async def test_they_are_the_same_after_a_restart(store: Store, make: Make) -> None:
    books = await Books.open(store.url, zone=BERLIN)
    key, _ = await books.keys.create("Phone")
    for number in range(3):
        books.ledger.record(make(f"{number}", backend_id="b", key_id=key.id, user_id="u", cost=number, duration=1.5))
    subjects = [(Subject.BACKEND, "b"), (Subject.KEY, key.id), (Subject.USER, "u")]
    before = [books.totals.household, *(books.totals.of(*subject) for subject in subjects)]
    assert [standing.total.costs for standing in before] == [{"USD": 3}] * 4
    assert books.totals.of(Subject.KEY, "nobody").total == Sums()
    await books.close()
    books = await Books.open(store.url, zone=BERLIN)
    assert [books.totals.household, *(books.totals.of(*subject) for subject in subjects)] == before
    await books.close()


async def test_a_reading_in_the_midst_of_writing_counts_nothing_twice_and_misses_nothing(books: Books, make: Make) -> None:
    async def record() -> None:
        for number in range(300):
            books.ledger.record(make(f"{number}"))
            await asyncio.sleep(0)

    recording = asyncio.ensure_future(record())
    while not recording.done():
        await asyncio.gather(books.flush(), books.ledger.refresh(lambda _: True))
    assert counted(books.totals) == (300, 300, 300)
    await books.flush()
    await books.ledger.refresh(lambda _: True)
    assert counted(books.totals) == (300, 300, 300)


async def test_midnight_and_the_end_of_a_month_begin_anew(file: Path, make: Make) -> None:
    clock = Clock("2026-10-24T23:59:00")
    books = await opened(file, clock)
    books.ledger.record(make("1", created=clock.time.timestamp()))
    assert counted(books.totals) == (1, 1, 1)
    clock.set("2026-10-25T00:00:01")  # the day of 25 hours
    assert counted(books.totals) == (0, 1, 1)
    for hour in (2, 3, 23):
        clock.set(f"2026-10-25T{hour:02}:30:00")
        books.ledger.record(make(f"{hour}", created=clock.time.timestamp()))
    assert counted(books.totals) == (3, 4, 4)
    clock.set("2026-11-01T00:00:00")
    assert counted(books.totals) == (0, 0, 4)
    books.ledger.record(make("late", created=clock.time.timestamp() - 5))
    assert counted(books.totals) == (0, 0, 5)
    await books.ledger.refresh(lambda _: True)
    assert counted(books.totals) == (0, 0, 5)
    await books.close()


async def test_a_clock_that_jumps_ahead_and_back_loses_nothing(file: Path, make: Make) -> None:
    clock = Clock("2026-11-20T12:00:00")
    books = await opened(file, clock)
    books.ledger.record(make("1", created=clock.time.timestamp()))
    clock.set("2036-01-01T00:00:00")
    books.ledger.record(make("2", created=clock.time.timestamp()))
    assert counted(books.totals) == (1, 1, 2)
    clock.set("2026-11-20T12:00:10")
    books.ledger.record(make("3", created=clock.time.timestamp()))
    assert books.totals.household.total.requests == 3
    while books.totals.stale:
        await asyncio.sleep(0.01)
    assert counted(books.totals) == (2, 2, 3)
    await books.close()


async def test_another_time_zone_counts_from_its_own_midnight(file: Path, make: Make) -> None:
    clock = Clock("2026-11-20T00:30:00")
    books = await opened(file, clock)
    books.ledger.record(make("1", created=clock.time.timestamp()))
    await books.flush()
    books.zone = ZoneInfo("America/New_York")
    assert books.totals.stale
    books.ledger.record(make("2", created=clock.time.timestamp()))
    await books.ledger.refresh(lambda _: True)
    assert (books.totals.date.isoformat(), books.zone, books.budgets.zone) == ("2026-11-19", books.totals.zone, books.zone)
    assert counted(books.totals) == (1, 2, 2)
    await books.close()


async def test_a_revoked_key_s_use_is_others_and_no_more_told_apart(books: Books, make: Make) -> None:
    key, _ = await books.keys.create("Phone")
    books.ledger.record(make("1", key_id=key.id))
    await books.keys.revoke(key.id)
    await books.ledger.refresh(books._is_key)
    assert books.totals.ids(Subject.KEY) == [OTHER]
    assert books.totals.of(Subject.KEY, OTHER).total.requests == 1
    assert counted(books.totals) == (1, 1, 1)


async def test_they_are_bounded(books: Books, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(totals_module, "SUBJECT_LIMIT", 5)
    for number in range(50):
        books.ledger.record(make(f"{number}", user_id=f"u{number}"))
    assert len(books.totals.ids(Subject.USER)) == 6
    assert books.totals.of(Subject.USER, OTHER).total.requests == 45


async def test_what_is_read_is_nobody_else_s(books: Books, make: Make) -> None:
    standing = books.totals.household
    standing.total.costs["USD"] = 5
    standing.total.requests = 5
    books.ledger.record(make("1"))
    assert counted(books.totals) == (1, 1, 1)
    assert books.totals.household.total.costs == {}
