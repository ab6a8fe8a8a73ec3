"""A provider's place in the order, how many requests the gateway answers at a time, and what may be spent."""

from typing import override

from homeassistant.components.number import NumberEntity, NumberEntityDescription, NumberMode
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import CONF_CONCURRENCY
from .entity import GatewayEntity, ProviderEntity, add_account_entities, add_provider_entities
from .number_accounts import account_numbers
from .runtime import ZeroconfAIConfigEntry

PARALLEL_UPDATES = 1

PRIORITY = NumberEntityDescription(
    key="priority",
    translation_key="priority",
    entity_category=EntityCategory.CONFIG,
    mode=NumberMode.BOX,
    native_min_value=0,
    native_max_value=65535,  # the range of an SRV priority (RFC 2782)
    native_step=1,
)


CONCURRENCY = NumberEntityDescription(
    key="concurrency",
    translation_key="concurrency",
    entity_category=EntityCategory.CONFIG,
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
    add_account_entities(entry, async_add_entities, account_numbers)
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
    """Requests at a time, of all backends together; 0: no limit."""

    @property
    @override
    def native_value(self) -> int:
        stored: int = self.option(CONF_CONCURRENCY, 0)
        return stored

    @override
    async def async_set_native_value(self, value: float) -> None:
        self.set_option(CONF_CONCURRENCY, int(value))
