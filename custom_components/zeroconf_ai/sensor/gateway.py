"""Sensors of the gateway."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, override

from homeassistant.components.sensor import SensorDeviceClass, SensorEntity, SensorEntityDescription, SensorStateClass
from homeassistant.const import CONF_MODEL, EntityCategory
from homeassistant.helpers.typing import StateType
from homeassistant.util import dt as dt_util

from ..core.protocol.values import clean
from ..entity import GatewayEntity
from ..gateway.coordinators import GATEWAY_STATES, GatewayCoordinator

_MAX_STATE_CHARACTERS = 255


def _started(coordinator: GatewayCoordinator) -> datetime:
    return dt_util.utcnow() - timedelta(seconds=coordinator.gateway.uptime)


def _last_backend(coordinator: GatewayCoordinator) -> str | None:
    last = coordinator.counts.last
    return None if last is None or last.backend_name is None else clean(last.backend_name, _MAX_STATE_CHARACTERS)


def _last_model(coordinator: GatewayCoordinator) -> Mapping[str, Any] | None:
    last = coordinator.counts.last
    return None if last is None else {CONF_MODEL: last.model}


@dataclass(frozen=True, kw_only=True)
class GatewaySensorDescription(SensorEntityDescription):
    """A sensor of the gateway."""

    value_fn: Callable[[GatewayCoordinator], StateType | datetime]
    attributes_fn: Callable[[GatewayCoordinator], Mapping[str, Any] | None] = lambda _: None


GATEWAY_SENSORS = (
    GatewaySensorDescription(
        key="status",
        translation_key="gateway_status",
        device_class=SensorDeviceClass.ENUM,
        options=list(GATEWAY_STATES),
        value_fn=lambda coordinator: coordinator.state,
    ),
    GatewaySensorDescription(
        key="active_requests",
        translation_key="active_requests",
        entity_registry_enabled_default=False,
        state_class=SensorStateClass.MEASUREMENT,
        value_fn=lambda coordinator: coordinator.active,
    ),
    GatewaySensorDescription(
        key="waiting_requests",
        translation_key="waiting_requests",
        entity_registry_enabled_default=False,
        state_class=SensorStateClass.MEASUREMENT,
        value_fn=lambda coordinator: coordinator.waiting,
    ),
    GatewaySensorDescription(
        key="last_answered_by",
        translation_key="last_answered_by",
        entity_registry_enabled_default=False,
        value_fn=_last_backend,
        attributes_fn=_last_model,
    ),
    GatewaySensorDescription(
        key="uptime",
        translation_key="uptime",
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        device_class=SensorDeviceClass.UPTIME,
        value_fn=_started,
    ),
)


class GatewaySensor(GatewayEntity, SensorEntity):
    """A sensor from `GATEWAY_SENSORS`."""

    entity_description: GatewaySensorDescription

    @property
    @override
    def native_value(self) -> StateType | datetime:
        return self.entity_description.value_fn(self.coordinator)

    @property
    @override
    def extra_state_attributes(self) -> Mapping[str, Any] | None:
        return self.entity_description.attributes_fn(self.coordinator)
