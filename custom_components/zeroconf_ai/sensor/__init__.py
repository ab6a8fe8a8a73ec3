"""Sensors: health, load, usage and cost of providers, of the gateway and its keys."""

from homeassistant.components.sensor import DOMAIN as SENSOR_DOMAIN
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from ..const import DOMAIN
from ..entity import add_usage_entities
from ..pool_coordinator import MemberCoordinator
from ..runtime import ZeroconfAIConfigEntry
from ..usage.currency import COST_KEYS, CostCurrency
from .costs import COST_MONTH, COST_TODAY, COST_TOTAL
from .counters import GATEWAY_COUNTERS, GatewayCounter
from .counts import COUNTS, FAILED_ATTEMPTS
from .gateway import GATEWAY_SENSORS, GatewaySensor
from .provider import SENSORS, ProviderSensor
from .provider_costs import ProviderCost, ProviderTotalCost
from .totals import BackendCount
from .usage import usage_sensors

PARALLEL_UPDATES = 0

type _Sensor = ProviderSensor | BackendCount | ProviderCost | ProviderTotalCost


async def async_setup_entry(
    hass: HomeAssistant, entry: ZeroconfAIConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add all sensors; optional ones once the provider reports their value, or if they are in the entity registry."""
    registry = er.async_get(hass)

    @callback
    def add(coordinator: MemberCoordinator) -> None:
        waiting = _sensors(coordinator)

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
                async_add_entities(fresh, config_subentry_id=coordinator.subentry_id)

        add_offered()
        entry.async_on_unload(coordinator.async_add_listener(add_offered))

    entry.async_on_unload(entry.runtime_data.listen_members(add))
    add_usage_entities(entry, async_add_entities, usage_sensors)
    if (gateway := entry.runtime_data.gateway) is not None:
        async_add_entities(GatewaySensor(gateway.coordinator, description) for description in GATEWAY_SENSORS)
        async_add_entities(GatewayCounter(gateway.coordinator, description) for description in GATEWAY_COUNTERS)


def _sensors(coordinator: MemberCoordinator) -> list[_Sensor]:
    """The sensors of a member. A gateway's backend has the sensors of its usage tracker instead of counts and costs."""
    failed_attempts = BackendCount(coordinator, FAILED_ATTEMPTS)
    if coordinator.subentry_id is not None:
        return [*(ProviderSensor(coordinator, description) for description in SENSORS), failed_attempts]
    currency = CostCurrency(coordinator.hass, [f"{coordinator.member_id}_{key}" for key in COST_KEYS])
    return [
        *(ProviderSensor(coordinator, description) for description in SENSORS),
        *(BackendCount(coordinator, description) for description in COUNTS),
        failed_attempts,
        ProviderCost(coordinator, COST_TODAY, currency),
        ProviderCost(coordinator, COST_MONTH, currency),
        ProviderTotalCost(coordinator, COST_TOTAL, currency),
    ]
