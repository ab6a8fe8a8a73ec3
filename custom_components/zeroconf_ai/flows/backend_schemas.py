"""The forms of a backend: where it is, then what it may be used for; and the texts in them, there and back."""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

import voluptuous as vol

from homeassistant.const import CONF_API_KEY, CONF_NAME, CONF_VERIFY_SSL
from homeassistant.data_entry_flow import section
from homeassistant.helpers.selector import (
    BooleanSelector,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
    TextSelectorConfig,
)

from ..const import (
    CONF_ALIASES,
    CONF_ANSWER_TIMEOUT,
    CONF_BASE_URL,
    CONF_CACHED_PRICE,
    CONF_COST,
    CONF_FIRST_TOKEN_TIMEOUT,
    CONF_HEADERS,
    CONF_INPUT_PRICE,
    CONF_MAX_CONCURRENT,
    CONF_MODELS,
    CONF_MONTHLY_LIMIT,
    CONF_OUTPUT_PRICE,
    CONF_PRIORITY,
    CONF_QUEUE_LENGTH,
    CONF_REASONING_PRICE,
    CONF_WEIGHT,
    DEFAULT_QUEUE_LENGTH,
)
from ..core.config.backend_types import BackendType
from ..core.protocol.record import DEFAULT_PRIORITY, Cost, Placement
from ..gateway.backend_storage import CONF_PRICES
from ..provider.power_meter import KEYS as ENERGY_KEYS, energy_fields
from .provider_schemas import ADVANCED, SECRET, seconds, whole

OPENAI_COMPATIBLE = "openai_compatible"
MASKED = "***"
"""Stands for a stored header's value, which is never shown."""
HEADER_INVALID = "header_invalid"
ALIAS_INVALID = "alias_invalid"
PRICES_INVALID = "prices_invalid"

DETAILS = frozenset(
    {
        CONF_MODELS,
        CONF_PRIORITY,
        CONF_WEIGHT,
        CONF_MAX_CONCURRENT,
        CONF_QUEUE_LENGTH,
        CONF_COST,
        CONF_INPUT_PRICE,
        CONF_OUTPUT_PRICE,
        CONF_CACHED_PRICE,
        CONF_REASONING_PRICE,
        CONF_MONTHLY_LIMIT,
        CONF_ALIASES,
        CONF_PRICES,
        CONF_FIRST_TOKEN_TIMEOUT,
        CONF_ANSWER_TIMEOUT,
        *ENERGY_KEYS,
    }
)
"""What `details_schema` asks for beside the name. Other data of a backend come from an import, and stay."""

_LINES = TextSelector(TextSelectorConfig(multiline=True))
_COST = SelectSelector(SelectSelectorConfig(options=list(Cost), mode=SelectSelectorMode.DROPDOWN, translation_key="backend_cost"))
_PRICE = NumberSelector(NumberSelectorConfig(min=0, max=100_000, step="any", mode=NumberSelectorMode.BOX))
_LIMIT = NumberSelector(NumberSelectorConfig(min=0, max=1_000_000, step="any", mode=NumberSelectorMode.BOX))


def connection_schema(kind: BackendType, stored: Mapping[str, Any]) -> vol.Schema:
    """Where a backend is and how it is spoken to. An empty field keeps a `stored` key."""
    url = vol.Required(CONF_BASE_URL, description={"suggested_value": kind.endpoint} if kind.endpoint else None)
    key = vol.Required(CONF_API_KEY) if kind.needs_key and CONF_API_KEY not in stored else vol.Optional(CONF_API_KEY)
    fields: dict[vol.Marker, Any] = {url: TextSelector(), key: SECRET}
    if kind.name == OPENAI_COMPATIBLE or CONF_HEADERS in stored:
        fields[vol.Optional(CONF_HEADERS)] = _LINES
    advanced = vol.Schema({vol.Required(CONF_VERIFY_SSL, default=True): BooleanSelector()})
    fields[vol.Required(ADVANCED)] = section(advanced, {"collapsed": True})
    return vol.Schema(fields)


def details_schema(kind: BackendType, name: str, models: Iterable[str]) -> vol.Schema:
    """What a backend is called, and what it may be used for."""
    listed = SelectSelectorConfig(options=list(models), multiple=True, custom_value=True, mode=SelectSelectorMode.DROPDOWN)
    advanced = {
        vol.Required(CONF_PRIORITY, default=DEFAULT_PRIORITY): whole(0, 65535),
        vol.Required(CONF_WEIGHT, default=1): whole(1, 100),
        vol.Optional(CONF_MAX_CONCURRENT): whole(1, 1000),
        vol.Required(CONF_QUEUE_LENGTH, default=DEFAULT_QUEUE_LENGTH): whole(0, 10_000),
        vol.Optional(CONF_COST): _COST,
        vol.Optional(CONF_INPUT_PRICE): _PRICE,
        vol.Optional(CONF_OUTPUT_PRICE): _PRICE,
        vol.Optional(CONF_CACHED_PRICE): _PRICE,
        vol.Optional(CONF_REASONING_PRICE): _PRICE,
        vol.Optional(CONF_PRICES): _LINES,
        **(energy_fields() if kind.info("", "").placement is Placement.LOCAL else {}),
        vol.Optional(CONF_MONTHLY_LIMIT): _LIMIT,
        vol.Optional(CONF_ALIASES): _LINES,
        vol.Required(CONF_FIRST_TOKEN_TIMEOUT, default=int(kind.timeouts.first_token)): seconds(1, 3600),
        vol.Required(CONF_ANSWER_TIMEOUT, default=int(kind.timeouts.answer)): seconds(1, 3600),
    }
    return vol.Schema(
        {
            vol.Required(CONF_NAME, default=name): TextSelector(),
            vol.Optional(CONF_MODELS): SelectSelector(listed),
            vol.Required(ADVANCED): section(vol.Schema(advanced), {"collapsed": True}),
        }
    )


def read_headers(text: str, stored: Mapping[str, str]) -> dict[str, str]:
    """Headers from `Name: value` lines; a masked value is the stored one. Raises ValueError naming the line."""
    found = {}
    for number, line in _lines(text):
        name, colon, value = (part.strip() for part in line.partition(":"))
        if value == MASKED:
            value = stored.get(name, "")
        if not (colon and value and name.isascii() and name.replace("-", "").replace("_", "").isalnum() and value.isprintable()):
            raise ValueError(str(number))
        found[name] = value
    return found


def show_headers(headers: Mapping[str, str]) -> str:
    """Stored headers, without their values."""
    return "\n".join(f"{name}: {MASKED}" for name in headers)


def read_aliases(text: str) -> dict[str, str]:
    """Aliases from `alias = model` lines. Raises ValueError naming the line."""
    found = {}
    for number, line in _lines(text):
        alias, equals, model = (part.strip() for part in line.partition("="))
        if not (alias and equals and model) or alias in found:
            raise ValueError(str(number))
        found[alias] = model
    return found


def show_aliases(aliases: Mapping[str, str]) -> str:
    """Stored aliases as they are typed in."""
    return "\n".join(f"{alias} = {model}" for alias, model in aliases.items())


def same_server(first: str, second: str) -> bool:
    """Whether two base URLs lead to the same server, in the same way: a secret may go from one to the other."""
    one, other = urlsplit(first), urlsplit(second)
    return (one.scheme, one.netloc) == (other.scheme, other.netloc)


def _lines(text: str) -> list[tuple[int, str]]:
    return [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
