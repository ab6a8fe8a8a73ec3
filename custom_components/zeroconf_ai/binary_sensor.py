"""Whether a provider can be reached or is left alone because requests failed there, and whether budgets and limits are met."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import override

from homeassistant.components.binary_sensor import BinarySensorEntity, BinarySensorEntityDescription
from homeassistant.components.binary_sensor.const import BinarySensorDeviceClass
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .binary_sensor_accounts import account_binary_sensors
from .core.protocol.status import ProviderState
from .core.routing.pool.circuit_breaker import BreakerState
from .core.routing.pool.pool import Member
from .entity import ProviderEntity, add_account_entities, add_provider_entities
from .runtime import ZeroconfAIConfigEntry

PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class ProviderBinarySensorDescription(BinarySensorEntityDescription):
    """What is read off the pool's picture of the provider."""

    is_on_fn: Callable[[Member], bool | None]


BINARY_SENSORS = (
    ProviderBinarySensorDescription(
        key="connectivity",
        device_class=BinarySensorDeviceClass.CONNECTIVITY,
        entity_category=EntityCategory.DIAGNOSTIC,
        # Even if it only answers that the key is wrong.
        is_on_fn=lambda member: member.state is not ProviderState.OFFLINE if member.known else None,
    ),
    ProviderBinarySensorDescription(
        key="circuit_open",
        translation_key="circuit_open",
        device_class=BinarySensorDeviceClass.PROBLEM,
        entity_category=EntityCategory.DIAGNOSTIC,
        # Half open as well: it is not over before a request has come through.
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
    add_account_entities(entry, async_add_entities, account_binary_sensors)


class ProviderBinarySensor(ProviderEntity, BinarySensorEntity):
    """Shows one of them."""

    entity_description: ProviderBinarySensorDescription

    @property
    @override
    def is_on(self) -> bool | None:
        return self.entity_description.is_on_fn(self.member)
