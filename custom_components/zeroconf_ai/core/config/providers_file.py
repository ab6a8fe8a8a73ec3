"""The backends of a gateway: `providers:` in YAML, the short form of the command line, and environment variables.

    providers:
      - id: attic
        type: ollama
        endpoint: http://192.0.2.20:11434
      - id: cloud
        type: openai
        authSecret: ${OPENAI_API_KEY}

The environment variables `PROVIDER_{ID}_ENDPOINT`, `_ENABLED` and `_API_KEY` override both.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
import re
from typing import Any
from urllib.parse import urlsplit

from ..accounting.admission import RateLimits
from ..routing.policy import Policy
from .backend_config import BackendConfig
from .backend_types import BACKEND_TYPES, BackendType
from .document import ConfigError, Value, flag, suggestion
from .provider_fields import KEYS as FIELD_KEYS, key_header, read_fields, secret_of
from .routing_fields import KEYS as ROUTING_KEYS, read_limits, read_policy

_KEYS = ("id", "name", "type", "endpoint", "priority", "enabled", "authType", "authSecret", *FIELD_KEYS)
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")

type Fail = Callable[[str], ConfigError]


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
    said = document.fields(("providers", *ROUTING_KEYS))
    if "providers" not in said:
        raise document.error("the file must contain a list of `providers:`.")
    ids = {variable_prefix(other): other for other in taken}
    found: list[BackendConfig] = []
    for entry in said["providers"].items():
        entry.name = "a provider"
        given = entry.fields(_KEYS)
        _check_id(_required(entry, given, "id"), ids)
        if (provider := _provider(entry, given, environment)) is not None:
            if provider.is_default and (others := [other.id for other in found if other.is_default]):
                raise given["isDefault"].error(f"{others[0]} is already the default; only one provider can be.")
            found.append(provider)
    limits = read_limits(said)
    return Configuration(tuple(found), read_policy(said), limits.get("perAddress"), limits.get("perUser"))


def quick_config(texts: Iterable[str], environment: Mapping[str, str]) -> tuple[BackendConfig, ...]:
    """Read `TYPE` or `TYPE=URL`; ids are `TYPE`, `TYPE-2` and so on. Omits disabled ones. Raises ConfigError."""
    counts: dict[str, int] = {}
    found = []
    for text in texts:
        word, _, url = text.partition("=")
        if word not in BACKEND_TYPES:
            raise ConfigError(f"--upstream: unknown type. {suggestion(word, BACKEND_TYPES)}")
        kind = BACKEND_TYPES[word]
        counts[word] = count = counts.get(word, 0) + 1
        number = f"{count}" if count > 1 else ""
        draft = _Draft(
            f"{word}-{number}".strip("-"), f"{kind.title} {number}".strip(), kind, fail=_errors_at(f"--upstream {word}")
        )
        variable = f"{word.upper()}_API_KEY"
        if url or not kind.needs_key or f"{variable_prefix(draft.id)}ENDPOINT" in environment:
            draft = replace(draft, key_place="")
        else:  # the API key that the cloud's own SDK reads; it is sent to the cloud's own address only
            draft = replace(draft, key=environment.get(variable) or None, key_place=f"{variable} or ")
        if url:
            draft = replace(draft, endpoint=_endpoint(url, kind, draft.fail, "the URL"))
        if (provider := draft.resolve(environment)) is not None:
            found.append(provider)
    return tuple(found)


def variable_prefix(provider_id: str) -> str:
    """The prefix of a provider's environment variables."""
    return f"PROVIDER_{re.sub(r'[^A-Z0-9]', '_', provider_id.upper())}_"


@dataclass(frozen=True, slots=True)
class _Draft:
    """A provider before the environment variables are applied."""

    id: str
    name: str
    kind: BackendType
    fail: Fail
    endpoint: str | None = None
    key: str | None = field(default=None, repr=False)
    key_fail: Fail | None = None
    """Creates errors about the key."""
    key_place: str = "authSecret, or "
    """Where else than in the provider's own variable its API key may be, for errors."""
    missing: str | None = None
    """The environment variable of the key if it is not set."""
    enabled: bool = True
    takes_key: bool = True
    more: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Further arguments of `BackendConfig`."""

    def resolve(self, environment: Mapping[str, str]) -> BackendConfig | None:
        """Apply the environment variables; None for a disabled provider. Raises ConfigError for missing or invalid values."""
        prefix = variable_prefix(self.id)
        enabled = self.enabled
        if word := environment.get(f"{prefix}ENABLED"):
            switched = flag(word)
            if switched is None:
                raise ConfigError(f"{prefix}ENABLED in the environment must be true or false.")
            enabled = switched
        if not enabled:
            return None
        endpoint = self.endpoint or self.kind.endpoint
        if url := environment.get(f"{prefix}ENDPOINT"):
            endpoint = _endpoint(url, self.kind, _errors_at("the environment"), f"{prefix}ENDPOINT")
        if endpoint is None:
            raise self.fail(f"a provider of type {self.kind.name} needs an endpoint, such as http://192.0.2.20:8000/v1.")
        key = (environment.get(f"{prefix}API_KEY") or self.key) if self.takes_key else None
        key_fail = self.key_fail or self.fail
        if key is None and self.missing is not None:
            raise key_fail(f"the variable {self.missing} is not set. Set it, or {prefix}API_KEY.")
        if key is None and self.kind.needs_key and self.takes_key:
            raise self.fail(f"a provider of type {self.kind.name} requires an API key: set {self.key_place}{prefix}API_KEY.")
        if key is not None and not (key.isascii() and key.isprintable()):
            raise key_fail("the API key contains a line break or a character that is not ASCII.")
        return BackendConfig(self.id, self.name, self.kind, endpoint, key, **{"timeouts": self.kind.timeouts, **self.more})


def _provider(entry: Value, given: Mapping[str, Value], environment: Mapping[str, str]) -> BackendConfig | None:
    kind = _kind(_required(entry, given, "type"))
    more = read_fields(given, kind, environment)
    if "priority" in given:
        more["priority"] = given["priority"].whole(0, 65535)
    takes_key = True
    if "authType" in given:
        takes_key, more["key_header"] = key_header(given["authType"], kind)
    draft = _Draft(
        given["id"].text(),
        given["name"].text() if "name" in given else kind.title,
        kind,
        entry.error,
        enabled="enabled" not in given or given["enabled"].flag(),
        takes_key=takes_key,
        more=more,
    )
    if "endpoint" in given:
        place = given["endpoint"]
        draft = replace(draft, endpoint=_endpoint(place.text(), kind, place.error, "endpoint"))
    if "authSecret" in given:
        secret = given["authSecret"]
        if not takes_key:
            raise secret.error("authType is none: delete authSecret, or change authType.")
        key, missing = secret_of(secret, environment)
        draft = replace(draft, key_fail=secret.error, key=key, missing=missing)
    return draft.resolve(environment)


def _required(entry: Value, given: Mapping[str, Value], key: str) -> Value:
    if key not in given:
        raise entry.error(f"a provider needs `{key}:`.")
    return given[key]


def _check_id(value: Value, taken: dict[str, str]) -> None:
    """Raises ConfigError for an invalid id, or one whose variable prefix is taken."""
    text, before = value.text(), len(taken)
    if not _ID.fullmatch(text):
        raise value.error("id must be 1 to 64 letters, digits, dots, dashes or underscores, the first a letter or a digit.")
    other = taken.setdefault(variable_prefix(text), text)
    if other == text and len(taken) == before:
        raise value.error(f"the id {text} is used twice; each provider needs its own.")
    if other != text:
        raise value.error(f"the id {text} is too similar to {other}: their environment variables would have the same names.")


def _kind(value: Value) -> BackendType:
    word = value.text()
    if word not in BACKEND_TYPES:
        raise value.error(f"unknown type. {suggestion(word, BACKEND_TYPES)}")
    return BACKEND_TYPES[word]


def _endpoint(url: str, kind: BackendType, fail: Fail, name: str) -> str:
    """Validate a base URL. Errors do not repeat it: it may contain a password."""
    try:
        parts = urlsplit(url.strip())
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise fail(f"{name} must be a URL such as http://192.0.2.20:8000/v1.") from None
    if parts.scheme not in ("http", "https") or not host or not url.isprintable() or " " in url.strip():
        raise fail(f"{name} must be a URL such as http://192.0.2.20:8000/v1.")
    if "@" in parts.netloc:
        raise fail(f"{name} must not contain a user name or password. Set the API key in authSecret.")
    if parts.query or parts.fragment:
        raise fail(f"{name} must end with its path, without ? or #.")
    path = parts.path.rstrip("/") or kind.path
    return f"{parts.scheme}://{parts.netloc}{path}"


def _errors_at(place: str) -> Fail:
    return lambda message: ConfigError(f"{place}: {message}")
