"""The backends of a gateway: `providers:` in YAML, the short form of the command line, and environment variables.

    providers:
      - id: attic
        type: ollama
        endpoint: http://192.0.2.20:11434
      - id: cloud
        type: openai
        authSecret: ${OPENAI_API_KEY}

The environment variables `PROVIDER_{ID}_ENDPOINT`, `_ENABLED` and `_API_KEY` override both. The keys of a provider are in
`backend_fields.FIELDS`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ..accounting.admission import RateLimits
from ..routing.policy import Policy
from .backend_config import BackendConfig
from .backend_fields import YAML_FIELDS
from .backend_types import BACKEND_TYPES
from .connection_fields import Identifier, TypeName
from .document import ConfigError, Value, suggestion
from .draft import Draft, base_url, errors_at, variable_prefix
from .routing_fields import KEYS as ROUTING_KEYS, read_limits, read_policy


@dataclass(frozen=True, slots=True)
class Configuration:
    """The content of a configuration file."""

    upstreams: tuple[BackendConfig, ...] = ()
    policy: Policy = field(default_factory=Policy)
    per_address: RateLimits | None = None
    """The rate limits of each address without a key; None: not configured."""
    per_user: RateLimits | None = None


def read_config(text: str, source: str, environment: Mapping[str, str], taken: Iterable[str] = ()) -> Configuration:
    """Read the enabled providers, routing policy and rate limits of a YAML text.

    `source` is the file name in errors, `taken` are ids in use elsewhere. Raises ConfigError.
    """
    document = Value.parse(text, source)
    sections = document.fields(("providers", *ROUTING_KEYS))
    if "providers" not in sections:
        raise document.error("the file must contain a list of `providers:`.")
    ids = {variable_prefix(other): other for other in taken}
    found: list[BackendConfig] = []
    for entry in sections["providers"].items():
        entry.name = "a provider"
        given = _by_key(entry)
        for key, setting in YAML_FIELDS.items():
            if setting.needed and key not in given:
                raise entry.error(f"a provider needs `{key}:`.")
        _check_unique(given["id"], ids)
        if (provider := _read(entry, given, environment).resolve()) is not None:
            if provider.is_default and (others := [other.id for other in found if other.is_default]):
                raise given["isDefault"].error(f"{others[0]} is already the default; only one provider can be.")
            found.append(provider)
    limits = read_limits(sections)
    return Configuration(tuple(found), read_policy(sections), limits.get("perAddress"), limits.get("perUser"))


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
        if (provider := draft.resolve()) is not None:
            found.append(provider)
    return tuple(found)


def _by_key(entry: Value) -> Mapping[str, Value]:
    """The values of a provider, by the keys of `YAML_FIELDS`. Raises ConfigError for unknown keys."""
    groups: dict[str, list[str]] = {}
    for key in YAML_FIELDS:
        group, _, inner = key.partition(".")
        groups.setdefault(group, []).extend([inner] if inner else [])
    found: dict[str, Value] = {}
    for key, value in entry.fields(groups).items():
        if groups[key]:
            found |= {f"{key}.{inner}": held for inner, held in value.fields(groups[key]).items()}
        else:
            found[key] = value
    return found


def _read(entry: Value, given: Mapping[str, Value], environment: Mapping[str, str]) -> Draft:
    """Read the values of a provider. Raises ConfigError."""
    draft = Draft(TypeName().parse(given["type"]), environment, entry.error)
    for key, setting in YAML_FIELDS.items():
        if key in given:
            draft.values[setting.name] = setting.read(given[key], draft)
    return draft


def _check_unique(value: Value, taken: dict[str, str]) -> None:
    """Raises ConfigError for an invalid id, or one whose variable prefix is taken."""
    text, before = Identifier().parse(value), len(taken)
    other = taken.setdefault(variable_prefix(text), text)
    if other == text and len(taken) == before:
        raise value.error(f"the id {text} is used twice; each provider needs its own.")
    if other != text:
        raise value.error(f"the id {text} is too similar to {other}: their environment variables would have the same names.")
