"""Actions on API keys and model aliases. For administrators only."""

from collections.abc import Callable, Coroutine
from typing import Any, Final

import voluptuous as vol

from homeassistant.const import CONF_NAME
from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse, SupportsResponse, callback
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.service import async_register_admin_service
from homeassistant.util import dt as dt_util

from ..const import CONF_HOME_ONLY, CONF_MODELS, CONF_STRATEGY, CONF_TARGETS, CONF_VIRTUAL_MODELS, DOMAIN
from ..core.accounting.keys.client_key import ClientKey
from ..core.accounting.keys.key_changes import DAY
from ..core.accounting.keys.key_store import KeyStore
from ..core.accounting.keys.labels import checked_labels
from ..core.accounting.keys.llm_apis import check_owner, checked_llm_apis
from ..core.accounting.storage.database import DatabaseError
from ..core.admin.aliases import AliasError, with_alias, without_alias
from ..core.admin.keys import describe_key
from ..core.protocol.errors import InvalidRequestError
from ..core.protocol.hosted_tools import GRANTS
from ..core.routing.policy import Strategy
from ..core.server.endpoints import OLLAMA_ROUTES, ROUTES
from ..data import gateway_entry
from ..gateway.policy import stored_aliases, virtual_models_of
from ..gateway.runtime import gateway_runtime

ACTION_CREATE_KEY: Final = "create_key"
ACTION_LIST_KEYS: Final = "list_keys"
ACTION_REVOKE_KEY: Final = "revoke_key"
ACTION_ROTATE_KEY: Final = "rotate_key"
ACTION_SET_MODEL_ALIAS: Final = "set_model_alias"

ATTR_BACKGROUND: Final = "background"
ATTR_ENDPOINTS: Final = "endpoints"
ATTR_EXPIRES: Final = "expires"
ATTR_HOSTED_TOOLS: Final = "hosted_tools"
ATTR_KEY: Final = "key"
ATTR_KEY_ID: Final = "key_id"
ATTR_LLM_APIS: Final = "llm_apis"
ATTR_LABELS: Final = "labels"
ATTR_OVERLAP: Final = "overlap"
ATTR_USER_ID: Final = "user_id"

_NAME = vol.All(cv.string, vol.Strip, vol.Length(1, 100))
_SCOPES: Final = sorted({route.scope for route in (*ROUTES, *OLLAMA_ROUTES) if route.scope})
_LONGEST_OVERLAP: Final = 30 * DAY


def _labels(labels: list[str]) -> tuple[str, ...]:
    """Raises vol.Invalid."""
    try:
        return checked_labels(labels)
    except InvalidRequestError as err:
        raise vol.Invalid(err.message) from None


_CREATE = vol.Schema(
    {
        vol.Required(CONF_NAME): _NAME,
        vol.Optional(ATTR_USER_ID): cv.string,
        vol.Optional(CONF_MODELS, default=[]): vol.All(cv.ensure_list, [_NAME]),
        vol.Optional(ATTR_ENDPOINTS, default=[]): vol.All(cv.ensure_list, [vol.In(_SCOPES)]),
        vol.Optional(ATTR_BACKGROUND, default=False): cv.boolean,
        vol.Optional(CONF_HOME_ONLY, default=False): cv.boolean,
        vol.Optional(ATTR_EXPIRES): cv.datetime,
        vol.Optional(ATTR_LLM_APIS, default=[]): vol.All(cv.ensure_list, [cv.string]),
        vol.Optional(ATTR_HOSTED_TOOLS, default=[]): vol.All(cv.ensure_list, [vol.In(GRANTS)]),
        vol.Optional(ATTR_LABELS, default=[]): vol.All(cv.ensure_list, [cv.string], _labels),
    }
)


def _with_owner(data: dict[str, Any]) -> dict[str, Any]:
    """Raises vol.Invalid for LLM APIs that are invalid, or of a key without a user."""
    try:
        check_owner(checked_llm_apis(data[ATTR_LLM_APIS]), data.get(ATTR_USER_ID))
    except InvalidRequestError as err:
        raise vol.Invalid(err.message) from None
    return data


CREATE_SCHEMA = vol.Schema(vol.All(_CREATE, _with_owner))
LIST_SCHEMA = vol.Schema({})
REVOKE_SCHEMA = vol.Schema({vol.Required(ATTR_KEY_ID): cv.string})
ROTATE_SCHEMA = vol.Schema(
    {
        vol.Required(ATTR_KEY_ID): cv.string,
        vol.Optional(ATTR_OVERLAP, default={"seconds": DAY}): vol.All(
            cv.positive_time_period, lambda period: period.total_seconds(), vol.Range(0, _LONGEST_OVERLAP)
        ),
    }
)
ALIAS_SCHEMA = vol.Schema(
    {
        vol.Required(CONF_NAME): _NAME,
        vol.Optional(CONF_TARGETS, default=[]): vol.All(cv.ensure_list, [_NAME], vol.Length(max=32)),
        vol.Optional(CONF_STRATEGY): vol.In([strategy.value for strategy in Strategy]),
    }
)

type _Action = Callable[[ServiceCall], Coroutine[Any, Any, ServiceResponse]]


@callback
def async_setup_key_services(hass: HomeAssistant) -> None:
    """Register the actions, which exist with and without a gateway."""
    actions: tuple[tuple[str, _Action, vol.Schema, SupportsResponse], ...] = (
        (ACTION_CREATE_KEY, _create_key, CREATE_SCHEMA, SupportsResponse.ONLY),
        (ACTION_LIST_KEYS, _list_keys, LIST_SCHEMA, SupportsResponse.ONLY),
        (ACTION_REVOKE_KEY, _revoke_key, REVOKE_SCHEMA, SupportsResponse.NONE),
        (ACTION_ROTATE_KEY, _rotate_key, ROTATE_SCHEMA, SupportsResponse.ONLY),
        (ACTION_SET_MODEL_ALIAS, _set_model_alias, ALIAS_SCHEMA, SupportsResponse.NONE),
    )
    for name, action, schema, response in actions:
        async_register_admin_service(hass, DOMAIN, name, action, schema, response)


async def _create_key(call: ServiceCall) -> ServiceResponse:
    """Create an API key. Its secret is returned only here."""
    keys, data = _keys(call.hass), call.data
    user_id, expires = data.get(ATTR_USER_ID), data.get(ATTR_EXPIRES)
    if user_id is not None and await call.hass.auth.async_get_user(user_id) is None:
        raise _wrong("unknown_user", user_id=user_id)
    try:
        key, secret = await keys.create(
            data[CONF_NAME],
            user_id=user_id,
            models=tuple(data[CONF_MODELS]),
            endpoints=tuple(data[ATTR_ENDPOINTS]),
            background=data[ATTR_BACKGROUND],
            home_only=data[CONF_HOME_ONLY],
            expires=None if expires is None else dt_util.as_utc(expires).timestamp(),
            labels=data[ATTR_LABELS],
            llm_apis=tuple(data[ATTR_LLM_APIS]),
            hosted_tools=tuple(data[ATTR_HOSTED_TOOLS]),
        )
    except DatabaseError as err:
        raise _failed(err) from err
    return {**describe_key(key), ATTR_KEY: secret}


async def _list_keys(call: ServiceCall) -> ServiceResponse:
    """Return all API keys, without their secrets."""
    return {"keys": [describe_key(key) for key in _keys(call.hass)]}


async def _revoke_key(call: ServiceCall) -> ServiceResponse:
    """Revoke an API key; it is rejected from the next request on."""
    keys = _keys(call.hass)
    try:
        await keys.revoke(_find(keys, call.data[ATTR_KEY_ID]).id)
    except DatabaseError as err:
        raise _failed(err) from err
    return None


async def _rotate_key(call: ServiceCall) -> ServiceResponse:
    """Replace the secret of an API key. It is returned only here; the former one stays valid for a while."""
    keys = _keys(call.hass)
    found = _find(keys, call.data[ATTR_KEY_ID])
    if found.certificate:
        raise _wrong("no_secret", key=found.name)
    try:
        key, secret = await keys.rotate(found.id, call.data[ATTR_OVERLAP])
    except DatabaseError as err:
        raise _failed(err) from err
    return {**describe_key(key), ATTR_KEY: secret}


async def _set_model_alias(call: ServiceCall) -> ServiceResponse:
    """Set the models of a model alias; without models, delete it."""
    entry = gateway_entry(call.hass)
    if entry is None:
        raise _wrong("no_gateway")
    name, targets, strategy = call.data[CONF_NAME], call.data[CONF_TARGETS], call.data.get(CONF_STRATEGY)
    aliases = virtual_models_of(entry.options)
    try:
        if targets:
            changed = with_alias(aliases, name, targets, None if strategy is None else Strategy(strategy))
        else:
            changed = without_alias(aliases, name)
    except AliasError as err:
        if err.code == "unknown_alias":
            raise _wrong("unknown_alias", name=name) from None
        if err.code == "auto_stays":
            raise _wrong("auto_stays") from None
        raise _wrong("invalid_alias", name=name, reason=str(err)) from None
    options = {**entry.options, CONF_VIRTUAL_MODELS: stored_aliases(changed)}
    call.hass.config_entries.async_update_entry(entry, options=options)
    return None


def _keys(hass: HomeAssistant) -> KeyStore:
    runtime = gateway_runtime(hass)
    if runtime is None:
        raise _wrong("no_gateway")
    return runtime.store.keys


def _find(keys: KeyStore, wanted: str) -> ClientKey:
    """The API key with an id, or the only one with a name."""
    if (known := keys.get(wanted)) is not None:
        return known
    named = [key for key in keys if key.name == wanted]
    if len(named) != 1:
        raise _wrong("ambiguous_key" if named else "unknown_key", key=wanted)
    return named[0]


def _wrong(reason: str, /, **placeholders: str) -> ServiceValidationError:
    return ServiceValidationError(translation_domain=DOMAIN, translation_key=reason, translation_placeholders=placeholders)


def _failed(err: DatabaseError) -> HomeAssistantError:
    return HomeAssistantError(
        translation_domain=DOMAIN, translation_key="database_failed", translation_placeholders={"error": str(err)}
    )
