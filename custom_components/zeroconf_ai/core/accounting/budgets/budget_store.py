"""`BudgetStore`: budgets and their current state (docs/accounting.md, "Budgets")."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, tzinfo
import logging
import time

from sqlalchemy import Connection, func, select

from ...protocol.errors import InvalidRequestError, UnavailableError
from .. import audit
from ..admission import AdmissionRequest
from ..audit import AuditEvent
from ..budget import EXCEEDED, Action, Balance, Budget, BudgetEvent, Scope, budget_id as id_of, budgets_by_subject, make_budget
from ..periods import Period, Window, Windows
from ..storage.database import Database
from ..storage.leases import Leases
from ..storage.tables import key_rollups, rollups
from ..storage.write_queue import WriteQueue
from . import statements
from .balances import Balances, BudgetWindow, MemoryBalances
from .reservations import NO_RESERVATION, BudgetBalance, Reservation, decide
from .shared_balances import SharedBalances

_LOGGER = logging.getLogger(__name__)

_LIMIT_PREFIX = "limit:"
_RATE_SHARE = 0.1
"""The share of a period after which its rate is used for a forecast."""


@dataclass(frozen=True, slots=True)
class BudgetState:
    """A budget with its current balance, in nano-units."""

    budget: Budget
    period: Window
    spent: int
    reserved: int
    """Reserved for requests in progress."""
    refused: bool = False
    """Whether a request was rejected within this period because the remaining balance was too small."""

    @property
    def left(self) -> int:
        """The unspent amount."""
        return max(0, self.budget.amount - self.spent)

    @property
    def exceeded(self) -> bool:
        """Whether the full amount is spent or a request was rejected."""
        return self.refused or self.spent >= self.budget.amount

    @property
    def percent(self) -> float:
        """The spent share."""
        return 100.0 * self.spent / self.budget.amount if self.budget.amount else 100.0

    def spent_at(self, now: float) -> float | None:
        """When all is spent at the rate of this period so far, in seconds since the epoch; None: not within the period.

        None also in the first tenth of the period, whose rate says little, and for a budget that is spent already.
        """
        passed, length = now - self.period.start, self.period.end - self.period.start
        if self.spent <= 0 or self.spent >= self.budget.amount or passed < _RATE_SHARE * length:
            return None
        when = self.period.start + passed * self.budget.amount / self.spent
        return when if when < self.period.end else None


class BudgetStore:
    """All budgets. Not thread-safe: all calls come from one event loop."""

    def __init__(
        self,
        database: Database,
        write_queue: WriteQueue,
        zone: tzinfo,
        leases: Leases | None = None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Empty until `refresh` is called. `zone` is the home's time zone; with `leases`, other gateways use the same database.

        `clock` returns seconds since the epoch.
        """
        self._database = database
        self._write_queue = write_queue
        self._clock = clock
        self._changing = asyncio.Lock()
        self._budgets: dict[str, Budget] = {}
        self._by_subject: Mapping[tuple[Scope, str], tuple[Budget, ...]] = {}
        self._limits: dict[str, Budget] = {}
        """Monthly limits by backend id, as budgets. The caller stores them."""
        self._version = -1
        self._windows = Windows(zone)
        self._listeners: list[Callable[[BudgetEvent], None]] = []
        self._watchers: list[Callable[[], None]] = []
        self.balances: Balances = (
            MemoryBalances(database, write_queue, self._notify)
            if leases is None
            else SharedBalances(database, leases, self._notify)
        )
        self._shared = leases is not None

    def __iter__(self) -> Iterator[Budget]:
        """All budgets."""
        return iter(list(self._budgets.values()))

    def __len__(self) -> int:
        return len(self._budgets)

    @property
    def zone(self) -> tzinfo:
        """The home's time zone. May be changed at any time."""
        return self._windows.zone

    @zone.setter
    def zone(self, zone: tzinfo) -> None:
        self._windows.zone = zone

    def get(self, budget_id: str) -> Budget | None:
        """The budget with an id, or None."""
        return self._budgets.get(budget_id)

    def of(self, scope: Scope, subject: str | None = None) -> tuple[Budget, ...]:
        """The budgets of a key, a user, a backend, or (without `subject`) the household."""
        return self._by_subject.get((Scope(scope), subject or ""), ())

    def state(self, budget_id: str) -> BudgetState:
        """The cached state of a budget or a backend's monthly limit. Raises KeyError for an unknown id."""
        budget = self._named(budget_id)
        budget_window = self._budget_window(budget, self._clock())
        balance = self.balances.known(budget_window) or Balance()
        return BudgetState(budget, budget_window.window, balance.spent, balance.reserved, balance.warned >= EXCEEDED)

    @property
    def limits(self) -> tuple[Budget, ...]:
        """The monthly limits of backends, as budgets."""
        return tuple(self._limits.values())

    def limit(self, backend_id: str) -> Budget | None:
        """The monthly limit of a backend, as a budget."""
        return self._limits.get(backend_id)

    def set_limits(self, amounts: Mapping[str, int]) -> None:
        """Replace the monthly limits (nano-units by backend id). The caller stores them."""
        if {backend_id: limit.amount for backend_id, limit in self._limits.items()} == dict(amounts):
            return
        self._limits = {}
        for backend_id, amount in amounts.items():
            self._limit(backend_id, amount)
        self.invalidate()  # the next refresh reads their balances
        self._notify_listeners()

    def month_cost(self, backend_id: str) -> int:
        """The cost of a backend this month in nano-units; 0 for backends without a monthly limit."""
        limit = self._limits.get(backend_id)
        balance = None if limit is None else self.balances.known(self._budget_window(limit, self._clock()))
        return 0 if balance is None else balance.spent

    def listen(self, callback: Callable[[BudgetEvent], None]) -> Callable[[], None]:
        """Call `callback` once per period for each threshold that a budget reaches; returns a function that unsubscribes.

        The first rejected request reaches the 100 % threshold. Of gateways that share a database, only one is notified.
        """
        return _subscribe(self._listeners, callback)

    def watch(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` when this or another process sets, resets or removes a budget; returns a function that unsubscribes."""
        return _subscribe(self._watchers, callback)

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
        """Create a budget, or replace the one with the same subject and period.

        A new budget starts with the cost that the ledger recorded within the period. Without `action` and `thresholds`, an
        existing budget keeps its own; a new one gets `Action.FREE_ONLY` and `DEFAULT_THRESHOLDS`. `actor` goes into the audit
        log. Raises ValueError for invalid values, DatabaseError.
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
        budget_window = self._budget_window(budget, self._clock())

        def write(connection: Connection) -> None:
            if statements.save(connection, budget):
                statements.start_balance(connection, budget_window.key, _spent_before(connection, budget_window))
            else:
                # After an increase, thresholds that are reached again notify again.
                balance = statements.read_balance(connection, budget_window.key)
                statements.record_warning(connection, budget_window.key, min(balance.warned, balance.reached(budget)))

        await self._write_queue.flush()
        async with self._changing:
            await self._change(budget_window, write, AuditEvent(time.time(), actor, "budget.set", budget.id))
            self._replace_budgets([*(other for other in self._budgets.values() if other.id != budget.id), budget])
        self.balances.notify_reached(budget_window)
        self._notify_listeners()
        return budget

    async def reset(self, budget_id: str, *, actor: str = "") -> None:
        """Set the spent amount of a budget or a monthly limit to 0. Raises KeyError for an unknown id, DatabaseError."""
        budget_window = self._budget_window(self._named(budget_id), self._clock())
        async with self._changing:
            act = AuditEvent(time.time(), actor, "budget.reset", budget_id)
            await self._change(budget_window, lambda connection: statements.reset(connection, budget_id), act)
        self._notify_listeners()

    async def remove(self, budget_id: str, *, actor: str = "") -> None:
        """Delete a budget. Raises KeyError for an unknown id, DatabaseError."""
        budget_window = self._budget_window(self._budgets[budget_id], self._clock())
        async with self._changing:
            act = AuditEvent(time.time(), actor, "budget.remove", budget_id)
            await self._change(budget_window, lambda connection: statements.remove(connection, budget_id), act)
            self._replace_budgets([other for other in self._budgets.values() if other.id != budget_id])
        self._notify_listeners()

    async def reserve(self, asked: AdmissionRequest) -> Reservation:
        """Reserve the maximum cost of a request; the result has the shortfall if that fails.

        Raises DatabaseError, and InvalidRequestError if the request uses an unpriced feature at every paid backend.
        """
        budget_windows = self._all_budget_windows(asked)
        if not budget_windows:
            return NO_RESERVATION
        costs, unpriced = _priced(asked, budget_windows)
        reservation = await self.balances.reserve(budget_windows, costs, asked.ample_costs)
        return replace(reservation, barred=reservation.barred | unpriced) if unpriced else reservation

    def decide_unused(self, asked: AdmissionRequest) -> tuple[Sequence[BudgetWindow], Reservation]:
        """The budgets that apply to a request, and what `reserve` would return if nothing were spent or reserved.

        Nothing is reserved. Raises InvalidRequestError if the request uses an unpriced feature at every paid backend.
        """
        budget_windows = self._all_budget_windows(asked)
        if not budget_windows:
            return (), NO_RESERVATION
        costs, unpriced = _priced(asked, budget_windows)
        reservation = decide(
            costs, [BudgetBalance(*budget_window, Balance()) for budget_window in budget_windows], asked.ample_costs
        )
        return budget_windows, replace(reservation, barred=reservation.barred | unpriced) if unpriced else reservation

    def decide_now(self, asked: AdmissionRequest) -> Reservation:
        """What `reserve` would return with the cached balances. Nothing is reserved. Raises like `reserve`."""
        budget_windows = self._all_budget_windows(asked)
        if not budget_windows:
            return NO_RESERVATION
        costs, unpriced = _priced(asked, budget_windows)
        balances = [BudgetBalance(*one, self.balances.known(one) or Balance()) for one in budget_windows]
        reservation = decide(costs, balances, asked.ample_costs)
        return replace(reservation, barred=reservation.barred | unpriced) if unpriced else reservation

    def reconcile(
        self,
        asked: AdmissionRequest,
        reservation: Reservation,
        backend_id: str | None,
        cost: int,
        costs: Mapping[str, int] | None = None,
    ) -> None:
        """Release the reservation of a request and charge its actual cost. Never blocks and never raises.

        `costs` has the cost by backend id if several backends were paid.
        """
        if not costs:
            budget_windows = self._budget_windows(asked, () if backend_id is None else (backend_id,)) if cost else []
            self.balances.reconcile(reservation, budget_windows, cost)
            return
        cost = sum(costs.values())
        self.balances.reconcile(reservation, self._budget_windows(asked, ()) if cost else [], cost)
        for paid, part in costs.items():
            own = [
                budget_window
                for budget_window in self._budget_windows(asked, (paid,))
                if budget_window.budget.scope is Scope.BACKEND
            ]
            self.balances.reconcile(NO_RESERVATION, own, part)

    @property
    def any(self) -> bool:
        """Whether any budget or monthly limit exists."""
        return bool(self._budgets or self._limits)

    def invalidate(self) -> None:
        """Make the next `refresh` read all budgets even if their version is unchanged."""
        self._version = -1

    async def refresh(self) -> None:
        """Reload budgets that other processes changed. Raises DatabaseError."""
        async with self._changing:
            version = self._version
            loaded = await self._database.read(lambda connection: statements.load(connection, other_than=version))
            if loaded is not None:
                self._version = loaded.version
                self._replace_budgets(loaded.budgets)
            if loaded is not None or self._shared:
                now = self._clock()
                await self.balances.refresh(
                    [self._budget_window(budget, now) for budget in (*self._budgets.values(), *self._limits.values())]
                )
            await self.balances.upkeep(self._budgets.keys() | {limit.id for limit in self._limits.values()})
        if loaded is not None:
            self._notify_listeners()

    async def tidy(self) -> None:
        """Delete balances older than `statements.KEEP_DAYS`. Raises DatabaseError."""
        until = datetime.fromtimestamp(self._clock(), UTC).date() - timedelta(days=statements.KEEP_DAYS)
        await self._database.write(lambda connection: statements.prune(connection, until.isoformat()))

    async def _change(self, budget_window: BudgetWindow, write: Callable[[Connection], None], act: AuditEvent) -> None:
        def noted(connection: Connection) -> None:
            write(connection)
            audit.add(connection, act)

        await self.balances.flush()  # charges made before the change must not be applied after it
        version = await self.balances.changed(budget_window, statements.count_change, noted)
        if version == self._version + 1:  # otherwise another process changed something too, and the next `refresh` reads all
            self._version = version

    def _named(self, budget_id: str) -> Budget:
        """The budget or monthly limit with an id. Raises KeyError."""
        if budget_id.startswith(_LIMIT_PREFIX):
            return self._limits[budget_id.removeprefix(_LIMIT_PREFIX)]
        return self._budgets[budget_id]

    def _replace_budgets(self, budgets: Iterable[Budget]) -> None:
        self._budgets = {budget.id: budget for budget in sorted(budgets, key=lambda budget: budget.id)}
        self._by_subject = budgets_by_subject(tuple(self._budgets.values()))

    def _limit(self, backend_id: str, amount: int) -> None:
        known = self._limits.get(backend_id)
        if known is None or known.amount != amount:
            name = f"{_LIMIT_PREFIX}{backend_id}"
            self._limits[backend_id] = Budget(name, Scope.BACKEND, backend_id, amount, Period.MONTH, Action.FREE_ONLY)

    def _all_budget_windows(self, asked: AdmissionRequest) -> list[BudgetWindow]:
        """The budgets that apply to a request, whichever backend answers."""
        for backend_id, amount in asked.monthly_limits.items():
            self._limit(backend_id, amount)
        return self._budget_windows(asked, asked.worst_costs.keys() | asked.monthly_limits.keys())

    def _budget_windows(self, asked: AdmissionRequest, backends: Iterable[str]) -> list[BudgetWindow]:
        """The budgets that apply to a request."""
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
        return [self._budget_window(budget, asked.created) for budget in found]

    def _budget_window(self, budget: Budget, moment: float) -> BudgetWindow:
        return BudgetWindow(budget, self._windows.at(budget.period, moment))

    def _notify(self, event: BudgetEvent) -> None:
        if event.refused:
            _LOGGER.info("A request was rejected because the remaining balance of the budget %s is too small", event.budget.id)
        else:
            _LOGGER.info("Budget %s: %d %% spent", event.budget.id, event.threshold)
        for listener in list(self._listeners):
            try:
                listener(event)
            except Exception:  # a failing listener must not fail the request
                _LOGGER.exception("A listener for events of the budget %s failed", event.budget.id)

    def _notify_listeners(self) -> None:
        for watcher in list(self._watchers):
            watcher()


def _priced(asked: AdmissionRequest, budget_windows: Iterable[BudgetWindow]) -> tuple[Mapping[str, int], frozenset[str]]:
    """The maximum cost by backend, and the backends excluded because a budget applies and the cost there is unknown.

    Raises InvalidRequestError if no backend remains, or UnavailableError if that is for want of exchange rates only.
    """
    uncovered = {**asked.unpriced, **asked.unconverted}
    if not uncovered:
        return asked.worst_costs, frozenset()
    scopes = [budget_window.budget for budget_window in budget_windows]
    everywhere = any(budget.scope is not Scope.BACKEND for budget in scopes)
    barred = {backend_id for backend_id in uncovered if everywhere or any(b.subject == backend_id for b in scopes)}
    costs = {backend_id: cost for backend_id, cost in asked.worst_costs.items() if backend_id not in barred}
    if not costs and not asked.unpriced:
        currency = next(iter(asked.unconverted.values()))
        message = f"No exchange rate is set for {currency}, so a budget cannot cover costs in it. Ask the owner to set one."
        raise UnavailableError(message, code="exchange_rate_missing")
    if not costs:
        param = next(iter(asked.unpriced.values()))
        message = f"The cost of '{param}' is not known in advance, so a budget cannot cover it. Remove it."
        raise InvalidRequestError(message, param=param, code="unsupported_value")
    return costs, frozenset(barred)


def _spent_before(connection: Connection, budget_window: BudgetWindow) -> int:
    """The cost that the ledger recorded within the period before the budget existed."""
    budget = budget_window.budget
    by_key = budget.scope in (Scope.KEY, Scope.USER)
    table = key_rollups if by_key else rollups
    statement = select(func.coalesce(func.sum(table.c.budget_cost), 0)).where(
        table.c.day >= date.fromisoformat(budget_window.window.label)
    )
    if budget.scope is not Scope.HOUSEHOLD:
        statement = statement.where(table.c[f"{budget.scope}_id"] == budget.subject)
    return int(connection.execute(statement).scalar_one())


def _subscribe[T](listeners: list[T], callback: T) -> Callable[[], None]:
    listeners.append(callback)

    def stop() -> None:
        if callback in listeners:
            listeners.remove(callback)

    return stop
