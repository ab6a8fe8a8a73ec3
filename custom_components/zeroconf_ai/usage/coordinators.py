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

RECENT = 100
"""Speed, delay and failures are those of so many requests."""
RATE_LIMITED_SECONDS = 60.0
"""So long after a refusal it is shown that the limit was met."""


class _Seen(NamedTuple):
    """What is kept of a request."""

    outcome: Outcome
    first_token: float | None
    tokens: int
    seconds: float
    """In which its tokens came."""


class Recent:
    """The last requests: since the start, and no more than `RECENT`."""

    def __init__(self) -> None:
        """None yet."""
        self._seen: deque[_Seen] = deque(maxlen=RECENT)

    def add(self, generation: Generation) -> None:
        """Add a request."""
        tokens, first = generation.usage.completion_tokens, generation.first_token
        seconds = generation.duration - (first if generation.stream and first is not None else 0.0)
        self._seen.append(_Seen(generation.outcome, first, tokens, max(0.0, seconds)))

    @property
    def tokens_per_second(self) -> float | None:
        """Of all answers together; None where there are none."""
        answered = [seen for seen in self._seen if seen.outcome is Outcome.OK and seen.tokens]
        seconds = sum(seen.seconds for seen in answered)
        return sum(seen.tokens for seen in answered) / seconds if seconds else None

    @property
    def error_rate(self) -> float | None:
        """Per cent of those that nobody broke off; None where there are none."""
        ended = [seen for seen in self._seen if seen.outcome is not Outcome.CANCELLED]
        return 100.0 * sum(seen.outcome is Outcome.ERROR for seen in ended) / len(ended) if ended else None

    def first_token(self, percent: int) -> float | None:
        """Within how many seconds so many per cent of the answers began; None where there are none."""
        found = sorted(seen.first_token for seen in self._seen if seen.first_token is not None)
        return found[max(0, -(-len(found) * percent // 100) - 1)] if found else None


class UsageTracker(DataUpdateCoordinator[None]):
    """Whose use it is, with a device. Lives from when there is one until it is gone."""

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
        """`device` is what its device goes by; `subject` the id of the backend or key, "" for the household.

        `is_agent`: it is an agent of this home, which costs nothing itself.
        """
        super().__init__(hass, _LOGGER, config_entry=entry, name=name)
        self.store = store
        self.scope = scope
        self.subject = subject
        self.device = device
        self.subentry_id = subentry_id
        self.is_agent = is_agent
        self.recent = Recent()
        self._budget_listeners: list[Callable[[BudgetEvent], None]] = []
        self._show_job = HassJob(self._show, f"show account {name}", cancel_on_shutdown=True)
        self._cancel_show: Callable[[], None] | None = None
        self._cancel_limited: Callable[[], None] | None = None
        self._resting_until = 0.0
        self._stop_following: Callable[[], None] | None = None
        self._currency = CostCurrency(hass, [f"{device}_{key}" for key in COST_KEYS])
        self.standing = self._read()
        """What it used, as it is shown."""

    @property
    def budgets(self) -> list[BudgetState]:
        """Its budgets and a backend's monthly limit as they are now, the one first that is nearest to its end."""
        budgets = self.store.budgets
        own = [*budgets.of(self.scope, self.subject or None)]
        if self.scope is Scope.BACKEND and (limit := budgets.limit(self.subject)) is not None:
            own.append(limit)
        return sorted(map(budgets.state, (budget.id for budget in own)), key=lambda state: state.percent, reverse=True)

    @property
    def cost_currency(self) -> str | None:
        """What its costs are shown in (`CostCurrency`), Home Assistant's currency first; None before the first real cost."""
        return self._currency.of(self.standing.total.costs, self.hass.config.currency)

    @property
    def currency(self) -> str:
        """What its budgets are shown in."""
        return self.cost_currency or self.hass.config.currency

    @property
    def rate_limited(self) -> bool:
        """Whether a request of it was refused for a limit within the last minute; of a backend, whether it asks for a rest."""
        return self._cancel_limited is not None

    @property
    def error_rate(self) -> float | None:
        """Per cent; of a backend, of all attempts since the start, also where another provider answered then."""
        if self.scope is not Scope.BACKEND:
            return self.recent.error_rate
        member = self.hass.data[DATA].engine.pool.get(self.subject)
        attempts = 0 if member is None else member.tally.requests + member.tally.errors
        return None if member is None or not attempts else 100.0 * member.tally.errors / attempts

    @callback
    def add(self, generation: Generation) -> None:
        """Note a request. Must cost next to nothing."""
        self.recent.add(generation)
        if generation.error_code == RateLimitError.default_code and self.scope is not Scope.BACKEND:
            self._limit(RATE_LIMITED_SECONDS)
        self.note()

    @callback
    def follow(self, backend: MemberCoordinator) -> None:
        """Follow its backend, too: that it asks to be left alone is shown, and that this is over."""
        self._stop_following = backend.async_add_listener(self._on_backend)

    @callback
    def _on_backend(self) -> None:
        member = self.hass.data[DATA].engine.pool.get(self.subject)
        until = 0.0 if member is None else member.resting_until
        if until == self._resting_until:
            return
        self._resting_until = until
        if (seconds := until - time.time()) > 0:
            self._limit(seconds)
        self.async_update_listeners()

    @callback
    def note(self) -> None:
        """Something changed that is shown with all else of this second."""
        if self._cancel_show is None:
            self._cancel_show = async_call_later(self.hass, SHOW_SECONDS, self._show_job)

    @callback
    @override
    def async_update_listeners(self) -> None:
        self._forget_show()
        self.standing = self._read()
        super().async_update_listeners()

    @callback
    def listen_budgets(self, listener: Callable[[BudgetEvent], None]) -> Callable[[], None]:
        """Call `listener` with each threshold that one of its budgets reaches; returns what ends it."""
        self._budget_listeners.append(listener)
        return lambda: self._budget_listeners.remove(listener)

    @callback
    def tell(self, event: BudgetEvent) -> None:
        """A threshold was reached."""
        for listener in tuple(self._budget_listeners):
            listener(event)
        self.async_update_listeners()

    @callback
    def close(self) -> None:
        """End it. Safe to call twice."""
        self._forget_show()
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

    def _limit(self, seconds: float) -> None:
        if self._cancel_limited is not None:
            self._cancel_limited()
        job = HassJob(self._unlimit, f"limit over {self.name}", cancel_on_shutdown=True)
        self._cancel_limited = async_call_later(self.hass, seconds, job)

    @callback
    def _unlimit(self, _: datetime) -> None:
        self._cancel_limited = None
        self.async_update_listeners()

    @callback
    def _show(self, _: datetime) -> None:
        self._cancel_show = None
        self.async_update_listeners()

    def _forget_show(self) -> None:
        if self._cancel_show is not None:
            self._cancel_show()
            self._cancel_show = None
