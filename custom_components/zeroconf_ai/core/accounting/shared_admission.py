"""`SharedAdmission`: limits and budgets of a request are acquired by one statement, in a database that gateways share."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from sqlalchemy import Connection, text

from ..protocol.tasks import start_eagerly
from .admission import AdmissionRequest
from .budgets.budget_store import BudgetStore
from .budgets.reservations import Reservation
from .budgets.shared_balances import SharedBalances
from .limits.rate_limits import AcquiredLimits, RateLimiter
from .limits.shared import SharedPermits, SharedTokenBuckets
from .limits.token_buckets import MINUTE, BucketDraw
from .storage import leases
from .storage.database import Database
from .storage.leases import Leases
from .storage.statements import clamp_int64


class Row(NamedTuple):
    """An amount to reserve in a row of `accounts`: money of a budget, or one permit."""

    name: str
    label: str
    amount: int
    limit: int
    """The reserved and the spent amount together must not exceed it, and the spent amount must not reach it."""


_ACQUIRE = text(
    f"""
    WITH asked AS MATERIALIZED (
        SELECT * FROM unnest(
            CAST(:names AS text[]), CAST(:labels AS text[]), CAST(:amounts AS bigint[]), CAST(:limits AS bigint[])
        ) AS asked (name, label, amount, most)
    ), locked AS MATERIALIZED (
        SELECT accounts.spent, accounts.reserved, asked.amount, asked.most
        FROM accounts JOIN asked ON accounts.budget_id = asked.name AND accounts.label = asked.label
        ORDER BY accounts.budget_id, accounts.label FOR UPDATE OF accounts
    ), money AS MATERIALIZED (
        SELECT count(*) FILTER (WHERE spent < most AND CAST(spent AS numeric) + reserved + amount <= most)
            = cardinality(CAST(:names AS text[])) AS fits
        FROM locked
    ), drawn AS MATERIALIZED (
        SELECT * FROM unnest(
            CAST(:buckets AS text[]), CAST(:capacities AS float8[]), CAST(:tokens AS float8[]), CAST(:given AS float8[])
        ) AS drawn (name, capacity, amount, given)
    ), filled AS MATERIALIZED (
        SELECT drawn.name, drawn.amount, drawn.capacity, greatest(buckets.at, moment.now) AS at,
            least(
                drawn.capacity,
                buckets.level + drawn.given + greatest(0.0, moment.now - buckets.at) * drawn.capacity / {MINUTE}
            ) AS level
        FROM buckets JOIN drawn ON buckets.name = drawn.name,
            (SELECT CAST(extract(epoch FROM statement_timestamp()) AS float8) AS now) AS moment
        WHERE (SELECT fits FROM money)
        ORDER BY buckets.name FOR UPDATE OF buckets
    ), result AS MATERIALIZED (
        SELECT money.fits AND
            (SELECT count(*) FROM filled WHERE level >= least(amount, capacity)) = cardinality(CAST(:buckets AS text[])) AS fits
        FROM money
    ), reserving AS (
        UPDATE accounts SET reserved = accounts.reserved + asked.amount FROM asked, result
        WHERE result.fits AND asked.amount > 0 AND accounts.budget_id = asked.name AND accounts.label = asked.label
    ), leasing AS (
        INSERT INTO reservations (id, budget_id, label, amount, expires)
        SELECT :lease, asked.name, asked.label, asked.amount,
            CAST(extract(epoch FROM statement_timestamp()) AS float8) + CAST(:seconds AS float8)
        FROM asked, result WHERE result.fits AND asked.amount > 0
    ), drawing AS (
        UPDATE buckets SET level = filled.level - filled.amount, at = filled.at FROM filled, result
        WHERE result.fits AND buckets.name = filled.name
    )
    SELECT result.fits, filled.name, filled.level - filled.amount AS level FROM result LEFT JOIN filled ON true
    """  # noqa: S608
)
"""Locks the rows in the order of their keys, accounts before buckets, and changes all of them or none.

One statement is atomic without a transaction around it. All arrays are of text or of floats: integers of different sizes would
have different types, and the driver would prepare the statement for each of them.
"""


class SharedAdmission:
    """Acquires what most requests need by one round trip; what it cannot acquire is left to the limits and the budgets."""

    def __init__(self, database: Database, held: Leases, limits: RateLimiter, budgets: BudgetStore) -> None:
        """All of them use the shared database."""
        assert isinstance(limits.buckets, SharedTokenBuckets)
        assert isinstance(limits.permits, SharedPermits)
        assert isinstance(budgets.balances, SharedBalances)
        self._database = database
        self._leases = held
        self._limits = limits
        self._budgets = budgets
        self._buckets, self._permits, self._balances = limits.buckets, limits.permits, budgets.balances

    async def acquire(self, asked: AdmissionRequest) -> tuple[AcquiredLimits, Reservation] | None:
        """Acquire the limits and the budgets of a request; None, with nothing acquired, if one of them does not have enough.

        The amounts are those that `reservations.decide` returns for unused budgets. While they fit into what all budgets have
        left, and no budget is spent, it returns the same for the budgets as they are. With a reservation, the permit is part of
        its lease. Raises DatabaseError, and InvalidRequestError like `BudgetStore.reserve`.
        """
        wanted = self._limits.wanted(asked)
        budget_windows, reservation = self._budgets.decide_unused(asked)
        if reservation.shortfall is not None or reservation.barred:
            return None
        reserved = {(amount.budget.id, amount.window.label): amount.amount for amount in reservation.amounts}
        rows = [Row(*one.key, reserved.get(one.key, 0), clamp_int64(one.budget.amount)) for one in budget_windows]
        if wanted.permit is not None:
            rows.append(Row(wanted.permit.name, "", 1, clamp_int64(wanted.permit.limit)))
        draws = wanted.draws
        if not rows and not draws:
            return None
        await self._permits.catch_up()
        await self._balances.catch_up()
        lease = self._leases.begin()
        levels = await self._run(lease, rows, draws)
        if levels is None:
            return None
        if not reserved and wanted.permit is None:
            self._leases.end([lease])
        acquired = wanted.acquired(levels, lease if wanted.permit is not None and not reserved else None)
        return acquired, replace(reservation, id=lease) if reserved else reservation

    async def _run(self, lease: str, rows: Sequence[Row], draws: Sequence[BucketDraw]) -> Mapping[str, float] | None:
        """The new levels of the buckets; None if nothing was acquired."""
        given = self._buckets.take_given(draw.name for draw in draws)
        # Eager: what is queued after a cancellation runs after the statement.
        task = start_eagerly(self._database.write_statement(lambda connection: _acquire(connection, lease, rows, draws, given)))
        levels = None

        def end(ended: asyncio.Future[Mapping[str, float] | None]) -> None:
            """The request was cancelled, but the database completes the statement anyway."""
            acquired = not ended.cancelled() and ended.exception() is None and ended.result() is not None
            self._buckets.give({draw.name: draw.amount for draw in draws} if acquired else given)

        try:
            levels = await asyncio.shield(task)
        except asyncio.CancelledError:
            self._balances.release(lease)
            task.add_done_callback(end)
            raise
        except BaseException:
            self._abandon(lease, given)
            raise
        if levels is None:
            self._abandon(lease, given)
        return levels

    def _abandon(self, lease: str, given: Mapping[str, float]) -> None:
        self._leases.end([lease])
        self._buckets.give(given)


def _acquire(
    connection: Connection, lease: str, rows: Sequence[Row], draws: Sequence[BucketDraw], given: Mapping[str, float]
) -> Mapping[str, float] | None:
    values = {
        "names": [row.name for row in rows],
        "labels": [row.label for row in rows],
        "amounts": [str(row.amount) for row in rows],
        "limits": [str(row.limit) for row in rows],
        "buckets": [draw.name for draw in draws],
        "capacities": [float(draw.capacity) for draw in draws],
        "tokens": [float(draw.amount) for draw in draws],
        "given": [given.get(draw.name, 0.0) for draw in draws],
        "lease": lease,
        "seconds": leases.LEASE_SECONDS,
    }
    found = connection.execute(_ACQUIRE, values).all()
    if not found[0].fits:
        return None
    return {row.name: float(row.level) for row in found if row.name is not None}
