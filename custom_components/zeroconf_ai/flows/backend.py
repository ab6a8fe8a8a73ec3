"""The flow of the gateway's backends: servers at home and clouds, each asked before it is saved."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from homeassistant.config_entries import SOURCE_RECONFIGURE, ConfigSubentry, ConfigSubentryFlow, SubentryFlowResult
from homeassistant.const import CONF_API_KEY, CONF_NAME, CONF_TYPE, CONF_VERIFY_SSL
from homeassistant.data_entry_flow import AbortFlow

from ..const import CONF_ALIASES, CONF_BASE_URL, CONF_HEADERS, CONF_MODELS, SUBENTRY_BACKEND
from ..core.config.backend_types import BACKEND_TYPES, BackendType
from ..core.protocol.models import ModelInfo
from ..gateway.backend_storage import CONF_PRICES, upstream
from ..markdown import MarkdownFlow, escaped
from .backend_probe import KEY_FOR_NEW_HOST, ask_backend, backend_url
from .backend_schemas import (
    ALIAS_INVALID,
    DETAILS,
    HEADER_INVALID,
    MASKED,
    PRICES_INVALID,
    connection_schema,
    details_schema,
    read_aliases,
    read_headers,
    same_server,
    show_aliases,
    show_headers,
)
from .prices import read_prices, show_prices
from .probe import Problem
from .provider_schemas import flatten, suggest

TYPES = ("ollama", "openai", "anthropic", "openrouter", "litellm", "vllm", "llamacpp", "lmstudio", "openai_compatible")
"""What is offered, in this order; each has its own step."""

_TEXTS: Mapping[str, tuple[Callable[[str], Any], Callable[[Any], str], str]] = {
    CONF_ALIASES: (read_aliases, show_aliases, ALIAS_INVALID),
    CONF_PRICES: (read_prices, show_prices, PRICES_INVALID),
}
"""Fields that are typed in as lines: how they are read and shown, and the error for lines that cannot be read."""
_CONNECTION = (CONF_TYPE, CONF_BASE_URL, CONF_API_KEY, CONF_HEADERS, CONF_VERIFY_SSL)


class BackendSubentryFlow(MarkdownFlow[SubentryFlowResult], ConfigSubentryFlow):
    """Adds or changes a backend: its type, where it is, and what it may be used for."""

    _kind: BackendType
    _connection: dict[str, Any]
    """What is stored of where it is, as it was tested."""
    _models: tuple[ModelInfo, ...] = ()
    """What it said that it serves."""

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Choose the type."""
        return self.async_show_menu(step_id="user", menu_options=list(TYPES))

    async def async_step_ollama(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ollama."""
        return await self._connect("ollama", BACKEND_TYPES["ollama"], user_input)

    async def async_step_openai(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """OpenAI."""
        return await self._connect("openai", BACKEND_TYPES["openai"], user_input)

    async def async_step_anthropic(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Anthropic."""
        return await self._connect("anthropic", BACKEND_TYPES["anthropic"], user_input)

    async def async_step_openrouter(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """OpenRouter."""
        return await self._connect("openrouter", BACKEND_TYPES["openrouter"], user_input)

    async def async_step_litellm(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """LiteLLM."""
        return await self._connect("litellm", BACKEND_TYPES["litellm"], user_input)

    async def async_step_vllm(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """VLLM."""
        return await self._connect("vllm", BACKEND_TYPES["vllm"], user_input)

    async def async_step_llamacpp(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """llama.cpp."""
        return await self._connect("llamacpp", BACKEND_TYPES["llamacpp"], user_input)

    async def async_step_lmstudio(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """LM Studio."""
        return await self._connect("lmstudio", BACKEND_TYPES["lmstudio"], user_input)

    async def async_step_openai_compatible(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Any other server that speaks OpenAI's protocol."""
        return await self._connect("openai_compatible", BACKEND_TYPES["openai_compatible"], user_input)

    async def async_step_reconfigure(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Change one."""
        return await self._connect("reconfigure", BACKEND_TYPES[self._get_reconfigure_subentry().data[CONF_TYPE]], user_input)

    @property
    def _former(self) -> ConfigSubentry | None:
        """The backend that is changed; None for a new one."""
        return self._get_reconfigure_subentry() if self.source == SOURCE_RECONFIGURE else None

    async def _connect(self, step_id: str, kind: BackendType, user_input: dict[str, Any] | None) -> SubentryFlowResult:
        """Ask where it is, and whether it is there."""
        self._kind = kind
        stored = self._former.data if self._former is not None else {}
        errors: dict[str, str] = {}
        placeholders = {"reason": "", "type": kind.title, "name": self._former.title if self._former is not None else ""}
        shown = user_input
        if user_input is not None:
            try:
                self._connection = _read_connection(kind, flatten(user_input), stored)
                self._check_free()
                self._models = await ask_backend(self.hass, upstream("", kind.title, {**stored, **self._connection}))
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
        schema = connection_schema(kind, stored)
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(schema, shown),
            errors=errors,
            description_placeholders=placeholders,
        )

    def _check_free(self) -> None:
        """Raise AbortFlow where another backend of the type has this address already."""
        wanted = (self._connection[CONF_TYPE], self._connection[CONF_BASE_URL])
        for other in self._get_entry().get_subentries_of_type(SUBENTRY_BACKEND):
            is_self = self._former is not None and other.subentry_id == self._former.subentry_id
            if not is_self and (other.data[CONF_TYPE], other.data[CONF_BASE_URL]) == wanted:
                raise AbortFlow("already_configured", escaped({"name": other.title}))

    async def async_step_details(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Say who answered, and ask what it may be used for."""
        former = self._former
        errors: dict[str, str] = {}
        placeholders = {"reason": "", "type": self._kind.title, "count": str(len(self._models))}
        if user_input is not None:
            values = {key: value for key, value in flatten(user_input).items() if value not in (None, "", [])}
            try:
                _read_texts(values)
            except Problem as problem:  # not at the field itself: its section may be folded
                errors, placeholders = {"base": problem.key}, placeholders | problem.placeholders
            else:
                return self._save(values)
        stored = {} if former is None else dict(former.data)
        models = dict.fromkeys([*(model.id for model in self._models), *stored.get(CONF_MODELS, ())])
        schema = details_schema(self._kind, self._free_name() if former is None else former.title, models)
        for field, (_, show, _) in _TEXTS.items():
            if field in stored:
                stored[field] = show(stored[field])
        return self.async_show_form(
            step_id="details",
            data_schema=self.add_suggested_values_to_schema(schema, user_input or suggest(stored)),
            errors=errors,
            description_placeholders=placeholders,
        )

    def _save(self, values: dict[str, Any]) -> SubentryFlowResult:
        """Store it; what no form asks for stays as it was."""
        title: str = values.pop(CONF_NAME)
        former = self._former
        if former is None:
            return self.async_create_entry(title=title, data={**self._connection, **values})
        kept = {key: value for key, value in former.data.items() if key not in DETAILS and key not in _CONNECTION}
        data = {**kept, **self._connection, **values}
        return self.async_update_and_abort(self._get_entry(), former, title=title, data=data)

    def _free_name(self) -> str:
        """The type's name; with the host where another backend is called that."""
        taken = {subentry.title for subentry in self._get_entry().subentries.values()}
        title = self._kind.title
        return title if title not in taken else f"{title} ({urlsplit(self._connection[CONF_BASE_URL]).hostname})"


def _read_texts(values: dict[str, Any]) -> None:
    """Put what lines of text say in the place of each. Raises Problem."""
    for field, (read, _, problem) in _TEXTS.items():
        if field in values:
            try:
                values[field] = read(values[field])
            except ValueError as err:
                raise Problem(problem, str(err)) from None


def _read_connection(kind: BackendType, values: Mapping[str, Any], stored: Mapping[str, Any]) -> dict[str, Any]:
    """What to store of a filled-in form. A stored secret only goes on to the same server. Raises Problem."""
    url = backend_url(values[CONF_BASE_URL], kind)
    known = bool(stored) and same_server(url, stored[CONF_BASE_URL])
    key = (values.get(CONF_API_KEY) or "").strip()
    lines = values.get(CONF_HEADERS) or ""
    if not known and ((CONF_API_KEY in stored and not key) or MASKED in lines):
        raise Problem(KEY_FOR_NEW_HOST)
    try:
        headers = read_headers(lines, stored.get(CONF_HEADERS, {}))
    except ValueError as err:
        raise Problem(HEADER_INVALID, str(err)) from None
    data = {
        CONF_TYPE: kind.name,
        CONF_BASE_URL: url,
        CONF_API_KEY: key or stored.get(CONF_API_KEY),
        CONF_HEADERS: headers,
        CONF_VERIFY_SSL: None if values[CONF_VERIFY_SSL] else False,
    }
    return {name: value for name, value in data.items() if value not in (None, {})}
