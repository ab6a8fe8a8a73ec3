"""The steps of API keys in the gateway's options. A secret is shown once and not stored."""

from collections.abc import Mapping
from typing import Any

from homeassistant.config_entries import ConfigEntryState, ConfigFlowResult
from homeassistant.const import CONF_NAME
from homeassistant.data_entry_flow import AbortFlow
from homeassistant.util import dt as dt_util

from ..const import CONF_ENABLED, CONF_HOME_ONLY
from ..core.accounting.keys.client_key import ClientKey
from ..core.accounting.keys.key_store import KeyStore
from ..core.accounting.keys.labels import checked_labels
from ..core.accounting.storage.database import DatabaseError
from ..core.accounting.store import AccountingStore
from ..core.admin.keys import monthly_budget, set_monthly_budget
from ..core.protocol.errors import InvalidRequestError
from ..core.protocol.values import NANO
from ..core.server.endpoints import ROUTES
from ..gateway.house_tools import llm_apis
from ..gateway.policy import virtual_models_of
from ..markdown import Markdown, code, escaped, table_row
from .gateway_schemas import (
    CONF_BACKGROUND,
    CONF_ENDPOINTS,
    CONF_EXPIRES,
    CONF_HOSTED_TOOLS,
    CONF_ID,
    CONF_LABELS,
    CONF_LLM_APIS,
    CONF_MODEL_PATTERNS,
    CONF_MONTHLY_BUDGET,
    CONF_OVERLAP,
    CONF_OWNER,
    CONF_PARALLEL,
    CONF_REQUESTS_PER_MINUTE,
    CONF_TOKENS_PER_MINUTE,
    NEW,
    ROTATION,
    choice_schema,
    key_schema,
)
from .model_aliases import known_models
from .options_menu import OptionsMenuFlow
from .provider_schemas import NO_FIELDS
from .snippets import gateway_url, snippets

EXPIRED = "expired"
LABELS_INVALID = "labels_invalid"
APIS_NEED_OWNER = "apis_need_owner"
NAME_NEEDED = "name_needed"
_HOUR = 3600.0
_NOTHING = "–"


class KeysFlow(OptionsMenuFlow):
    """The steps that list, add, change, rotate and revoke API keys. Changes apply to the next request."""

    _key_id: str
    """The id of the API key that is changed."""
    _secret: str
    """The secret that is shown; kept until its form is closed."""

    @property
    def _store(self) -> AccountingStore:
        """The accounting store. Raises AbortFlow while the gateway is not loaded."""
        entry = self.config_entry
        if entry.state is not ConfigEntryState.LOADED:
            raise AbortFlow("entry_not_loaded")
        store: AccountingStore = entry.runtime_data.store
        return store

    @property
    def _keys(self) -> KeyStore:
        """The API keys. Raises AbortFlow while the gateway is not loaded."""
        return self._store.keys

    @property
    def _key(self) -> ClientKey:
        """The API key that is changed. Raises AbortFlow if it no longer exists."""
        key = self._keys.get(self._key_id)
        if key is None:
            raise AbortFlow("key_gone")
        return key

    async def async_step_keys(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """List the API keys, and choose one or add one."""
        keys = list(self._keys)
        if user_input is not None:
            if user_input[CONF_ID] == NEW:
                return await self.async_step_key_new()
            self._key_id = user_input[CONF_ID]
            return await self.async_step_key()
        users = await self._users()
        table = Markdown("\n".join(_row(key, users) for key in keys))
        return self.async_show_form(
            step_id="keys",
            data_schema=choice_schema({key.id: f"{key.name} ({key.prefix}…)" for key in keys}, "client_key"),
            description_placeholders={"keys": table or _row(None, users)},
        )

    async def async_step_key(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """The menu of an API key."""
        key = self._key
        return self.async_show_menu(
            step_id="key",
            menu_options=["key_edit", "key_revoke"] if key.certificate else ["key_edit", "key_rotate", "key_revoke"],
            description_placeholders={"name": key.name, "keys": _row(key, await self._users())},
        )

    async def async_step_key_new(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Add an API key."""
        keys = self._keys
        errors: dict[str, str] = {}
        if user_input is not None:
            try:
                name, limits = _read(user_input)
                key, self._secret = await keys.create(name, **limits)
                await set_monthly_budget(self._store, key.id, user_input.get(CONF_MONTHLY_BUDGET))
            except ValueError as err:
                errors = {"base": str(err)}
            except DatabaseError as err:
                raise _not_saved(err) from err
            else:
                self._key_id = key.id
                return await self.async_step_key_shown()
        return await self._ask("key_new", errors, user_input, {"name": ""})

    async def async_step_key_edit(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Change the limits of an API key, or disable it."""
        key = self._key
        errors: dict[str, str] = {}
        if user_input is not None:
            try:
                name, limits = _read(user_input, before=key.expires)
                await self._keys.update(key.id, name=name, enabled=user_input[CONF_ENABLED], **limits)
                await set_monthly_budget(self._store, key.id, user_input.get(CONF_MONTHLY_BUDGET))
            except ValueError as err:
                errors = {"base": str(err)}
            except KeyError:
                raise AbortFlow("key_gone") from None
            except DatabaseError as err:
                raise _not_saved(err) from err
            else:
                return await self._to_menu()
        stored = {
            CONF_NAME: key.name,
            CONF_OWNER: key.user_id,
            CONF_MODEL_PATTERNS: list(key.models),
            CONF_ENDPOINTS: list(key.endpoints),
            CONF_BACKGROUND: key.background,
            CONF_HOME_ONLY: key.home_only,
            CONF_EXPIRES: None if key.expires is None else _time(key.expires, "%Y-%m-%d %H:%M:%S"),
            CONF_REQUESTS_PER_MINUTE: key.requests_per_minute,
            CONF_TOKENS_PER_MINUTE: key.tokens_per_minute,
            CONF_PARALLEL: key.parallel,
            CONF_MONTHLY_BUDGET: None if (budget := monthly_budget(self._store, key.id)) is None else budget.amount / NANO,
            CONF_ENABLED: key.enabled,
            CONF_LABELS: list(key.labels),
            CONF_LLM_APIS: list(key.llm_apis),
            CONF_HOSTED_TOOLS: list(key.hosted_tools),
        }
        shown = {name: value for name, value in stored.items() if value is not None} if user_input is None else user_input
        return await self._ask("key_edit", errors, shown, {"name": key.name})

    async def async_step_key_rotate(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Rotate an API key: it gets a new secret."""
        key = self._key
        if user_input is None:
            return self.async_show_form(
                step_id="key_rotate", data_schema=ROTATION, description_placeholders={"name": key.name, "prefix": key.prefix}
            )
        try:
            _, self._secret = await self._keys.rotate(key.id, user_input[CONF_OVERLAP] * _HOUR)
        except KeyError:
            raise AbortFlow("key_gone") from None
        except DatabaseError as err:
            raise _not_saved(err) from err
        return await self.async_step_key_shown()

    async def async_step_key_revoke(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Revoke an API key."""
        key = self._key
        if user_input is None:
            return self.async_show_form(
                step_id="key_revoke", data_schema=NO_FIELDS, description_placeholders={"name": key.name, "prefix": key.prefix}
            )
        try:
            await self._keys.revoke(key.id)
        except KeyError:
            raise AbortFlow("key_gone") from None
        except DatabaseError as err:
            raise _not_saved(err) from err
        return await self._to_menu()

    async def async_step_key_shown(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Show a new secret, once."""
        if user_input is not None:
            self._secret = ""
            return await self._to_menu()
        shown = snippets(gateway_url(self.hass, self.config_entry.options), self._secret)
        return self.async_show_form(
            step_id="key_shown", data_schema=NO_FIELDS, description_placeholders={**shown, "name": self._key.name}
        )

    async def _ask(
        self, step_id: str, errors: dict[str, str], values: Mapping[str, Any] | None, placeholders: Mapping[str, str]
    ) -> ConfigFlowResult:
        names = virtual_models_of(self.config_entry.options)
        models = dict.fromkeys([*names, *known_models(self.hass)])
        scopes = sorted({route.scope for route in ROUTES if route.scope})
        labels = sorted({label for key in self._keys for label in key.labels})
        used = {api_id: api_id for key in self._keys for api_id in key.llm_apis}  # some may be unavailable now
        apis = used | llm_apis(self.hass)
        schema = key_schema(await self._users(), models, scopes, labels, apis, new=step_id == "key_new")
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(schema, values),
            errors=errors,
            description_placeholders=placeholders,
        )

    async def _users(self) -> dict[str, str]:
        """The users that can own an API key: id → name."""
        users = await self.hass.auth.async_get_users()
        return {user.id: user.name or user.id for user in users if user.is_active and not user.system_generated}


def _read(user_input: Mapping[str, Any], before: float | None = None) -> tuple[str, dict[str, Any]]:
    """Name and limits in a filled-in form; `before` is the former expiry. Raises ValueError with the key of the flow error."""
    name = user_input[CONF_NAME].strip()
    if not name:
        raise ValueError(NAME_NEEDED)
    expires = None
    if text := user_input.get(CONF_EXPIRES):
        parsed = dt_util.parse_datetime(text, raise_on_error=True)
        expires = dt_util.as_utc(parsed).timestamp()
        if expires <= dt_util.utcnow().timestamp() and (before is None or int(before) != int(expires)):
            raise ValueError(EXPIRED)
    try:
        labels = checked_labels(user_input.get(CONF_LABELS, ()))
    except InvalidRequestError:
        raise ValueError(LABELS_INVALID) from None
    apis = tuple(user_input.get(CONF_LLM_APIS, ()))
    if apis and user_input.get(CONF_OWNER) is None:
        raise ValueError(APIS_NEED_OWNER)
    return name, {
        "llm_apis": apis,
        "labels": labels,
        "user_id": user_input.get(CONF_OWNER),
        "models": tuple(user_input.get(CONF_MODEL_PATTERNS, ())),
        "endpoints": tuple(user_input.get(CONF_ENDPOINTS, ())),
        "hosted_tools": tuple(user_input.get(CONF_HOSTED_TOOLS, ())),
        "background": user_input[CONF_BACKGROUND],
        "home_only": user_input[CONF_HOME_ONLY],
        "expires": expires,
        **{name: user_input.get(name) for name in (CONF_REQUESTS_PER_MINUTE, CONF_TOKENS_PER_MINUTE, CONF_PARALLEL)},
    }


def _row(key: ClientKey | None, users: Mapping[str, str]) -> str:
    """A row of the table: name, first characters, owner, last use, expiry; an empty row if there is no API key."""
    if key is None:
        cells = [_NOTHING] * 5
    else:
        owner = users.get(key.user_id or "") or key.device
        cells = [
            key.name,
            Markdown(f"`{code(key.prefix)}…`"),
            owner or _NOTHING,
            _time(key.last_used) if key.last_used else _NOTHING,
            _time(key.expires) if key.expires else _NOTHING,
        ]
    return table_row(cells)


def _time(seconds: float, form: str = "%Y-%m-%d %H:%M") -> str:
    return dt_util.as_local(dt_util.utc_from_timestamp(seconds)).strftime(form)


def _not_saved(err: DatabaseError) -> AbortFlow:
    return AbortFlow("key_not_saved", escaped({"reason": str(err)}))
