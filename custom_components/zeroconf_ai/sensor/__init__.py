"""Sensors: health, load, usage and cost of providers, of the gateway and its keys."""

from homeassistant.components.sensor import DOMAIN as SENSOR_DOMAIN
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from ..entity import ProviderEntity, add_usage_entities, add_when_offered
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


async def async_setup_entry(
    hass: HomeAssistant, entry: ZeroconfAIConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add all sensors; optional ones once they have a value, or if they are in the entity registry."""

    @callback
    def add(coordinator: MemberCoordinator) -> None:
        add_when_offered(entry, async_add_entities, coordinator, coordinator.subentry_id, SENSOR_DOMAIN, _sensors(coordinator))

    entry.async_on_unload(entry.runtime_data.listen_members(add))
    add_usage_entities(entry, async_add_entities, usage_sensors, SENSOR_DOMAIN)
    if (gateway := entry.runtime_data.gateway) is not None:
        async_add_entities(GatewaySensor(gateway.coordinator, description) for description in GATEWAY_SENSORS)
        async_add_entities(GatewayCounter(gateway.coordinator, description) for description in GATEWAY_COUNTERS)


def _sensors(coordinator: MemberCoordinator) -> list[ProviderEntity]:
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
