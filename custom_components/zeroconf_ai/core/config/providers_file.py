"""The file of `serve`: its backends, model aliases, limits and the server itself; the short form of the command line.

    providers:
      - id: attic
        type: ollama
        endpoint: http://192.0.2.20:11434
      - id: cloud
        type: openai
        authSecret: ${OPENAI_API_KEY}

`backends:` means the same as `providers:`; both are lists, or keys with values whose keys are the ids. An entry that has only a
name gets its id from it. The environment variables `PROVIDER_{ID}_{KEY}` override the file and the command line. The keys of a
provider are in `backend_fields.FIELDS`.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
import re
from typing import Any

from ..accounting.admission import RateLimits
from ..protocol.exchange import NO_EXCHANGE, Exchange
from ..protocol.models import AUTO
from ..routing.policy import ModelAlias, Policy
from .backend_config import BackendConfig
from .backend_fields import NAMES, YAML_FIELDS
from .backend_types import BACKEND_TYPES
from .cluster_fields import KEYS as CLUSTER_KEYS, ClusterSettings, read_cluster
from .connection_fields import LOCAL, Identifier, TypeName, identifier_of
from .connector_fields import KEYS as CONNECTOR_KEYS, ConnectorRules, read_connector
from .currency_fields import KEYS as CURRENCY_KEYS, read_exchange
from .document import ConfigError, Value, VariableValue, suggestion
from .draft import Draft, base_url, errors_at, variable_prefix
from .fields import snake
from .model_entries import split_models
from .portal_fields import KEYS as PORTAL_KEYS, PortalSettings, read_portal
from .routing_fields import KEYS as ROUTING_KEYS, is_router, read_limits, read_policy, read_router
from .server_fields import KEYS as SERVER_KEYS, ServerSettings, UsageSettings, read_server, read_usage

LISTS = ("providers", "backends")
"""The keys of a file whose values are backends."""
SECTIONS = (*LISTS, *ROUTING_KEYS, *SERVER_KEYS, *CONNECTOR_KEYS, *CURRENCY_KEYS, *PORTAL_KEYS, *CLUSTER_KEYS)
"""All keys of a file."""
_NO_TYPE = frozenset({"id", "type", "endpoint", "enabled", "authSecret"})
"""The settings that `PROVIDER_{ID}_{KEY}` does not override here: `Draft.resolve` reads their variables."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """The content of a configuration file."""

    upstreams: tuple[BackendConfig, ...] = ()
    policy: Policy = field(default_factory=Policy)
    per_address: RateLimits | None = None
    """The rate limits of each address without a key; None: not configured."""
    per_user: RateLimits | None = None
    server: ServerSettings = field(default_factory=ServerSettings)
    usage: UsageSettings = field(default_factory=UsageSettings)
    warnings: tuple[str, ...] = ()
    """Valid values that are unusual, each with its position."""
    exchange: Exchange = NO_EXCHANGE
    """The currency of budgets, and the exchange rates to it."""
    connector: ConnectorRules = field(default_factory=ConnectorRules)
    portal: PortalSettings | None = None
    """None: there is no portal."""
    cluster: ClusterSettings | None = None
    """None: there are no other brokers."""


@dataclass(slots=True)
class _Entry:
    """A backend of the file while it is read."""

    draft: Draft
    default: Value | None
    """The value of `isDefault`."""
    position: Value
    names: frozenset[str]
    """Its id and name, by which other parts of the file name it."""


def read_config(text: str, source: str, environment: Mapping[str, str], taken: Iterable[str] = ()) -> Configuration:
    """Read the enabled backends, and the other settings, of a YAML text.

    `source` is the file name in errors, `taken` are ids in use elsewhere. Raises ConfigError.
    """
    document = Value.parse(text, source)
    sections = document.fields(SECTIONS)
    if not any(key in sections for key in (*LISTS, *SERVER_KEYS, *CONNECTOR_KEYS, *PORTAL_KEYS, *CLUSTER_KEYS)):
        raise document.error("the file must contain a list of `providers:`.")
    ids = {variable_prefix(other): other for other in taken}
    entries: list[_Entry] = []
    routers: list[tuple[Value, Value | None]] = []  # (entry, key)
    for key, value in (pair for name in LISTS if name in sections for pair in _listed(sections[name])):
        value.name = "a provider"
        if is_router(value):
            routers.append((value, key))
        else:
            entries.append(_read_entry(value, key, environment, ids))
    names = {name for entry in entries for name in entry.names} | {_name_of(value, key) for value, key in routers}
    aliases, default = split_models(sections.get("models"), {name: e.draft for e in entries for name in e.names})
    found: list[BackendConfig] = []
    for entry in entries:
        _override(entry.draft, document.warnings)
        if (provider := entry.draft.resolve()) is not None:
            if provider.is_default and entry.default is not None and (others := [one.id for one in found if one.is_default]):
                raise entry.default.error(f"{others[0]} is already the default; only one provider can be.")
            _check_lengths(provider, entry.position)
            found.append(provider)
    read_routers = (read_router(value, key, names) for value, key in routers)
    virtual = dict(router for router in read_routers if router is not None)
    limits = read_limits(sections)
    exchange = read_exchange(sections, found)
    return Configuration(
        tuple(found),
        read_policy(sections, aliases, {**_auto(default, sections), **virtual}),
        limits.get("perAddress"),
        limits.get("perUser"),
        read_server(sections, environment),
        read_usage(sections, environment),
        tuple(document.warnings),
        exchange,
        read_connector(sections),
        read_portal(sections, environment),
        read_cluster(sections, environment),
    )


def quick_config(texts: Iterable[str], environment: Mapping[str, str]) -> tuple[BackendConfig, ...]:
    """Read `TYPE` or `TYPE=URL`; ids are `TYPE`, `TYPE-2` and so on. Omits disabled ones. Raises ConfigError."""
    counts: dict[str, int] = {}
    found = []
    for text in texts:
        word, _, url = text.partition("=")
        if word not in BACKEND_TYPES:
            raise ConfigError(f"--upstream: unknown type. {suggestion(word, BACKEND_TYPES)}")
        backend_type = BACKEND_TYPES[word]
        counts[word] = count = counts.get(word, 0) + 1
        number = f"{count}" if count > 1 else ""
        draft = Draft(backend_type, environment, errors_at(f"--upstream {word}"))
        provider_id = f"{word}-{number}".strip("-")
        draft.values = {"id": provider_id, "name": f"{backend_type.title} {number}".strip()}
        if url or not backend_type.needs_key or f"{variable_prefix(provider_id)}ENDPOINT" in environment:
            draft.key_place = ""
        else:  # the API key that the cloud's own SDK reads; it is sent to the cloud's own address only
            draft.values["key"] = environment.get(backend_type.key_variable) or None
            draft.key_place = f"{backend_type.key_variable} or "
        if url:
            draft.values["endpoint"] = base_url(url, backend_type, draft.fail, "the URL")
        _override(draft, [])
        if (provider := draft.resolve()) is not None:
            found.append(provider)
    return tuple(found)


def found_config(values: Mapping[str, Any], environment: Mapping[str, str]) -> BackendConfig | None:
    """A backend that was found, with the environment's settings for its id; None if they disable it. Raises ConfigError.

    `values` are settings by `BackendField.name`, with at least `id`, `name`, `type` and `endpoint`.
    """
    draft = Draft(values["type"], environment, errors_at(values["name"]))
    draft.values = {name: value for name, value in values.items() if name != "type"}
    _override(draft, [])
    return draft.resolve()


def _listed(value: Value) -> list[tuple[Value | None, Value]]:
    """(id, entry) of a list, whose entries have no id here, or of keys with values."""
    return list(value.entries()) if value.has_keys else [(None, entry) for entry in value.items()]


def _name_of(entry: Value, key: Value | None) -> str:
    """The name of a router, for chains of others; "" if it has none."""
    given = {name.text(): value for name, value in entry.entries()}
    named = given.get("name", given.get("id", key))
    return "" if named is None or not named.is_single else named.text()


def _read_entry(entry: Value, key: Value | None, environment: Mapping[str, str], ids: dict[str, str]) -> _Entry:
    """Read a backend, whose id is `key` if its entry has none. Raises ConfigError."""
    given = _by_key(entry)
    named = given.get("id", key)
    if "type" not in given:
        if named is None and "name" not in given:
            raise entry.error("a provider needs `id:`.")
        raise entry.error("a provider needs `type:`.")
    if named is not None:
        provider_id = Identifier().parse(named)
    elif "name" in given:
        named, provider_id = given["name"], identifier_of(given["name"])
    else:
        raise entry.error("a provider needs `id:`.")
    _check_unique(named, provider_id, ids)
    draft = Draft(TypeName().parse(given["type"]), environment, entry.error)
    if given["type"].text().lower() == LOCAL:
        draft.values["location"] = LOCAL
    draft.values["id"] = provider_id
    read: dict[str, str] = {}
    for name, setting in YAML_FIELDS.items():
        if name in given and name != "id":
            if (other := read.setdefault(setting.name, name)) != name and not setting.combined:
                raise given[name].error(f"{name} and {other} mean the same; keep one of them.")
            draft.values[setting.name] = setting.read(given[name], draft)
    names = frozenset({provider_id, *([given["name"].text()] if "name" in given else []), *([key.text()] if key else [])})
    return _Entry(draft, given.get("isDefault"), entry, names)


def _by_key(entry: Value) -> Mapping[str, Value]:
    """The values of a provider, by the keys of `YAML_FIELDS`; null is no value. Raises ConfigError for unknown keys."""
    groups: dict[str, list[str]] = {}
    for key in NAMES:
        group, _, inner = key.partition(".")
        groups.setdefault(group, []).extend([inner] if inner else [])
    found: dict[str, Value] = {}
    for key, value in entry.fields(groups).items():
        held = {f"{key}.{inner}": one for inner, one in value.fields(groups[key]).items()} if groups[key] else {key: value}
        for full, one in held.items():
            name = NAMES[full]
            if name in found:
                raise one.error(f"{full} and {found[name].name} mean the same; keep one of them.")
            if not one.is_null or name == "authType":
                found[name] = one
    return found


def _override(draft: Draft, warnings: list[str]) -> None:
    """Apply the environment variables of a provider to its settings. Raises ConfigError."""
    prefix = variable_prefix(draft.values["id"])
    for name, key in NAMES.items():
        setting, variable = YAML_FIELDS[key], prefix + re.sub(r"[^A-Z0-9]", "_", snake(name).upper())
        if key in _NO_TYPE or not (text := draft.environment.get(variable)):
            continue
        if setting.combined:
            draft.values[setting.name] = {}
        draft.values[setting.name] = setting.read(VariableValue.of(variable, text, warnings), draft)


def _auto(default: str | None, sections: Collection[str]) -> Mapping[str, ModelAlias]:
    """`auto`, which begins with the only default model of a file that sets no strategy."""
    return {} if default is None or "routing" in sections else {AUTO: ModelAlias((default, AUTO))}


def _check_lengths(provider: BackendConfig, position: Value) -> None:
    """Warn of an answer that is longer than the context window."""
    general = (provider.context_window, provider.max_output_tokens)
    for window, longest in (general, *((item.context_window, item.max_output_tokens) for item in provider.overrides.values())):
        if window is not None and longest is not None and longest > window:
            position.warn(f"maxTokens {longest} of {provider.id} is more than contextWindow {window}. Check them.")


def _check_unique(value: Value, text: str, taken: dict[str, str]) -> None:
    """Raises ConfigError for an id whose variable prefix is taken."""
    before = len(taken)
    other = taken.setdefault(variable_prefix(text), text)
    if other == text and len(taken) == before:
        raise value.error(f"the id {text} is used twice; each provider needs its own.")
    if other != text:
        raise value.error(f"the id {text} is too similar to {other}: their environment variables would have the same names.")
