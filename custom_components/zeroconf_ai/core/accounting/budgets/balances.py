"""Balances of budgets: the interface, and the implementation for a database that only one gateway uses."""

from abc import ABC, abstractmethod
import asyncio
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
import logging
from typing import NamedTuple, override

from sqlalchemy import Connection

from ..budget import EXCEEDED, Balance, Budget, BudgetEvent, ReservedAmount
from ..periods import Window
from ..storage.database import Database
from ..storage.write_queue import QueuedWriter, Write, WriteQueue
from . import statements
from .reservations import BudgetBalance, Reservation, decide, exceeded_by
from .statements import BalanceKey

_LOGGER = logging.getLogger(__name__)


class BudgetWindow(NamedTuple):
    """A budget and one of its periods."""

    budget: Budget
    window: Window

    @property
    def key(self) -> BalanceKey:
        """The primary key of its balance."""
        return self.budget.id, self.window.label


class Balances(ABC):
    """Spent and reserved amounts of budgets. Not thread-safe: all calls come from one event loop."""

    def __init__(self, notify: Callable[[BudgetEvent], None]) -> None:
        """`notify` is called once for each reached threshold."""
        self._notify = notify

    @abstractmethod
    async def reserve(
        self, budget_windows: Sequence[BudgetWindow], worst_costs: Mapping[str, int], ample_costs: Mapping[str, int] | None = None
    ) -> Reservation:
        """Reserve the maximum cost of a request from all budgets or from none (`reservations.decide`). Raises DatabaseError."""

    @abstractmethod
    def reconcile(self, reservation: Reservation, budget_windows: Sequence[BudgetWindow], cost: int) -> None:
        """Release the reserved amounts and charge the actual cost. Never blocks and never raises."""

    @abstractmethod
    def known(self, budget_window: BudgetWindow) -> Balance | None:
        """The cached balance; None until it was read from the database."""

    @abstractmethod
    async def read(self, budget_windows: Sequence[BudgetWindow]) -> list[Balance]:
        """Return copies of the current balances. Raises DatabaseError."""

    @abstractmethod
    async def changed(
        self, budget_window: BudgetWindow, count: Callable[[Connection], int], write: Callable[[Connection], None]
    ) -> int:
        """Apply `write` to the stored balance, reload the balance, and return the new version of the budgets.

        Raises DatabaseError, in which case nothing is changed.
        """

    @abstractmethod
    async def refresh(self, budget_windows: Sequence[BudgetWindow]) -> None:
        """Reload balances that other processes may have changed. Raises DatabaseError."""

    @abstractmethod
    def notify_reached(self, budget_window: BudgetWindow) -> None:
        """Notify listeners of reached thresholds that they were not notified of."""

    @abstractmethod
    async def upkeep(self, alive: Container[str]) -> None:
        """Periodic maintenance; `alive` are the ids of all existing budgets. Raises DatabaseError."""

    @abstractmethod
    async def flush(self) -> None:
        """Write pending charges that do not go through the write queue."""

    @abstractmethod
    async def close(self) -> None:
        """Write pending changes."""

    def _notify_reached(self, budget_window: BudgetWindow, levels: Iterable[int], spent: int) -> None:
        for level in levels:
            self._notify(BudgetEvent(budget_window.budget, level, spent, budget_window.window))

    def _notify_exceeded(self, budget_window: BudgetWindow, spent: int) -> None:
        """Notify of a rejected request if the budget has the 100 % threshold."""
        if EXCEEDED in budget_window.budget.thresholds:
            self._notify(BudgetEvent(budget_window.budget, EXCEEDED, spent, budget_window.window, refused=True))


class MemoryBalances(Balances, QueuedWriter):
    """Keeps balances in memory and writes spent amounts to the database in batches."""

    def __init__(self, database: Database, write_queue: WriteQueue, notify: Callable[[BudgetEvent], None]) -> None:
        """A balance is read from the database at its first use."""
        super().__init__(notify)
        self._database = database
        self._write_queue = write_queue
        self._balances: dict[BalanceKey, Balance] = {}
        self._reading: dict[BalanceKey, asyncio.Task[None]] = {}
        self._current: dict[str, str] = {}
        """The latest requested period of each budget."""
        self._pending: dict[BalanceKey, tuple[int, int]] = {}
        """Spent since the last write, and the highest notified threshold."""
        self._in_flight: Mapping[BalanceKey, tuple[int, int]] = {}
        write_queue.add(self)

    @override
    async def reserve(
        self, budget_windows: Sequence[BudgetWindow], worst_costs: Mapping[str, int], ample_costs: Mapping[str, int] | None = None
    ) -> Reservation:
        while missing := next((budget_window for budget_window in budget_windows if not self._is_read(budget_window.key)), None):
            await self._read(missing)
        # No await from here on: the decision and its reservation are atomic.
        concerned = [
            BudgetBalance(budget_window.budget, budget_window.window, self._balance(budget_window.key))
            for budget_window in budget_windows
        ]
        reservation = decide(worst_costs, concerned, ample_costs)
        for amount in reservation.amounts:
            self._balance((amount.budget.id, amount.window.label)).reserved += amount.amount
        for one in exceeded_by(worst_costs, concerned):
            self._record_exceeded(BudgetWindow(one.budget, one.window), one.balance)
        return reservation

    @override
    def reconcile(self, reservation: Reservation, budget_windows: Sequence[BudgetWindow], cost: int) -> None:
        for amount in reservation.amounts:
            self._release(amount)
        for budget_window in budget_windows if cost else ():
            balance = self._balances.get(budget_window.key)
            if balance is not None:
                balance.spent += cost
            self._record(budget_window, cost)
        if cost and budget_windows:
            self._write_queue.request_flush()

    @override
    def known(self, budget_window: BudgetWindow) -> Balance | None:
        return self._balances.get(budget_window.key)

    @override
    async def read(self, budget_windows: Sequence[BudgetWindow]) -> list[Balance]:
        found = []
        for budget_window in budget_windows:
            while not self._is_read(budget_window.key):
                await self._read(budget_window)
            balance = self._balance(budget_window.key)
            found.append(Balance(balance.spent, balance.reserved, balance.warned))
        return found

    @override
    async def changed(
        self, budget_window: BudgetWindow, count: Callable[[Connection], int], write: Callable[[Connection], None]
    ) -> int:
        await self._write_queue.flush()  # so that `write` sees all pending charges
        while not self._is_read(budget_window.key):
            await self._read(budget_window)

        def work(connection: Connection) -> tuple[int, Balance]:
            version = count(connection)
            write(connection)
            return version, statements.read_balance(connection, budget_window.key)

        balance = self._balance(budget_window.key)
        before = balance.spent - self._unwritten(budget_window.key)
        version, found = await self._database.write(work)
        balance.spent += found.spent - before
        balance.warned = found.warned
        if budget_window.key in self._pending:
            self._pending[budget_window.key] = (self._unwritten(budget_window.key), balance.warned)
        return version

    @override
    async def refresh(self, budget_windows: Sequence[BudgetWindow]) -> None:
        for budget_window in budget_windows:
            if budget_window.key in self._balances:
                await self._read(budget_window)
        if unknown := [budget_window for budget_window in budget_windows if budget_window.key not in self._balances]:
            keys = [budget_window.key for budget_window in unknown]
            found = await self._database.read(lambda connection: statements.read_balances(connection, keys))
            for budget_window in unknown:
                if budget_window.key not in self._balances and budget_window.key not in self._pending:
                    self._balances[budget_window.key] = found.get(budget_window.key, Balance())
                    self._current[budget_window.budget.id] = budget_window.window.label

    @override
    def notify_reached(self, budget_window: BudgetWindow) -> None:
        self._record(budget_window, 0)

    @override
    async def upkeep(self, alive: Container[str]) -> None:
        """Drop cached balances of past periods and deleted budgets without pending changes."""
        for key, balance in list(self._balances.items()):
            over = (self._current.get(key[0]) != key[1] or key[0] not in alive) and not balance.reserved
            if over and key not in self._pending and key not in self._in_flight and key not in self._reading:
                del self._balances[key]
                if key[0] not in alive:
                    self._current.pop(key[0], None)

    @override
    async def flush(self) -> None:
        """Does nothing: the write queue holds all charges."""

    @override
    async def close(self) -> None:
        """Does nothing: the write queue holds all charges."""

    @override
    def collect(self, *, last: bool) -> Write | None:
        if not self._pending:
            return None
        taken = self._in_flight = self._pending
        self._pending = {}
        return lambda connection: statements.add(connection, taken)

    @override
    def done(self, *, written: bool, again: bool) -> None:
        if again:
            for key, (spent, warned) in self._in_flight.items():
                since, notified = self._pending.get(key, (0, warned))
                self._pending[key] = (spent + since, notified)
        elif not written:
            _LOGGER.error(
                "The spending of %d budgets could not be stored; after a restart their balances will be too high",
                len(self._in_flight),
            )
        self._in_flight = {}

    def _balance(self, key: BalanceKey) -> Balance:
        return self._balances.setdefault(key, Balance())

    def _release(self, amount: ReservedAmount) -> None:
        balance = self._balances.get((amount.budget.id, amount.window.label))
        if balance is not None:
            balance.reserved = max(0, balance.reserved - amount.amount)

    def _record(self, budget_window: BudgetWindow, spent: int) -> None:
        """Queue a charge and notify of the thresholds it reaches."""
        balance = self._balances.get(budget_window.key)
        before, notified = self._pending.get(budget_window.key, (0, 0))
        if balance is not None and budget_window.key not in self._reading:
            levels = balance.newly_reached(budget_window.budget)
            notified = balance.warned
            if spent or levels:
                self._pending[budget_window.key] = (before + spent, notified)
            self._notify_reached(budget_window, levels, balance.spent)
        elif spent:
            self._pending[budget_window.key] = (before + spent, notified)

    def _record_exceeded(self, budget_window: BudgetWindow, balance: Balance) -> None:
        """Notify once per period that a request that costs money was rejected."""
        balance.warned = EXCEEDED
        self._pending[budget_window.key] = (self._unwritten(budget_window.key), EXCEEDED)
        self._write_queue.request_flush()
        self._notify_exceeded(budget_window, balance.spent)

    def _is_read(self, key: BalanceKey) -> bool:
        return key in self._balances and key not in self._reading

    def _unwritten(self, key: BalanceKey) -> int:
        return self._pending.get(key, (0, 0))[0]

    async def _read(self, budget_window: BudgetWindow) -> None:
        """Read a balance from the database; concurrent callers share one read. Raises DatabaseError."""
        task = self._reading.get(budget_window.key)
        if task is None:
            task = self._reading[budget_window.key] = asyncio.create_task(self._read_now(budget_window))
        await asyncio.shield(task)

    async def _read_now(self, budget_window: BudgetWindow) -> None:
        balance = self._balance(budget_window.key)
        # The database thread works sequentially, so the read includes writes in flight. It includes neither queued charges nor
        # charges made during the read.
        known = balance.spent
        waiting = self._unwritten(budget_window.key)
        try:
            found = await self._database.read(lambda connection: statements.read_balance(connection, budget_window.key))
        except BaseException:
            if not balance.reserved:
                self._balances.pop(budget_window.key, None)
            raise
        finally:
            self._reading.pop(budget_window.key, None)
        balance.spent += found.spent + waiting - known
        if budget_window.key not in self._pending:
            balance.warned = found.warned
        self._current[budget_window.budget.id] = budget_window.window.label
        self._record(budget_window, 0)
