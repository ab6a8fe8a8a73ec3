"""The sensors of usage trackers: of the household, of the gateway's backends and of keys."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import override

from homeassistant.components.sensor import SensorDeviceClass, SensorEntity, SensorEntityDescription, SensorStateClass
from homeassistant.const import PERCENTAGE, EntityCategory, UnitOfTime
from homeassistant.helpers.typing import StateType
from homeassistant.util import dt as dt_util

from ..core.accounting.budget import Scope
from ..usage.coordinators import UsageTracker
from ..usage.entity import UsageEntity
from .budgets import usage_budgets
from .costs import usage_costs
from .counts import COUNTS, FAILED_REQUESTS, TOKENS, UsageCount

_MEASUREMENT = SensorStateClass.MEASUREMENT
_DIAGNOSTIC = EntityCategory.DIAGNOSTIC


def _last_used(tracker: UsageTracker) -> datetime | None:
    key = tracker.store.keys.get(tracker.subject)
    return None if key is None or key.last_used is None else dt_util.utc_from_timestamp(key.last_used)


@dataclass(frozen=True, kw_only=True)
class UsageSensorDescription(SensorEntityDescription):
    """A sensor of a usage tracker."""

    value_fn: Callable[[UsageTracker], StateType | datetime]


LAST_USED = UsageSensorDescription(
    key="last_used", translation_key="last_used", device_class=SensorDeviceClass.TIMESTAMP, value_fn=_last_used
)

RECENT = (
    UsageSensorDescription(
        key="tokens_per_second",
        translation_key="tokens_per_second",
        entity_category=_DIAGNOSTIC,
        entity_registry_enabled_default=False,
        state_class=_MEASUREMENT,
        suggested_display_precision=1,
        value_fn=lambda tracker: tracker.recent.tokens_per_second,
    ),
    UsageSensorDescription(
        key="first_token_p50",
        translation_key="first_token_p50",
        entity_category=_DIAGNOSTIC,
        entity_registry_enabled_default=False,
        device_class=SensorDeviceClass.DURATION,
        native_unit_of_measurement=UnitOfTime.SECONDS,
        state_class=_MEASUREMENT,
        suggested_display_precision=2,
        value_fn=lambda tracker: tracker.recent.first_token(50),
    ),
    UsageSensorDescription(
        key="first_token_p95",
        translation_key="first_token_p95",
        entity_category=_DIAGNOSTIC,
        entity_registry_enabled_default=False,
        device_class=SensorDeviceClass.DURATION,
        native_unit_of_measurement=UnitOfTime.SECONDS,
        state_class=_MEASUREMENT,
        suggested_display_precision=2,
        value_fn=lambda tracker: tracker.recent.first_token(95),
    ),
    UsageSensorDescription(
        key="error_rate",
        translation_key="error_rate",
        entity_category=_DIAGNOSTIC,
        entity_registry_enabled_default=False,
        native_unit_of_measurement=PERCENTAGE,
        state_class=_MEASUREMENT,
        suggested_display_precision=1,
        value_fn=lambda tracker: tracker.recent.error_rate,
    ),
)


class UsageSensor(UsageEntity, SensorEntity):
    """A sensor from `RECENT`, or `LAST_USED`."""

    entity_description: UsageSensorDescription

    @property
    @override
    def native_value(self) -> StateType | datetime:
        return self.entity_description.value_fn(self.coordinator)


def usage_sensors(tracker: UsageTracker) -> list[UsageEntity]:
    """Create the sensors of a usage tracker."""
    sensors: list[UsageEntity] = [UsageCount(tracker, count) for count in COUNTS]
    sensors += [UsageSensor(tracker, figure) for figure in RECENT]
    if tracker.scope is not Scope.BACKEND:  # a backend has a sensor of its failed attempts instead
        sensors.append(UsageCount(tracker, FAILED_REQUESTS))
    if tracker.scope is Scope.HOUSEHOLD:
        sensors.append(UsageCount(tracker, TOKENS))
    if tracker.scope is Scope.KEY:
        sensors.append(UsageSensor(tracker, LAST_USED))
    if not tracker.is_agent:
        sensors += [*usage_costs(tracker), *usage_budgets(tracker)]
    return sensors
