"""What happens to a provider, as it happens: it goes offline, comes back, or another one has to step in."""

from typing import override

from homeassistant.components.event import EventEntity, EventEntityDescription
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .core.protocol.values import clean
from .core.routing.events import EventKind
from .data import DATA, ZeroconfAIConfigEntry
from .entity import ProviderEntity

PARALLEL_UPDATES = 0

LONGEST_REASON = 255

AVAILABILITY = EventEntityDescription(
    key="availability", translation_key="availability", event_types=[kind.value for kind in EventKind]
)


async def async_setup_entry(
    hass: HomeAssistant, entry: ZeroconfAIConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """The one entity."""
    async_add_entities([ProviderEvent(entry, AVAILABILITY)])


class ProviderEvent(ProviderEntity, EventEntity):
    """Tells of a provider's events; `reason` says why, `to` names the provider that was asked next."""

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        event = self.coordinator.last_event
        if event is None:
            return
        attributes = {"reason": clean(event.reason, LONGEST_REASON)} if event.reason else {}
        if event.to is not None:
            following = self.hass.data[DATA].engine.pool.get(event.to)
            attributes["to"] = following.name if following else event.to
        self._trigger_event(event.kind.value, attributes)
        self.async_write_ha_state()
