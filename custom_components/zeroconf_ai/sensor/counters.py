"""Counters of the gateway that continue after restarts."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import override

from homeassistant.components.sensor import RestoreSensor, SensorEntityDescription, SensorStateClass
from homeassistant.const import EntityCategory

from ..entity import GatewayEntity
from ..gateway.coordinators import Counts


@dataclass(frozen=True, kw_only=True)
class GatewayCounterDescription(SensorEntityDescription):
    """A counter of the gateway."""

    value_fn: Callable[[Counts], int]


GATEWAY_COUNTERS = (
    GatewayCounterDescription(
        key="failovers",
        translation_key="failovers",
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        state_class=SensorStateClass.TOTAL_INCREASING,
        value_fn=lambda counts: counts.failovers,
    ),
)


class GatewayCounter(GatewayEntity, RestoreSensor):
    """A counter that adds the restored value to a count that begins at 0 after each reload."""

    entity_description: GatewayCounterDescription
    _base: int | None = None

    @override
    async def async_added_to_hass(self) -> None:
        if self._base is None:  # a renamed entity is added again and keeps its value
            restored = await self.async_get_last_sensor_data()
            value = restored.native_value if restored else None
            self._base = value if isinstance(value, int) else 0
        await super().async_added_to_hass()

    @property
    @override
    def native_value(self) -> int:
        return (self._base or 0) + self.entity_description.value_fn(self.coordinator.counts)
