"""`BackendField`: one setting of a backend, and the kinds of values that settings have.

The table of all settings is `backend_fields.FIELDS`. The reader of YAML files, the subentries of Home Assistant, its forms and
the tables of the documentation are derived from it.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
import math
from operator import attrgetter
import re
from typing import Any, override

from ..protocol.values import NANO, money
from .backend_config import BackendConfig
from .backend_types import BackendType
from .document import Value, suggestion
from .draft import Draft


class StoredKind[T]:
    """The values that a setting may have, and how they are stored as JSON."""

    def encode(self, value: T) -> Any:
        """The value as JSON."""
        return value

    def decode(self, stored: Any) -> T | None:
        """The value that was stored as `stored`; None if `stored` is no valid value."""
        value: T = stored
        return value

    def dump(self, value: T, key: str) -> dict[str, Any]:
        """What is stored of the value, by key."""
        return {key: self.encode(value)}

    def load(self, data: Mapping[str, Any], key: str) -> T | None:
        """The value in stored data; None if `data` has no value under `key`."""
        stored = data.get(key)
        return None if stored in (None, "") else self.decode(stored)

    def stored_keys(self, key: str) -> tuple[str, ...]:
        """All keys that `dump` may use."""
        return (key,)


class FieldKind[T](StoredKind[T], ABC):
    """The values of a setting that files may contain, and how they are read."""

    @abstractmethod
    def read(self, value: Value, draft: Draft) -> T:
        """The value of a setting in a file. Raises ConfigError. `draft` is the provider as far as it was read."""

    def schema(self) -> dict[str, Any]:
        """The JSON Schema of the value in a file, for editors."""
        return {"type": "string"}


def snake(key: str) -> str:
    """A key of a file in snake case."""
    return re.sub(r"([A-Z])", lambda found: f"_{found[1].lower()}", key)


def camel(name: str) -> str:
    """The key in a file of an attribute."""
    return re.sub(r"_(.)", lambda found: found[1].upper(), name)


class Section(Enum):
    """The place of a setting in the two forms of a backend. Each form has folded sections."""

    CONNECTION = "connection"
    CONNECTION_ADVANCED = "connection_advanced"
    DETAILS = "details"
    ROUTING = "routing"
    LIMITS = "limits"
    COSTS = "costs"


@dataclass(frozen=True, slots=True)
class BackendField:
    """One setting of a backend."""

    name: str
    """The attribute of `BackendConfig`, with a dot for one of `timeouts`."""
    yaml: str | None
    """The key in a file, with a dot for a key in a group; None if no file has it."""
    kind: StoredKind[Any]
    meaning: str = ""
    """What the documentation says about it, in Markdown."""
    stored: str | None = None
    """The key in the data of a subentry and in the form; None if the value is not in them."""
    section: Section | None = None
    """None: no form asks for it."""
    default: str = ""
    """The default in words, for the documentation, if the value alone does not say it."""
    needed: bool = False
    """Whether every provider in a file and every subentry has it."""
    also: tuple[str, ...] = ()
    """Other names of the key in a file. The name in snake case is always one."""
    combined: bool = False
    """Whether a file may set it together with another key for the same attribute."""
    usual: tuple[float, float] | None = None
    """The bounds of usual values; others are valid, and reading them from a file adds a warning."""

    @property
    def names(self) -> tuple[str, ...]:
        """All names of the key in a file, the first one first; empty if no file has it."""
        if self.yaml is None:
            return ()
        return tuple(dict.fromkeys((self.yaml, *([] if "." in self.yaml else [snake(self.yaml)]), *self.also)))

    def of(self, config: BackendConfig) -> Any:
        """The value in a configuration."""
        return attrgetter(self.name)(config)

    def default_for(self, backend_type: BackendType) -> Any:
        """The value of a backend of the type for which nothing is set."""
        return self.of(BackendConfig.usual(backend_type))

    def read(self, value: Value, draft: Draft) -> Any:
        """The value in a file. Raises ConfigError; TypeError for a setting that no file may contain."""
        if not isinstance(self.kind, FieldKind):
            raise TypeError(f"files do not contain the setting {self.name}")
        found = self.kind.read(value, draft)
        if self.usual is not None and not self.usual[0] <= (number := value.number(-math.inf, math.inf)) <= self.usual[1]:
            low, high = self.usual
            value.warn(f"{value.name} is {number:g}, which is unusual (usual: {low:g} to {high:g}). Check it.")
        return found

    def dump(self, config: BackendConfig) -> dict[str, Any]:
        """What a subentry stores of the value; nothing for the default of a setting that may be omitted."""
        value = self.of(config)
        if self.stored is None or (not self.needed and value == self.default_for(config.type)):
            return {}
        return self.kind.dump(value, self.stored)

    def load(self, data: Mapping[str, Any]) -> Any:
        """The value in the data of a subentry; None if the data does not contain it."""
        return None if self.stored is None else self.kind.load(data, self.stored)

    @property
    def stored_keys(self) -> tuple[str, ...]:
        """The keys in the data of a subentry and in the form."""
        return () if self.stored is None else self.kind.stored_keys(self.stored)


@dataclass(frozen=True, slots=True)
class Text(FieldKind[str]):
    """A non-empty text."""

    @override
    def read(self, value: Value, draft: Draft) -> str:
        return value.text()


@dataclass(frozen=True, slots=True)
class Flag(FieldKind[bool]):
    """True or false."""

    @override
    def read(self, value: Value, draft: Draft) -> bool:
        return value.flag()

    @override
    def schema(self) -> dict[str, Any]:
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Whole(FieldKind[int]):
    """A whole number within bounds."""

    low: int
    high: int

    @override
    def read(self, value: Value, draft: Draft) -> int:
        return value.whole(self.low, self.high)

    @override
    def schema(self) -> dict[str, Any]:
        return {"type": "integer", "minimum": self.low, "maximum": self.high}


@dataclass(frozen=True, slots=True)
class Seconds(FieldKind[float]):
    """A time in seconds."""

    low: float
    high: float = 3600.0

    @override
    def read(self, value: Value, draft: Draft) -> float:
        return value.number(self.low, self.high)

    @override
    def schema(self) -> dict[str, Any]:
        return {"type": "number", "minimum": self.low, "maximum": self.high}

    @override
    def decode(self, stored: Any) -> float:
        return float(stored)


@dataclass(frozen=True, slots=True)
class Money(FieldKind[int]):
    """An amount of money: nano-units in the configuration, whole units in files and subentries."""

    high: float = 999_999.0

    @override
    def read(self, value: Value, draft: Draft) -> int:
        return round(value.number(0, self.high) * NANO)

    @override
    def schema(self) -> dict[str, Any]:
        return {"type": "number", "minimum": 0, "maximum": self.high}

    @override
    def encode(self, value: int) -> float:
        return value / NANO

    @override
    def decode(self, stored: Any) -> int | None:
        return money(stored)


_UNITS: Mapping[str, float] = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d{1,8}(?:\.\d{1,3})?) ?(ms|s|m|h)")
_MILLISECONDS = 1000.0
"""Numbers from this one on are milliseconds, as other programs write such settings."""


@dataclass(frozen=True, slots=True)
class Duration(Seconds):
    """A time with a unit (`30s`, `500ms`), or a number: seconds below 1000, milliseconds from there on."""

    @override
    def read(self, value: Value, draft: Draft) -> float:
        if value.kind == "str" and (found := _DURATION.fullmatch(value.text())) is not None:
            seconds = float(found[1]) * _UNITS[found[2]]
        elif (seconds := value.number(0, 1e9)) >= _MILLISECONDS:
            value.warn(f"{value.name} is read as {seconds:g} milliseconds. Write it with its unit, such as 30s.")
            seconds /= _MILLISECONDS
        if not self.low <= seconds <= self.high:
            raise value.error(f"{value.name} must be a time from {self.low:g} s to {self.high:g} s.")
        return seconds

    @override
    def schema(self) -> dict[str, Any]:
        return {"type": ["number", "string"]}


@dataclass(frozen=True, slots=True)
class Choice[E: StrEnum](FieldKind[E]):
    """One word of several."""

    words: type[E]
    unknown: str
    """The error for another word, without the suggestion."""

    @override
    def read(self, value: Value, draft: Draft) -> E:
        return self.parse(value)

    @override
    def schema(self) -> dict[str, Any]:
        return {"enum": [word.value for word in self.words]}

    def parse(self, value: Value) -> E:
        """One word. Raises ConfigError."""
        if (word := value.text()) not in self.words:
            raise value.error(f"{self.unknown} {suggestion(word, list(self.words))}")
        return self.words(word)

    @override
    def decode(self, stored: Any) -> E:
        return self.words(stored)


@dataclass(frozen=True, slots=True)
class Choices[E: StrEnum](FieldKind[frozenset[E]]):
    """Any of several words, at least one."""

    choice: Choice[E]
    correction: str
    """What the error for an empty list suggests."""

    @override
    def read(self, value: Value, draft: Draft) -> frozenset[E]:
        found = frozenset(self.choice.parse(item) for item in value.items())
        value.texts(self.correction)
        return found

    @override
    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": self.choice.schema(), "minItems": 1}

    @override
    def encode(self, value: frozenset[E]) -> list[str]:
        return sorted(value)

    @override
    def decode(self, stored: Any) -> frozenset[E]:
        return frozenset(map(self.choice.words, stored))


@dataclass(frozen=True, slots=True)
class Texts(FieldKind[frozenset[str]]):
    """Any texts without an order, at least one."""

    correction: str
    """What the error for an empty list suggests."""

    @override
    def read(self, value: Value, draft: Draft) -> frozenset[str]:
        return frozenset(value.texts(self.correction))

    @override
    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": {"type": "string"}, "minItems": 1}

    @override
    def encode(self, value: frozenset[str]) -> list[str]:
        return sorted(value)

    @override
    def decode(self, stored: Any) -> frozenset[str]:
        return frozenset(stored)
