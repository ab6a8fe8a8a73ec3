"""`StoreAdmissionControl`: checks rate limits, then budgets. If the budgets reject a request, its rate limits are released."""

from collections.abc import Callable, Mapping
from datetime import datetime, tzinfo
import logging
import time
from typing import override

from ..protocol.errors import ApiError, QuotaError, UnavailableError
from .admission import Admission, AdmissionControl, AdmissionRequest, Admitted, Preview, RateLimitStatus
from .budget import Action, Scope, format_amount
from .budgets.budget_store import BudgetStore
from .budgets.reservations import Reservation, Shortfall
from .limits.rate_limits import AcquiredLimits, RateLimiter
from .shared_admission import SharedAdmission
from .storage.database import DatabaseError
from .storage.write_queue import WriteQueue
from .usage.generation import Generation

_LOGGER = logging.getLogger(__name__)

HELD_SECONDS = 5.0
"""The retry delay if the missing amount is reserved for requests in progress."""
DATABASE_SECONDS = 10.0
"""The retry delay while the shared database is unavailable."""
UNWRITTEN_SECONDS = 30.0
"""How long writing may fail before metered backends are blocked: costs that are in memory only are lost with a restart."""
CLOSED_SECONDS = 60.0
"""The retry delay while metered backends are blocked."""


class MeteredClosed(AdmissionControl):
    """Admits requests to free backends only, while there should be budgets but their database cannot be opened."""

    def __init__(self, applies: Callable[[], bool]) -> None:
        """`applies`: whether that is still the case."""
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
        found = self.preview(asked)
        return Admitted(found.barred, found.refusal)

    @override
    def preview(self, asked: AdmissionRequest) -> Preview:
        barred = _metered(asked) if self._applies() else frozenset()
        if not barred:
            return Preview()
        refusal = _closed("database_unavailable", "The gateway's database cannot be opened, so the remaining budget is unknown.")
        if barred >= asked.worst_costs.keys():
            raise refusal
        return Preview(barred, refusal)


class StoreAdmissionControl(AdmissionControl):
    """Admission control with the limits and budgets of an accounting store. Used on one event loop."""

    def __init__(
        self, limits: RateLimiter, budgets: BudgetStore, batches: WriteQueue, shared: SharedAdmission | None = None
    ) -> None:
        """All belong to the accounting store. `shared` for a database that gateways share."""
        self._shared = shared
        self._limits = limits
        self._budgets = budgets
        self._batches = batches
        self.loss_unconfirmed = False
        """Whether keys and budgets were lost and the owner has not confirmed the loss."""

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
            both = None if self._shared is None else await self._shared.acquire(asked)
            acquired = await self._limits.enter(asked) if both is None else both[0]
            try:
                reservation = await self._budgets.reserve(asked) if both is None else both[1]
                if reservation.shortfall is not None:
                    raise _refused(reservation.shortfall, asked, self._budgets.zone)
                barred = acquired.barred | reservation.barred | (_metered(asked) if self.free_only else frozenset())
                refusal = self._refusal(asked, acquired, reservation) if barred else None
                if refusal is not None and asked.worst_costs and barred >= asked.worst_costs.keys():
                    self._budgets.reconcile(asked, reservation, None, 0)
                    raise refusal
            except BaseException:
                self._limits.undo(acquired)
                raise
        except DatabaseError as err:
            _LOGGER.warning("A request was rejected, because limits and budgets cannot be read: %s", err)
            message = "The gateway's database is unavailable, so the remaining budget is unknown. Try again in a moment."
            raise UnavailableError(message, code="database_unavailable", retry_after=DATABASE_SECONDS) from None
        return _StoreAdmission(self._limits, self._budgets, asked, acquired, reservation, barred, refusal)

    @override
    def preview(self, asked: AdmissionRequest) -> Preview:
        reservation = self._budgets.decide_now(asked)
        if reservation.shortfall is not None:
            raise _refused(reservation.shortfall, asked, self._budgets.zone)
        metered = _metered(asked) if self.free_only else frozenset()
        barred = reservation.barred | metered
        if not barred:
            return Preview()
        refusal = self._closed() if metered else _all_barred()
        if reservation.shortfall_of_barred is not None and not metered:
            refusal = _refused(reservation.shortfall_of_barred, asked, self._budgets.zone)
        if asked.worst_costs and barred >= asked.worst_costs.keys():
            raise refusal
        return Preview(barred, refusal)

    def _refusal(self, asked: AdmissionRequest, acquired: AcquiredLimits, reservation: Reservation) -> ApiError:
        """The error for a request that only excluded backends could answer."""
        if self.free_only and _metered(asked):
            return self._closed()
        if reservation.shortfall_of_barred is not None and not acquired.barred:
            return _refused(reservation.shortfall_of_barred, asked, self._budgets.zone)
        if acquired.refusal is not None and not reservation.barred:
            return acquired.refusal
        return _all_barred()

    def _closed(self) -> ApiError:
        """The reason why metered backends are blocked."""
        if self.loss_unconfirmed:
            message = "The gateway's database was lost or damaged, with its budgets."
            return _closed("budgets_lost", message, " until the gateway's owner confirms the loss")
        return _closed("database_unavailable", "The gateway's database cannot be written, so costs cannot be recorded.")

    @override
    async def rate_limit_status(self, key_id: str | None, user_id: str | None, address: str | None) -> RateLimitStatus:
        try:
            return await self._limits.rate_limit_status(key_id, user_id, address)
        except DatabaseError:
            return RateLimitStatus()

    @override
    def month_cost(self, backend_id: str) -> int:
        return self._budgets.month_cost(backend_id)


class _StoreAdmission(Admission):
    """Holds what the limits and the budgets of the store gave to one request."""

    __slots__ = ("_acquired", "_asked", "_barred", "_budgets", "_limits", "_reconciled", "_refusal", "_reservation")

    def __init__(
        self,
        limits: RateLimiter,
        budgets: BudgetStore,
        asked: AdmissionRequest,
        acquired: AcquiredLimits,
        reservation: Reservation,
        barred: frozenset[str],
        refusal: ApiError | None,
    ) -> None:
        self._limits = limits
        self._budgets = budgets
        self._asked = asked
        self._acquired = acquired
        self._reservation = reservation
        self._barred = barred
        self._refusal = refusal
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
    def refusal(self) -> ApiError | None:
        return self._refusal

    @property
    @override
    def allowances(self) -> Mapping[str, int] | None:
        return self._reservation.allowances

    @override
    def reconcile(self, generation: Generation, costs: Mapping[str, int] | None = None) -> None:
        if self._reconciled:
            return
        self._reconciled = True
        cost = generation.usage.cost if generation.cost is None else generation.budget_cost
        try:
            self._budgets.reconcile(self._asked, self._reservation, generation.backend_id, cost or 0, costs)
        except Exception:  # the rest of the clean-up must run
            _LOGGER.exception("The cost of request %s could not be charged to its budgets", generation.id)
        try:
            self._limits.reconcile(self._acquired, generation.backend_id, generation.usage.total_tokens)
        except Exception:
            _LOGGER.exception("The tokens of request %s could not be counted for its rate limits", generation.id)


def _refused(shortfall: Shortfall, asked: AdmissionRequest, zone: tzinfo) -> ApiError:
    """The error for a rejected request: what is left and what to do."""
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
            f"{words} has {left} left besides what is reserved for requests in progress, and this request may cost up to "
            f"{needed}. Try again when those are finished."
        )
        return QuotaError(message, retry_after=HELD_SECONDS)
    shorter = asked.limits_answer and asked.answer_tokens > 1
    fewer = f"Ask for a shorter answer (max_tokens below {asked.answer_tokens})" if shorter else "Ask for less"
    message = (
        f"{words} has {left} left, and this request may cost up to {needed}. {fewer}, wait {until}, or ask its owner for more."
    )
    return QuotaError(message, retry_after=wait)


def _metered(asked: AdmissionRequest) -> frozenset[str]:
    """Ids of the backends that cost money for this request."""
    return frozenset(backend_id for backend_id, cost in asked.worst_costs.items() if cost)


def _closed(code: str, reason: str, until: str = "") -> ApiError:
    message = f"{reason} Providers that cost money are blocked{until}, and no other provider can answer this."
    return UnavailableError(message, code=code, retry_after=CLOSED_SECONDS)


def _all_barred() -> ApiError:
    message = "All providers that could answer this have reached their rate limit or their budget."
    return UnavailableError(f"{message} Try again in a minute, or choose another model.", code="no_provider", retry_after=60.0)
