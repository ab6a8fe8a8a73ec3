"""Conditions for automations: a provider is online, or is offline."""

from typing import override

from homeassistant.components.sensor import DOMAIN as SENSOR_DOMAIN
from homeassistant.core import HomeAssistant
from homeassistant.helpers.automation import DomainSpec
from homeassistant.helpers.condition import Condition, EntityStateConditionBase

from .core.protocol.status import ProviderState
from .entity import entities_of_kind

_SENSORS = {SENSOR_DOMAIN: DomainSpec()}
_ONLINE: set[str | bool] = {ProviderState.HEALTHY, ProviderState.DEGRADED}
_NOT_ONLINE: set[str | bool] = {ProviderState.OFFLINE, ProviderState.UNAUTHORIZED}


class _StatusCondition(EntityStateConditionBase):
    """Reads the providers' status sensors."""

    _domain_specs = _SENSORS

    @override
    def entity_filter(self, entities: set[str]) -> set[str]:
        return entities_of_kind(self._hass, super().entity_filter(entities), "status")


class OnlineCondition(_StatusCondition):
    """The provider is usable."""

    _states = _ONLINE


class OfflineCondition(_StatusCondition):
    """The provider is not usable: it does not answer, or it refuses the API key."""

    _states = _NOT_ONLINE


CONDITIONS: dict[str, type[Condition]] = {"is_online": OnlineCondition, "is_offline": OfflineCondition}


async def async_get_conditions(hass: HomeAssistant) -> dict[str, type[Condition]]:
    """All conditions, by the part of their name after the dot."""
    return CONDITIONS
