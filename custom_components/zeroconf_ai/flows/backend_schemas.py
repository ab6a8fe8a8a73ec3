"""The two forms of a backend, connection and details, derived from the field table: each kind of value has its form fields."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

import voluptuous as vol

from homeassistant.const import CONF_API_KEY, CONF_NAME
from homeassistant.data_entry_flow import section
from homeassistant.generated.currencies import ACTIVE_CURRENCIES
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

from ..const import CONF_HEADERS
from ..core.config.backend_fields import FIELDS
from ..core.config.backend_types import BackendType
from ..core.config.connection_fields import Address, ContextSize, Headers, KeepAlive, Secret
from ..core.config.fields import BackendField, Choice, Flag, Money, Seconds, Section, StoredKind, Whole
from ..core.config.model_fields import CURRENCY, RATE, Aliases, AllowedModels, HostedToolPrices, ModelPrices, stored_rate
from ..core.protocol.prices import DEFAULT_CURRENCY
from ..core.protocol.record import Cost, Placement
from ..provider.power_meter import energy_fields
from .model_options import model_option_fields
from .provider_schemas import ADVANCED, COSTS, ENERGY, LIMITS, ROUTING, SECRET, whole

_RATES = ("input", "output", "cached", "reasoning")
"""The classes of tokens for which the form has a field of their own."""
_LINES = TextSelector(TextSelectorConfig(multiline=True))


@dataclass(frozen=True, slots=True)
class _Form:
    """What the fields of a form depend on, beyond the field table."""

    type: BackendType
    stored: Mapping[str, Any]
    """The data of the subentry that is changed; empty for a new one."""
    models: tuple[str, ...] = ()
    """The models that the backend serves."""
    currency: str = DEFAULT_CURRENCY
    """The currency of its prices so far."""


def connection_schema(backend_type: BackendType, stored: Mapping[str, Any]) -> vol.Schema:
    """The first form: where a backend is. An empty field keeps a `stored` API key."""
    form = _Form(backend_type, stored)
    advanced = _fields(Section.CONNECTION_ADVANCED, form)
    return vol.Schema({**_fields(Section.CONNECTION, form), vol.Required(ADVANCED): _folded(advanced)})


def details_schema(backend_type: BackendType, name: str, models: Iterable[str], currency: str = DEFAULT_CURRENCY) -> vol.Schema:
    """The second form: the backend's name, and the settings of its use. `currency`: that of its prices so far."""
    form = _Form(backend_type, {}, tuple(models), currency)
    fields: dict[vol.Marker, Any] = {
        vol.Required(CONF_NAME, default=name): TextSelector(),
        **_fields(Section.DETAILS, form),
        vol.Required(ROUTING): _folded(_fields(Section.ROUTING, form)),
        vol.Required(LIMITS): _folded(_fields(Section.LIMITS, form)),
        vol.Required(COSTS): _folded(_fields(Section.COSTS, form)),
    }
    if energy := _energy(form):
        fields[vol.Optional(ENERGY)] = _folded(energy)
    return vol.Schema(fields)


def form_keys(backend_type: BackendType) -> frozenset[str]:
    """The keys of a subentry that the two forms set. All other ones come from a file, and stay as they are."""
    form = _Form(backend_type, {CONF_HEADERS: {}})
    return frozenset(str(key) for fields in (*(_fields(part, form) for part in Section), _energy(form)) for key in fields)


def same_server(first: str, second: str) -> bool:
    """Whether two base URLs have the same scheme, host and port: a secret may go from one to the other."""
    one, other = urlsplit(first), urlsplit(second)
    return (one.scheme, one.netloc) == (other.scheme, other.netloc)


def _folded(fields: dict[vol.Marker, Any]) -> section:
    """A folded section of a form."""
    return section(vol.Schema(fields), {"collapsed": True})


def _energy(form: _Form) -> dict[vol.Marker, Any]:
    """The cost of the energy, for a server at home."""
    return energy_fields() if form.type.info("", "").placement is Placement.LOCAL else {}


def _fields(part: Section, form: _Form) -> dict[vol.Marker, Any]:
    """The form fields of a section, in the order of the table."""
    found: dict[vol.Marker, Any] = {}
    for setting in FIELDS:
        if setting.section is part:
            found |= _MAKERS[type(setting.kind)](setting, form)
    return found


def _plain(selector: Callable[[Any], Any]) -> Callable[[BackendField, _Form], dict[vol.Marker, Any]]:
    """One form field under the stored key; it is required if the setting always has a value. `selector`: kind → selector."""

    def make(setting: BackendField, form: _Form) -> dict[vol.Marker, Any]:
        default = setting.default_for(form.type)
        if default in (None, (), {}):
            return {vol.Optional(setting.stored): selector(setting.kind)}
        return {vol.Required(setting.stored, default=setting.kind.encode(default)): selector(setting.kind)}

    return make


def _address(setting: BackendField, form: _Form) -> dict[vol.Marker, Any]:
    suggested = {"suggested_value": form.type.endpoint} if form.type.endpoint else None
    return {vol.Required(setting.stored, description=suggested): TextSelector()}


def _api_key(setting: BackendField, form: _Form) -> dict[vol.Marker, Any]:
    is_needed = form.type.needs_key and CONF_API_KEY not in form.stored
    return {(vol.Required if is_needed else vol.Optional)(setting.stored): SECRET}


def _headers(setting: BackendField, form: _Form) -> dict[vol.Marker, Any]:
    """Few servers need extra headers: the form has the field for types that often do, and for backends that have some."""
    return {vol.Optional(setting.stored): _LINES} if form.type.headers_in_form or CONF_HEADERS in form.stored else {}


def _model_option(setting: BackendField, form: _Form) -> dict[vol.Marker, Any]:
    """Context size and keep-alive, for servers whose clients can set them."""
    return {key: field for key, field in model_option_fields().items() if form.type.has_options and key == setting.stored}


def _models(setting: BackendField, form: _Form) -> dict[vol.Marker, Any]:
    options = SelectSelectorConfig(options=list(form.models), multiple=True, custom_value=True, mode=SelectSelectorMode.DROPDOWN)
    return {vol.Optional(setting.stored): SelectSelector(options)}


def _prices(setting: BackendField, form: _Form) -> dict[vol.Marker, Any]:
    """The prices of all models with their currency, and those of single models."""
    rates: dict[vol.Marker, Any] = {vol.Optional(stored_rate(rate)): _money(RATE) for rate in _RATES}
    names = SelectSelectorConfig(options=sorted({*ACTIVE_CURRENCIES, form.currency}), mode=SelectSelectorMode.DROPDOWN)
    return {vol.Optional(CURRENCY): SelectSelector(names), **rates, vol.Optional(setting.stored): _LINES}


def _tool_prices(setting: BackendField, form: _Form) -> dict[vol.Marker, Any]:
    """Servers that are always free have no such tools."""
    return {} if form.type.info("", "").cost is Cost.FREE else {vol.Optional(setting.stored): _LINES}


def _money(kind: Money) -> NumberSelector:
    return NumberSelector(NumberSelectorConfig(min=0, max=kind.high, step="any", mode=NumberSelectorMode.BOX))


def _seconds(kind: Seconds) -> NumberSelector:
    return NumberSelector(
        NumberSelectorConfig(min=kind.low, max=kind.high, step="any", mode=NumberSelectorMode.BOX, unit_of_measurement="s")
    )


def _choice(kind: Choice[StrEnum]) -> SelectSelector:
    return SelectSelector(
        SelectSelectorConfig(options=list(kind.words), mode=SelectSelectorMode.DROPDOWN, translation_key="backend_cost")
    )


_MAKERS: Mapping[type[StoredKind[Any]], Callable[[BackendField, _Form], dict[vol.Marker, Any]]] = {
    Address: _address,
    ContextSize: _model_option,
    KeepAlive: _model_option,
    Aliases: _plain(lambda _: _LINES),
    AllowedModels: _models,
    Choice: _plain(_choice),
    Flag: _plain(lambda _: BooleanSelector()),
    Headers: _headers,
    HostedToolPrices: _tool_prices,
    ModelPrices: _prices,
    Money: _plain(_money),
    Seconds: _plain(_seconds),
    Secret: _api_key,
    Whole: _plain(lambda kind: whole(kind.low, kind.high)),
}
"""Kind of value → its form fields."""
