"""Usage reports and records. Who is no administrator sees his own."""

from typing import Any, Final

import voluptuous as vol

from homeassistant.components.websocket_api import async_register_command
from homeassistant.components.websocket_api.decorators import async_response, websocket_command
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import config_validation as cv

from ..core.accounting.usage.generation import Outcome
from ..core.accounting.usage.record_search import PAGE_LIMIT, RecordFilter
from ..core.accounting.usage.rollups import Group
from ..core.admin.requests import find_requests
from ..core.admin.usage import RecentGroup, report_by
from .access import Connection, answered, names_of, own_user, store_of

_ID: Final = vol.All(cv.string, vol.Length(max=512))
_GROUPS: Final = [*(group.value for group in Group), *(group.value for group in RecentGroup)]


@callback
def async_setup(hass: HomeAssistant) -> None:
    """Register the commands."""
    async_register_command(hass, usage)
    async_register_command(hass, requests)


@websocket_command(
    {
        vol.Required("type"): "zeroconf_ai/usage",
        vol.Optional("start"): cv.date,
        vol.Optional("end"): cv.date,
        vol.Optional("label"): _ID,
        vol.Optional("group_by", default=["day"]): vol.All([vol.In(_GROUPS)], vol.Length(max=4)),
    }
)
@async_response
@answered
async def usage(hass: HomeAssistant, connection: Connection, message: dict[str, Any]) -> Any:
    """The usage of a range of days (default: this month) by group."""
    store = store_of(hass)
    start, end = message.get("start"), message.get("end")
    names, own = await names_of(hass), own_user(connection)
    label = message.get("label")
    return await report_by(store.ledger, names, start, end, message["group_by"], user_id=own, label=label)


@websocket_command(
    {
        vol.Required("type"): "zeroconf_ai/requests",
        vol.Optional("start"): vol.Coerce(float),
        vol.Optional("end"): vol.Coerce(float),
        vol.Optional("request_id"): _ID,
        vol.Optional("model"): _ID,
        vol.Optional("backend_id"): _ID,
        vol.Optional("key_id"): _ID,
        vol.Optional("user_id"): _ID,
        vol.Optional("label"): _ID,
        vol.Optional("address"): _ID,
        vol.Optional("source"): _ID,
        vol.Optional("outcome"): vol.All(vol.In([outcome.value for outcome in Outcome]), vol.Coerce(Outcome)),
        vol.Optional("after"): _ID,
        vol.Optional("limit", default=50): vol.All(vol.Coerce(int), vol.Range(1, PAGE_LIMIT)),
    }
)
@async_response
@answered
async def requests(hass: HomeAssistant, connection: Connection, message: dict[str, Any]) -> Any:
    """A page of records, newest first."""
    wanted = {name: message[name] for name in RecordFilter.__slots__ if name in message}
    if (own := own_user(connection)) is not None:
        wanted["user_id"] = own
    return await find_requests(
        store_of(hass).ledger,
        await names_of(hass),
        RecordFilter(**wanted),
        after=message.get("after"),
        limit=message["limit"],
    )
