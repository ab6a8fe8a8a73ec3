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
from ..core.accounting.keys.client_key import ClientKey
from ..core.accounting.keys.key_store import DAY
from ..core.accounting.periods import Period
from ..core.admin.keys import describe_budget, describe_key, describe_new_key, list_keys
from ..core.protocol.values import NANO
from ..data import gateway_entry
from ..flows.snippets import gateway_url
from ..usage.display_names import budget_owner
from .access import CommandError, Connection, answered, gateway_of, names_of, own_user

_NAME: Final = vol.All(cv.string, vol.Strip, vol.Length(1, 100))
_KEY: Final[dict[str | vol.Marker, Any]] = {vol.Required("key_id"): cv.string}
_BUDGET: Final[dict[str | vol.Marker, Any]] = {
    vol.Required("scope"): vol.Coerce(Scope),
    vol.Optional("subject", default=""): vol.All(cv.string, vol.Length(max=64)),
    vol.Optional("period", default=Period.MONTH.value): vol.Coerce(Period),
}


@callback
def async_setup(hass: HomeAssistant) -> None:
    """Register the commands."""
    for command in (keys, create_key, enable_key, rotate_key, revoke_key, budgets, set_budget, reset_budget, remove_budget):
        async_register_command(hass, command)


@websocket_command({vol.Required("type"): "zeroconf_ai/keys"})
@async_response
@answered
async def keys(hass: HomeAssistant, connection: Connection, _: dict[str, Any]) -> Any:
    """All API keys with their usage, without their secrets; those of the user if he is no administrator."""
    found = list_keys(gateway_of(hass).store, await names_of(hass), own_user(connection))
    return {"keys": found, "base_url": _base_url(hass)}


@websocket_command(
    {
        vol.Required("type"): "zeroconf_ai/keys/create",
        vol.Required("name"): _NAME,
        vol.Optional("user_id"): cv.string,
        vol.Optional("models", default=[]): vol.All([_NAME], vol.Length(max=100)),
        vol.Optional("background", default=False): bool,
    }
)
@require_admin
@async_response
@answered
async def create_key(hass: HomeAssistant, connection: Connection, message: dict[str, Any]) -> Any:
    """Create an API key. Its secret is returned only here, with examples."""
    user_id = message.get("user_id")
    if user_id is not None and await hass.auth.async_get_user(user_id) is None:
        raise CommandError(ERR_NOT_FOUND, "There is no such user.")
    key, secret = await gateway_of(hass).store.keys.create(
        message["name"],
        user_id=user_id,
        models=tuple(message["models"]),
        background=message["background"],
        actor=connection.user.id,
    )
    return describe_new_key(key, secret, _base_url(hass))


@websocket_command({vol.Required("type"): "zeroconf_ai/keys/enable", **_KEY, vol.Required("enabled"): bool})
@require_admin
@async_response
@answered
async def enable_key(hass: HomeAssistant, connection: Connection, message: dict[str, Any]) -> Any:
    """Disable an API key, or enable it again."""
    store = gateway_of(hass).store.keys
    key = _key(hass, connection, message)
    return describe_key(await store.update(key.id, enabled=message["enabled"], actor=connection.user.id))


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
    """All budgets with what was spent."""
    store = gateway_of(hass).store
    return {
        "budgets": [
            describe_budget(store.budgets.state(budget.id), await budget_owner(hass, store.keys, budget))
            for budget in store.budgets
        ]
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
        raise CommandError(ERR_NOT_FOUND, "There is no such API key.")
    return key


def _budget(hass: HomeAssistant, message: dict[str, Any]) -> str:
    """The id of the budget of a command. Raises CommandError if it does not exist."""
    wanted = budget_id(message["scope"], message["subject"], message["period"])
    if gateway_of(hass).store.budgets.get(wanted) is None:
        raise CommandError(ERR_NOT_FOUND, "There is no such budget.")
    return wanted


def _base_url(hass: HomeAssistant) -> str:
    entry = gateway_entry(hass)
    return gateway_url(hass, {} if entry is None else entry.options)
