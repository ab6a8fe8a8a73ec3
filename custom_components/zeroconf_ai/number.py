"""A provider's place in the order."""

from typing import override

from homeassistant.components.number import NumberEntity, NumberEntityDescription, NumberMode
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import CONF_PRIORITY
from .data import ZeroconfAIConfigEntry
from .entity import ProviderEntity

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


async def async_setup_entry(
    hass: HomeAssistant, entry: ZeroconfAIConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """The one entity."""
    async_add_entities([ProviderPriority(entry, PRIORITY)])


class ProviderPriority(ProviderEntity, NumberEntity):
    """The provider's own priority until the owner sets one; lower is preferred."""

    @property
    @override
    def native_value(self) -> int:
        return self.member.priority

    @override
    async def async_set_native_value(self, value: float) -> None:
        self.set_option(CONF_PRIORITY, int(value))
