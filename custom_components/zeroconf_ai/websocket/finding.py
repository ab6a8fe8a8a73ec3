"""The home-only switch, and finding and adding providers."""

from typing import Any

import voluptuous as vol

from homeassistant.components.websocket_api import async_register_command
from homeassistant.components.websocket_api.decorators import async_response, require_admin, websocket_command
from homeassistant.core import HomeAssistant, callback

from ..core.admin.discovery_check import check_discovery
from ..gateway.home_only import async_set_home_only
from ..gateway.runtime import gateway_runtime
from .access import Connection, answered


@callback
def async_setup(hass: HomeAssistant) -> None:
    """Register the commands."""
    for command in (set_home_only, check):
        async_register_command(hass, command)


@websocket_command({vol.Required("type"): "zeroconf_ai/home_only", vol.Required("enabled"): bool})
@require_admin
@async_response
@answered
async def set_home_only(hass: HomeAssistant, _: Connection, message: dict[str, Any]) -> Any:
    """Set whether no request leaves the home."""
    await async_set_home_only(hass, message["enabled"])


@websocket_command({vol.Required("type"): "zeroconf_ai/discovery/check"})
@require_admin
@async_response
@answered
async def check(hass: HomeAssistant, _: Connection, __: dict[str, Any]) -> Any:
    """Listen to multicast DNS for some seconds, and say why no provider is found."""
    runtime = gateway_runtime(hass)
    return await check_discovery(None if runtime is None else runtime.presence.record)
