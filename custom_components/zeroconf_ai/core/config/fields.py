"""`BackendField`: one setting of a backend, and the kinds of values that settings have.

The table of all settings is `backend_fields.FIELDS`. The reader of YAML files, the subentries of Home Assistant, its forms and
the tables of the documentation are derived from it.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
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
        return self.kind.read(value, draft)

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


@dataclass(frozen=True, slots=True)
class Whole(FieldKind[int]):
    """A whole number within bounds."""

    low: int
    high: int

    @override
    def read(self, value: Value, draft: Draft) -> int:
        return value.whole(self.low, self.high)


@dataclass(frozen=True, slots=True)
class Seconds(FieldKind[float]):
    """A time in seconds."""

    low: float
    high: float = 3600.0

    @override
    def read(self, value: Value, draft: Draft) -> float:
        return value.number(self.low, self.high)

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
    def encode(self, value: int) -> float:
        return value / NANO

    @override
    def decode(self, stored: Any) -> int | None:
        return money(stored)


@dataclass(frozen=True, slots=True)
class Choice[E: StrEnum](FieldKind[E]):
    """One word of several."""

    words: type[E]
    unknown: str
    """The error for another word, without the suggestion."""

    @override
    def read(self, value: Value, draft: Draft) -> E:
        return self.parse(value)

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
    def encode(self, value: frozenset[str]) -> list[str]:
        return sorted(value)

    @override
    def decode(self, stored: Any) -> frozenset[str]:
        return frozenset(stored)
