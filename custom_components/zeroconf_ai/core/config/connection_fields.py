"""The kinds of settings that say where a backend is and how it is reached: id, type, address, API key, headers, health path."""

from collections.abc import Mapping
from dataclasses import dataclass
import re
from typing import Any, override

from ..backends.headers import MAX_HEADERS, refused_header
from .backend_types import BACKEND_TYPES, BackendType
from .document import Value, suggestion
from .draft import Draft, base_url
from .fields import FieldKind, Seconds, Text

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_HEALTH_PATH = re.compile(r"//?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*")
_FROM_ENVIRONMENT = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True, slots=True)
class Identifier(FieldKind[str]):
    """The id of a provider in a file."""

    @override
    def read(self, value: Value, draft: Draft) -> str:
        return self.parse(value)

    def parse(self, value: Value) -> str:
        """The id. Raises ConfigError."""
        if not _ID.fullmatch(text := value.text()):
            raise value.error("id must be 1 to 64 letters, digits, dots, dashes or underscores, the first a letter or a digit.")
        return text


@dataclass(frozen=True, slots=True)
class TypeName(FieldKind[BackendType]):
    """The name of a backend type."""

    @override
    def read(self, value: Value, draft: Draft) -> BackendType:
        return draft.type

    def parse(self, value: Value) -> BackendType:
        """The type, which a draft begins with. Raises ConfigError."""
        if (word := value.text()) not in BACKEND_TYPES:
            raise value.error(f"unknown type. {suggestion(word, BACKEND_TYPES)}")
        return BACKEND_TYPES[word]

    @override
    def encode(self, value: BackendType) -> str:
        return value.name

    @override
    def decode(self, stored: Any) -> BackendType:
        return BACKEND_TYPES[stored]


@dataclass(frozen=True, slots=True)
class Address(FieldKind[str]):
    """The base URL of an API."""

    @override
    def read(self, value: Value, draft: Draft) -> str:
        return base_url(value.text(), draft.type, value.error, "endpoint")


@dataclass(frozen=True, slots=True)
class KeyHeader(FieldKind[str | None]):
    """How the API key is sent: the name of a header, None for the type's own one. A file names it with a word."""

    @override
    def read(self, value: Value, draft: Draft) -> str | None:
        word, _, name = value.text().partition(" ")
        wanted = {"bearer": "Authorization", "x-api-key": "x-api-key", "header": name.strip()}.get(word.lower())
        if word.lower() == "none" and not name:
            draft.uses_key = False
            return None
        if wanted is None or (name and word.lower() != "header"):
            raise value.error("authType must be none, bearer, x-api-key, or header with a name, such as `header X-Auth-Token`.")
        if (why := refused_header(wanted, "x")) is not None:
            raise value.error(why)
        return None if wanted.lower() == draft.type.key_header.lower() else wanted


@dataclass(frozen=True, slots=True)
class Secret(FieldKind[str | None]):
    """An API key, or `${VARIABLE}`. Whether one is missing is known when the environment variables are applied."""

    @override
    def read(self, value: Value, draft: Draft) -> str | None:
        if not draft.uses_key:
            raise value.error("authType is none: delete authSecret, or change authType.")
        draft.key_fail = value.error
        key, draft.missing_variable = _resolve(value, draft.environment)
        return key


@dataclass(frozen=True, slots=True)
class Headers(FieldKind[Mapping[str, str]]):
    """Extra headers; their values may be secrets."""

    @override
    def read(self, value: Value, draft: Draft) -> dict[str, str]:
        found: dict[str, str] = {}
        for key, held in value.entries():
            name = key.text()
            if name.lower() in map(str.lower, found):
                raise key.error("this header is set twice; keep one of them.")
            if (why := refused_header(name, "x")) is not None:
                raise key.error(why)
            held.name = "a header"
            secret, missing = _resolve(held, draft.environment)
            if secret is None:
                raise held.error(f"the variable {missing} is not set. Set it in the environment.")
            if (why := refused_header(name, secret)) is not None:
                raise held.error(why)
            found[name] = secret
        if len(found) > MAX_HEADERS:
            raise value.error(f"headers must be at most {MAX_HEADERS}.")
        return found

    @override
    def encode(self, value: Mapping[str, str]) -> dict[str, str]:
        return dict(value)

    @override
    def decode(self, stored: Any) -> dict[str, str]:
        return dict(stored)


class HealthPath(Text):
    """The path of the health probe."""

    @override
    def read(self, value: Value, draft: Draft) -> str:
        if not _HEALTH_PATH.fullmatch(text := value.text()):
            raise value.error("path must begin with / (behind the endpoint) or // (at the server's root), such as //health.")
        if not draft.type.has_health_path:
            raise value.error(f"a provider of type {draft.type.name} is asked for its health in its own way; delete the line.")
        return text


class ProbeTimeout(Seconds):
    """The timeout of the health probe, under its second name."""

    @override
    def read(self, value: Value, draft: Draft) -> float:
        if "timeouts.probe" in draft.values:
            raise value.error("timeout is what probe is in timeouts; keep one of them.")
        return super().read(value, draft)


def _resolve(value: Value, environment: Mapping[str, str]) -> tuple[str | None, str | None]:
    """(secret, name of a missing environment variable) of a literal text or `${VARIABLE}`."""
    text = value.text()
    if (named := _FROM_ENVIRONMENT.fullmatch(text)) is None:
        return text, None
    found = environment.get(named[1])
    return (found, None) if found else (None, named[1])
