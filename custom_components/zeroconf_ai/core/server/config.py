"""Which backends a server has behind it: `providers:` in YAML, the quick form of the command line, and the environment.

    providers:
      - id: attic
        type: ollama
        endpoint: http://192.0.2.20:11434
      - id: cloud
        type: openai
        authSecret: ${OPENAI_API_KEY}

`PROVIDER_{ID}_ENDPOINT`, `_ENABLED` and `_API_KEY` in the environment win over both.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
import re
from urllib.parse import urlsplit

from ..backends.base import Timeouts
from ..protocol.record import DEFAULT_PRIORITY
from .document import ConfigError, Value, flag, near
from .kinds import KINDS, Kind

_KEYS = ("id", "name", "type", "endpoint", "priority", "enabled", "timeouts", "authSecret", "models")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_FROM_ENVIRONMENT = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_TIMEOUTS = {re.sub(r"_(.)", lambda found: found[1].upper(), item.name): item.name for item in fields(Timeouts)}
"""As the file spells them → as the code does."""
_LONGEST = 3600.0

type Fail = Callable[[str], ConfigError]


@dataclass(frozen=True, slots=True)
class UpstreamConfig:
    """One backend as its owner wants it. Equal ones are the same backend."""

    id: str
    name: str
    kind: Kind
    endpoint: str
    key: str | None = field(default=None, repr=False)
    priority: int = DEFAULT_PRIORITY
    timeouts: Timeouts = field(default_factory=Timeouts)
    models: tuple[str, ...] = ()
    """The only models that may be used; empty: all."""


def read_config(text: str, source: str, environment: Mapping[str, str], taken: Iterable[str] = ()) -> tuple[UpstreamConfig, ...]:
    """The enabled providers of a YAML text; `source` is what errors call it, `taken` are ids that are in use elsewhere.

    Raises ConfigError.
    """
    document = Value.parse(text, source)
    listed = document.fields(("providers",)).get("providers")
    if listed is None:
        raise document.error("the file needs a list of `providers:`.")
    ids = {variable_prefix(other): other for other in taken}
    found = []
    for entry in listed.items():
        entry.name = "a provider"
        given = entry.fields(_KEYS)
        _check_id(_needed(entry, given, "id"), ids)
        if (provider := _provider(entry, given, environment)) is not None:
            found.append(provider)
    return tuple(found)


def quick_config(texts: Iterable[str], environment: Mapping[str, str]) -> tuple[UpstreamConfig, ...]:
    """The enabled ones of `TYPE` or `TYPE=URL`, each under its type as id, the second one as `TYPE-2`. Raises ConfigError."""
    counts: dict[str, int] = {}
    found = []
    for text in texts:
        word, _, url = text.partition("=")
        if word not in KINDS:
            raise ConfigError(f"--upstream: this is no type. {near(word, KINDS)}")
        kind = KINDS[word]
        counts[word] = count = counts.get(word, 0) + 1
        number = f"{count}" if count > 1 else ""
        draft = _Draft(f"{word}-{number}".strip("-"), f"{kind.title} {number}".strip(), kind, fail=_at(f"--upstream {word}"))
        if url:
            draft = replace(draft, endpoint=_endpoint(url, kind, draft.fail, "the URL"))
        if (provider := draft.settle(environment)) is not None:
            found.append(provider)
    return tuple(found)


def variable_prefix(provider_id: str) -> str:
    """What the names of a provider's variables begin with."""
    return f"PROVIDER_{re.sub(r'[^A-Z0-9]', '_', provider_id.upper())}_"


@dataclass(frozen=True, slots=True)
class _Draft:
    """A provider before the environment has had its say."""

    id: str
    name: str
    kind: Kind
    fail: Fail
    endpoint: str | None = None
    key: str | None = field(default=None, repr=False)
    key_fail: Fail | None = None
    """For what is wrong with the key."""
    missing: str | None = None
    """The variable that should hold the key, and is not set."""
    enabled: bool = True
    priority: int = DEFAULT_PRIORITY
    timeouts: Timeouts | None = None
    models: tuple[str, ...] = ()

    def settle(self, environment: Mapping[str, str]) -> UpstreamConfig | None:
        """What comes of it, or None for one that is switched off. Raises ConfigError where something is lacking."""
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
            endpoint = _endpoint(url, self.kind, _at("the environment"), f"{prefix}ENDPOINT")
        if endpoint is None:
            raise self.fail(f"a provider of type {self.kind.name} needs an endpoint, such as http://192.0.2.20:8000/v1.")
        key = environment.get(f"{prefix}API_KEY") or self.key
        key_fail = self.key_fail or self.fail
        if key is None and self.missing is not None:
            raise key_fail(f"the variable {self.missing} is not set. Set it, or {prefix}API_KEY.")
        if key is None and self.kind.needs_key:
            raise self.fail(f"a provider of type {self.kind.name} needs a key: set authSecret, or {prefix}API_KEY.")
        if key is not None and not (key.isascii() and key.isprintable()):
            raise key_fail("its key holds characters that no key has: a line break, or none of ASCII.")
        timeouts = self.timeouts or self.kind.timeouts
        return UpstreamConfig(self.id, self.name, self.kind, endpoint, key, self.priority, timeouts, self.models)


def _provider(entry: Value, given: Mapping[str, Value], environment: Mapping[str, str]) -> UpstreamConfig | None:
    kind = _kind(_needed(entry, given, "type"))
    draft = _Draft(given["id"].text(), given["name"].text() if "name" in given else kind.title, kind, fail=entry.error)
    if "endpoint" in given:
        url = given["endpoint"]
        draft = replace(draft, endpoint=_endpoint(url.text(), kind, url.error, "endpoint"))
    if "priority" in given:
        draft = replace(draft, priority=given["priority"].whole(0, 65535))
    if "enabled" in given:
        draft = replace(draft, enabled=given["enabled"].flag())
    if "timeouts" in given:
        draft = replace(draft, timeouts=_timeouts(given["timeouts"], kind))
    if "models" in given:
        draft = replace(draft, models=_models(given["models"]))
    if "authSecret" in given:
        secret = given["authSecret"]
        draft = replace(draft, key_fail=secret.error)
        named = _FROM_ENVIRONMENT.fullmatch(secret.text())
        key = environment.get(named[1]) if named else secret.text()
        draft = replace(draft, key=key or None, missing=named[1] if named and not key else None)
    return draft.settle(environment)


def _needed(entry: Value, given: Mapping[str, Value], key: str) -> Value:
    if key not in given:
        raise entry.error(f"a provider needs `{key}:`.")
    return given[key]


def _check_id(value: Value, taken: dict[str, str]) -> None:
    """Raises ConfigError for an id that cannot be one or is taken, be it only in the names of variables."""
    text, before = value.text(), len(taken)
    if not _ID.fullmatch(text):
        raise value.error("id must be 1 to 64 letters, digits, dots, dashes or underscores, the first a letter or a digit.")
    other = taken.setdefault(variable_prefix(text), text)
    if other == text and len(taken) == before:
        raise value.error(f"the id {text} is taken; each provider needs its own.")
    if other != text:
        raise value.error(f"the id {text} is too much like {other}: their variables would have the same names.")


def _kind(value: Value) -> Kind:
    word = value.text()
    if word not in KINDS:
        raise value.error(f"this type is not known. {near(word, KINDS)}")
    return KINDS[word]


def _timeouts(value: Value, kind: Kind) -> Timeouts:
    given = value.fields(_TIMEOUTS)
    return replace(kind.timeouts, **{_TIMEOUTS[key]: seconds.number(0.1, _LONGEST) for key, seconds in given.items()})


def _models(value: Value) -> tuple[str, ...]:
    listed = tuple(model.text() for model in value.items())
    if not listed:
        raise value.error("models is empty; list those that may be used, or delete the line to allow all.")
    return listed


def _endpoint(url: str, kind: Kind, fail: Fail, name: str) -> str:
    """A checked base URL. Errors do not repeat it: it may hold a password."""
    try:
        parts = urlsplit(url.strip())
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise fail(f"{name} must be a URL such as http://192.0.2.20:8000/v1.") from None
    if parts.scheme not in ("http", "https") or not host or not url.isprintable() or " " in url.strip():
        raise fail(f"{name} must be a URL such as http://192.0.2.20:8000/v1.")
    if "@" in parts.netloc:
        raise fail(f"{name} must hold no user name or password; a key belongs into authSecret.")
    if parts.query or parts.fragment:
        raise fail(f"{name} must end with its path, without ? or #.")
    path = parts.path.rstrip("/") or kind.path
    return f"{parts.scheme}://{parts.netloc}{path}"


def _at(place: str) -> Fail:
    return lambda message: ConfigError(f"{place}: {message}")
