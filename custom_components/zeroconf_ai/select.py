"""Select entity: the gateway's routing strategy."""

from typing import override

from homeassistant.components.select import SelectEntity, SelectEntityDescription
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import CONF_STRATEGY
from .core.routing.policy import Strategy
from .entity import GatewayEntity
from .gateway.runtime import GatewayConfigEntry

PARALLEL_UPDATES = 1

STRATEGY = SelectEntityDescription(
    key="strategy",
    translation_key="strategy",
    entity_category=EntityCategory.CONFIG,
    options=[strategy.value for strategy in Strategy],
)


async def async_setup_entry(
    hass: HomeAssistant, entry: GatewayConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """The one entity."""
    async_add_entities([GatewayStrategy(entry.runtime_data.coordinator, STRATEGY)])


class GatewayStrategy(GatewayEntity, SelectEntity):
    """The routing strategy of all requests except those for a model alias with its own strategy."""

    @property
    @override
    def current_option(self) -> str:
        stored: str = self.option(CONF_STRATEGY, Strategy.PRIORITY.value)
        return stored

    @override
    async def async_select_option(self, option: str) -> None:
        self.set_option(CONF_STRATEGY, option)
