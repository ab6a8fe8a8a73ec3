"""What the system information page says of the integration."""

from typing import Any

from homeassistant.components import system_health
from homeassistant.core import HomeAssistant, callback

from .data import DATA, provider_entries


@callback
def async_register(hass: HomeAssistant, register: system_health.SystemHealthRegistration) -> None:
    """Register the information."""
    register.async_register_info(_info)


async def _info(hass: HomeAssistant) -> dict[str, Any]:
    shared = hass.data[DATA]
    members = list(shared.engine.pool)
    return {
        "providers": len(provider_entries(hass)),
        "online": sum(member.online and member.known for member in members),
        "models": len({model.id for member in members for model in member.models}),
        "discovered": len(shared.discovery.providers),
        "browsing": shared.discovery.running,
    }
