"""Whether a provider can be reached."""

from typing import override

from homeassistant.components.binary_sensor import BinarySensorEntity, BinarySensorEntityDescription
from homeassistant.components.binary_sensor.const import BinarySensorDeviceClass
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .core.protocol.status import ProviderState
from .data import ZeroconfAIConfigEntry
from .entity import ProviderEntity

PARALLEL_UPDATES = 0

CONNECTIVITY = BinarySensorEntityDescription(
    key="connectivity",
    device_class=BinarySensorDeviceClass.CONNECTIVITY,
    entity_category=EntityCategory.DIAGNOSTIC,
)


async def async_setup_entry(
    hass: HomeAssistant, entry: ZeroconfAIConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """The one entity."""
    async_add_entities([ProviderConnectivity(entry, CONNECTIVITY)])


class ProviderConnectivity(ProviderEntity, BinarySensorEntity):
    """On while the provider answers, even if it only answers that the key is wrong."""

    @property
    @override
    def is_on(self) -> bool | None:
        return self.member.state is not ProviderState.OFFLINE if self.member.known else None
