"""The flow of the gateway's backends. A backend is probed before it is saved."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from homeassistant.config_entries import SOURCE_RECONFIGURE, ConfigSubentry, ConfigSubentryFlow, SubentryFlowResult
from homeassistant.const import CONF_API_KEY, CONF_NAME, CONF_TYPE, CONF_VERIFY_SSL
from homeassistant.data_entry_flow import AbortFlow

from ..const import CONF_BASE_URL, CONF_HEADERS, CONF_MODELS, SUBENTRY_BACKEND
from ..core.config.backend_types import BACKEND_TYPES, BackendType
from ..core.config.model_fields import CURRENCY
from ..core.protocol.models import ModelInfo
from ..core.protocol.prices import DEFAULT_CURRENCY
from ..data import provider_entries
from ..gateway.backend_storage import load_config
from ..gateway.exchange import budget_currency, stored_rates
from ..issues import server_of
from ..markdown import MarkdownFlow, escaped
from .backend_lines import HEADER_INVALID, MASKED, read_headers, read_lines, show_headers, show_lines
from .backend_probe import ADDRESS_IN_USE, KEY_FOR_NEW_HOST, backend_url, native_kind, probe_backend
from .backend_schemas import connection_schema, details_schema, form_keys, same_server
from .model_options import KEEP_ALIVE_INVALID, read_model_options, shown_model_options, without_model_options
from .probe import Problem
from .provider_schemas import flatten, suggest
from .titles import free_title

ANY_TYPE = "openai_compatible"
"""The type of any server with OpenAI's API: one of a known kind is added with its native API."""
_PATH = "/v1"
"""The path of OpenAI's API at most servers."""
TYPES = tuple(name for name, declared in BACKEND_TYPES.items() if declared.in_forms)
"""The types in the menu; each has its own step."""


class BackendSubentryFlow(MarkdownFlow[SubentryFlowResult], ConfigSubentryFlow):
    """Adds or changes a backend: first its type, then the connection, then the settings of its use."""

    _type: BackendType
    _connection: dict[str, Any]
    """The stored values of the connection that was probed."""
    _warned_of: str | None = None
    """The address of which people were told that it is set up already."""
    _models: tuple[ModelInfo, ...] = ()
    """The models that the backend serves."""

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Choose the type; the choice leads to the step of that name."""
        return self.async_show_menu(step_id="user", menu_options=list(TYPES))

    async def async_step_reconfigure(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Change the connection of a backend."""
        backend_type = BACKEND_TYPES[self._get_reconfigure_subentry().data[CONF_TYPE]]
        return await self.show_connection("reconfigure", backend_type, user_input)

    @property
    def _former(self) -> ConfigSubentry | None:
        """The backend that is changed; None for a new one."""
        return self._get_reconfigure_subentry() if self.source == SOURCE_RECONFIGURE else None

    async def show_connection(
        self, step_id: str, backend_type: BackendType, user_input: dict[str, Any] | None
    ) -> SubentryFlowResult:
        """Ask for the connection, and probe it."""
        self._type = backend_type
        stored = self._former.data if self._former is not None else {}
        errors: dict[str, str] = {}
        placeholders = {
            "reason": "",
            "type": backend_type.title,
            "name": self._former.title if self._former is not None else "",
        }
        shown = user_input
        if user_input is not None:
            try:
                self._connection = read_connection(backend_type, flatten(user_input), stored)
                self._abort_if_configured()
                self._warn_of_address()
                config = load_config("", backend_type.title, {**stored, **self._connection})
                if self._former is None and backend_type.name == ANY_TYPE:
                    kind = await native_kind(self.hass, config)
                    if kind is not None and (kind.type != ANY_TYPE or kind.path != _PATH):
                        self._type = BACKEND_TYPES[kind.type]
                        url = f"{self._connection[CONF_BASE_URL].removesuffix(_PATH)}{kind.path}"
                        self._connection |= {CONF_TYPE: kind.type, CONF_BASE_URL: url}
                        self._abort_if_configured()
                        config = load_config("", self._type.title, self._connection)
                self._models = await probe_backend(self.hass, config)
            except Problem as problem:
                errors, placeholders = {"base": problem.key}, placeholders | problem.placeholders
            else:
                return await self.async_step_details()
        elif stored:
            shown = suggest(
                {
                    CONF_BASE_URL: stored[CONF_BASE_URL],
                    CONF_HEADERS: show_headers(stored.get(CONF_HEADERS, {})),
                    CONF_VERIFY_SSL: stored.get(CONF_VERIFY_SSL, True),
                }
            )
        schema = connection_schema(backend_type, stored)
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(schema, shown),
            errors=errors,
            description_placeholders=placeholders,
        )

    def _abort_if_configured(self) -> None:
        """Raise AbortFlow if another backend of the type has the same address."""
        wanted = (self._connection[CONF_TYPE], self._connection[CONF_BASE_URL])
        for other in self._get_entry().get_subentries_of_type(SUBENTRY_BACKEND):
            is_self = self._former is not None and other.subentry_id == self._former.subentry_id
            if not is_self and (other.data[CONF_TYPE], other.data[CONF_BASE_URL]) == wanted:
                raise AbortFlow("already_configured", escaped({"name": other.title}))

    def _warn_of_address(self) -> None:
        """Raise Problem once for the address of a server that is set up in another way. Submitting the form again goes on."""
        url = self._connection[CONF_BASE_URL]
        if self._warned_of == url or self._former is not None:
            return
        others = [
            *((other.title, other.data[CONF_BASE_URL]) for other in self._get_entry().get_subentries_of_type(SUBENTRY_BACKEND)),
            *((entry.title, entry.data[CONF_BASE_URL]) for entry in provider_entries(self.hass, include_ignore=False)),
        ]
        for title, other_url in others:
            if server_of(other_url) == server_of(url):
                self._warned_of = url
                raise Problem(ADDRESS_IN_USE, title)

    async def async_step_details(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask for the name and the settings of its use, and save the backend."""
        former = self._former
        errors: dict[str, str] = {}
        stored: Mapping[str, Any] = {} if former is None else former.data
        currency, options = stored.get(CURRENCY) or DEFAULT_CURRENCY, self._get_entry().options
        placeholders = {
            "reason": "",
            "type": self._type.title,
            "count": str(len(self._models)),
            "currency": budget_currency(self.hass, options) if stored_rates(options) else currency,
            "home_currency": self.hass.config.currency,
        }
        if user_input is not None:
            values = {key: value for key, value in flatten(user_input).items() if value not in (None, "", [])}
            try:
                return self._save(read_lines({**without_model_options(values), **read_model_options(values)}))
            except ValueError:
                errors = {"base": KEEP_ALIVE_INVALID}
            except Problem as problem:  # not at the field itself: its section may be folded
                errors, placeholders = {"base": problem.key}, placeholders | problem.placeholders
        models = dict.fromkeys([*(model.id for model in self._models), *stored.get(CONF_MODELS, ())])
        schema = details_schema(self._type, self._free_name() if former is None else former.title, models, currency)
        return self.async_show_form(
            step_id="details",
            data_schema=self.add_suggested_values_to_schema(
                schema, user_input or suggest(show_lines(shown_model_options(stored)))
            ),
            errors=errors,
            description_placeholders=placeholders,
        )

    def _save(self, values: dict[str, Any]) -> SubentryFlowResult:
        """Save the backend; settings that the forms do not have keep their values."""
        title: str = values.pop(CONF_NAME)
        former = self._former
        if former is None:
            return self.async_create_entry(title=title, data={**self._connection, **values})
        in_forms = form_keys(self._type)
        kept = {key: value for key, value in former.data.items() if key not in in_forms}
        data = {**kept, **self._connection, **values}
        return self.async_update_and_abort(self._get_entry(), former, title=title, data=data)

    def _free_name(self) -> str:
        """The type's name, followed by the host if another subentry has this name, and by a number if one has both."""
        taken = {subentry.title for subentry in self._get_entry().subentries.values()}
        title = self._type.title
        if title in taken:
            title = f"{title} ({urlsplit(self._connection[CONF_BASE_URL]).hostname})"
        return free_title(title, taken)


type _Step = Callable[[BackendSubentryFlow, dict[str, Any] | None], Awaitable[SubentryFlowResult]]


def _step_of(backend_type: BackendType) -> _Step:
    async def step(flow: BackendSubentryFlow, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        return await flow.show_connection(backend_type.name, backend_type, user_input)

    return step


for _name in TYPES:  # Home Assistant finds steps by the names of methods
    setattr(BackendSubentryFlow, f"async_step_{_name}", _step_of(BACKEND_TYPES[_name]))


def read_connection(backend_type: BackendType, values: Mapping[str, Any], stored: Mapping[str, Any]) -> dict[str, Any]:
    """What is stored of a filled-in form. Stored secrets are kept for the same server only. Raises Problem."""
    url = backend_url(values[CONF_BASE_URL], backend_type)
    is_known = bool(stored) and same_server(url, stored[CONF_BASE_URL])
    key = (values.get(CONF_API_KEY) or "").strip()
    lines = values.get(CONF_HEADERS) or ""
    if not is_known and ((CONF_API_KEY in stored and not key) or MASKED in lines):
        raise Problem(KEY_FOR_NEW_HOST)
    try:
        headers = read_headers(lines, stored.get(CONF_HEADERS, {}))
    except ValueError as err:
        raise Problem(HEADER_INVALID, str(err)) from None
    data = {
        CONF_TYPE: backend_type.name,
        CONF_BASE_URL: url,
        CONF_API_KEY: key or stored.get(CONF_API_KEY),
        CONF_HEADERS: headers,
        CONF_VERIFY_SSL: None if values[CONF_VERIFY_SSL] else False,
    }
    return {name: value for name, value in data.items() if value not in (None, {})}
