"""What is measured and counted of a provider: health, load, use and cost."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, override

from homeassistant.components.sensor import (
    DOMAIN as SENSOR_DOMAIN,
    RestoreSensor,
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import EntityCategory, UnitOfTime
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.typing import StateType
from homeassistant.util import dt as dt_util

from .const import DOMAIN
from .core.protocol.status import Period, ProviderState, ProviderStatus, Queue
from .core.protocol.values import NANO, clean, money
from .core.routing.pool import Member, Tally
from .data import ZeroconfAIConfigEntry
from .entity import ProviderEntity

PARALLEL_UPDATES = 0

LONGEST_STATE = 255
DEFAULT_CURRENCY = "USD"
"""Of a cost without a currency, as OpenRouter and LiteLLM name it in their answers."""


def _queue(member: Member) -> Queue | None:
    return member.status.queue if member.status else None


def _active(member: Member) -> int:
    """The provider's own count, which is as old as the last check, but never less than what runs through here right now."""
    queue = _queue(member)
    return max(queue.active if queue else 0, member.active)


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


@dataclass(frozen=True, kw_only=True)
class ProviderSensorDescription(SensorEntityDescription):
    """A figure that is read off the pool's picture of the provider."""

    value_fn: Callable[[Member], StateType | datetime]
    attributes_fn: Callable[[Member], Mapping[str, Any]] | None = None
    offered_fn: Callable[[Member], bool] = lambda _: True
    """Whether the provider says it at all."""
    only_online: bool = False
    """Nothing can be said of it while the provider is offline."""


@dataclass(frozen=True, kw_only=True)
class ProviderCounterDescription(SensorEntityDescription):
    """A count that goes on over restarts."""

    value_fn: Callable[[Tally], int]


@dataclass(frozen=True, kw_only=True)
class ProviderCostDescription(SensorEntityDescription):
    """Money that the provider reports for a period."""

    period_fn: Callable[[ProviderStatus], Period | None]
    last_reset_fn: Callable[[], datetime]


SENSORS = (
    ProviderSensorDescription(
        key="status",
        translation_key="status",
        device_class=SensorDeviceClass.ENUM,
        options=[state.value for state in ProviderState],
        value_fn=lambda member: member.state.value if member.known else None,
    ),
    ProviderSensorDescription(
        key="latency",
        translation_key="latency",
        entity_category=EntityCategory.DIAGNOSTIC,
        device_class=SensorDeviceClass.DURATION,
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=UnitOfTime.SECONDS,
        suggested_unit_of_measurement=UnitOfTime.MILLISECONDS,
        suggested_display_precision=0,
        only_online=True,
        value_fn=lambda member: member.latency,
    ),
    ProviderSensorDescription(
        key="queue_depth",
        translation_key="queue_depth",
        entity_category=EntityCategory.DIAGNOSTIC,
        state_class=SensorStateClass.MEASUREMENT,
        only_online=True,
        offered_fn=lambda member: _queue(member) is not None,
        value_fn=lambda member: queue.depth if (queue := _queue(member)) else None,
    ),
    ProviderSensorDescription(
        key="active_requests",
        translation_key="active_requests",
        entity_category=EntityCategory.DIAGNOSTIC,
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
        offered_fn=lambda member: (queue := _queue(member)) is not None and queue.max_concurrent > 0,
        value_fn=lambda member: (queue.max_concurrent or None) if (queue := _queue(member)) else None,
    ),
    ProviderSensorDescription(
        key="models",
        translation_key="models",
        entity_category=EntityCategory.DIAGNOSTIC,
        only_online=True,
        value_fn=lambda member: len(member.models),
        attributes_fn=lambda member: {"models": [model.id for model in member.models]},
    ),
    ProviderSensorDescription(
        key="last_error",
        translation_key="last_error",
        entity_category=EntityCategory.DIAGNOSTIC,
        value_fn=lambda member: clean(member.last_error, LONGEST_STATE) if member.last_error else None,
    ),
    ProviderSensorDescription(
        key="last_seen",
        translation_key="last_seen",
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,  # another state with every check
        device_class=SensorDeviceClass.TIMESTAMP,
        value_fn=lambda member: _time(member.last_seen),
    ),
)

COUNTERS = (
    ProviderCounterDescription(
        key="requests",
        translation_key="requests",
        state_class=SensorStateClass.TOTAL_INCREASING,
        value_fn=lambda tally: tally.requests,
    ),
    ProviderCounterDescription(
        key="errors",
        translation_key="errors",
        entity_category=EntityCategory.DIAGNOSTIC,
        state_class=SensorStateClass.TOTAL_INCREASING,
        value_fn=lambda tally: tally.errors,
    ),
    ProviderCounterDescription(
        key="tokens_in",
        translation_key="tokens_in",
        state_class=SensorStateClass.TOTAL_INCREASING,
        value_fn=lambda tally: tally.usage.prompt_tokens,
    ),
    ProviderCounterDescription(
        key="tokens_out",
        translation_key="tokens_out",
        state_class=SensorStateClass.TOTAL_INCREASING,
        value_fn=lambda tally: tally.usage.completion_tokens,
    ),
    ProviderCounterDescription(
        key="tokens_cached",
        translation_key="tokens_cached",
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        state_class=SensorStateClass.TOTAL_INCREASING,
        value_fn=lambda tally: tally.usage.cached_tokens,
    ),
)

COSTS = (
    ProviderCostDescription(
        key="cost_today",
        translation_key="cost_today",
        device_class=SensorDeviceClass.MONETARY,
        state_class=SensorStateClass.TOTAL,
        period_fn=lambda status: status.today,
        last_reset_fn=dt_util.start_of_local_day,
    ),
    ProviderCostDescription(
        key="cost_month",
        translation_key="cost_month",
        device_class=SensorDeviceClass.MONETARY,
        state_class=SensorStateClass.TOTAL,
        period_fn=lambda status: status.month,
        last_reset_fn=lambda: dt_util.start_of_local_day(dt_util.now().replace(day=1)),
    ),
)

COST_TOTAL = SensorEntityDescription(
    key="cost_total",
    translation_key="cost_total",
    device_class=SensorDeviceClass.MONETARY,
    state_class=SensorStateClass.TOTAL,
)


async def async_setup_entry(
    hass: HomeAssistant, entry: ZeroconfAIConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """All sensors; those of what not every provider says only when it is heard for the first time, or was before a restart."""
    registry = er.async_get(hass)
    waiting: list[ProviderSensor | ProviderCounter | ProviderCost | ProviderTotalCost] = [
        *(ProviderSensor(entry, description) for description in SENSORS),
        *(ProviderCounter(entry, description) for description in COUNTERS),
        *(ProviderCost(entry, description) for description in COSTS),
        ProviderTotalCost(entry, COST_TOTAL),
    ]

    @callback
    def add_offered() -> None:
        fresh = [
            sensor
            for sensor in waiting
            if sensor.offered or registry.async_get_entity_id(SENSOR_DOMAIN, DOMAIN, sensor.unique_id or "")
        ]
        for sensor in fresh:
            waiting.remove(sensor)
        if fresh:
            async_add_entities(fresh)

    add_offered()
    entry.async_on_unload(entry.runtime_data.coordinator.async_add_listener(add_offered))


class ProviderSensor(ProviderEntity, SensorEntity):
    """Shows a figure of the table."""

    entity_description: ProviderSensorDescription
    _unrecorded_attributes = frozenset({"models"})

    @property
    def offered(self) -> bool:
        """Whether the provider says it."""
        return self.entity_description.offered_fn(self.member)

    @property
    @override
    def available(self) -> bool:
        return self.member.online or not self.entity_description.only_online

    @property
    @override
    def native_value(self) -> StateType | datetime:
        return self.entity_description.value_fn(self.member)

    @property
    @override
    def extra_state_attributes(self) -> Mapping[str, Any] | None:
        attributes_fn = self.entity_description.attributes_fn
        return attributes_fn(self.member) if attributes_fn else None


class ProviderCounter(ProviderEntity, RestoreSensor):
    """Counts on from where it was: the tally begins at 0 with each start and each reload."""

    entity_description: ProviderCounterDescription
    offered = True
    _base: int | None = None

    @override
    async def async_added_to_hass(self) -> None:
        if self._base is None:  # an entity that is only renamed is added once more, and goes on as it is
            restored = await self.async_get_last_sensor_data()
            value = restored.native_value if restored else None
            self._base = value if isinstance(value, int) else 0
        await super().async_added_to_hass()

    @property
    @override
    def native_value(self) -> int:
        return (self._base or 0) + self.entity_description.value_fn(self.member.tally)


class ProviderCost(ProviderEntity, SensorEntity):
    """What was spent today or this month, as the provider reports it."""

    entity_description: ProviderCostDescription

    @property
    def _period(self) -> Period | None:
        return self.entity_description.period_fn(self.member.status) if self.member.status else None

    @property
    def offered(self) -> bool:
        """Whether the provider reports it."""
        return self._period is not None and self._period.usage.cost is not None

    @property
    @override
    def available(self) -> bool:
        """Only online: what was reported yesterday would be shown as today's."""
        return self.member.online

    @property
    @override
    def native_value(self) -> float | None:
        period = self._period
        return None if period is None or period.usage.cost is None else period.usage.cost / NANO

    @property
    @override
    def native_unit_of_measurement(self) -> str:
        return self._period.currency if self._period else DEFAULT_CURRENCY

    @property
    @override
    def last_reset(self) -> datetime:
        """When the period began, in Home Assistant's time zone."""
        return self.entity_description.last_reset_fn()


class ProviderTotalCost(ProviderEntity, RestoreSensor):
    """What was spent in all: what the provider reports, else the sum of what its answers name, counted on over restarts."""

    _base: int | None = None
    """Nano-units that the tally does not hold."""
    _currency = DEFAULT_CURRENCY

    @override
    async def async_added_to_hass(self) -> None:
        if self._base is None:  # as above
            restored = await self.async_get_last_sensor_data()
            self._base = (money(restored.native_value) if restored else None) or 0
            self._currency = (restored.native_unit_of_measurement if restored else None) or DEFAULT_CURRENCY
        self._follow_report()
        await super().async_added_to_hass()

    @property
    def offered(self) -> bool:
        """Whether the provider names costs in any way."""
        return self._reported is not None or self.member.tally.usage.cost is not None

    @property
    def _reported(self) -> Period | None:
        total = self.member.status.total if self.member.status else None
        return None if total is None or total.usage.cost is None else total

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        self._follow_report()
        super()._handle_coordinator_update()

    def _follow_report(self) -> None:
        """Keep the sum where the provider says that it is, so that it goes on from there if the provider stops saying so."""
        if (total := self._reported) is not None:
            self._base = (total.usage.cost or 0) - self._tallied
            self._currency = total.currency

    @property
    def _tallied(self) -> int:
        return self.member.tally.usage.cost or 0

    @property
    @override
    def native_value(self) -> float:
        return ((self._base or 0) + self._tallied) / NANO

    @property
    @override
    def native_unit_of_measurement(self) -> str:
        return self._reported.currency if self._reported else self._currency
