"""Whether a provider may answer what any provider may."""

from typing import Any, override

from homeassistant.components.switch import SwitchEntity, SwitchEntityDescription
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import CONF_ROUTING
from .data import ZeroconfAIConfigEntry
from .entity import ProviderEntity

PARALLEL_UPDATES = 1

ROUTING = SwitchEntityDescription(key="routing", translation_key="routing", entity_category=EntityCategory.CONFIG)


async def async_setup_entry(
    hass: HomeAssistant, entry: ZeroconfAIConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """The one entity."""
    async_add_entities([ProviderRouting(entry, ROUTING)])


class ProviderRouting(ProviderEntity, SwitchEntity):
    """Off keeps the provider for agents that ask for it by name."""

    @property
    @override
    def is_on(self) -> bool:
        return self.member.enabled

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        self.set_option(CONF_ROUTING, True)

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        self.set_option(CONF_ROUTING, False)
