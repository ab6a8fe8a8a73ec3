"""Client certificates: one-time codes, and clients that wait for approval. For administrators."""

from typing import Any, Final

import voluptuous as vol

from homeassistant.components.websocket_api import async_register_command
from homeassistant.components.websocket_api.const import ERR_NOT_FOUND
from homeassistant.components.websocket_api.decorators import async_response, require_admin, websocket_command
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import config_validation as cv

from ..core.server.enrolment.described import describe_enrolment
from ..core.server.enrolment.enrolment import Enrolment
from ..core.server.tls.identity_files import TlsError
from ..data import gateway_entry
from ..flows.snippets import gateway_url
from .access import CommandError, Connection, answered, gateway_of
from .keys import FIELDS, NAME, fields_of

_REQUEST: Final[dict[str | vol.Marker, Any]] = {vol.Required("request_id"): vol.All(cv.string, vol.Length(1, 100))}
_CLIENT: Final[dict[str | vol.Marker, Any]] = {
    vol.Optional("name"): NAME,
    **{name: check for name, check in FIELDS.items() if name != "monthly_budget"},
}


@callback
def async_setup(hass: HomeAssistant) -> None:
    """Register the commands."""
    for command in (clients, make_code, close_code, approve, refuse, replace_authority):
        async_register_command(hass, command)


@websocket_command({vol.Required("type"): "zeroconf_ai/clients"})
@require_admin
@async_response
@answered
async def clients(hass: HomeAssistant, _: Connection, __: dict[str, Any]) -> Any:
    """Whether clients can enrol, the open code, and the clients that wait."""
    return _described(hass)


@websocket_command({vol.Required("type"): "zeroconf_ai/clients/code", vol.Optional("key_id"): cv.string, **_CLIENT})
@require_admin
@async_response
@answered
async def make_code(hass: HomeAssistant, connection: Connection, message: dict[str, Any]) -> Any:
    """Make a one-time code; the former one ends. The fields are those of the key that its client gets.

    With `key_id`: for the client of that key, which enrols again.
    """
    if "key_id" in message:
        _enrolment(hass).make_code_for(message["key_id"], actor=connection.user.id)
    else:
        _enrolment(hass).make_code(await _fields(hass, message), actor=connection.user.id)
    return _described(hass)


@websocket_command({vol.Required("type"): "zeroconf_ai/clients/close_code"})
@require_admin
@async_response
@answered
async def close_code(hass: HomeAssistant, _: Connection, __: dict[str, Any]) -> Any:
    """End the open code."""
    _enrolment(hass).close_code()
    return _described(hass)


@websocket_command({vol.Required("type"): "zeroconf_ai/clients/approve", **_REQUEST, **_CLIENT})
@require_admin
@async_response
@answered
async def approve(hass: HomeAssistant, connection: Connection, message: dict[str, Any]) -> Any:
    """Give a waiting client its certificate."""
    await _enrolment(hass).approve(message["request_id"], await _fields(hass, message), actor=connection.user.id)
    return _described(hass)


@websocket_command({vol.Required("type"): "zeroconf_ai/clients/refuse", **_REQUEST})
@require_admin
@async_response
@answered
async def refuse(hass: HomeAssistant, connection: Connection, message: dict[str, Any]) -> Any:
    """Refuse a waiting client."""
    _enrolment(hass).refuse(message["request_id"], actor=connection.user.id)
    return _described(hass)


@websocket_command({vol.Required("type"): "zeroconf_ai/clients/replace_authority"})
@require_admin
@async_response
@answered
async def replace_authority(hass: HomeAssistant, connection: Connection, _: dict[str, Any]) -> Any:
    """Replace the certificate authority for clients: all certificates end."""
    try:
        await _enrolment(hass).replace_authority(actor=connection.user.id)
    except TlsError as err:
        raise CommandError("file_error", str(err)) from None
    return _described(hass)


@callback
def _described(hass: HomeAssistant) -> dict[str, Any]:
    server, entry = gateway_of(hass).server, gateway_entry(hass)
    url = gateway_url(hass, {} if entry is None else entry.options)
    address = url.partition("://")[2].removesuffix("/v1")
    return describe_enrolment(server.enrolment, server.tls, server.access.mode, address)


@callback
def _enrolment(hass: HomeAssistant) -> Enrolment:
    """The gateway's enrolment. Raises CommandError if its separate port speaks no TLS."""
    enrolment = gateway_of(hass).server.enrolment
    if enrolment is None:
        raise CommandError(ERR_NOT_FOUND, "Client certificates need a separate port with TLS: turn it on under Reconfigure.")
    return enrolment


async def _fields(hass: HomeAssistant, message: dict[str, Any]) -> dict[str, Any]:
    """The fields of the client's key. Raises as `fields_of` does."""
    found = await fields_of(hass, message)
    return {**found, "name": message["name"]} if "name" in message else found
