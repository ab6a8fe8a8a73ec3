"""Balances of budgets in a database that gateways share: every reservation is made there, as a lease."""

import asyncio
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import replace
import logging
from typing import override

from sqlalchemy import Connection

from ...protocol.tasks import start_eagerly
from ..budget import EXCEEDED, Balance, BudgetEvent
from ..storage.database import Database, DatabaseError
from ..storage.leases import Leases
from ..storage.settlements import SettlementQueue
from . import shared_statements, statements
from .balances import Balances, BudgetWindow
from .reservations import Reservation
from .shared_statements import Reached, Settlement
from .statements import BalanceKey

_LOGGER = logging.getLogger(__name__)


class SharedBalances(Balances):
    """Writes charges as soon as they are known, and retries failed writes."""

    def __init__(self, database: Database, leases: Leases, notify: Callable[[BudgetEvent], None]) -> None:
        """Balances are read at their first use. `leases` renew the reservations of requests in progress."""
        super().__init__(notify)
        self._database = database
        self._leases = leases
        self._queue = SettlementQueue(database, shared_statements.reconcile, self._settled, self._lose)
        self._known: dict[BalanceKey, Balance] = {}
        self._losing = False

    @override
    async def reserve(
        self, budget_windows: Sequence[BudgetWindow], worst_costs: Mapping[str, int], ample_costs: Mapping[str, int] | None = None
    ) -> Reservation:
        await self.catch_up()
        lease = self._leases.begin()
        # Eager: what is queued after a cancellation runs after the reservation.
        task = start_eagerly(self._reserve(lease, budget_windows, worst_costs, ample_costs))
        try:
            reservation = await asyncio.shield(task)
        except asyncio.CancelledError:
            # The database completes the reservation anyway: release it afterwards.
            self.release(lease)
            raise
        except BaseException:
            self._leases.end([lease])
            raise
        if not reservation.amounts:
            self._leases.end([lease])
            return reservation
        return replace(reservation, id=lease)

    @override
    def reconcile(self, reservation: Reservation, budget_windows: Sequence[BudgetWindow], cost: int) -> None:
        if reservation.id or (cost and budget_windows):
            self._queue.add(Settlement(reservation.id, tuple((*budget_window, cost) for budget_window in budget_windows if cost)))

    @override
    def known(self, budget_window: BudgetWindow) -> Balance | None:
        return self._known.get(budget_window.key)

    @override
    async def read(self, budget_windows: Sequence[BudgetWindow]) -> list[Balance]:
        keys = [budget_window.key for budget_window in budget_windows]
        found = await self._database.read(lambda connection: statements.read_balances(connection, keys))
        return [found.get(key, Balance()) for key in keys]

    @override
    async def changed(
        self, budget_window: BudgetWindow, count: Callable[[Connection], int], write: Callable[[Connection], None]
    ) -> int:
        def work(connection: Connection) -> int:
            version = count(connection)
            write(connection)
            return version

        version = await self._database.write(work)
        self._known.pop(budget_window.key, None)
        return version

    @override
    async def refresh(self, budget_windows: Sequence[BudgetWindow]) -> None:
        keys = [budget_window.key for budget_window in budget_windows]
        if keys:
            found = await self._database.read(lambda connection: statements.read_balances(connection, keys))
            self._known = {key: found.get(key, Balance()) for key in keys}

    @override
    def notify_reached(self, budget_window: BudgetWindow) -> None:
        self._queue.add(Settlement("", ((*budget_window, 0),)))

    @override
    async def upkeep(self, alive: Container[str]) -> None:
        """Does nothing: the leases of budgets and limits are renewed together."""

    @override
    async def flush(self) -> None:
        await self._queue.flush()

    @override
    async def close(self) -> None:
        await self._queue.close()

    async def catch_up(self) -> None:
        """Write the pending charges and releases before a new reservation. Raises DatabaseError."""
        await self._queue.catch_up()

    def release(self, lease: str) -> None:
        """Release what a lease reserved. Never blocks and never raises."""
        self._queue.add(Settlement(lease, ()))

    async def _reserve(
        self,
        lease: str,
        budget_windows: Sequence[BudgetWindow],
        worst_costs: Mapping[str, int],
        ample_costs: Mapping[str, int] | None,
    ) -> Reservation:
        reservation, exceeded = await self._database.write(
            lambda connection: shared_statements.reserve(connection, lease, budget_windows, worst_costs, ample_costs)
        )
        for one in exceeded:
            budget_window = BudgetWindow(one.budget, one.window)
            if (known := self._known.get(budget_window.key)) is not None:
                known.warned = EXCEEDED
            self._notify_exceeded(budget_window, one.balance.spent)
        return reservation

    def _settled(self, taken: Sequence[Settlement], reached: Sequence[Reached]) -> None:
        self._losing = False
        self._leases.end(one.reservation for one in taken)
        for one in reached:
            self._notify_reached(BudgetWindow(one.budget, one.window), one.levels, one.spent)

    def _lose(self, taken: Sequence[Settlement], error: DatabaseError | None) -> None:
        self._leases.end(one.reservation for one in taken)
        if error is not None:
            _LOGGER.error("The costs of %d requests could not be charged to their budgets: %s", len(taken), error)
        elif not self._losing:
            self._losing = True
            _LOGGER.error("The database cannot be written: costs are not charged to budgets until it can")
