"""The sums of days: always those of what was recorded, whatever the clock and the calendar do."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
import tempfile
import time
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, given, settings, strategies as st
import pytest

from zeroconf_ai.accounting.storage import tables
from zeroconf_ai.accounting.storage.database import Database
from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.accounting.usage import rollups as rollups_module
from zeroconf_ai.accounting.usage.generation import FailedAttempt, Generation, Outcome
from zeroconf_ai.accounting.usage.rollups import OTHER, Group, UsageFilter
from zeroconf_ai.accounting.usage.summary import NUMBERS, Aggregate
from zeroconf_ai.accounting.usage.totals import Subject
from zeroconf_ai.protocol.usage import Usage

from ..conftest import FreshDatabase, Make

BERLIN = ZoneInfo("Europe/Berlin")
ALWAYS = (date(1, 1, 1), date(9999, 12, 31))
ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Apia", "UTC"]
JULY = 1_782_864_000
"""The first of July 2026, in UTC."""
counts = st.integers(0, 10**6)
names = st.sampled_from([None, "a", "b"])
records = st.builds(
    Generation,
    id=st.just("gen"),
    created=st.integers(1_600_000_000, 1_900_000_000).map(float),
    source=st.sampled_from(["http", "assist"]),
    kind=st.just("chat"),
    requested_model=st.just("auto"),
    outcome=st.sampled_from(Outcome),
    model=names,
    backend_id=names,
    usage=st.builds(Usage, counts, counts, counts, counts, st.none() | counts, counts, counts),
    estimated=st.booleans(),
    cost=st.none() | st.integers(0, 10**12),
    cost_source=st.sampled_from([None, "measured"]),
    currency=st.sampled_from(["USD", "EUR"]),
    converted_cost=st.none() | st.integers(0, 10**12),
    energy=st.none() | st.integers(0, 10**6).map(float),
    duration=st.integers(0, 1000).map(float),
    first_token=st.none() | st.integers(0, 100).map(float),
    key_id=names,
    user_id=names,
)


def summed(generations: Sequence[Generation]) -> Aggregate:
    """What they used, as the ledger takes them."""
    sums = Aggregate()
    for generation in generations:
        sums.add(generation if generation.cost is not None else replace(generation, cost=generation.usage.cost))
    return sums


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(batches=st.lists(st.lists(records, max_size=12), min_size=1, max_size=4), zone=st.sampled_from(["UTC", "Asia/Kolkata"]))
def test_usage_groups_of_each_kind_equal_the_records(batches: list[list[Generation]], zone: str) -> None:
    async def check() -> None:
        with tempfile.TemporaryDirectory() as folder:
            store = await AccountingStore.open(Path(folder) / "gateway.db", zone=ZoneInfo(zone))
            recorded: list[Generation] = []
            for batch in batches:
                for record in batch:
                    store.ledger.record(record)
                recorded += batch
                await store.flush()
            expected = summed(recorded)
            assert store.totals.household.total == expected
            for group_by in ((), *((group,) for group in Group), tuple(Group)):
                uses = await store.ledger.usage(*ALWAYS, group_by)
                total = Aggregate()
                for use in uses:
                    total.merge(use.aggregate)
                assert total == expected
            by_key = await store.ledger.usage(*ALWAYS, (Group.KEY, Group.USER))
            assert {(use.group[Group.KEY], use.group[Group.USER]): use.aggregate for use in by_key} == {
                pair: summed([one for one in recorded if (one.key_id or "", one.user_id or "") == pair])
                for pair in {(one.key_id or "", one.user_id or "") for one in recorded}
            }
            await store.ledger.refresh(lambda _: True)
            assert store.totals.household.total == expected
            await store.close()

    asyncio.run(check())


@pytest.mark.parametrize(
    "zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Apia", "UTC"]
)
@pytest.mark.parametrize("day", [date(2026, 3, 29), date(2026, 10, 25), date(2026, 4, 5), date(2026, 10, 4), date(2026, 12, 31)])
async def test_usage_day_follows_the_time_zone(file: Path, make: Make, zone: str, day: date) -> None:
    home = ZoneInfo(zone)
    midnight, following = (datetime(*at.timetuple()[:3], tzinfo=home).timestamp() for at in (day, day + timedelta(days=1)))
    store = await AccountingStore.open(file, zone=home)
    for at, moment in enumerate((midnight - 1, midnight, (midnight + following) / 2, following - 1, following)):
        store.ledger.record(make(f"{at}", created=moment))
    uses = await store.ledger.usage(*ALWAYS, (Group.DAY,))
    told = {use.group[Group.DAY]: use.aggregate.requests for use in uses}
    assert told == {f"{day - timedelta(days=1)}": 1, f"{day}": 3, f"{day + timedelta(days=1)}": 1}
    [month] = await store.ledger.usage(day.replace(day=1), day)
    assert month.aggregate.requests == (3 if day.day == 1 else 4)
    await store.close()


async def test_usage_failed_attempts_count_for_their_backends(fresh_database: FreshDatabase, make: Make) -> None:
    store = await AccountingStore.open(fresh_database.url)
    failed = [FailedAttempt("a", "Attic", "small"), FailedAttempt("a", "Attic", "small"), FailedAttempt("c", "Cellar", "large")]
    store.ledger.record(make("1", backend_id="b", backend_name="Box", model="m", key_id="k", failed_attempts=failed))
    store.ledger.record(make("2", outcome=Outcome.ERROR, failed_attempts=failed[2:]))
    expected = {"": (1, 0), "a": (0, 2), "b": (1, 0), "c": (0, 2)}
    for _ in range(2):
        uses = await store.ledger.usage(*ALWAYS, (Group.BACKEND,))
        counted = {use.group[Group.BACKEND]: (use.aggregate.requests, use.aggregate.failed_attempts) for use in uses}
        assert counted == expected
        assert [use.labels.get(Group.BACKEND, "") for use in uses] == ["", "Attic", "Box", "Cellar"]
        totals = {name: store.totals.of(Subject.BACKEND, name).today for name in "abc"}
        assert {name: (one.requests, one.failed_attempts) for name, one in totals.items()} == {
            name: counts for name, counts in expected.items() if name
        }
        of_key = await store.ledger.usage(*ALWAYS, (Group.KEY,))
        assert {use.group[Group.KEY]: use.aggregate.failed_attempts for use in of_key} == {"": 1, "k": 3}
        assert store.totals.household.total.failed_attempts == store.totals.household.month.failed_attempts == 4
        await store.close()
        store = await AccountingStore.open(fresh_database.url)
    await store.close()


async def test_usage_totals_are_kept_after_records_are_deleted(fresh_database: FreshDatabase, make: Make) -> None:
    store = await AccountingStore.open(fresh_database.url, keep=1000.0)
    store.ledger.record(make("old", created=time.time() - 2000, usage=Usage(5, 7), cost=11))
    await store.flush()
    await store.tidy()
    assert fresh_database.count("generations") == 0
    [use] = await store.ledger.usage(*ALWAYS)
    assert (use.aggregate.prompt_tokens, use.aggregate.completion_tokens, use.aggregate.costs) == (5, 7, {"USD": 11})
    await store.close()
    store = await AccountingStore.open(fresh_database.url)
    assert store.totals.household.total.costs == {"USD": 11}
    await store.close()


async def test_usage_old_days_are_deleted_if_configured(fresh_database: FreshDatabase, make: Make) -> None:
    store = await AccountingStore.open(fresh_database.url, keep_rollups=10 * 86_400.0)
    for days in (0, 5, 20):
        store.ledger.record(make(f"{days}", created=time.time() - days * 86_400))
    await store.flush()
    await store.tidy()
    [use] = await store.ledger.usage(*ALWAYS)
    assert use.aggregate.requests == 2
    for table in ("key_rollups", "key_months"):
        assert sum(row[0] for row in fresh_database.run(f"SELECT requests FROM {table}")) == 2  # noqa: S608
    await store.close()


async def test_usage_any_value_keeps_the_totals_valid(store: AccountingStore, make: Make) -> None:
    long = "💡" * 600
    for number in range(3):
        store.ledger.record(
            make(f"{number}", usage=Usage(2**70, -5), cost=2**80, model=long, backend_id=long, user_id=long, key_id=long)
        )
    for name in ("\0", "\ud800", "=1+1"):
        store.ledger.record(make(name, model=name, currency=name * 20, cost=1))
    await store.flush()
    assert store.ledger.dropped == 0
    [use] = await store.ledger.usage(*ALWAYS)
    assert use.aggregate.requests == 6
    assert use.aggregate.prompt_tokens == 3 * 10**9
    assert use.aggregate.costs["USD"] == 3 * 10**15


async def test_usage_of_invented_models_is_merged_as_other(
    store: AccountingStore, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollups_module, "MODEL_LIMIT", 3)
    for number in range(10):
        store.ledger.record(make(f"{number}", model=f"m{number}"))
    uses = await store.ledger.usage(*ALWAYS, (Group.MODEL,))
    assert {use.group[Group.MODEL]: use.aggregate.requests for use in uses} == {"m0": 1, "m1": 1, "m2": 1, OTHER: 7}


async def test_usage_names_of_keys_are_the_latest(store: AccountingStore, make: Make) -> None:
    for name in ("Old", "New"):
        store.ledger.record(make(name, backend_id="b", backend_name=name, key_id="k", caller=name))
        await store.flush()
    store.ledger.record(make("nameless", backend_id="b", key_id="k", caller="New"))
    [use] = await store.ledger.usage(*ALWAYS, (Group.BACKEND, Group.KEY))
    assert (use.labels, use.aggregate.requests) == ({Group.BACKEND: "New", Group.KEY: "New"}, 3)


async def test_usage_of_two_gateways_in_one_database_adds_up(fresh_database: FreshDatabase, make: Make) -> None:
    gateways = [await AccountingStore.open(fresh_database.url) for _ in range(2)]
    for round_ in range(20):
        for store in gateways:
            for key in ("a", "b", "c"):
                store.ledger.record(make(f"{round_}", key_id=key, cost=1))
        await asyncio.gather(*(store.flush() for store in gateways))
    uses = await gateways[0].ledger.usage(*ALWAYS, (Group.KEY,))
    assert Counter({use.group[Group.KEY]: use.aggregate.requests for use in uses}) == {"a": 40, "b": 40, "c": 40}
    assert gateways[0].totals.household.total.requests == 60
    await gateways[0].ledger.refresh(lambda _: True)
    assert gateways[0].totals.household.total.costs == {"USD": 120}
    for store in gateways:
        await store.close()


async def test_usage_of_a_key_or_user_contains_only_its_own(store: AccountingStore, make: Make) -> None:
    for key, user in (("k1", None), ("k1", "u"), ("k2", "u"), (None, "u"), (None, None)):
        store.ledger.record(make("gen", key_id=key, user_id=user))

    async def requests(key_id: str | None = None, user_id: str | None = None) -> int:
        uses = await store.ledger.usage(*ALWAYS, (Group.DAY,), only=UsageFilter(key_id=key_id, user_id=user_id))
        return sum(use.aggregate.requests for use in uses)

    assert [await requests(key_id="k1"), await requests(user_id="u"), await requests(key_id="", user_id="")] == [2, 3, 1]
    assert (await requests(key_id="k3"), await requests()) == (0, 5)


def test_usage_all_fields_are_summed() -> None:
    others = {"cost", "energy_cost", "day", "source", "model", "backend_id", "currency", "backend_name"}
    assert set(tables.rollups.columns.keys()) == set(NUMBERS) | others
    whose = {"key_id", "user_id", "key_name"}
    assert set(tables.key_rollups.columns.keys()) == set(NUMBERS) | others | whose
    assert set(tables.key_months.columns.keys()) == set(NUMBERS) | whose | {"month", "currency", "cost", "energy_cost"}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    recorded=st.lists(st.builds(replace, records, created=st.integers(JULY, JULY + 92 * 86_400).map(float)), max_size=20),
    start=st.none() | st.dates(date(2026, 6, 20), date(2026, 10, 10)),
    end=st.none() | st.dates(date(2026, 6, 20), date(2026, 10, 10)),
    group_by=st.sampled_from([(), (Group.KEY,), (Group.USER,), (Group.KEY, Group.USER), (Group.USER, Group.KEY)]),
    key_id=st.sampled_from([None, "", "a"]),
    user_id=st.sampled_from([None, "", "a"]),
)
def test_usage_monthly_totals_equal_daily_totals(
    recorded: list[Generation],
    start: date | None,
    end: date | None,
    group_by: tuple[Group, ...],
    key_id: str | None,
    user_id: str | None,
) -> None:
    first, last = start or ALWAYS[0], end or ALWAYS[1]

    async def check() -> None:
        with tempfile.TemporaryDirectory() as folder:
            store = await AccountingStore.open(Path(folder) / "gateway.db", zone=ZoneInfo("UTC"))
            for record in recorded:
                store.ledger.record(record)
            only = UsageFilter(key_id=key_id, user_id=user_id)
            told = await store.ledger.usage(first, last, group_by, only=only)
            finer = await store.ledger.usage(first, last, (*group_by, Group.DAY), only=only)
            await store.close()
        days: dict[tuple[str, ...], Aggregate] = {}
        for use in finer:
            days.setdefault(tuple(use.group[group] for group in group_by), Aggregate()).merge(use.aggregate)
        assert {tuple(use.group.values()): use.aggregate for use in told} == days

    asyncio.run(check())


async def test_usage_of_a_month_by_key_uses_monthly_totals(
    store: AccountingStore, fresh_database: FreshDatabase, make: Make
) -> None:
    """And by key and anything else, or for a part of what was used in it, from the days."""
    store.zone = ZoneInfo("UTC")
    for day in (3, 20):
        store.ledger.record(make("gen", created=datetime(2026, 10, day, tzinfo=ZoneInfo("UTC")).timestamp(), key_id="k"))
    await store.flush()
    fresh_database.run("UPDATE key_rollups SET requests = 7 RETURNING 1")

    async def requests(first: int, last: int, *group_by: Group) -> int:
        [use] = await store.ledger.usage(date(2026, 10, first), date(2026, 10, last), group_by)
        return use.aggregate.requests

    assert [await requests(1, 31, Group.KEY), await requests(3, 20, Group.KEY), await requests(1, 31, Group.USER)] == [2, 2, 2]
    assert [await requests(1, 31, Group.KEY, Group.MODEL), await requests(4, 31, Group.KEY)] == [14, 7]
    assert await requests(1, 19, Group.KEY) == 7


@pytest.mark.parametrize("until", [date(2026, 9, 1), date(2026, 9, 10), date(2026, 9, 30), date(2026, 10, 1)])
async def test_usage_deleted_days_are_subtracted_from_their_month(
    store: AccountingStore, fresh_database: FreshDatabase, make: Make, until: date
) -> None:
    store.zone = ZoneInfo("UTC")
    for month, day, key in ((8, 5, "a"), (9, 5, "a"), (9, 9, "b"), (9, 10, "a"), (10, 1, "b")):
        created = datetime(2026, month, day, 12, tzinfo=ZoneInfo("UTC")).timestamp()
        store.ledger.record(make("gen", created=created, key_id=key, caller=f"Key {key}", cost=day, duration=2.0))
    await store.flush()
    for _ in range(2):
        database = await Database.open(fresh_database.url)
        await database.write(lambda connection: rollups_module.prune(connection, until))
        await database.close()
        by_day = await store.ledger.usage(*ALWAYS, (Group.KEY, Group.DAY))
        by_month = await store.ledger.usage(*ALWAYS, (Group.KEY,))
        assert {use.group[Group.KEY]: (use.aggregate.requests, use.aggregate.costs) for use in by_month} == {
            key: (len(days), {"USD": sum(days)})
            for key in ("a", "b")
            if (days := [use.aggregate.costs["USD"] for use in by_day if use.group[Group.KEY] == key])
        }
        assert {use.labels[Group.KEY] for use in by_month} <= {"Key a", "Key b"}
        months = {str(row[0]) for row in fresh_database.run("SELECT month FROM key_months")}
        assert months == {f"{use.group[Group.DAY][:7]}-01" for use in by_day}
