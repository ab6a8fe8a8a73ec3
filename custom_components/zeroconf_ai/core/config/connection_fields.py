"""The kinds of settings that say where a backend is and how it is reached: id, type, address, API key, headers, health path."""

from collections.abc import Mapping
from dataclasses import dataclass
import re
from typing import Any, override
from urllib.parse import urlsplit

from ..backends.headers import MAX_HEADERS, refused_header
from ..dialects.ollama.keep_alive import keep_alive_seconds
from .backend_types import BACKEND_TYPES, BackendType
from .document import Value, suggestion
from .draft import Draft, base_url
from .fields import FieldKind, Text, Whole

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_HEALTH_PATH = re.compile(r"//?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*")
_NO_ID_CHARACTERS = re.compile(r"[^A-Za-z0-9_.-]+")
LOCAL = "local"
"""The type of any server with OpenAI's API that runs its models in the home."""
TYPE_SYNONYMS: Mapping[str, str] = {
    LOCAL: "openai_compatible",
    "custom": "openai_compatible",
    "openai-compatible": "openai_compatible",
    "google": "gemini",
    "llama.cpp": "llamacpp",
    "llama-cpp": "llamacpp",
    "llama_cpp": "llamacpp",
    "lm-studio": "lmstudio",
    "lm_studio": "lmstudio",
    "localai": "openai_compatible",
    "jan": "openai_compatible",
    "gpt4all": "openai_compatible",
    "koboldcpp": "openai_compatible",
    "llama-swap": "openai_compatible",
    "sglang": "openai_compatible",
    "tabbyapi": "openai_compatible",
    "text-generation-webui": "openai_compatible",
}
"""Other names of types in a file → their names in `BACKEND_TYPES`."""
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
    """The name of a backend type, or a synonym."""

    @override
    def read(self, value: Value, draft: Draft) -> BackendType:
        return draft.type

    def parse(self, value: Value) -> BackendType:
        """The type, which a draft begins with. Raises ConfigError."""
        word = value.text()
        if (name := TYPE_SYNONYMS.get(word.lower(), word)) not in BACKEND_TYPES:
            raise value.error(f"unknown type. {suggestion(word, BACKEND_TYPES)}")
        return BACKEND_TYPES[name]

    @override
    def schema(self) -> dict[str, Any]:
        return {"enum": [*BACKEND_TYPES, *TYPE_SYNONYMS]}

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
        url = base_url(text := value.text(), draft.type, value.error, "endpoint")
        draft.endpoint_path = urlsplit(text).path.rstrip("/")
        return url

    @override
    def schema(self) -> dict[str, Any]:
        return {"type": "string", "format": "uri"}


@dataclass(frozen=True, slots=True)
class KeyHeader(FieldKind[str | None]):
    """How the API key is sent: the name of a header, None for the type's own one. A file names it with a word."""

    @override
    def read(self, value: Value, draft: Draft) -> str | None:
        word, _, name = ("none" if value.is_null else value.text()).partition(" ")
        wanted = {
            "bearer": "Authorization",
            "api_key": draft.type.key_header,
            "x-api-key": "x-api-key",
            "header": name.strip(),
        }.get(word.lower())
        if word.lower() == "none" and not name:
            draft.uses_key = False
            return None
        draft.uses_key = True
        if wanted is None or (name and word.lower() != "header"):
            raise value.error(
                "authType must be none, bearer, api_key, x-api-key, or header with a name, such as `header X-Auth-Token`."
            )
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
        key, draft.missing_variable = resolve_secret(value, draft.environment)
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
            secret, missing = resolve_secret(held, draft.environment)
            if secret is None:
                raise held.error(f"the variable {missing} is not set. Set it in the environment.")
            if (why := refused_header(name, secret)) is not None:
                raise held.error(why)
            found[name] = secret
        if len(found) > MAX_HEADERS:
            raise value.error(f"headers must be at most {MAX_HEADERS}.")
        return found

    @override
    def schema(self) -> dict[str, Any]:
        return {"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": MAX_HEADERS}

    @override
    def encode(self, value: Mapping[str, str]) -> dict[str, str]:
        return dict(value)

    @override
    def decode(self, stored: Any) -> dict[str, str]:
        return dict(stored)


@dataclass(frozen=True, slots=True)
class ContextSize(Whole):
    """The context window with which an Ollama server loads its models."""

    @override
    def read(self, value: Value, draft: Draft) -> int:
        _check_options(value, draft)
        return super().read(value, draft)


@dataclass(frozen=True, slots=True)
class KeepAlive(FieldKind[str]):
    """How long an Ollama server keeps a model loaded: a duration, or a number of seconds."""

    @override
    def read(self, value: Value, draft: Draft) -> str:
        _check_options(value, draft)
        text = f"{value.number(-1e9, 1e9):g}" if value.kind in ("int", "float") else value.text()
        if keep_alive_seconds(text) is None:
            raise value.error("keepAlive must be a time such as 10m, a number of seconds, or -1 for always.")
        return text

    @override
    def schema(self) -> dict[str, Any]:
        return {"type": ["number", "string"]}


def _check_options(value: Value, draft: Draft) -> None:
    """Warn if clients cannot set how the provider's server holds its models."""
    if not draft.type.has_options:
        value.warn(f"a provider of type {draft.type.name} decides this itself; the setting is not used.")


class HealthPath(Text):
    """The path of the health probe."""

    @override
    def read(self, value: Value, draft: Draft) -> str:
        if not _HEALTH_PATH.fullmatch(text := value.text()):
            raise value.error("path must begin with / (behind the endpoint) or // (at the server's root), such as //health.")
        if not draft.type.has_health_path:
            raise value.error(f"a provider of type {draft.type.name} is asked for its health in its own way; delete the line.")
        return text


class HealthCheckPath(HealthPath):
    """The path of the health probe behind the endpoint as it is written, without the path that is added to it."""

    @override
    def read(self, value: Value, draft: Draft) -> str | None:  # type: ignore[override]
        if not draft.type.has_health_path:
            value.warn(f"a provider of type {draft.type.name} is asked for its health in its own way; the path is not used.")
            return None
        path = super().read(value, draft)
        if path.startswith("//") or (draft.endpoint_path and not path.startswith(f"{draft.endpoint_path}/")):
            return path
        return f"/{path}"


@dataclass(frozen=True, slots=True)
class Hardware(FieldKind[str | None]):
    """A description of the graphics card: a text, true, a number of cards, or keys with values."""

    @override
    def read(self, value: Value, draft: Draft) -> str | None:
        if value.has_keys:
            return ", ".join(self._words(held) or key.text() for key, held in value.entries()) or None
        if value.is_list:
            return ", ".join(self._words(held) or "" for held in value.items()) or None
        return self._words(value)

    def _words(self, value: Value) -> str | None:
        if value.kind == "bool":
            return "GPU" if value.flag() else None
        return f"{value.number(0, 1e6):g}" if value.kind in ("int", "float") else value.text()

    @override
    def schema(self) -> dict[str, Any]:
        return {}


def identifier_of(name: Value) -> str:
    """The id of a provider that has only a name. Raises ConfigError if the name contains no letter and no digit."""
    found = _NO_ID_CHARACTERS.sub("-", name.text()).strip("-_.")[:64]
    if not found:
        raise name.error("a provider needs `id:`, or a name with letters or digits.")
    return found


def resolve_secret(value: Value, environment: Mapping[str, str]) -> tuple[str | None, str | None]:
    """(secret, name of a missing environment variable) of a literal text or `${VARIABLE}`."""
    text = value.text()
    if (named := _FROM_ENVIRONMENT.fullmatch(text)) is None:
        return text, None
    found = environment.get(named[1])
    return (found, None) if found else (None, named[1])
