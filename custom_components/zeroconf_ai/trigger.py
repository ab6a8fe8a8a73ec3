"""Triggers for automations: a provider went offline, recovered, or a request failed over to another provider."""

from typing import override

from homeassistant.components.event import DOMAIN as EVENT_DOMAIN
from homeassistant.components.sensor import DOMAIN as SENSOR_DOMAIN
from homeassistant.core import HomeAssistant, State
from homeassistant.helpers.automation import DomainSpec
from homeassistant.helpers.trigger import (
    EntityTransitionTriggerBase,
    NotTriggeredReasonReporter,
    StatelessEntityTriggerBase,
    Trigger,
)

from .core.protocol.status import ProviderState
from .core.routing.pool.events import EventKind
from .entity import entities_of_kind

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
    """A request was sent to the next provider because this one failed."""

    _domain_specs = _EVENTS

    @override
    def entity_filter(self, entities: set[str]) -> set[str]:
        return entities_of_kind(self._hass, super().entity_filter(entities), "availability")

    @override
    def is_valid_state(self, state: State, report_not_triggered: NotTriggeredReasonReporter) -> bool:
        return state.attributes.get("event_type") == EventKind.FAILOVER


TRIGGERS: dict[str, type[Trigger]] = {
    "went_offline": WentOfflineTrigger,
    "recovered": RecoveredTrigger,
    "failed_over": FailedOverTrigger,
}


async def async_get_triggers(hass: HomeAssistant) -> dict[str, type[Trigger]]:
    """All triggers, by the part of their name after the dot."""
    return TRIGGERS
