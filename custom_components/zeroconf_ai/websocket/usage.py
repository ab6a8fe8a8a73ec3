"""Usage reports and records. Who is no administrator sees his own."""

from dataclasses import replace
from typing import Any, Final

import voluptuous as vol

from homeassistant.components.websocket_api import async_register_command
from homeassistant.components.websocket_api.decorators import async_response, require_admin, websocket_command
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import config_validation as cv

from ..core.accounting.usage.generation import Outcome
from ..core.accounting.usage.record_search import PAGE_LIMIT, RecordFilter
from ..core.accounting.usage.rollups import Group, UsageFilter
from ..core.admin.currency import describe_currency
from ..core.admin.requests import find_requests, find_words
from ..core.admin.usage import RecentGroup, ReportQuery, report_by
from ..data import DATA
from ..gateway.runtime import gateway_runtime
from .access import Connection, answered, names_of, own_user, store_of

_ID: Final = vol.All(cv.string, vol.Length(max=512))
_FILTERS: Final = ("model", "backend_id", "key_id", "user_id", "label", "source")
_GROUPS: Final = [*(group.value for group in Group), *(group.value for group in RecentGroup)]


@callback
def async_setup(hass: HomeAssistant) -> None:
    """Register the commands."""
    async_register_command(hass, usage)
    async_register_command(hass, requests)
    async_register_command(hass, words)
    async_register_command(hass, currency)


@websocket_command(
    {
        vol.Required("type"): "zeroconf_ai/usage",
        vol.Optional("start"): cv.date,
        vol.Optional("end"): cv.date,
        **{vol.Optional(name): _ID for name in (*_FILTERS, "address")},
        vol.Optional("group_by", default=["day"]): vol.All([vol.In(_GROUPS)], vol.Length(max=4)),
    }
)
@async_response
@answered
async def usage(hass: HomeAssistant, connection: Connection, message: dict[str, Any]) -> Any:
    """The usage of a range of days (default: this month) by group."""
    store = store_of(hass)
    only = UsageFilter(**{name: message.get(name) for name in _FILTERS})
    if (own := own_user(connection)) is not None:
        only = replace(only, user_id=own)
    query = ReportQuery(message.get("start"), message.get("end"), message["group_by"], only, message.get("address"))
    return await report_by(store.ledger, await names_of(hass), query)


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


@websocket_command({vol.Required("type"): "zeroconf_ai/requests/words", vol.Required("request_id"): _ID})
@async_response
@answered
async def words(hass: HomeAssistant, connection: Connection, message: dict[str, Any]) -> Any:
    """The stored words of a request; null if they were not stored, or belong to somebody else."""
    return {"words": await find_words(store_of(hass).exchanges, message["request_id"], own_user(connection))}


@websocket_command({vol.Required("type"): "zeroconf_ai/currency"})
@require_admin
@async_response
@answered
async def currency(hass: HomeAssistant, _: Connection, __: dict[str, Any]) -> Any:
    """The currency of budgets, the exchange rates to it, and the currencies that have none."""
    store, gateway = store_of(hass), gateway_runtime(hass)
    usual = hass.config.currency if gateway is None else gateway.trackers.household.currency
    return describe_currency(hass.data[DATA].engine, store.totals, usual)
