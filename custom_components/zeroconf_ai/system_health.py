"""The integration's section of the system information page."""

from typing import Any

from homeassistant.components import system_health
from homeassistant.core import HomeAssistant, callback

from .data import DATA, provider_entries
from .gateway.runtime import gateway_runtime


@callback
def async_register(hass: HomeAssistant, register: system_health.SystemHealthRegistration) -> None:
    """Register the information."""
    register.async_register_info(_info)


async def _info(hass: HomeAssistant) -> dict[str, Any]:
    shared = hass.data[DATA]
    members = list(shared.engine.pool)
    online = {member.id for member in members if member.online and member.known}
    providers = provider_entries(hass)
    own = {entry.entry_id for entry in providers}
    info: dict[str, Any] = {
        "providers": len(providers),
        "online": len(online & own),
        "models": len({model.id for member in members for model in member.models if not model.virtual}),
        "discovered": len(shared.discovery.providers),
        "browsing": shared.discovery.running,
    }
    if (gateway := gateway_runtime(hass)) is not None:
        info["gateway"] = gateway.coordinator.state
        info["backends"] = len(online - own)
        info["advertised"] = gateway.presence.record is not None
    return info
