"""Priority and use of providers, health checks, and the plan of a request that is not sent."""

from typing import Any, Final

import voluptuous as vol

from homeassistant.components.websocket_api import async_register_command
from homeassistant.components.websocket_api.const import ERR_NOT_FOUND
from homeassistant.components.websocket_api.decorators import async_response, require_admin, websocket_command
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant, callback

from ..const import DOMAIN
from ..core.admin.callers import list_callers
from ..core.admin.pasted_request import LIMIT
from ..core.admin.why import why_pasted
from ..data import DATA
from ..pool_coordinator import MemberCoordinator
from ..usage.display_names import user_names
from .access import CommandError, Connection, answered, names_of

_MEMBER: Final[dict[str | vol.Marker, Any]] = {vol.Required("backend_id"): str}
_ID: Final = vol.All(str, vol.Length(max=512))
_PRIORITY: Final = vol.All(vol.Coerce(int), vol.Range(0, 65535))


@callback
def async_setup(hass: HomeAssistant) -> None:
    """Register the commands."""
    for command in (set_member, order_members, check_member, plan, callers):
        async_register_command(hass, command)


@websocket_command(
    {
        vol.Required("type"): "zeroconf_ai/providers/set",
        **_MEMBER,
        vol.Optional("enabled"): bool,
        vol.Optional("priority"): _PRIORITY,
    }
)
@require_admin
@async_response
@answered
async def set_member(hass: HomeAssistant, _: Connection, message: dict[str, Any]) -> Any:
    """Set whether routing uses a provider, and its priority."""
    coordinator = _coordinator(hass, message["backend_id"])
    if "enabled" in message:
        coordinator.set_routed(message["enabled"])
    if "priority" in message:
        coordinator.set_priority(message["priority"])


@websocket_command(
    {
        vol.Required("type"): "zeroconf_ai/providers/order",
        vol.Required("backend_ids"): vol.All([str], vol.Length(1, 200), vol.Unique()),
    }
)
@require_admin
@async_response
@answered
async def order_members(hass: HomeAssistant, _: Connection, message: dict[str, Any]) -> Any:
    """Prefer the providers in this order: they get the priorities 10, 20, 30 and so on."""
    ordered = [_coordinator(hass, backend_id) for backend_id in message["backend_ids"]]
    for position, coordinator in enumerate(ordered, 1):
        if coordinator.priority != 10 * position:
            coordinator.set_priority(10 * position)


@websocket_command({vol.Required("type"): "zeroconf_ai/providers/check", **_MEMBER})
@require_admin
@async_response
@answered
async def check_member(hass: HomeAssistant, _: Connection, message: dict[str, Any]) -> Any:
    """Check the health of a provider and read its models now."""
    await _coordinator(hass, message["backend_id"]).check_now(models=True)


@websocket_command(
    {
        vol.Required("type"): "zeroconf_ai/why",
        vol.Required("text"): vol.All(str, vol.Length(max=LIMIT)),
        vol.Optional("model"): _ID,
        vol.Optional("key_id"): _ID,
        vol.Optional("user_id"): _ID,
    }
)
@require_admin
@async_response
@answered
async def plan(hass: HomeAssistant, _: Connection, message: dict[str, Any]) -> Any:
    """The plan of a question, a request's body or a curl command: candidates, order, reasons, the most that each may charge."""
    users = await user_names(hass)
    return why_pasted(
        hass.data[DATA].engine,
        message["text"],
        await names_of(hass),
        model=message.get("model"),
        key_id=message.get("key_id"),
        user_id=message.get("user_id"),
        active_user=users.__contains__,
    )


@websocket_command({vol.Required("type"): "zeroconf_ai/callers"})
@require_admin
@async_response
@answered
async def callers(hass: HomeAssistant, _: Connection, __: dict[str, Any]) -> Any:
    """The names of all API keys and users: as whom a plan is shown, and for whom a budget can be."""
    return list_callers((await names_of(hass)).keys, await user_names(hass))


def _coordinator(hass: HomeAssistant, backend_id: str) -> MemberCoordinator:
    """The coordinator of a provider, backend or agent. Raises CommandError if it is not loaded."""
    found: list[MemberCoordinator] = []
    for entry in hass.config_entries.async_entries(DOMAIN):
        if entry.state is ConfigEntryState.LOADED:
            entry.runtime_data.listen_members(found.append)()
    for coordinator in found:
        if coordinator.member_id == backend_id:
            return coordinator
    raise CommandError(ERR_NOT_FOUND, "There is no such provider.")
