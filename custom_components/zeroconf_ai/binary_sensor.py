"""Binary sensors: connectivity and circuit breaker of providers, budgets and rate limits of usage trackers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import override

from homeassistant.components.binary_sensor import BinarySensorEntity, BinarySensorEntityDescription
from homeassistant.components.binary_sensor.const import DOMAIN as BINARY_SENSOR_DOMAIN, BinarySensorDeviceClass
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .core.accounting.budgets.budget_store import BudgetState
from .core.protocol.status import ProviderState
from .core.routing.pool.circuit_breaker import BreakerState
from .core.routing.pool.member import Member
from .entity import ProviderEntity, add_provider_entities, add_usage_entities
from .runtime import ZeroconfAIConfigEntry
from .usage.coordinators import UsageTracker
from .usage.entity import BudgetEntity, UsageEntity

PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class ProviderBinarySensorDescription(BinarySensorEntityDescription):
    """`is_on_fn` reads the state from the pool's member."""

    is_on_fn: Callable[[Member], bool | None]


BINARY_SENSORS = (
    ProviderBinarySensorDescription(
        key="connectivity",
        device_class=BinarySensorDeviceClass.CONNECTIVITY,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        # A provider that refuses the API key is connected.
        is_on_fn=lambda member: member.state is not ProviderState.OFFLINE if member.known else None,
    ),
    ProviderBinarySensorDescription(
        key="circuit_open",
        translation_key="circuit_open",
        device_class=BinarySensorDeviceClass.PROBLEM,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        # On while half open, too: the breaker closes with the next successful request.
        is_on_fn=lambda member: member.breaker.state is not BreakerState.CLOSED,
    ),
)


async def async_setup_entry(
    hass: HomeAssistant, entry: ZeroconfAIConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """One entity for each description and provider."""
    add_provider_entities(
        entry,
        async_add_entities,
        lambda coordinator: [ProviderBinarySensor(coordinator, description) for description in BINARY_SENSORS],
    )
    add_usage_entities(entry, async_add_entities, usage_binary_sensors, BINARY_SENSOR_DOMAIN)


class ProviderBinarySensor(ProviderEntity, BinarySensorEntity):
    """Shows one of them."""

    entity_description: ProviderBinarySensorDescription

    @property
    @override
    def is_on(self) -> bool | None:
        return self.entity_description.is_on_fn(self.member)


@dataclass(frozen=True, kw_only=True)
class UsageBinarySensorDescription(BinarySensorEntityDescription):
    """`is_on_fn` reads the state from a usage tracker; None: unknown."""

    is_on_fn: Callable[[UsageTracker], bool | None]


def _any(tracker: UsageTracker, reached: Callable[[BudgetState], bool]) -> bool | None:
    states = tracker.budgets
    return any(reached(state) for state in states) if states else None


def _warned(state: BudgetState) -> bool:
    """Whether the lowest threshold is reached or the remaining amount is too small for a request."""
    return state.exceeded or state.percent >= min(state.budget.thresholds, default=100)


BUDGET_WARNING = UsageBinarySensorDescription(
    key="budget_warning",
    translation_key="budget_warning",
    entity_registry_enabled_default=False,
    device_class=BinarySensorDeviceClass.PROBLEM,
    is_on_fn=lambda tracker: _any(tracker, _warned),
)
BUDGET_EXCEEDED = UsageBinarySensorDescription(
    key="budget_exceeded",
    translation_key="budget_exceeded",
    entity_registry_enabled_default=False,
    device_class=BinarySensorDeviceClass.PROBLEM,
    is_on_fn=lambda tracker: _any(tracker, lambda state: state.exceeded),
)
RATE_LIMITED = UsageBinarySensorDescription(
    key="rate_limited",
    translation_key="rate_limited",
    device_class=BinarySensorDeviceClass.PROBLEM,
    entity_category=EntityCategory.DIAGNOSTIC,
    entity_registry_enabled_default=False,
    is_on_fn=lambda tracker: tracker.rate_limited,
)


class UsageBinarySensor(UsageEntity, BinarySensorEntity):
    """Shows one of them."""

    entity_description: UsageBinarySensorDescription

    @property
    @override
    def is_on(self) -> bool | None:
        return self.entity_description.is_on_fn(self.coordinator)


class BudgetBinarySensor(BudgetEntity, UsageBinarySensor):
    """Shows the state of the budgets."""


def usage_binary_sensors(tracker: UsageTracker) -> list[UsageBinarySensor]:
    """The binary sensors of a usage tracker; Home Assistant's own agents have no budget."""
    of_budgets = () if tracker.is_agent else (BUDGET_WARNING, BUDGET_EXCEEDED)
    return [
        *(BudgetBinarySensor(tracker, description) for description in of_budgets),
        UsageBinarySensor(tracker, RATE_LIMITED),
    ]
