"""Number entities: priority of providers, concurrent requests of the gateway, monthly budgets."""

from typing import override

from homeassistant.components.number import (
    DOMAIN as NUMBER_DOMAIN,
    NumberDeviceClass,
    NumberEntity,
    NumberEntityDescription,
    NumberMode,
)
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import CONF_CONCURRENCY, DOMAIN, LARGEST_BUDGET
from .core.accounting.budget import Budget, Scope
from .core.accounting.periods import Period
from .core.accounting.storage.database import DatabaseError
from .core.protocol.values import NANO
from .entity import GatewayEntity, ProviderEntity, add_provider_entities, add_usage_entities
from .runtime import ZeroconfAIConfigEntry
from .usage.coordinators import UsageTracker
from .usage.entity import UsageEntity
from .usage.monthly_limit import store_monthly_limit

PARALLEL_UPDATES = 1

PRIORITY = NumberEntityDescription(
    key="priority",
    translation_key="priority",
    entity_category=EntityCategory.CONFIG,
    entity_registry_enabled_default=False,
    mode=NumberMode.BOX,
    native_min_value=0,
    native_max_value=65535,  # the range of an SRV priority (RFC 2782)
    native_step=1,
)


CONCURRENCY = NumberEntityDescription(
    key="concurrency",
    translation_key="concurrency",
    entity_category=EntityCategory.CONFIG,
    entity_registry_enabled_default=False,
    mode=NumberMode.BOX,
    native_min_value=0,
    native_max_value=1000,
    native_step=1,
)


async def async_setup_entry(
    hass: HomeAssistant, entry: ZeroconfAIConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """One for each provider, and one for the gateway."""
    add_provider_entities(entry, async_add_entities, lambda coordinator: [ProviderPriority(coordinator, PRIORITY)])
    add_usage_entities(entry, async_add_entities, usage_numbers, NUMBER_DOMAIN)
    if (gateway := entry.runtime_data.gateway) is not None:
        async_add_entities([GatewayConcurrency(gateway.coordinator, CONCURRENCY)])


class ProviderPriority(ProviderEntity, NumberEntity):
    """The provider's own priority until the owner sets one; lower is preferred."""

    @property
    @override
    def native_value(self) -> int | None:
        return self.coordinator.priority

    @override
    async def async_set_native_value(self, value: float) -> None:
        self.coordinator.set_priority(int(value))


class GatewayConcurrency(GatewayEntity, NumberEntity):
    """Maximum number of concurrent requests of all backends together; 0: no limit."""

    @property
    @override
    def native_value(self) -> int:
        stored: int = self.option(CONF_CONCURRENCY, 0)
        return stored

    @override
    async def async_set_native_value(self, value: float) -> None:
        self.set_option(CONF_CONCURRENCY, int(value))


MONTHLY_BUDGET = NumberEntityDescription(
    key="monthly_budget",
    translation_key="monthly_budget",
    entity_category=EntityCategory.CONFIG,
    entity_registry_enabled_default=False,
    device_class=NumberDeviceClass.MONETARY,
    mode=NumberMode.BOX,
    native_min_value=0,
    native_max_value=LARGEST_BUDGET,
    native_step=0.01,
)


class MonthlyBudget(UsageEntity, NumberEntity):
    """The monthly budget, or a backend's monthly limit from its options; 0: none."""

    @property
    def _budget(self) -> Budget | None:
        budgets = self.coordinator.store.budgets.of(self.coordinator.scope, self.coordinator.subject or None)
        return next((budget for budget in budgets if budget.period is Period.MONTH), None)

    @property
    def _limit(self) -> Budget | None:
        """The monthly limit from a backend's options."""
        tracker = self.coordinator
        return tracker.store.budgets.limit(tracker.subject) if tracker.scope is Scope.BACKEND else None

    @property
    @override
    def native_value(self) -> float:
        return 0.0 if (budget := self._budget or self._limit) is None else budget.amount / NANO

    @property
    @override
    def native_unit_of_measurement(self) -> str:
        return self.coordinator.currency

    @override
    async def async_set_native_value(self, value: float) -> None:
        tracker, budgets, known = self.coordinator, self.coordinator.store.budgets, self._budget
        if known is None and self._limit is not None:
            store_monthly_limit(self.hass, tracker.config_entry, tracker.subject, value)
            return
        actor = self._context.user_id or "" if self._context is not None else ""
        try:
            if value:
                await budgets.set(
                    tracker.scope,
                    tracker.subject or None,
                    round(value * NANO),
                    Period.MONTH,
                    actor=actor,
                )
            elif known is not None:
                await budgets.remove(known.id, actor=actor)
        except DatabaseError as err:
            raise HomeAssistantError(
                translation_domain=DOMAIN, translation_key="database_failed", translation_placeholders={"error": str(err)}
            ) from err


def usage_numbers(tracker: UsageTracker) -> list[MonthlyBudget]:
    """The number entities of a usage tracker; Home Assistant's own agents have no budget."""
    return [] if tracker.is_agent else [MonthlyBudget(tracker, MONTHLY_BUDGET)]
