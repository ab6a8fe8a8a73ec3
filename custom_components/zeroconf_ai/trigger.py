"""Triggers for automations: a provider went offline, recovered, or a request failed over to another provider."""

from typing import override

from homeassistant.components.event import DOMAIN as EVENT_DOMAIN
from homeassistant.components.sensor import DOMAIN as SENSOR_DOMAIN
from homeassistant.core import HomeAssistant, State
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.automation import DomainSpec
from homeassistant.helpers.trigger import (
    EntityTransitionTriggerBase,
    NotTriggeredReasonReporter,
    StatelessEntityTriggerBase,
    Trigger,
)

from .core.protocol.status import ProviderState
from .core.routing.pool.events import EventKind
from .entity import LAST_FAILOVER, entities_of_kind

_SENSORS = {SENSOR_DOMAIN: DomainSpec()}
_EVENTS = {EVENT_DOMAIN: DomainSpec()}
_ONLINE: set[str | bool] = {ProviderState.HEALTHY, ProviderState.DEGRADED}
_OFFLINE: set[str | bool] = {ProviderState.OFFLINE}
_REFUSED: set[str | bool] = {ProviderState.UNAUTHORIZED}


class _StatusTrigger(EntityTransitionTriggerBase):
    """Fires on changes of the providers' status sensors."""

    _domain_specs = _SENSORS

    @override
    def entity_filter(self, entities: set[str]) -> set[str]:
        return entities_of_kind(self._hass, super().entity_filter(entities), "status")


class WentOfflineTrigger(_StatusTrigger):
    """The provider no longer answers."""

    _from_states = _ONLINE | _REFUSED
    _to_states = _OFFLINE


class RecoveredTrigger(_StatusTrigger):
    """The provider is usable again."""

    _from_states = _OFFLINE | _REFUSED
    _to_states = _ONLINE


class FailedOverTrigger(StatelessEntityTriggerBase):
    """A request was sent to the next provider because this one failed.

    Follows the availability event of a provider where it is enabled, since it names the next provider, else the status sensor.
    """

    _domain_specs = _SENSORS | _EVENTS

    @override
    def entity_filter(self, entities: set[str]) -> set[str]:
        known = super().entity_filter(entities)
        events = entities_of_kind(self._hass, known, "availability")
        registry = er.async_get(self._hass)
        followed = {event.device_id for entity_id in events if (event := registry.async_get(entity_id))}
        sensors = entities_of_kind(self._hass, known, "status")
        return events | {
            entity_id for entity_id in sensors if (sensor := registry.async_get(entity_id)) and sensor.device_id not in followed
        }

    @override
    def is_valid_state(self, state: State, report_not_triggered: NotTriggeredReasonReporter) -> bool:
        if state.domain == EVENT_DOMAIN:
            return state.attributes.get("event_type") == EventKind.FAILOVER
        return LAST_FAILOVER in state.attributes

    @override
    def is_valid_transition(self, from_state: State, to_state: State) -> bool:
        if to_state.domain == EVENT_DOMAIN:
            return super().is_valid_transition(from_state, to_state)
        return bool(from_state.attributes.get(LAST_FAILOVER) != to_state.attributes[LAST_FAILOVER])


TRIGGERS: dict[str, type[Trigger]] = {
    "went_offline": WentOfflineTrigger,
    "recovered": RecoveredTrigger,
    "failed_over": FailedOverTrigger,
}


async def async_get_triggers(hass: HomeAssistant) -> dict[str, type[Trigger]]:
    """All triggers, by the part of their name after the dot."""
    return TRIGGERS
