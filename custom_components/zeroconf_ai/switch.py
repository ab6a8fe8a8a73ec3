"""Switches: use of a provider for routing, gateway on or off, advertisement of the gateway, home only."""

from dataclasses import dataclass
from typing import Any, override

from homeassistant.components.switch import SwitchEntity, SwitchEntityDescription
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import CONF_ADVERTISE, CONF_ENABLED
from .data import DATA
from .entity import GatewayEntity, ProviderEntity, add_provider_entities
from .gateway.home_only import async_set_home_only
from .runtime import ZeroconfAIConfigEntry

PARALLEL_UPDATES = 1

ROUTING = SwitchEntityDescription(key="routing", translation_key="routing", entity_category=EntityCategory.CONFIG)


@dataclass(frozen=True, kw_only=True)
class GatewaySwitchDescription(SwitchEntityDescription):
    """A switch for an option of the gateway's entry."""

    option: str
    default: bool


GATEWAY_SWITCHES = (
    GatewaySwitchDescription(
        key="enabled", translation_key="gateway", entity_category=EntityCategory.CONFIG, option=CONF_ENABLED, default=True
    ),
    GatewaySwitchDescription(
        key="advertise",
        translation_key="advertise",
        entity_category=EntityCategory.CONFIG,
        option=CONF_ADVERTISE,
        default=False,
    ),
)

HOME_ONLY = SwitchEntityDescription(key="home_only", translation_key="home_only", entity_category=EntityCategory.CONFIG)


async def async_setup_entry(
    hass: HomeAssistant, entry: ZeroconfAIConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """One for each provider, and the gateway's."""
    add_provider_entities(entry, async_add_entities, lambda coordinator: [ProviderRouting(coordinator, ROUTING)])
    if (gateway := entry.runtime_data.gateway) is not None:
        async_add_entities(GatewaySwitch(gateway.coordinator, description) for description in GATEWAY_SWITCHES)
        async_add_entities([HomeOnlySwitch(gateway.coordinator, HOME_ONLY)])


class ProviderRouting(ProviderEntity, SwitchEntity):
    """If off, only agents of this provider use it."""

    @property
    @override
    def is_on(self) -> bool:
        return self.coordinator.routed

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        self.coordinator.set_routed(True)

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        self.coordinator.set_routed(False)


class GatewaySwitch(GatewayEntity, SwitchEntity):
    """Sets an option."""

    entity_description: GatewaySwitchDescription

    @property
    @override
    def is_on(self) -> bool:
        stored: bool = self.option(self.entity_description.option, self.entity_description.default)
        return stored

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        self.set_option(self.entity_description.option, True)

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        self.set_option(self.entity_description.option, False)


class HomeOnlySwitch(GatewayEntity, SwitchEntity):
    """If on, no request leaves the home, also not those of agents without the gateway."""

    @property
    @override
    def is_on(self) -> bool:
        return self.hass.data[DATA].engine.home_only

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        await self._set(True)

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        await self._set(False)

    async def _set(self, enabled: bool) -> None:
        await async_set_home_only(self.hass, enabled)
        self.coordinator.async_update_listeners()
