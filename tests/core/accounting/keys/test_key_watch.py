"""Unusual use of API keys: reported once an hour, compared with the seven days before, also after a restart."""

from datetime import datetime, timedelta

from zeroconf_ai.accounting.keys.client_key import ClientKey
from zeroconf_ai.accounting.keys.key_watch import DEFAULT_FACTOR, HOUR, LEAST_REQUESTS, LEAST_TOKENS, KeyWatch, UnusualUse
from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.accounting.usage.generation import Generation
from zeroconf_ai.protocol.usage import Usage

from ..conftest import FreshDatabase, Make
from ..usage.test_totals import BERLIN, Clock, opened

NOON = "2026-11-20T12:00:00"
DAY = 86_400.0


class Watched:
    """A watch with its reports, and a key that was created ten days ago."""

    def __init__(self, store: AccountingStore, clock: Clock, make: Make) -> None:
        self.store, self.clock, self._make = store, clock, make
        self.watch = KeyWatch(store.ledger, store.keys)
        self.reports: list[UnusualUse] = []
        self.watch.listen(self.reports.append)
        self._number = 0

    async def key(self, name: str = "Phone", days: float = 10) -> ClientKey:
        """A key that was created some days ago."""
        key, _ = await self.store.keys.create(name)
        object.__setattr__(key, "created", self.clock() - days * DAY)
        return key

    def request(self, key: ClientKey, *, ago: float = 0.0, tokens: int = 0) -> Generation:
        """One request, some seconds ago."""
        self._number += 1
        usage = Usage(prompt_tokens=tokens)
        return self._make(f"{self._number}", key_id=key.id, created=self.clock() - ago, usage=usage)

    def use(self, key: ClientKey, count: int, **fields: float) -> None:
        """Requests that the engine records."""
        for _ in range(count):
            generation = self.request(key, **fields)  # type: ignore[arg-type]
            self.store.ledger.record(generation)
            self.watch.record(generation)

    def past(self, key: ClientKey, per_day: int, tokens: int = 0) -> None:
        """The use of each of the seven days before today."""
        for day in range(1, 8):
            for _ in range(per_day):
                self.store.ledger.record(self.request(key, ago=day * DAY, tokens=tokens))


async def watched(fresh_database: FreshDatabase, make: Make) -> Watched:
    clock = Clock(NOON)
    return Watched(await opened(fresh_database.url, clock), clock, make)


async def test_key_watch_reports_more_than_the_factor_of_the_mean_once_an_hour(fresh_database: FreshDatabase, make: Make) -> None:
    found = await watched(fresh_database, make)
    key, quiet = await found.key(), await found.key("Tablet")
    found.past(key, 240)  # 10 an hour
    await found.watch.load(found.clock())
    found.use(key, 10 * DEFAULT_FACTOR)
    found.use(quiet, LEAST_REQUESTS - 1)
    assert found.reports == []
    found.use(key, 1)
    [report] = found.reports
    assert (report.key_id, report.requests, report.usual.requests) == (key.id, 10 * DEFAULT_FACTOR + 1, 10.0)
    assert report.hour == datetime.fromisoformat(NOON).replace(tzinfo=BERLIN).timestamp()
    found.use(key, 100)
    assert len(found.reports) == 1
    found.clock.time += timedelta(hours=1)
    found.use(key, 10 * DEFAULT_FACTOR)
    assert len(found.reports) == 1
    found.use(key, 1)
    assert [report.hour for report in found.reports] == [report.hour, report.hour + HOUR]
    await found.store.close()


async def test_key_watch_counts_tokens_and_reports_a_key_that_was_not_used(fresh_database: FreshDatabase, make: Make) -> None:
    found = await watched(fresh_database, make)
    busy, idle = await found.key(), await found.key("Idle")
    found.past(busy, 1, tokens=24 * LEAST_TOKENS)  # LEAST_TOKENS an hour
    await found.watch.load(found.clock())
    found.use(busy, 1, tokens=DEFAULT_FACTOR * LEAST_TOKENS)
    found.use(idle, 1, tokens=LEAST_TOKENS - 1)
    assert found.reports == []
    found.use(idle, 1, tokens=1)
    found.use(busy, 1, tokens=1)
    assert [report.key_id for report in found.reports] == [idle.id, busy.id]
    assert [report.usual.tokens for report in found.reports] == [0, LEAST_TOKENS]
    await found.store.close()


async def test_key_watch_ignores_a_new_key_and_compares_a_young_one_with_its_own_days(
    fresh_database: FreshDatabase, make: Make
) -> None:
    found = await watched(fresh_database, make)
    new, young = await found.key("New", days=0.1), await found.key("Young", days=1)
    for _ in range(240):
        found.store.ledger.record(found.request(young, ago=DAY))
    await found.watch.load(found.clock())
    found.use(new, 1000)
    found.use(young, 10 * DEFAULT_FACTOR)
    assert found.reports == []
    found.use(young, 1)
    assert [report.key_id for report in found.reports] == [young.id]
    await found.store.close()


async def test_key_watch_turned_off_reports_nothing(fresh_database: FreshDatabase, make: Make) -> None:
    found = await watched(fresh_database, make)
    key = await found.key()
    found.watch.factor = 0
    await found.watch.load(found.clock())
    found.use(key, 1000)
    assert found.reports == []
    found.watch.factor = DEFAULT_FACTOR
    found.use(key, 1)
    assert len(found.reports) == 1
    await found.store.close()


async def test_key_watch_continues_the_hour_after_a_restart(fresh_database: FreshDatabase, make: Make) -> None:
    found = await watched(fresh_database, make)
    key, reported = await found.key(), await found.key("Reported")
    await found.watch.load(found.clock())
    found.use(key, LEAST_REQUESTS - 1)
    found.use(reported, LEAST_REQUESTS)
    assert [report.key_id for report in found.reports] == [reported.id]
    found.reports.clear()
    found.watch = KeyWatch(found.store.ledger, found.store.keys)
    found.watch.listen(found.reports.append)
    await found.watch.load(found.clock())
    found.use(reported, 1)
    assert found.reports == []
    found.use(key, 1)
    assert [(report.key_id, report.requests) for report in found.reports] == [(key.id, LEAST_REQUESTS)]
    await found.store.close()


async def test_key_watch_leaves_out_late_records_of_the_hour_before(fresh_database: FreshDatabase, make: Make) -> None:
    found = await watched(fresh_database, make)
    key = await found.key()
    await found.watch.load(found.clock())
    found.use(key, LEAST_REQUESTS - 1)
    found.use(key, 1, ago=60.0)
    assert found.reports == []
    found.use(key, 1)
    assert len(found.reports) == 1
    await found.store.close()
