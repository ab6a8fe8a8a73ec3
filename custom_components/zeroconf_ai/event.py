"""Event entities: availability and failovers of providers, budget thresholds, unusual use of API keys."""

from collections.abc import Callable
from datetime import datetime
from typing import override

from homeassistant.components.event import DOMAIN as EVENT_DOMAIN, EventEntity, EventEntityDescription
from homeassistant.core import HassJob, HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.event import async_call_later

from .core.accounting.budget import BudgetEvent, Scope
from .core.accounting.keys.key_watch import UnusualUse
from .core.protocol.values import NANO, clean
from .core.routing.pool.events import EventKind, RoutingEvent
from .data import DATA
from .entity import GatewayEntity, ProviderEntity, add_provider_entities, add_usage_entities
from .gateway.runtime import GatewayRuntime
from .pool_coordinator import SHOW_SECONDS
from .runtime import ZeroconfAIConfigEntry
from .usage.coordinators import UsageTracker
from .usage.entity import BudgetEntity

PARALLEL_UPDATES = 0

LONGEST_REASON = 255

AVAILABILITY = EventEntityDescription(
    key="availability",
    translation_key="availability",
    entity_registry_enabled_default=False,
    event_types=[kind.value for kind in EventKind],
)


async def async_setup_entry(
    hass: HomeAssistant, entry: ZeroconfAIConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """One for each provider, those of budgets, and one for the API keys of the gateway."""
    add_provider_entities(entry, async_add_entities, lambda coordinator: [ProviderEvent(coordinator, AVAILABILITY)])
    add_usage_entities(entry, async_add_entities, usage_events, EVENT_DOMAIN)
    if (gateway := entry.runtime_data.gateway) is not None:
        async_add_entities([KeyEventEntity(gateway)])


class ProviderEvent(ProviderEntity, EventEntity):
    """The events of a provider, with the attributes `reason` and, for a failover, `to` (the next provider).

    Of events of one type within a second, only the first and then the last one are fired, the latter with their number (`count`),
    because under load each request may be a failover.
    """

    _shown_available: bool | None = None

    @override
    async def async_added_to_hass(self) -> None:
        await super().async_added_to_hass()
        self._delayed: dict[EventKind, tuple[RoutingEvent, int]] = {}
        self._pauses: dict[EventKind, Callable[[], None]] = {}
        pool = self.hass.data[DATA].engine.pool
        self.async_on_remove(pool.listen(self._on_pool, self.coordinator.member_id))
        self.async_on_remove(self._cancel_pauses)

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        """Write the state only if the availability changed; the state itself is the last event."""
        if self.available is not self._shown_available:
            self._shown_available = self.available
            self.async_write_ha_state()

    @callback
    def _on_pool(self, event: RoutingEvent | None) -> None:
        if event is None:
            return
        if event.kind in self._pauses:
            self._delayed[event.kind] = event, self._delayed.get(event.kind, (event, 0))[1] + 1
        else:
            self._fire(event, 1)

    def _fire(self, event: RoutingEvent, count: int) -> None:
        attributes: dict[str, str | int] = {"reason": clean(event.reason, LONGEST_REASON)} if event.reason else {}
        if event.to is not None:
            following = self.hass.data[DATA].engine.pool.get(event.to)
            attributes["to"] = following.name if following else event.to
        if count > 1:
            attributes["count"] = count
        self._trigger_event(event.kind.value, attributes)
        self.async_write_ha_state()

        @callback
        def end_pause(_: datetime) -> None:
            del self._pauses[event.kind]
            if (delayed := self._delayed.pop(event.kind, None)) is not None:
                self._fire(*delayed)

        self._pauses[event.kind] = async_call_later(self.hass, SHOW_SECONDS, HassJob(end_pause, cancel_on_shutdown=True))

    @callback
    def _cancel_pauses(self) -> None:
        for cancel in self._pauses.values():
            cancel()
        self._pauses.clear()


THRESHOLD_REACHED = "threshold_reached"
EXCEEDED = "exceeded"

BUDGET_EVENT = EventEntityDescription(
    key="budget_event",
    translation_key="budget_event",
    entity_registry_enabled_default=False,
    event_types=[THRESHOLD_REACHED, EXCEEDED],
)


UNUSUAL_USE = "unusual_use"

KEY_EVENT = EventEntityDescription(
    key="key_event", translation_key="key_event", entity_registry_enabled_default=False, event_types=[UNUSUAL_USE]
)


class KeyEventEntity(GatewayEntity, EventEntity):
    """API keys with unusual use (`KeyWatch`), each at most once an hour."""

    def __init__(self, gateway: GatewayRuntime) -> None:
        """An entity of the gateway's device."""
        super().__init__(gateway.coordinator, KEY_EVENT)
        self._gateway = gateway

    @override
    async def async_added_to_hass(self) -> None:
        await super().async_added_to_hass()
        self.async_on_remove(self._gateway.key_watch.listen(self._on_unusual_use))

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        """Nothing to write: the state is the last event."""

    @callback
    def _on_unusual_use(self, report: UnusualUse) -> None:
        key = self._gateway.store.keys.get(report.key_id)
        self._trigger_event(
            UNUSUAL_USE,
            {
                "key": report.key_id,
                "name": "" if key is None else clean(key.name),
                "requests": report.requests,
                "tokens": report.tokens,
                "usual_requests": round(report.usual.requests, 3),
                "usual_tokens": round(report.usual.tokens, 3),
            },
        )
        self.async_write_ha_state()


class BudgetEventEntity(BudgetEntity, EventEntity):
    """The thresholds of a usage tracker's budgets, each once per period. The household's includes budgets of users."""

    @property
    @override
    def offered(self) -> bool:
        tracker = self.coordinator
        of_users = tracker.scope is Scope.HOUSEHOLD and any(budget.scope is Scope.USER for budget in tracker.store.budgets)
        return super().offered or of_users

    @override
    async def async_added_to_hass(self) -> None:
        await super().async_added_to_hass()
        self.async_on_remove(self.coordinator.listen_budgets(self._on_threshold))

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        """Nothing to write: the state is the last event."""

    @callback
    def _on_threshold(self, event: BudgetEvent) -> None:
        budget = event.budget
        self._trigger_event(
            EXCEEDED if event.threshold >= 100 else THRESHOLD_REACHED,
            {
                "threshold": event.threshold,
                "scope": budget.scope.value,
                "subject": clean(budget.subject),
                "period": budget.period.value,
                "amount": budget.amount / NANO,
                "spent": event.spent / NANO,
            },
        )
        self.async_write_ha_state()


def usage_events(tracker: UsageTracker) -> list[BudgetEventEntity]:
    """The event entities of a usage tracker; Home Assistant's own agents have no budget."""
    return [] if tracker.is_agent else [BudgetEventEntity(tracker, BUDGET_EVENT)]
