"""`BudgetStore`: who may spend how much, and how much that is by now (docs/accounting.md, "Budgets")."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, tzinfo
import logging
import time
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from ...protocol.errors import InvalidRequestError
from .. import audit
from ..admission import AdmissionRequest
from ..audit import Act
from ..budget import EXCEEDED, Action, Balance, Budget, BudgetEvent, Scope, budget_id as id_of, listed, make_budget
from ..periods import Period, Window, Windows
from ..storage.database import Database
from ..storage.leases import Leases
from ..storage.tables import key_rollups, rollups
from ..storage.write_queue import WriteQueue
from . import statements
from .balances import Balances, BudgetWindow, MemoryBalances, Reservation
from .reservations import Decision
from .shared_balances import SharedBalances

_LOGGER = logging.getLogger(__name__)

_NOTHING = Decision()
_LIMIT_PREFIX = "limit:"


@dataclass(frozen=True, slots=True)
class BudgetState:
    """A budget as it is now. Nano-units."""

    budget: Budget
    period: Window
    spent: int
    reserved: int
    """Set aside for requests that are being answered."""
    refused: bool = False
    """Whether a request that costs money did not fit into what was left, within this period."""

    @property
    def left(self) -> int:
        """What is not spent."""
        return max(0, self.budget.amount - self.spent)

    @property
    def exceeded(self) -> bool:
        """Whether all of it is spent, or too little is left for what was asked."""
        return self.refused or self.spent >= self.budget.amount

    @property
    def percent(self) -> float:
        """How much of it is spent."""
        return 100.0 * self.spent / self.budget.amount if self.budget.amount else 100.0


class BudgetReservation(NamedTuple):
    """What is set aside for one request, until it is settled."""

    asked: AdmissionRequest
    reserved: Reservation
    limited: bool = False
    """Whether any budget concerns it."""


class BudgetStore:
    """All budgets. Lives on one event loop."""

    def __init__(
        self,
        database: Database,
        batches: WriteQueue,
        zone: tzinfo,
        leases: Leases | None = None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Empty until `refresh` is called. `zone` is the home's; with `leases`, other gateways use the same database.

        `clock` tells seconds since the epoch.
        """
        self._database = database
        self._batches = batches
        self._clock = clock
        self._changing = asyncio.Lock()
        self._budgets: dict[str, Budget] = {}
        self._by_subject: Mapping[tuple[Scope, str], tuple[Budget, ...]] = {}
        self._limits: dict[str, Budget] = {}
        """The monthly limits of backends, which are kept elsewhere, as budgets."""
        self._version = -1
        self._windows = Windows(zone)
        self._listeners: list[Callable[[BudgetEvent], None]] = []
        self._watchers: list[Callable[[], None]] = []
        self.accounts: Balances = (
            MemoryBalances(database, batches, self._told) if leases is None else SharedBalances(database, leases, self._told)
        )
        self._shared = leases is not None

    def __iter__(self) -> Iterator[Budget]:
        """All budgets."""
        return iter(list(self._budgets.values()))

    def __len__(self) -> int:
        return len(self._budgets)

    @property
    def zone(self) -> tzinfo:
        """The time zone of the home. May be set at any time."""
        return self._windows.zone

    @zone.setter
    def zone(self, zone: tzinfo) -> None:
        self._windows.zone = zone

    def get(self, budget_id: str) -> Budget | None:
        """The budget with an id, or None."""
        return self._budgets.get(budget_id)

    def of(self, scope: Scope, subject: str | None = None) -> tuple[Budget, ...]:
        """The budgets of a key, a user, a backend or (without one) the household."""
        return self._by_subject.get((Scope(scope), subject or ""), ())

    def state(self, budget_id: str) -> BudgetState:
        """A budget or a backend's monthly limit as it is now, by what is known here. Raises KeyError without it."""
        budget = self._named(budget_id)
        due = self._due(budget, self._clock())
        account = self.accounts.known(due) or Balance()
        return BudgetState(budget, due.window, account.spent, account.reserved, account.warned >= EXCEEDED)

    @property
    def limits(self) -> tuple[Budget, ...]:
        """The monthly limits of backends, as budgets."""
        return tuple(self._limits.values())

    def limit(self, backend_id: str) -> Budget | None:
        """The monthly limit of a backend, as a budget."""
        return self._limits.get(backend_id)

    def set_limits(self, amounts: Mapping[str, int]) -> None:
        """Have these monthly limits of backends, in nano-units by id, and no others. They are kept by the caller."""
        if {backend_id: limit.amount for backend_id, limit in self._limits.items()} == dict(amounts):
            return
        self._limits = {}
        for backend_id, amount in amounts.items():
            self._limit(backend_id, amount)
        self.read_again()  # with what was spent of them
        self._announce()

    def month_cost(self, backend_id: str) -> int:
        """What a backend that has a monthly limit cost this month, in nano-units; 0 for others."""
        limit = self._limits.get(backend_id)
        account = None if limit is None else self.accounts.known(self._due(limit, self._clock()))
        return 0 if account is None else account.spent

    def listen(self, callback: Callable[[BudgetEvent], None]) -> Callable[[], None]:
        """Call `callback` once for each threshold that a budget reaches within a period; returns what ends it.

        The first request that does not fit into what is left reaches the last one. Of gateways that share a database, one alone
        is told.
        """
        return _join(self._listeners, callback)

    def watch(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` whenever a budget was set, reset or removed, here or by another process; returns what ends it."""
        return _join(self._watchers, callback)

    async def set(
        self,
        scope: Scope,
        subject: str | None,
        amount: int,
        period: Period,
        *,
        action: Action | None = None,
        thresholds: Iterable[int] | None = None,
        actor: str = "",
    ) -> Budget:
        """Set a budget, in the place of the one that this subject has for such a period.

        What was spent already within the period counts, as the ledger knows it. `action` and `thresholds` that are not given
        stay as they are; those of a new budget are `Action.FREE_ONLY` and `DEFAULT_THRESHOLDS`. `actor` is who does it, for the
        log of acts (`audit.Act`). Raises ValueError for what can be no budget, DatabaseError.
        """
        known = self._budgets.get(id_of(Scope(scope), subject or "", Period(period)))
        kept = Budget("", scope, "", 0, period) if known is None else known
        budget = make_budget(
            scope,
            subject,
            amount,
            period,
            kept.action if action is None else action,
            kept.thresholds if thresholds is None else thresholds,
        )
        due = self._due(budget, self._clock())

        def write(connection: Connection) -> None:
            if statements.put(connection, budget):
                statements.begin(connection, due.key, _spent_before(connection, due))
            else:
                # More money: what is reached again is told again.
                account = statements.account(connection, due.key)
                statements.warn(connection, due.key, min(account.warned, account.reached(budget)))

        await self._batches.flush()
        async with self._changing:
            await self._change(due, write, Act(time.time(), actor, "budget.set", budget.id))
            self._take_over([*(other for other in self._budgets.values() if other.id != budget.id), budget])
        self.accounts.tell_reached(due)
        self._announce()
        return budget

    async def reset(self, budget_id: str, *, actor: str = "") -> None:
        """Let nothing be spent of a budget or a monthly limit, until more is. Raises KeyError without it, DatabaseError."""
        due = self._due(self._named(budget_id), self._clock())
        async with self._changing:
            act = Act(time.time(), actor, "budget.reset", budget_id)
            await self._change(due, lambda connection: statements.reset(connection, budget_id), act)
        self._announce()

    async def remove(self, budget_id: str, *, actor: str = "") -> None:
        """Take a budget away. Raises KeyError without it, DatabaseError."""
        due = self._due(self._budgets[budget_id], self._clock())
        async with self._changing:
            act = Act(time.time(), actor, "budget.remove", budget_id)
            await self._change(due, lambda connection: statements.remove(connection, budget_id), act)
            self._take_over([other for other in self._budgets.values() if other.id != budget_id])
        self._announce()

    async def reserve(self, asked: AdmissionRequest) -> BudgetReservation:
        """Set aside the most that a request may cost, or see what it is short of (`BudgetReservation.reserved.decision`).

        Raises DatabaseError, and InvalidRequestError where every backend would take money for what has no price.
        """
        for backend_id, amount in asked.monthly_limits.items():
            self._limit(backend_id, amount)
        backends = asked.worst_costs.keys() | asked.monthly_limits.keys()
        dues = self._dues(asked, backends)
        if not dues:
            return BudgetReservation(asked, Reservation(_NOTHING))
        costs, unpriced = _priced(asked, dues)
        reserved = await self.accounts.reserve(dues, costs, asked.ample_costs)
        if unpriced:
            decision = reserved.decision
            reserved = reserved._replace(decision=replace(decision, barred=decision.barred | unpriced))
        return BudgetReservation(asked, reserved, limited=True)

    def settle(self, hold: BudgetReservation, backend_id: str | None, cost: int, costs: Mapping[str, int] | None = None) -> None:
        """Charge what a request cost in the place of what was set aside for it. Never blocks and never raises.

        `costs` by the ids of the backends, where more than one was paid.
        """
        if not costs:
            dues = self._dues(hold.asked, () if backend_id is None else (backend_id,)) if cost else []
            self.accounts.settle(hold.reserved, dues, cost)
            return
        cost = sum(costs.values())
        self.accounts.settle(hold.reserved, self._dues(hold.asked, ()) if cost else [], cost)
        for paid, part in costs.items():
            own = [due for due in self._dues(hold.asked, (paid,)) if due.budget.scope is Scope.BACKEND]
            self.accounts.settle(Reservation(_NOTHING), own, part)

    @property
    def any(self) -> bool:
        """Whether there is any budget at all."""
        return bool(self._budgets or self._limits)

    def read_again(self) -> None:
        """Have the next `refresh` read all budgets, although nobody counted a change."""
        self._version = -1

    async def refresh(self) -> None:
        """See what other processes did to the budgets. Raises DatabaseError."""
        async with self._changing:
            version = self._version
            loaded = await self._database.read(lambda connection: statements.load(connection, other_than=version))
            if loaded is not None:
                self._version = loaded.version
                self._take_over(loaded.budgets)
            if loaded is not None or self._shared:
                now = self._clock()
                await self.accounts.refresh(
                    [self._due(budget, now) for budget in (*self._budgets.values(), *self._limits.values())]
                )
            await self.accounts.upkeep(self._budgets.keys() | {limit.id for limit in self._limits.values()})
        if loaded is not None:
            self._announce()

    async def tidy(self) -> None:
        """Forget what was spent long ago. Raises DatabaseError."""
        until = datetime.fromtimestamp(self._clock(), UTC).date() - timedelta(days=statements.KEEP_DAYS)
        await self._database.write(lambda connection: statements.prune(connection, until.isoformat()))

    async def _change(self, due: BudgetWindow, write: Callable[[Connection], None], act: Act) -> None:
        def noted(connection: Connection) -> None:
            write(connection)
            audit.add(connection, act)

        await self.accounts.flush()  # what was spent before is not to be charged after
        version = await self.accounts.changed(due, statements.count_change, noted)
        if version == self._version + 1:  # else others changed something since, and the next `refresh` reads it all
            self._version = version

    def _named(self, budget_id: str) -> Budget:
        """The budget or monthly limit with an id. Raises KeyError without it."""
        if budget_id.startswith(_LIMIT_PREFIX):
            return self._limits[budget_id.removeprefix(_LIMIT_PREFIX)]
        return self._budgets[budget_id]

    def _take_over(self, budgets: Iterable[Budget]) -> None:
        self._budgets = {budget.id: budget for budget in sorted(budgets, key=lambda budget: budget.id)}
        self._by_subject = listed(tuple(self._budgets.values()))

    def _limit(self, backend_id: str, amount: int) -> None:
        known = self._limits.get(backend_id)
        if known is None or known.amount != amount:
            name = f"{_LIMIT_PREFIX}{backend_id}"
            self._limits[backend_id] = Budget(name, Scope.BACKEND, backend_id, amount, Period.MONTH, Action.FREE_ONLY)

    def _dues(self, asked: AdmissionRequest, backends: Iterable[str]) -> list[BudgetWindow]:
        """What a request falls under."""
        if not self.any:
            return []
        found = [*self._by_subject.get((Scope.HOUSEHOLD, ""), ())]
        if asked.key_id is not None:
            found += self._by_subject.get((Scope.KEY, asked.key_id), ())
        if asked.user_id is not None:
            found += self._by_subject.get((Scope.USER, asked.user_id), ())
        for backend_id in backends:
            found += self._by_subject.get((Scope.BACKEND, backend_id), ())
            if backend_id in asked.monthly_limits and (limit := self._limits.get(backend_id)) is not None:
                found.append(limit)
        return [self._due(budget, asked.created) for budget in found]

    def _due(self, budget: Budget, moment: float) -> BudgetWindow:
        return BudgetWindow(budget, self._windows.at(budget.period, moment))

    def _told(self, event: BudgetEvent) -> None:
        if event.refused:
            _LOGGER.info("A request does not fit into what is left of the budget %s", event.budget.id)
        else:
            _LOGGER.info("%d %% of the budget %s are spent", event.threshold, event.budget.id)
        for listener in list(self._listeners):
            try:
                listener(event)
            except Exception:  # one that fails must not cost a request
                _LOGGER.exception("A listener failed on the budget %s", event.budget.id)

    def _announce(self) -> None:
        for watcher in list(self._watchers):
            watcher()


def _priced(asked: AdmissionRequest, dues: Iterable[BudgetWindow]) -> tuple[Mapping[str, int], frozenset[str]]:
    """What must be set aside by backend, and the backends that a budget bars because the request's cost there is not known.

    Raises InvalidRequestError where that leaves none.
    """
    if not asked.unpriced:
        return asked.worst_costs, frozenset()
    scopes = [due.budget for due in dues]
    everywhere = any(budget.scope is not Scope.BACKEND for budget in scopes)
    barred = {backend_id for backend_id in asked.unpriced if everywhere or any(b.subject == backend_id for b in scopes)}
    costs = {backend_id: cost for backend_id, cost in asked.worst_costs.items() if backend_id not in barred}
    if not costs:
        param = next(iter(asked.unpriced.values()))
        message = f"What '{param}' costs is not known before, so it cannot be paid from a budget. Leave it out."
        raise InvalidRequestError(message, param=param, code="unsupported_value")
    return costs, frozenset(barred)


def _spent_before(connection: Connection, due: BudgetWindow) -> int:
    """What the ledger knows that was spent within the period before there was a budget for it."""
    budget = due.budget
    by_key = budget.scope in (Scope.KEY, Scope.USER)
    table = key_rollups if by_key else rollups
    statement = select(func.coalesce(func.sum(table.c.cost), 0)).where(table.c.day >= date.fromisoformat(due.window.label))
    if budget.scope is not Scope.HOUSEHOLD:
        statement = statement.where(table.c[f"{budget.scope}_id"] == budget.subject)
    return int(connection.execute(statement).scalar_one())


def _join[T](listeners: list[T], callback: T) -> Callable[[], None]:
    listeners.append(callback)

    def stop() -> None:
        if callback in listeners:
            listeners.remove(callback)

    return stop
