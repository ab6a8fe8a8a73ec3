"""The states of entities."""

from homeassistant.core import HomeAssistant, State


def state_of(hass: HomeAssistant, entity_id: str) -> State:
    """The state of an entity that must exist."""
    state = hass.states.get(entity_id)
    assert state is not None, entity_id
    return state


def value(hass: HomeAssistant, entity_id: str) -> str | None:
    """The value of an entity's state; None if there is no such entity."""
    state = hass.states.get(entity_id)
    return state.state if state else None


def values(hass: HomeAssistant, device: str, *keys: str) -> list[str | None]:
    """The values of sensors of a device."""
    return [value(hass, f"sensor.{device}_{key}") for key in keys]
