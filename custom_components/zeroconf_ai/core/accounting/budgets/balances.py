"""What is spent and set aside of budgets: the interface, and the accounts of a gateway that has its database for itself."""

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
from .reservations import BudgetBalance, Decision, decide, exceeded_by
from .statements import BalanceKey

_LOGGER = logging.getLogger(__name__)


class BudgetWindow(NamedTuple):
    """A budget, and the period of it that is meant."""

    budget: Budget
    window: Window

    @property
    def key(self) -> BalanceKey:
        """What its account goes by."""
        return self.budget.id, self.window.label


class Reservation(NamedTuple):
    """What was set aside for a request: how much of what, and the id that it goes by."""

    decision: Decision
    id: str = ""


class Balances(ABC):
    """Lives on one event loop."""

    def __init__(self, tell: Callable[[BudgetEvent], None]) -> None:
        """`tell` is called once for each threshold that is reached."""
        self._tell = tell

    @abstractmethod
    async def reserve(
        self, dues: Sequence[BudgetWindow], worst_costs: Mapping[str, int], ample_costs: Mapping[str, int] | None = None
    ) -> Reservation:
        """Set aside what a request may cost, all of it or nothing (`reservations.decide`). Raises DatabaseError."""

    @abstractmethod
    def settle(self, reserved: Reservation, dues: Sequence[BudgetWindow], cost: int) -> None:
        """Let go of what was set aside, and charge what it cost. Never blocks and never raises."""

    @abstractmethod
    def known(self, due: BudgetWindow) -> Balance | None:
        """What is known of a budget's period without asking the database."""

    @abstractmethod
    async def look(self, dues: Sequence[BudgetWindow]) -> list[Balance]:
        """What became of budgets; copies. Raises DatabaseError."""

    @abstractmethod
    async def changed(self, due: BudgetWindow, count: Callable[[Connection], int], write: Callable[[Connection], None]) -> int:
        """Have `write` done to what is kept of a budget, and take over what that made of it; the new count of changes.

        Raises DatabaseError, and then nothing was changed.
        """

    @abstractmethod
    async def refresh(self, dues: Sequence[BudgetWindow]) -> None:
        """See what other processes did to these budgets. Raises DatabaseError."""

    @abstractmethod
    def tell_reached(self, due: BudgetWindow) -> None:
        """Tell the thresholds of a budget that are reached and were not told."""

    @abstractmethod
    async def upkeep(self, alive: Container[str]) -> None:
        """What is to be done every few seconds; `alive` are the ids of all budgets. Raises DatabaseError."""

    @abstractmethod
    async def flush(self) -> None:
        """Charge what waits to be charged; what the batches write is left to them."""

    @abstractmethod
    async def close(self) -> None:
        """Write what waits to be written."""

    def _tell_reached(self, due: BudgetWindow, levels: Iterable[int], spent: int) -> None:
        for level in levels:
            self._tell(BudgetEvent(due.budget, level, spent, due.window))

    def _tell_exceeded(self, due: BudgetWindow, spent: int) -> None:
        """Tell that a request does not fit, unless the owner wants to hear of lower thresholds alone."""
        if EXCEEDED in due.budget.thresholds:
            self._tell(BudgetEvent(due.budget, EXCEEDED, spent, due.window, refused=True))


class MemoryBalances(Balances, QueuedWriter):
    """Reckons in memory, and leaves what was spent with the database in batches."""

    def __init__(self, database: Database, batches: WriteQueue, tell: Callable[[BudgetEvent], None]) -> None:
        """Reads an account when it is asked for first."""
        super().__init__(tell)
        self._database = database
        self._batches = batches
        self._accounts: dict[BalanceKey, Balance] = {}
        self._reading: dict[BalanceKey, asyncio.Task[None]] = {}
        self._current: dict[str, str] = {}
        """The period of each budget that was asked for last."""
        self._pending: dict[BalanceKey, tuple[int, int]] = {}
        """Spent since the last write, and the threshold that was told."""
        self._taken: Mapping[BalanceKey, tuple[int, int]] = {}
        batches.add(self)

    @override
    async def reserve(
        self, dues: Sequence[BudgetWindow], worst_costs: Mapping[str, int], ample_costs: Mapping[str, int] | None = None
    ) -> Reservation:
        while missing := next((due for due in dues if not self._is_read(due.key)), None):
            await self._read(missing)
        # Nothing waits from here on: what is decided is done before anybody else decides.
        concerned = [BudgetBalance(due.budget, due.window, self._account(due.key)) for due in dues]
        decision = decide(worst_costs, concerned, ample_costs)
        for held in decision.held:
            self._account((held.budget.id, held.window.label)).reserved += held.amount
        for one in exceeded_by(worst_costs, concerned):
            self._note_exceeded(BudgetWindow(one.budget, one.window), one.account)
        return Reservation(decision)

    @override
    def settle(self, reserved: Reservation, dues: Sequence[BudgetWindow], cost: int) -> None:
        for held in reserved.decision.held:
            self._release(held)
        for due in dues if cost else ():
            account = self._accounts.get(due.key)
            if account is not None:
                account.spent += cost
            self._note(due, cost)
        if cost and dues:
            self._batches.tell()

    @override
    def known(self, due: BudgetWindow) -> Balance | None:
        return self._accounts.get(due.key)

    @override
    async def look(self, dues: Sequence[BudgetWindow]) -> list[Balance]:
        found = []
        for due in dues:
            while not self._is_read(due.key):
                await self._read(due)
            account = self._account(due.key)
            found.append(Balance(account.spent, account.reserved, account.warned))
        return found

    @override
    async def changed(self, due: BudgetWindow, count: Callable[[Connection], int], write: Callable[[Connection], None]) -> int:
        await self._batches.flush()  # so that the database knows all that it is to change
        while not self._is_read(due.key):
            await self._read(due)

        def work(connection: Connection) -> tuple[int, Balance]:
            version = count(connection)
            write(connection)
            return version, statements.account(connection, due.key)

        account = self._account(due.key)
        before = account.spent - self._unwritten(due.key)
        version, found = await self._database.write(work)
        account.spent += found.spent - before
        account.warned = found.warned
        if due.key in self._pending:
            self._pending[due.key] = (self._unwritten(due.key), account.warned)
        return version

    @override
    async def refresh(self, dues: Sequence[BudgetWindow]) -> None:
        for due in dues:
            if due.key in self._accounts:
                await self._read(due)
        if unknown := [due for due in dues if due.key not in self._accounts]:
            keys = [due.key for due in unknown]
            found = await self._database.read(lambda connection: statements.look(connection, keys))
            for due in unknown:
                if due.key not in self._accounts and due.key not in self._pending:
                    self._accounts[due.key] = found.get(due.key, Balance())
                    self._current[due.budget.id] = due.window.label

    @override
    def tell_reached(self, due: BudgetWindow) -> None:
        self._note(due, 0)

    @override
    async def upkeep(self, alive: Container[str]) -> None:
        """Forget periods that are over and budgets that are gone, as far as nobody needs them."""
        for key, account in list(self._accounts.items()):
            over = (self._current.get(key[0]) != key[1] or key[0] not in alive) and not account.reserved
            if over and key not in self._pending and key not in self._taken and key not in self._reading:
                del self._accounts[key]
                if key[0] not in alive:
                    self._current.pop(key[0], None)

    @override
    async def flush(self) -> None:
        """The batches write all."""

    @override
    async def close(self) -> None:
        """The batches write what is left."""

    @override
    def take(self, *, last: bool) -> Write | None:
        if not self._pending:
            return None
        taken = self._taken = self._pending
        self._pending = {}
        return lambda connection: statements.add(connection, taken)

    @override
    def done(self, *, written: bool, again: bool) -> None:
        if again:
            for key, (spent, warned) in self._taken.items():
                since, told = self._pending.get(key, (0, warned))
                self._pending[key] = (spent + since, told)
        elif not written:
            _LOGGER.error(
                "What was spent of %d budgets could not be kept: after a restart they will be taken for fuller", len(self._taken)
            )
        self._taken = {}

    def _account(self, key: BalanceKey) -> Balance:
        return self._accounts.setdefault(key, Balance())

    def _release(self, held: ReservedAmount) -> None:
        account = self._accounts.get((held.budget.id, held.window.label))
        if account is not None:
            account.reserved = max(0, account.reserved - held.amount)

    def _note(self, due: BudgetWindow, spent: int) -> None:
        """Have something written, and tell what it reached."""
        account = self._accounts.get(due.key)
        before, told = self._pending.get(due.key, (0, 0))
        if account is not None and due.key not in self._reading:
            levels = account.newly_reached(due.budget)
            told = account.warned
            if spent or levels:
                self._pending[due.key] = (before + spent, told)
            self._tell_reached(due, levels, account.spent)
        elif spent:
            self._pending[due.key] = (before + spent, told)

    def _note_exceeded(self, due: BudgetWindow, account: Balance) -> None:
        """A request that costs money does not fit into what is left: tell that once within the period."""
        account.warned = EXCEEDED
        self._pending[due.key] = (self._unwritten(due.key), EXCEEDED)
        self._batches.tell()
        self._tell_exceeded(due, account.spent)

    def _is_read(self, key: BalanceKey) -> bool:
        return key in self._accounts and key not in self._reading

    def _unwritten(self, key: BalanceKey) -> int:
        return self._pending.get(key, (0, 0))[0]

    async def _read(self, due: BudgetWindow) -> None:
        """Read an account from the database, once for all who wait for it. Raises DatabaseError."""
        task = self._reading.get(due.key)
        if task is None:
            task = self._reading[due.key] = asyncio.create_task(self._read_now(due))
        await asyncio.shield(task)

    async def _read_now(self, due: BudgetWindow) -> None:
        account = self._account(due.key)
        # The database's thread does one thing after the other: what is being written is read. What is charged meanwhile is not,
        # and neither is what waits to be written.
        known = account.spent
        waiting = self._unwritten(due.key)
        try:
            found = await self._database.read(lambda connection: statements.account(connection, due.key))
        except BaseException:
            if not account.reserved:
                self._accounts.pop(due.key, None)
            raise
        finally:
            self._reading.pop(due.key, None)
        account.spent += found.spent + waiting - known
        if due.key not in self._pending:
            account.warned = found.warned
        self._current[due.budget.id] = due.window.label
        self._note(due, 0)
