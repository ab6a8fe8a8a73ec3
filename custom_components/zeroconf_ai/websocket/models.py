"""Model aliases with their chains, the routing strategy, and all models of the home."""

from typing import Any, Final

import voluptuous as vol

from homeassistant.components.websocket_api import async_register_command
from homeassistant.components.websocket_api.const import ERR_INVALID_FORMAT
from homeassistant.components.websocket_api.decorators import async_response, require_admin, websocket_command
from homeassistant.config_entries import ConfigEntry, ConfigEntryState
from homeassistant.core import HomeAssistant, callback

from ..const import CONF_STRATEGY, CONF_VIRTUAL_MODELS
from ..core.admin.aliases import NAME_LIMIT, TARGET_LIMIT, AliasError, Aliases, with_alias, without_alias
from ..core.admin.models import list_models
from ..core.routing.policy import Strategy
from ..data import DATA, gateway_entry
from ..gateway.policy import stored_aliases, virtual_models_of
from .access import CommandError, Connection, answered

_NAME: Final = vol.All(str, vol.Length(1, NAME_LIMIT))
_STRATEGY: Final = vol.Any(None, vol.Coerce(Strategy))


@callback
def async_setup(hass: HomeAssistant) -> None:
    """Register the commands."""
    for command in (models, set_alias, remove_alias, set_strategy):
        async_register_command(hass, command)


@websocket_command({vol.Required("type"): "zeroconf_ai/models"})
@require_admin
@async_response
@answered
async def models(hass: HomeAssistant, _: Connection, __: dict[str, Any]) -> Any:
    """The strategy, the aliases with what each means now, and all models with their providers."""
    entry = gateway_entry(hass)
    return list_models(hass.data[DATA].engine, editable=entry is not None and entry.state is ConfigEntryState.LOADED)


@websocket_command(
    {
        vol.Required("type"): "zeroconf_ai/models/set",
        vol.Required("name"): _NAME,
        vol.Required("targets"): vol.All([_NAME], vol.Length(max=TARGET_LIMIT)),
        vol.Optional("strategy"): _STRATEGY,
        vol.Optional("new", default=False): bool,
    }
)
@require_admin
@async_response
@answered
async def set_alias(hass: HomeAssistant, _: Connection, message: dict[str, Any]) -> Any:
    """Add or change a model alias: its chain in order, and its strategy (None: the gateway's)."""
    entry = _gateway(hass)
    aliases = virtual_models_of(entry.options)
    try:
        changed = with_alias(aliases, message["name"], message["targets"], message.get("strategy"), new=message["new"])
    except AliasError as err:
        raise CommandError(ERR_INVALID_FORMAT, str(err)) from None
    _save(hass, entry, changed)


@websocket_command({vol.Required("type"): "zeroconf_ai/models/remove", vol.Required("name"): _NAME})
@require_admin
@async_response
@answered
async def remove_alias(hass: HomeAssistant, _: Connection, message: dict[str, Any]) -> Any:
    """Remove a model alias."""
    entry = _gateway(hass)
    try:
        changed = without_alias(virtual_models_of(entry.options), message["name"])
    except AliasError as err:
        raise CommandError(ERR_INVALID_FORMAT, str(err)) from None
    _save(hass, entry, changed)


@websocket_command({vol.Required("type"): "zeroconf_ai/models/strategy", vol.Required("strategy"): vol.Coerce(Strategy)})
@require_admin
@async_response
@answered
async def set_strategy(hass: HomeAssistant, _: Connection, message: dict[str, Any]) -> Any:
    """Set the strategy of all requests except those for an alias with its own."""
    entry = _gateway(hass)
    hass.config_entries.async_update_entry(entry, options={**entry.options, CONF_STRATEGY: message["strategy"].value})


def _gateway(hass: HomeAssistant) -> ConfigEntry:
    """The gateway's entry. Raises CommandError without a gateway."""
    entry = gateway_entry(hass)
    if entry is None:
        raise CommandError("no_gateway", "Model aliases need the gateway: add it under Devices & services.")
    return entry


def _save(hass: HomeAssistant, entry: ConfigEntry, aliases: Aliases) -> None:
    hass.config_entries.async_update_entry(entry, options={**entry.options, CONF_VIRTUAL_MODELS: stored_aliases(aliases)})
