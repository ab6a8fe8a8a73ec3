"""API keys and budgets. Who is no administrator sees his own keys."""

from typing import Any, Final

import voluptuous as vol

from homeassistant.components.websocket_api import async_register_command
from homeassistant.components.websocket_api.const import ERR_NOT_FOUND
from homeassistant.components.websocket_api.decorators import async_response, require_admin, websocket_command
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import config_validation as cv

from ..const import LARGEST_BUDGET
from ..core.accounting.budget import Action, Scope, budget_id
from ..core.accounting.keys.client_key import LARGEST_RATE, SCOPES, ClientKey
from ..core.accounting.keys.key_changes import DAY
from ..core.accounting.keys.llm_apis import APIS_LIMIT
from ..core.accounting.periods import Period
from ..core.admin.authority import describe_authority
from ..core.admin.currency import describe_currency
from ..core.admin.keys import check_expiry, describe_budget, describe_key, describe_new_key, list_keys, set_monthly_budget
from ..core.admin.own_keys import create_own_key, enable_own_key, own_keys
from ..core.protocol.hosted_tools import GRANTS
from ..core.protocol.values import NANO
from ..data import DATA, gateway_entry
from ..flows.snippets import gateway_url
from ..gateway.house_tools import llm_apis
from ..gateway.own_keys import own_keys_of
from ..usage.display_names import administrator_names, budget_owner, user_names
from .access import CommandError, Connection, answered, gateway_of, names_of, own_user

NO_KEY: Final = "There is no such API key."
NAME: Final = vol.All(cv.string, vol.Strip, vol.Length(1, 100))
_KEY: Final[dict[str | vol.Marker, Any]] = {vol.Required("key_id"): cv.string}
_PATTERNS: Final = vol.All([NAME], vol.Length(max=100))
_LABELS: Final = vol.All([cv.string], vol.Length(max=100))
_RATE: Final = vol.Maybe(vol.All(int, vol.Range(1, LARGEST_RATE)))
FIELDS: Final[dict[str | vol.Marker, Any]] = {
    vol.Optional("user_id"): vol.Maybe(cv.string),
    vol.Optional("labels"): _LABELS,
    vol.Optional("models"): _PATTERNS,
    vol.Optional("endpoints"): vol.All([vol.In(SCOPES)], vol.Length(max=len(SCOPES))),
    vol.Optional("llm_apis"): vol.All([vol.All(cv.string, vol.Length(1, 255))], vol.Length(max=APIS_LIMIT)),
    vol.Optional("hosted_tools"): vol.All([vol.In(GRANTS)], vol.Length(max=len(GRANTS))),
    vol.Optional("background"): bool,
    vol.Optional("home_only"): bool,
    vol.Optional("expires"): vol.Maybe(vol.Coerce(float)),
    vol.Optional("requests_per_minute"): _RATE,
    vol.Optional("tokens_per_minute"): _RATE,
    vol.Optional("parallel"): _RATE,
    vol.Optional("monthly_budget"): vol.Maybe(vol.All(vol.Coerce(float), vol.Range(0, LARGEST_BUDGET))),
}
_BUDGET: Final[dict[str | vol.Marker, Any]] = {
    vol.Required("scope"): vol.Coerce(Scope),
    vol.Optional("subject", default=""): vol.All(cv.string, vol.Length(max=64)),
    vol.Optional("period", default=Period.MONTH.value): vol.Coerce(Period),
}


@callback
def async_setup(hass: HomeAssistant) -> None:
    """Register the commands."""
    for command in (keys, create_key, create_key_of_user, update_key, update_key_of_user, enable_key, rotate_key, revoke_key):
        async_register_command(hass, command)
    for command in (budgets, set_budget, reset_budget, remove_budget):
        async_register_command(hass, command)


@websocket_command({vol.Required("type"): "zeroconf_ai/keys"})
@async_response
@answered
async def keys(hass: HomeAssistant, connection: Connection, _: dict[str, Any]) -> Any:
    """All API keys with their usage, without their secrets. Others than administrators get their own, and what they may do."""
    store, own = gateway_of(hass).store, own_user(connection)
    return {
        "keys": list_keys(store, await names_of(hass), own),
        "base_url": _base_url(hass),
        "authority": describe_authority(None if (tls := gateway_of(hass).server.tls) is None else tls.authority_pem),
        "users": [] if own else [{"id": user_id, "name": name} for user_id, name in (await user_names(hass)).items()],
        "llm_apis": [] if own else [{"id": api_id, "name": name} for api_id, name in llm_apis(hass).items()],
        "own": None if own is None else own_keys(store, own_keys_of(hass), own, await administrator_names(hass)),
    }


@websocket_command({vol.Required("type"): "zeroconf_ai/keys/create", vol.Required("name"): NAME, **FIELDS})
@require_admin
@async_response
@answered
async def create_key(hass: HomeAssistant, connection: Connection, message: dict[str, Any]) -> Any:
    """Create an API key. Its secret is returned only here, with examples."""
    store, fields = gateway_of(hass).store, await fields_of(hass, message)
    key, secret = await store.keys.create(message["name"], **fields, actor=connection.user.id)
    await _set_budget(hass, connection, key, message)
    return describe_new_key(key, secret, _base_url(hass))


@websocket_command(
    {vol.Required("type"): "zeroconf_ai/keys/create_own", vol.Required("name"): NAME, vol.Optional("labels"): _LABELS}
)
@async_response
@answered
async def create_key_of_user(hass: HomeAssistant, connection: Connection, message: dict[str, Any]) -> Any:
    """Create an API key of the user himself, with the limits that the owner has set for users' own keys."""
    store, labels = gateway_of(hass).store, message.get("labels", ())
    key, secret = await create_own_key(store, own_keys_of(hass), connection.user.id, message["name"], labels)
    return describe_new_key(key, secret, _base_url(hass))


@websocket_command({vol.Required("type"): "zeroconf_ai/keys/update", **_KEY, vol.Optional("name"): NAME, **FIELDS})
@require_admin
@async_response
@answered
async def update_key(hass: HomeAssistant, connection: Connection, message: dict[str, Any]) -> Any:
    """Change an API key. What is left out does not change; null removes an owner, an expiry, a limit or the budget."""
    key, fields = _key(hass, connection, message), await fields_of(hass, message)
    if "name" in message:
        fields["name"] = message["name"]
    found = await _update(hass, connection, key, fields)
    await _set_budget(hass, connection, key, message)
    return describe_key(found)


@websocket_command(
    {
        vol.Required("type"): "zeroconf_ai/keys/update_own",
        **_KEY,
        vol.Optional("name"): NAME,
        vol.Optional("labels"): _LABELS,
    }
)
@async_response
@answered
async def update_key_of_user(hass: HomeAssistant, connection: Connection, message: dict[str, Any]) -> Any:
    """Rename and label an API key of the user himself."""
    changes: dict[str, Any] = {name: message[name] for name in ("name", "labels") if name in message}
    return describe_key(await _update(hass, connection, _key(hass, connection, message), changes))


@websocket_command({vol.Required("type"): "zeroconf_ai/keys/enable", **_KEY, vol.Required("enabled"): bool})
@async_response
@answered
async def enable_key(hass: HomeAssistant, connection: Connection, message: dict[str, Any]) -> Any:
    """Disable an API key, or enable it again. Its user may enable it if he disabled it himself."""
    key = _key(hass, connection, message)
    if own_user(connection) is None:
        return describe_key(await _update(hass, connection, key, {"enabled": message["enabled"]}))
    return describe_key(await enable_own_key(gateway_of(hass).store, own_keys_of(hass), key, enabled=message["enabled"]))


@websocket_command({vol.Required("type"): "zeroconf_ai/keys/rotate", **_KEY})
@async_response
@answered
async def rotate_key(hass: HomeAssistant, connection: Connection, message: dict[str, Any]) -> Any:
    """Replace the secret of an API key, by an administrator or its user. The former one stays valid for a day."""
    key, secret = await gateway_of(hass).store.keys.rotate(_key(hass, connection, message).id, DAY, actor=connection.user.id)
    return describe_new_key(key, secret, _base_url(hass))


@websocket_command({vol.Required("type"): "zeroconf_ai/keys/revoke", **_KEY})
@async_response
@answered
async def revoke_key(hass: HomeAssistant, connection: Connection, message: dict[str, Any]) -> Any:
    """Revoke an API key permanently, by an administrator or its user."""
    await gateway_of(hass).store.keys.revoke(_key(hass, connection, message).id, actor=connection.user.id)


@websocket_command({vol.Required("type"): "zeroconf_ai/budgets"})
@require_admin
@async_response
@answered
async def budgets(hass: HomeAssistant, _: Connection, __: dict[str, Any]) -> Any:
    """All budgets with what was spent, and the currency of their amounts."""
    gateway = gateway_of(hass)
    store = gateway.store
    usual = gateway.trackers.household.currency
    return {
        "budgets": [
            describe_budget(store.budgets.state(budget.id), await budget_owner(hass, store.keys, budget))
            for budget in store.budgets
        ],
        "currency": describe_currency(hass.data[DATA].engine, store.totals, usual)["currency"],
    }


@websocket_command(
    {
        vol.Required("type"): "zeroconf_ai/budgets/set",
        **_BUDGET,
        vol.Required("amount"): vol.All(vol.Coerce(float), vol.Range(0, LARGEST_BUDGET)),
        vol.Optional("action"): vol.Coerce(Action),
        vol.Optional("thresholds"): vol.All([vol.All(vol.Coerce(int), vol.Range(1, 100))], vol.Length(max=10)),
    }
)
@require_admin
@async_response
@answered
async def set_budget(hass: HomeAssistant, connection: Connection, message: dict[str, Any]) -> Any:
    """Create or change a budget. What is left out does not change."""
    await gateway_of(hass).store.budgets.set(
        message["scope"],
        message["subject"] or None,
        round(message["amount"] * NANO),
        message["period"],
        action=message.get("action"),
        thresholds=message.get("thresholds"),
        actor=connection.user.id,
    )


@websocket_command({vol.Required("type"): "zeroconf_ai/budgets/reset", **_BUDGET})
@require_admin
@async_response
@answered
async def reset_budget(hass: HomeAssistant, connection: Connection, message: dict[str, Any]) -> Any:
    """Set the spent amount of a budget to 0."""
    await gateway_of(hass).store.budgets.reset(_budget(hass, message), actor=connection.user.id)


@websocket_command({vol.Required("type"): "zeroconf_ai/budgets/remove", **_BUDGET})
@require_admin
@async_response
@answered
async def remove_budget(hass: HomeAssistant, connection: Connection, message: dict[str, Any]) -> Any:
    """Remove a budget."""
    await gateway_of(hass).store.budgets.remove(_budget(hass, message), actor=connection.user.id)


def _key(hass: HomeAssistant, connection: Connection, message: dict[str, Any]) -> ClientKey:
    """The API key of a command. Raises CommandError if it does not exist or belongs to somebody else."""
    key = gateway_of(hass).store.keys.get(message["key_id"])
    own = own_user(connection)
    if key is None or (own is not None and key.user_id != own):
        raise CommandError(ERR_NOT_FOUND, NO_KEY)
    return key


async def fields_of(hass: HomeAssistant, message: dict[str, Any]) -> dict[str, Any]:
    """The stored fields of a key in a message. Raises CommandError for an unknown user, InvalidRequestError for a past expiry."""
    found = {name: message[name] for name in map(str, FIELDS) if name in message and name != "monthly_budget"}
    if (user_id := found.get("user_id")) is not None and await hass.auth.async_get_user(user_id) is None:
        raise CommandError(ERR_NOT_FOUND, "There is no such user.")
    check_expiry(found.get("expires"))
    return found


async def _update(hass: HomeAssistant, connection: Connection, key: ClientKey, changes: dict[str, Any]) -> ClientKey:
    """Raises CommandError if the key was revoked meanwhile."""
    try:
        return await gateway_of(hass).store.keys.update(key.id, **changes, actor=connection.user.id)
    except KeyError:
        raise CommandError(ERR_NOT_FOUND, NO_KEY) from None


async def _set_budget(hass: HomeAssistant, connection: Connection, key: ClientKey, message: dict[str, Any]) -> None:
    if "monthly_budget" in message:
        await set_monthly_budget(gateway_of(hass).store, key.id, message["monthly_budget"], actor=connection.user.id)


def _budget(hass: HomeAssistant, message: dict[str, Any]) -> str:
    """The id of the budget of a command. Raises CommandError if it does not exist."""
    wanted = budget_id(message["scope"], message["subject"], message["period"])
    if gateway_of(hass).store.budgets.get(wanted) is None:
        raise CommandError(ERR_NOT_FOUND, "There is no such budget.")
    return wanted


def _base_url(hass: HomeAssistant) -> str:
    entry = gateway_entry(hass)
    return gateway_url(hass, {} if entry is None else entry.options)
