"""Usage trackers: what the entities show of the usage of the household, of each backend of the gateway and of each API key.

The figures are the accounting store's totals, which survive a restart. Entities are updated once a second.
"""

from collections import deque
from collections.abc import Callable
from datetime import datetime
import logging
import time
from typing import NamedTuple, override

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HassJob, HomeAssistant, callback
from homeassistant.helpers.event import async_call_later
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator

from ..core.accounting.budget import BudgetEvent, Scope
from ..core.accounting.budgets.budget_store import BudgetState
from ..core.accounting.store import AccountingStore
from ..core.accounting.usage.generation import Generation, Outcome
from ..core.accounting.usage.totals import Subject, UsageSummary
from ..core.protocol.errors import RateLimitError
from ..data import DATA
from ..pool_coordinator import SHOW_SECONDS, MemberCoordinator
from .currency import COST_KEYS, CostCurrency

_LOGGER = logging.getLogger(__name__)

RECENT_REQUESTS = 100
"""The number of requests (for a backend: attempts) that speed, latency and error rate are computed from."""
RATE_LIMITED_SECONDS = 60.0
"""How long the rate-limited state is shown after a rejected request."""


class _RecentRequest(NamedTuple):
    """The figures kept of one request."""

    outcome: Outcome
    first_token: float | None
    tokens: int
    seconds: float
    """The time in which its tokens arrived."""


class RecentRequests:
    """The last `RECENT_REQUESTS` requests since the start."""

    def __init__(self) -> None:
        """Starts empty."""
        self._seen: deque[_RecentRequest] = deque(maxlen=RECENT_REQUESTS)

    def add(self, generation: Generation) -> None:
        """Add a request, or an attempt that was answered."""
        tokens, first = generation.usage.completion_tokens, generation.first_token
        seconds = generation.duration - (first if generation.stream and first is not None else 0.0)
        self._seen.append(_RecentRequest(generation.outcome, first, tokens, max(0.0, seconds)))

    def add_failed_attempt(self) -> None:
        """Add a failed attempt."""
        self._seen.append(_RecentRequest(Outcome.ERROR, None, 0, 0.0))

    @property
    def tokens_per_second(self) -> float | None:
        """Over all answers; None without answers."""
        answered = [seen for seen in self._seen if seen.outcome is Outcome.OK and seen.tokens]
        seconds = sum(seen.seconds for seen in answered)
        return sum(seen.tokens for seen in answered) / seconds if seconds else None

    @property
    def error_rate(self) -> float | None:
        """Per cent of all requests that were not cancelled; None without requests."""
        ended = [seen for seen in self._seen if seen.outcome is not Outcome.CANCELLED]
        return 100.0 * sum(seen.outcome is Outcome.ERROR for seen in ended) / len(ended) if ended else None

    def first_token(self, percent: int) -> float | None:
        """The given percentile of the time to first token in seconds; None without answers."""
        found = sorted(seen.first_token for seen in self._seen if seen.first_token is not None)
        return found[max(0, -(-len(found) * percent // 100) - 1)] if found else None


class UsageTracker(DataUpdateCoordinator[None]):
    """The usage of the household, one backend or one key, which has a device."""

    config_entry: ConfigEntry

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry,
        store: AccountingStore,
        scope: Scope,
        subject: str,
        *,
        device: str,
        name: str,
        subentry_id: str | None = None,
        is_agent: bool = False,
    ) -> None:
        """`device` is the device identifier; `subject` the id of the backend or key, "" for the household.

        `is_agent`: the backend is a Home Assistant agent, which has no cost of its own.
        """
        super().__init__(hass, _LOGGER, config_entry=entry, name=name)
        self.store = store
        self.scope = scope
        self.subject = subject
        self.device = device
        self.subentry_id = subentry_id
        self.is_agent = is_agent
        self.recent = RecentRequests()
        self._budget_listeners: list[Callable[[BudgetEvent], None]] = []
        self._show_job = HassJob(self._show, f"update usage of {name}", cancel_on_shutdown=True)
        self._cancel_show: Callable[[], None] | None = None
        self._cancel_limited: Callable[[], None] | None = None
        self._resting_until = 0.0
        self._stop_following: Callable[[], None] | None = None
        self._currency = CostCurrency(hass, [f"{device}_{key}" for key in COST_KEYS])
        self.summary = self._read()
        """The displayed usage."""

    @override
    async def _async_update_data(self) -> None:
        """Nothing to fetch: each request is recorded."""

    @property
    def budgets(self) -> list[BudgetState]:
        """Its budgets (and a backend's monthly limit), the one with the highest spent share first."""
        budgets = self.store.budgets
        own = [*budgets.of(self.scope, self.subject or None)]
        if self.scope is Scope.BACKEND and (limit := budgets.limit(self.subject)) is not None:
            own.append(limit)
        return sorted(map(budgets.state, (budget.id for budget in own)), key=lambda state: state.percent, reverse=True)

    @property
    def cost_currency(self) -> str | None:
        """The currency of its costs (`CostCurrency`), preferably Home Assistant's; None before the first cost."""
        return self._currency.of(self.summary.total.costs, self.hass.config.currency)

    @property
    def currency(self) -> str:
        """The currency of its budgets."""
        return self.hass.data[DATA].engine.exchange.currency or self.cost_currency or self.hass.config.currency

    @property
    def rate_limited(self) -> bool:
        """Whether a rate limit rejected a request in the last minute; for a backend, whether it is rate limited upstream."""
        return self._cancel_limited is not None

    @callback
    def add(self, generation: Generation) -> None:
        """Record a request. Must be cheap: it runs for every request."""
        if self.scope is not Scope.BACKEND or generation.outcome is not Outcome.ERROR:  # else it is among the failed attempts
            self.recent.add(generation)
        if generation.error_code == RateLimitError.default_code and self.scope is not Scope.BACKEND:
            self._show_rate_limited(RATE_LIMITED_SECONDS)
        self.note()

    @callback
    def add_failed_attempt(self) -> None:
        """Record a failed attempt of the backend."""
        self.recent.add_failed_attempt()
        self.note()

    @callback
    def follow(self, backend: MemberCoordinator) -> None:
        """Also listen to the backend, to show when an upstream rate limit begins and ends."""
        self._stop_following = backend.async_add_listener(self._on_backend)

    @callback
    def _on_backend(self) -> None:
        member = self.hass.data[DATA].engine.pool.get(self.subject)
        until = 0.0 if member is None else member.resting_until
        if until == self._resting_until:
            return
        self._resting_until = until
        if (seconds := until - time.monotonic()) > 0:
            self._show_rate_limited(seconds)
        self.async_update_listeners()

    @callback
    def note(self) -> None:
        """Schedule an update of the entities, at most one per second."""
        if self._cancel_show is None:
            self._cancel_show = async_call_later(self.hass, SHOW_SECONDS, self._show_job)

    @callback
    @override
    def async_update_listeners(self) -> None:
        self._cancel_pending_show()
        self.summary = self._read()
        super().async_update_listeners()

    @callback
    def listen_budgets(self, listener: Callable[[BudgetEvent], None]) -> Callable[[], None]:
        """Call `listener` with each threshold that one of its budgets reaches; returns a function that unsubscribes."""
        self._budget_listeners.append(listener)
        return lambda: self._budget_listeners.remove(listener)

    @callback
    def notify_threshold(self, event: BudgetEvent) -> None:
        """Notify the listeners of a reached threshold."""
        for listener in tuple(self._budget_listeners):
            listener(event)
        self.async_update_listeners()

    @callback
    def close(self) -> None:
        """Cancel timers and listeners. May be called twice."""
        self._cancel_pending_show()
        if self._cancel_limited is not None:
            self._cancel_limited()
            self._cancel_limited = None
        if self._stop_following is not None:
            self._stop_following()
            self._stop_following = None

    @override
    async def async_shutdown(self) -> None:
        self.close()
        await super().async_shutdown()

    def _read(self) -> UsageSummary:
        totals = self.store.totals
        if self.scope is Scope.HOUSEHOLD:
            return totals.household
        return totals.of(Subject(self.scope.value), self.subject)

    def _show_rate_limited(self, seconds: float) -> None:
        if self._cancel_limited is not None:
            self._cancel_limited()
        job = HassJob(self._end_rate_limited, f"end rate limit of {self.name}", cancel_on_shutdown=True)
        self._cancel_limited = async_call_later(self.hass, seconds, job)

    @callback
    def _end_rate_limited(self, _: datetime) -> None:
        self._cancel_limited = None
        self.async_update_listeners()

    @callback
    def _show(self, _: datetime) -> None:
        self._cancel_show = None
        self.async_update_listeners()

    def _cancel_pending_show(self) -> None:
        if self._cancel_show is not None:
            self._cancel_show()
            self._cancel_show = None
