"""`StoreAdmissionControl`: limits first, then budgets; what one let in and the other did not is given back."""

from collections.abc import Callable, Mapping
from datetime import datetime, tzinfo
import logging
import time
from typing import override

from ..protocol.errors import ApiError, QuotaError, UnavailableError
from .admission import Admission, AdmissionControl, AdmissionRequest, RateLimitStatus
from .budget import Action, Scope, format_amount
from .budgets.budget_store import BudgetStore
from .budgets.reservations import Reservation, Shortfall
from .limits.rate_limits import AcquiredLimits, RateLimiter
from .storage.database import DatabaseError
from .storage.write_queue import WriteQueue
from .usage.generation import Generation

_LOGGER = logging.getLogger(__name__)

HELD_SECONDS = 5.0
"""When to come back where the money is only set aside for requests that are being answered."""
DATABASE_SECONDS = 10.0
"""When to come back where the shared database cannot be asked."""
UNWRITTEN_SECONDS = 30.0
"""So long may the database take nothing: what is spent is in memory alone then, and a restart would forget it."""
CLOSED_SECONDS = 60.0
"""When to come back where backends that cost money are closed."""


class MeteredClosed(AdmissionControl):
    """Lets only backends answer that cost nothing, while there should be budgets and their database cannot be opened."""

    def __init__(self, applies: Callable[[], bool]) -> None:
        """`applies`: whether it is still so."""
        self._applies = applies

    @property
    @override
    def counts_money(self) -> bool:
        return self._applies()

    @property
    @override
    def free_only(self) -> bool:
        return self._applies()

    @override
    async def admit(self, asked: AdmissionRequest) -> Admission:
        barred = _metered(asked) if self._applies() else frozenset()
        if barred and barred >= asked.worst_costs.keys():
            raise _closed("database_unavailable", "The gateway's database cannot be opened, so what may be spent is unknown.")
        return _Free(barred)


class _Free(Admission):
    """Nothing is set aside for it."""

    def __init__(self, barred: frozenset[str]) -> None:
        self._barred = barred

    @property
    @override
    def headers(self) -> Mapping[str, str]:
        return {}

    @property
    @override
    def barred(self) -> frozenset[str]:
        return self._barred

    @override
    def reconcile(self, generation: Generation, costs: Mapping[str, int] | None = None) -> None:
        pass


class StoreAdmissionControl(AdmissionControl):
    """What the books know of limits and budgets. Lives on one event loop."""

    def __init__(self, limits: RateLimiter, budgets: BudgetStore, batches: WriteQueue) -> None:
        """The accounting store owns all of them."""
        self._limits = limits
        self._budgets = budgets
        self._batches = batches
        self.loss_unconfirmed = False
        """Whether keys and budgets were lost and their owner has not confirmed that."""

    @property
    @override
    def counts_money(self) -> bool:
        return self._budgets.any or self.free_only

    @property
    @override
    def free_only(self) -> bool:
        return self.loss_unconfirmed or self._batches.unwritten_seconds > UNWRITTEN_SECONDS

    @override
    async def admit(self, asked: AdmissionRequest) -> Admission:
        try:
            acquired = await self._limits.enter(asked)
            try:
                reservation = await self._budgets.reserve(asked)
                if reservation.shortfall is not None:
                    raise _refused(reservation.shortfall, asked, self._budgets.zone)
                barred = acquired.barred | reservation.barred
                if self.free_only:
                    barred |= _metered(asked)
                    if asked.worst_costs and barred >= asked.worst_costs.keys():
                        self._budgets.reconcile(asked, reservation, None, 0)
                        raise self._closed()
                if asked.worst_costs and barred >= asked.worst_costs.keys():
                    self._budgets.reconcile(asked, reservation, None, 0)
                    raise _all_barred()
            except BaseException:
                self._limits.undo(acquired)
                raise
        except DatabaseError as err:
            _LOGGER.warning("Limits and budgets cannot be asked, so a request was refused: %s", err)
            message = "The gateway's database cannot be asked, so nobody knows what may still be spent. Try again in a moment."
            raise UnavailableError(message, code="database_unavailable", retry_after=DATABASE_SECONDS) from None
        return _StoreAdmission(self._limits, self._budgets, asked, acquired, reservation, barred)

    def _closed(self) -> ApiError:
        """Why backends that cost money are closed."""
        if self.loss_unconfirmed:
            message = "The gateway's database was lost or damaged, and its budgets with it."
            return _closed("budgets_lost", message, " until the gateway's owner confirms that")
        return _closed("database_unavailable", "The gateway's database cannot be written, so what is spent cannot be recorded.")

    @override
    async def standing(self, key_id: str | None, user_id: str | None, address: str | None) -> RateLimitStatus:
        try:
            return await self._limits.standing(key_id, user_id, address)
        except DatabaseError:
            return RateLimitStatus()

    @override
    def month_cost(self, backend_id: str) -> int:
        return self._budgets.month_cost(backend_id)


class _StoreAdmission(Admission):
    """Holds what the limits and the budgets of the store gave to one request."""

    __slots__ = ("_acquired", "_asked", "_barred", "_budgets", "_limits", "_reconciled", "_reservation")

    def __init__(
        self,
        limits: RateLimiter,
        budgets: BudgetStore,
        asked: AdmissionRequest,
        acquired: AcquiredLimits,
        reservation: Reservation,
        barred: frozenset[str],
    ) -> None:
        self._limits = limits
        self._budgets = budgets
        self._asked = asked
        self._acquired = acquired
        self._reservation = reservation
        self._barred = barred
        self._reconciled = False

    @property
    @override
    def headers(self) -> Mapping[str, str]:
        return self._acquired.headers

    @property
    @override
    def barred(self) -> frozenset[str]:
        return self._barred

    @property
    @override
    def allowances(self) -> Mapping[str, int] | None:
        return self._reservation.allowances

    @override
    def reconcile(self, generation: Generation, costs: Mapping[str, int] | None = None) -> None:
        if self._reconciled:
            return
        self._reconciled = True
        cost = generation.usage.cost if generation.cost is None else generation.cost
        try:
            self._budgets.reconcile(self._asked, self._reservation, generation.backend_id, cost or 0, costs)
        except Exception:  # whatever it is, the rest of the clean-up goes on
            _LOGGER.exception("What request %s cost could not be charged to its budgets", generation.id)
        try:
            self._limits.reconcile(self._acquired, generation.backend_id, generation.usage.total_tokens)
        except Exception:
            _LOGGER.exception("What request %s used could not be counted", generation.id)


def _refused(shortfall: Shortfall, asked: AdmissionRequest, zone: tzinfo) -> ApiError:
    """The error, which says how much is left and what to do."""
    budget = shortfall.budget
    renews = datetime.fromtimestamp(shortfall.window.end, zone)
    until = f"until it renews ({renews:%Y-%m-%d %H:%M})"
    words = budget.words[0].upper() + budget.words[1:]
    wait = max(1.0, shortfall.window.end - time.time())
    free = budget.action is Action.FREE_ONLY and budget.scope is not Scope.BACKEND
    if shortfall.exhausted:
        only = ", and no provider that costs nothing can answer this" if free else ""
        message = f"{words} is spent{only}. Wait {until}, or ask its owner for more."
        return QuotaError(message, retry_after=wait)
    left, needed = format_amount(shortfall.left), format_amount(shortfall.needed)
    if shortfall.held:
        message = (
            f"{words} has {left} left beside what is set aside for requests that are being answered, and this one may cost up to "
            f"{needed}. Try again when those are done."
        )
        return QuotaError(message, retry_after=HELD_SECONDS)
    shorter = asked.limits_answer and asked.answer_tokens > 1
    fewer = f"Ask for a shorter answer (max_tokens below {asked.answer_tokens})" if shorter else "Ask for less"
    message = (
        f"{words} has {left} left, and this request may cost up to {needed}. {fewer}, wait {until}, or ask its owner for more."
    )
    return QuotaError(message, retry_after=wait)


def _metered(asked: AdmissionRequest) -> frozenset[str]:
    """Ids of the backends that would cost money."""
    return frozenset(backend_id for backend_id, cost in asked.worst_costs.items() if cost)


def _closed(code: str, reason: str, until: str = "") -> ApiError:
    message = f"{reason} Providers that cost money are closed{until}, and no other can answer this."
    return UnavailableError(message, code=code, retry_after=CLOSED_SECONDS)


def _all_barred() -> ApiError:
    message = "Every provider that could answer this was asked as often as its owner allows, or its budget is spent."
    return UnavailableError(f"{message} Try again in a minute, or choose another model.", code="no_provider", retry_after=60.0)
