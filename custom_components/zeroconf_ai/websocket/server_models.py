"""The models that servers hold: list, load, unload, download and delete."""

from typing import Any

import voluptuous as vol

from homeassistant.components.websocket_api import async_register_command
from homeassistant.components.websocket_api.decorators import async_response, require_admin, websocket_command
from homeassistant.core import HomeAssistant, callback

from ..usage.server_models import async_get_server_models
from .access import Connection, answered

_ONE_MODEL: dict[str | vol.Marker, Any] = {vol.Required("backend_id"): str, vol.Required("model"): str}


@callback
def async_setup(hass: HomeAssistant) -> None:
    """Register the commands."""
    for command in (list_servers, load, unload, delete, pull, cancel):
        async_register_command(hass, command)


@websocket_command({vol.Required("type"): "zeroconf_ai/server_models"})
@require_admin
@async_response
@answered
async def list_servers(hass: HomeAssistant, _: Connection, __: dict[str, Any]) -> Any:
    """The servers whose models can be controlled, with their models and downloads."""
    return {"servers": await async_get_server_models(hass).list()}


@websocket_command(
    {vol.Required("type"): "zeroconf_ai/server_models/load", **_ONE_MODEL, vol.Optional("keep_alive"): vol.Any(None, str)}
)
@require_admin
@async_response
@answered
async def load(hass: HomeAssistant, connection: Connection, message: dict[str, Any]) -> Any:
    """Load a model."""
    await async_get_server_models(hass).load(
        message["backend_id"], message["model"], message.get("keep_alive"), actor=connection.user.id
    )


@websocket_command({vol.Required("type"): "zeroconf_ai/server_models/unload", **_ONE_MODEL})
@require_admin
@async_response
@answered
async def unload(hass: HomeAssistant, connection: Connection, message: dict[str, Any]) -> Any:
    """Unload a model."""
    await async_get_server_models(hass).unload(message["backend_id"], message["model"], actor=connection.user.id)


@websocket_command({vol.Required("type"): "zeroconf_ai/server_models/delete", **_ONE_MODEL})
@require_admin
@async_response
@answered
async def delete(hass: HomeAssistant, connection: Connection, message: dict[str, Any]) -> Any:
    """Delete a model from the server's disk."""
    await async_get_server_models(hass).delete(message["backend_id"], message["model"], actor=connection.user.id)


@websocket_command({vol.Required("type"): "zeroconf_ai/server_models/pull", **_ONE_MODEL})
@require_admin
@async_response
@answered
async def pull(hass: HomeAssistant, connection: Connection, message: dict[str, Any]) -> Any:
    """Start a download, which goes on without the page."""
    async_get_server_models(hass).start_pull(message["backend_id"], message["model"], actor=connection.user.id)


@websocket_command({vol.Required("type"): "zeroconf_ai/server_models/cancel", **_ONE_MODEL})
@require_admin
@async_response
@answered
async def cancel(hass: HomeAssistant, connection: Connection, message: dict[str, Any]) -> Any:
    """Cancel a download."""
    async_get_server_models(hass).cancel_pull(message["backend_id"], message["model"], actor=connection.user.id)
