"""Health and load sensors of a provider."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, override

from homeassistant.components.sensor import SensorDeviceClass, SensorEntity, SensorEntityDescription, SensorStateClass
from homeassistant.const import EntityCategory, UnitOfInformation, UnitOfTime
from homeassistant.helpers.typing import StateType

from ..core.protocol.status import ProviderState, Queue
from ..core.protocol.values import clean
from ..core.routing.pool.member import Member
from ..entity import LAST_FAILOVER, ProviderEntity
from ..pool_coordinator import MemberCoordinator

MAX_STATE_CHARACTERS = 255


@dataclass(frozen=True, kw_only=True)
class ProviderSensorDescription(SensorEntityDescription):
    """A sensor read from the provider's pool member."""

    value_fn: Callable[[Member], StateType | datetime]
    attributes_fn: Callable[[MemberCoordinator], Mapping[str, Any] | None] = lambda _: None
    offered_fn: Callable[[Member], bool] = lambda _: True
    """Whether the provider reports the value."""
    of_agents: bool = True
    """Whether the sensor applies to Home Assistant agents."""
    only_online: bool = False
    """Whether the sensor is unavailable while the provider is offline."""


def _queue(member: Member) -> Queue | None:
    return member.status.queue if member.status else None


def _active(member: Member) -> int:
    """The provider's own count from the last check, but at least the number of requests in progress here."""
    queue = _queue(member)
    return max(queue.active if queue else 0, member.active)


def _real_models(member: Member | None) -> list[str]:
    """The ids of its models, without model aliases."""
    return [] if member is None else [model.id for model in member.models if not model.virtual]


def _holds_models(member: Member) -> bool:
    """Whether the server's native API reports its loaded models."""
    return member.status is not None and member.status.graphics_memory is not None


def _loaded_models(member: Member | None) -> list[str]:
    return [] if member is None or member.status is None else sorted(member.status.warm_models)


def _last_failover(coordinator: MemberCoordinator) -> Mapping[str, Any] | None:
    return None if coordinator.last_failover is None else {LAST_FAILOVER: coordinator.last_failover.isoformat()}


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


SENSORS = (
    ProviderSensorDescription(
        key="status",
        translation_key="status",
        device_class=SensorDeviceClass.ENUM,
        options=[state.value for state in ProviderState],
        value_fn=lambda member: member.state.value if member.known else None,
        attributes_fn=_last_failover,
    ),
    ProviderSensorDescription(
        key="latency",
        translation_key="latency",
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        device_class=SensorDeviceClass.DURATION,
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=UnitOfTime.SECONDS,
        suggested_unit_of_measurement=UnitOfTime.MILLISECONDS,
        suggested_display_precision=0,
        of_agents=False,
        only_online=True,
        value_fn=lambda member: member.latency,
    ),
    ProviderSensorDescription(
        key="queue_depth",
        translation_key="queue_depth",
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        state_class=SensorStateClass.MEASUREMENT,
        only_online=True,
        offered_fn=lambda _: False,  # of installations that have it; `waiting_requests` includes its value
        value_fn=lambda member: queue.depth if (queue := _queue(member)) else None,
    ),
    ProviderSensorDescription(
        key="active_requests",
        translation_key="active_requests",
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        state_class=SensorStateClass.MEASUREMENT,
        only_online=True,
        value_fn=_active,
    ),
    ProviderSensorDescription(
        key="capacity",
        translation_key="capacity",
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        only_online=True,
        offered_fn=lambda member: member.limiter.limit is not None,
        value_fn=lambda member: member.limiter.limit,
    ),
    ProviderSensorDescription(
        key="waiting_requests",
        translation_key="waiting_requests",
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        state_class=SensorStateClass.MEASUREMENT,
        only_online=True,
        # Without a limit, no request waits here.
        offered_fn=lambda member: member.limiter.limit is not None or _queue(member) is not None,
        value_fn=lambda member: member.limiter.waiting + (queue.depth if (queue := _queue(member)) else 0),
    ),
    ProviderSensorDescription(
        key="models",
        translation_key="models",
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        only_online=True,
        value_fn=lambda member: len(_real_models(member)),
        attributes_fn=lambda coordinator: {"models": _real_models(coordinator.member)},
    ),
    ProviderSensorDescription(
        key="loaded_models",
        translation_key="loaded_models",
        entity_category=EntityCategory.DIAGNOSTIC,
        state_class=SensorStateClass.MEASUREMENT,
        only_online=True,
        offered_fn=_holds_models,
        value_fn=lambda member: len(_loaded_models(member)),
        attributes_fn=lambda coordinator: {"models": _loaded_models(coordinator.member)},
    ),
    ProviderSensorDescription(
        key="graphics_memory",
        translation_key="graphics_memory",
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,  # changes with every model that is loaded
        device_class=SensorDeviceClass.DATA_SIZE,
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=UnitOfInformation.BYTES,
        suggested_unit_of_measurement=UnitOfInformation.GIBIBYTES,
        suggested_display_precision=1,
        only_online=True,
        offered_fn=_holds_models,
        value_fn=lambda member: None if member.status is None else member.status.graphics_memory,
    ),
    ProviderSensorDescription(
        key="last_error",
        translation_key="last_error",
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        value_fn=lambda member: clean(member.last_error, MAX_STATE_CHARACTERS) if member.last_error else None,
    ),
    ProviderSensorDescription(
        key="last_seen",
        translation_key="last_seen",
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,  # changes with every check
        of_agents=False,
        device_class=SensorDeviceClass.TIMESTAMP,
        value_fn=lambda member: _time(member.last_seen),
    ),
)


class ProviderSensor(ProviderEntity, SensorEntity):
    """A sensor from `SENSORS`."""

    entity_description: ProviderSensorDescription
    _unrecorded_attributes = frozenset({"models", LAST_FAILOVER})

    @property
    @override
    def offered(self) -> bool:
        """Whether the provider reports the value."""
        member, description = self.coordinator.member, self.entity_description
        if self.coordinator.is_agent and not description.of_agents:
            return False
        return member is not None and description.offered_fn(member)

    @property
    @override
    def available(self) -> bool:
        return super().available and (self.member.online or not self.entity_description.only_online)

    @property
    @override
    def native_value(self) -> StateType | datetime:
        return self.entity_description.value_fn(self.member)

    @property
    @override
    def extra_state_attributes(self) -> Mapping[str, Any] | None:
        return self.entity_description.attributes_fn(self.coordinator)
