"""Actions on the models that servers hold. For administrators only."""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

import voluptuous as vol

from homeassistant.core import HomeAssistant, ServiceCall, SupportsResponse, callback
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.service import async_get_config_entry, async_register_admin_service

from ..const import CONF_KEEP_ALIVE, DOMAIN
from ..core.admin.server_models import ServerModels
from ..core.protocol.errors import ApiError
from ..data import DATA
from ..errors import to_home_assistant_error
from ..usage.server_models import async_get_server_models
from .chat import ATTR_CONFIG_ENTRY_ID, ATTR_MODEL

ACTION_LIST: Final = "list_models"
ACTION_LOAD: Final = "load_model"
ACTION_UNLOAD: Final = "unload_model"
ACTION_PULL: Final = "pull_model"
ACTION_DELETE: Final = "delete_model"

_ONE_MODEL = {vol.Required(ATTR_CONFIG_ENTRY_ID): cv.string, vol.Required(ATTR_MODEL): cv.string}
LIST_SCHEMA = vol.Schema({vol.Optional(ATTR_CONFIG_ENTRY_ID): cv.string})
MODEL_SCHEMA = vol.Schema(_ONE_MODEL)
LOAD_SCHEMA = vol.Schema({**_ONE_MODEL, vol.Optional(CONF_KEEP_ALIVE): cv.string})

type _Act = Callable[[ServerModels, str, ServiceCall], Awaitable[Any]]

_ACTIONS: dict[str, tuple[vol.Schema, _Act]] = {
    ACTION_LOAD: (
        LOAD_SCHEMA,
        lambda models, server, call: models.load(
            server, call.data[ATTR_MODEL], call.data.get(CONF_KEEP_ALIVE), actor=_actor(call)
        ),
    ),
    ACTION_UNLOAD: (MODEL_SCHEMA, lambda models, server, call: models.unload(server, call.data[ATTR_MODEL], actor=_actor(call))),
    ACTION_PULL: (MODEL_SCHEMA, lambda models, server, call: models.pull(server, call.data[ATTR_MODEL], actor=_actor(call))),
    ACTION_DELETE: (MODEL_SCHEMA, lambda models, server, call: models.delete(server, call.data[ATTR_MODEL], actor=_actor(call))),
}
"""By the name of the action. A download returns when the model is installed; a script that is stopped ends it."""


@callback
def async_setup_model_services(hass: HomeAssistant) -> None:
    """Register the actions."""
    async_register_admin_service(hass, DOMAIN, ACTION_LIST, _list, LIST_SCHEMA, supports_response=SupportsResponse.ONLY)
    for name, (schema, act) in _ACTIONS.items():
        async_register_admin_service(hass, DOMAIN, name, _doing(name, act), schema)


def _doing(name: str, act: _Act) -> Callable[[ServiceCall], Coroutine[Any, Any, None]]:
    async def do(call: ServiceCall) -> None:
        server = _server(call.hass, call.data[ATTR_CONFIG_ENTRY_ID])
        try:
            await act(async_get_server_models(call.hass), server, call)
        except ApiError as err:
            raise to_home_assistant_error(err, f"{DOMAIN}.{name}") from err

    return do


async def _list(call: ServiceCall) -> dict[str, Any]:
    """Return the servers whose models can be controlled, with their models and downloads; or one of them."""
    models = async_get_server_models(call.hass)
    chosen = call.data.get(ATTR_CONFIG_ENTRY_ID)
    try:
        servers = await models.list() if chosen is None else [await models.describe(_server(call.hass, chosen))]
    except ApiError as err:
        raise to_home_assistant_error(err, f"{DOMAIN}.{ACTION_LIST}") from err
    return {"servers": [{ATTR_CONFIG_ENTRY_ID: server.pop("backend_id"), **server} for server in map(dict, servers)]}


def _actor(call: ServiceCall) -> str:
    """The user for the audit log; automations have none."""
    return call.context.user_id or ""


def _server(hass: HomeAssistant, chosen: str) -> str:
    """The id of a provider's entry, or of a backend. Raises ServiceValidationError if neither exists."""
    if hass.data[DATA].engine.pool.get(chosen) is not None:
        return chosen
    return async_get_config_entry(hass, DOMAIN, chosen).entry_id
