"""Leases of gateways that share a database, and the queue of what they give back."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection

from tests.support.waiting import until
from zeroconf_ai.accounting import store as store_module
from zeroconf_ai.accounting.admission import AdmissionRequest
from zeroconf_ai.accounting.storage import leases, settlements
from zeroconf_ai.accounting.storage.database import Database, DatabaseError
from zeroconf_ai.accounting.storage.leases import Leases
from zeroconf_ai.accounting.storage.settlements import SettlementQueue
from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.protocol.errors import RateLimitError

from ..conftest import FreshDatabase, Make, expire_leases

shared_only = pytest.mark.parametrize("fresh_database", ["postgresql"], indirect=True)


@shared_only
async def test_permit_of_a_killed_gateway_is_released_after_its_lease(
    fresh_database: FreshDatabase, monkeypatch: pytest.MonkeyPatch, make: Make
) -> None:
    store, other = await AccountingStore.open(fresh_database.url), await AccountingStore.open(fresh_database.url)
    try:
        key, _ = await store.keys.create("Phone", parallel=1)
        await other.keys.refresh()
        asked = AdmissionRequest("http", "chat", "m", key_id=key.id)
        monkeypatch.setattr(leases, "LEASE_SECONDS", -1.0)
        await store.admission_control.admit(asked)
        with pytest.raises(RateLimitError):
            await other.admission_control.admit(asked)
        monkeypatch.undo()
        await expire_leases(fresh_database)
        second = await other.admission_control.admit(asked)
        second.reconcile(make("g"))
        await other.flush()
        standing = (await store.admission_control.rate_limit_status(key.id, None, None)).parallel
        assert standing is not None
        assert standing.remaining == 1
    finally:
        await store.close()
        await other.close()


@shared_only
async def test_leases_of_running_requests_only_are_renewed(fresh_database: FreshDatabase) -> None:
    database = await Database.open(fresh_database.url)
    try:
        now = [0.0]
        mine = Leases(database, clock=lambda: now[0])
        running, ended = mine.begin(), mine.begin()
        mine.end([ended])
        for lease in (running, ended):
            assert await database.write(partial(leases.hold_permit, lease=lease, name="parallel:k", limit=2))
        fresh_database.run("UPDATE reservations SET expires = 1")
        now[0] += leases.RENEW_SECONDS
        await mine.upkeep()
        assert fresh_database.run("SELECT id FROM reservations") == [(running,)]
        assert await database.read(lambda connection: leases.held(connection, "parallel:k")) == 1
    finally:
        await database.close()


@shared_only
async def test_what_a_killed_gateway_held_is_free_within_ninety_seconds(fresh_database: FreshDatabase) -> None:
    """The other gateway looks every few seconds; its last look before the expiry is at the worst moment."""
    database = await Database.open(fresh_database.url)
    try:
        killed, other = Leases(database), Leases(database)
        assert await database.write(partial(leases.hold_permit, lease=killed.begin(), name="parallel:k", limit=1))
        assert leases.LEASE_SECONDS + leases.EXPIRE_SECONDS < 90
        fresh_database.run("UPDATE reservations SET expires = expires - 75")
        await other.upkeep()
        assert await database.read(lambda connection: leases.held(connection, "parallel:k")) == 1
        fresh_database.run("UPDATE reservations SET expires = expires - 10")
        await other.upkeep()
        assert await database.read(lambda connection: leases.held(connection, "parallel:k")) == 0
    finally:
        await database.close()


@shared_only
async def test_expired_leases_are_released_much_more_often_than_they_are_renewed(
    fresh_database: FreshDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "EXPIRE_SECONDS", 0.05)
    store = await AccountingStore.open(fresh_database.url)
    try:
        fresh_database.run("INSERT INTO accounts (budget_id, label, spent, reserved, warned) VALUES ('limit', '', 0, 1, 0)")
        fresh_database.run("INSERT INTO reservations (id, budget_id, label, amount, expires) VALUES ('x', 'limit', '', 1, 1)")
        await until(lambda: fresh_database.count("reservations") == 0)
        assert fresh_database.run("SELECT reserved FROM accounts") == [(0,)]
    finally:
        await store.close()


class Flaky:
    """A database that fails a given number of times."""

    def __init__(self, *errors: DatabaseError) -> None:
        self.errors = list(errors)

    async def write(self, work: Callable[[Any], Any]) -> Any:
        if self.errors:
            raise self.errors.pop(0)
        return work(None)


class Ends:
    """What became of what a queue was given."""

    def __init__(self, *errors: DatabaseError) -> None:
        self.written: list[int] = []
        self.lost: list[int] = []
        self.database = Flaky(*errors)
        self.queue = SettlementQueue(self.database, self._write, self._done, self._lose)  # type: ignore[arg-type]

    def _write(self, _: Connection, items: Sequence[int]) -> int:
        return sum(items)

    def _done(self, items: Sequence[int], result: int) -> None:
        assert result == sum(items)
        self.written += items

    def _lose(self, items: Sequence[int], _: DatabaseError | None) -> None:
        self.lost += items


async def test_reconciliation_refused_by_the_database_is_retried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settlements, "RETRY_SECONDS", 0.001)
    ends = Ends(DatabaseError("busy", passing=True), DatabaseError("busy", passing=True))
    ends.queue.add(1)
    ends.queue.add(2)
    await ends.queue.flush()
    assert (ends.written, ends.lost) == ([1, 2], [])


async def test_reconciliation_invalid_is_dropped_and_the_next_written() -> None:
    ends = Ends(DatabaseError("wrong"))
    ends.queue.add(1)
    await ends.queue.flush()
    ends.queue.add(2)
    await ends.queue.flush()
    assert (ends.written, ends.lost) == ([2], [1])


async def test_reconciliations_refused_until_the_end_are_dropped() -> None:
    ends = Ends(*[DatabaseError("busy", passing=True)] * 3)
    ends.queue.add(1)
    await ends.queue.close()
    assert (ends.written, ends.lost) == ([], [1])


async def test_reconciliations_beyond_the_bound_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settlements, "PENDING_LIMIT", 2)
    ends = Ends(*[DatabaseError("busy", passing=True)] * 3)
    for number in range(4):
        ends.queue.add(number)
    assert ends.lost == [2, 3]
    await ends.queue.close()


async def test_write_queue_with_a_failing_database_keeps_its_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settlements, "RETRY_SECONDS", 0.001)
    ends = Ends(DatabaseError("busy", passing=True), DatabaseError("busy", passing=True))
    ends.queue.add(1)
    with pytest.raises(DatabaseError):
        await ends.queue.catch_up()
    await ends.queue.flush()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert ends.written == [1]
