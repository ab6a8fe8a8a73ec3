"""YAML documents with positions: each error states the position and how to correct the value.

Errors never repeat free-form values, since any of them could be a misplaced API key.
"""

from collections.abc import Collection, Mapping
import difflib
from typing import Any, Self, override

import yaml

from ..protocol.json import MAX_DEPTH

_KINDS = {"MappingNode": "keys with values", "SequenceNode": "a list", "ScalarNode": "a single value"}
_TYPES = {"int": "a number", "float": "a number", "bool": "true or false", "timestamp": "a date"}
_TAG = "tag:yaml.org,2002:"
_YES = frozenset({"true", "yes", "on", "1"})
_NO = frozenset({"false", "no", "off", "0"})


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML has no types
    """Rejects documents that are nested too deeply."""

    depth = 0

    @override
    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            mark = self.peek_event().start_mark
            raise yaml.MarkedYAMLError(problem=f"nested deeper than {MAX_DEPTH} levels", problem_mark=mark)
        node: yaml.Node | None = super().compose_node(parent, index)
        self.depth -= 1
        return node


class ConfigError(ValueError):
    """An invalid configuration; the message states position, reason and correction."""


def suggestion(wrong: str, known: Collection[str]) -> str:
    """Suggest the most similar known word, or list all of them."""
    spelled = {word.lower(): word for word in known}
    found = difflib.get_close_matches(wrong.lower(), spelled, n=1, cutoff=0.5)
    return f"Did you mean {spelled[found[0]]}?" if found else f"Known: {', '.join(known)}."


def flag(text: str) -> bool | None:
    """Parse any YAML spelling of true or false; None for other words."""
    word = text.strip().lower()
    return True if word in _YES else False if word in _NO else None


class Value:
    """One value of a document and its position."""

    def __init__(self, node: Any, source: str, name: str) -> None:
        """`source` is the file name, `name` the value's name in errors."""
        self._node = node
        self._source = source
        self.name = name

    @classmethod
    def parse(cls, text: str, source: str) -> Self:
        """Parse a document. Raises ConfigError for invalid YAML or an empty file."""
        try:
            node = yaml.compose(text, Loader=_Loader)
        except yaml.reader.ReaderError as err:
            line, column = text.count("\n", 0, err.position) + 1, err.position - text.rfind("\n", 0, err.position)
            raise ConfigError(f"{source}:{line}:{column}: a character that YAML does not allow; delete it.") from None
        except yaml.MarkedYAMLError as err:
            mark = err.problem_mark or err.context_mark
            raise ConfigError(f"{source}:{mark.line + 1}:{mark.column + 1}: no valid YAML: {_problem(err)}.") from None
        if node is None:
            raise ConfigError(f"{source}:1:1: the file is empty; it needs a list of `providers:`.")
        return cls(node, source, "the file")

    def error(self, message: str) -> ConfigError:
        """Create an error at this position."""
        return _error(self._node, self._source, message)

    def fields(self, known: Collection[str]) -> Mapping[str, Self]:
        """The values by key. Unknown and repeated keys are errors."""
        return {key.name: value for key, value in self.entries(known)}

    def entries(self, known: Collection[str] | None = None) -> list[tuple[Self, Self]]:
        """All (key, value) pairs. Repeated keys are errors, and so are unknown ones if `known` is given."""
        self._expect("MappingNode")
        found: dict[str, tuple[Self, Self]] = {}
        for key_node, node in self._node.value:
            key = str(key_node.value) if type(key_node).__name__ == "ScalarNode" else "?"
            if known is not None and key not in known:
                raise _error(key_node, self._source, f"{_shown(key)} is unknown. {suggestion(key, known)}")
            if key in found:
                raise _error(key_node, self._source, f"{_shown(key).removeprefix('The key ')} is set twice; keep one of them.")
            # A free-form key may be a misplaced value: errors do not repeat it.
            named = type(self)(key_node, self._source, "a key" if known is None else key)
            found[key] = named, type(self)(node, self._source, f"a value of {self.name}" if known is None else key)
        return list(found.values())

    @property
    def has_keys(self) -> bool:
        """Whether the value is a mapping."""
        return type(self._node).__name__ == "MappingNode"

    @property
    def is_single(self) -> bool:
        """Whether the value is a scalar."""
        return type(self._node).__name__ == "ScalarNode"

    def items(self) -> list[Self]:
        """The entries of a list."""
        self._expect("SequenceNode")
        return [type(self)(node, self._source, f"an entry of {self.name}") for node in self._node.value]

    def text(self) -> str:
        """The value as a non-empty text."""
        kind = self._scalar()
        if kind == "null" or (kind == "str" and not self._node.value.strip()):
            raise self.error(f"{self.name} is empty; give it a value, or delete the line.")
        if kind != "str":
            raise self.error(
                f"{self.name} must be a text, and YAML reads {_TYPES.get(kind, 'something else')} here; put it in quotes."
            )
        return str(self._node.value).strip()

    def texts(self, correction: str) -> tuple[str, ...]:
        """The texts of a non-empty list; `correction` is suggested for an empty one."""
        found = tuple(item.text() for item in self.items())
        if not found:
            raise self.error(f"{self.name} is empty; {correction}.")
        return found

    def whole(self, low: int, high: int) -> int:
        """A whole number within bounds."""
        text = self._node.value if self._scalar() == "int" else ""
        if not text.isdecimal() or not low <= int(text) <= high:
            raise self.error(f"{self.name} must be a whole number from {low} to {high}.")
        return int(text)

    def number(self, low: float, high: float) -> float:
        """A number within bounds."""
        try:
            value = float(self._node.value) if self._scalar() in ("int", "float") else float("nan")
        except ValueError:  # YAML's other ways to write one: 0x10, 1:30
            value = float("nan")
        if not low <= value <= high:
            raise self.error(f"{self.name} must be a number from {low:g} to {high:g}.")
        return value

    def flag(self) -> bool:
        """True or false."""
        value = flag(self._node.value) if self._scalar() in ("bool", "int") else None
        if value is None:
            raise self.error(f"{self.name} must be true or false.")
        return value

    def _scalar(self) -> str:
        """The YAML type of the scalar."""
        self._expect("ScalarNode")
        return str(self._node.tag).removeprefix(_TAG)

    def _expect(self, kind: str) -> None:
        found = type(self._node).__name__
        if found != kind:
            raise self.error(f"{self.name} must be {_KINDS[kind]}, and is {_KINDS[found]}.")


def _error(node: Any, source: str, message: str) -> ConfigError:
    return ConfigError(f"{source}:{node.start_mark.line + 1}:{node.start_mark.column + 1}: {message}")


def _shown(key: str) -> str:
    """How errors show a key: only if it looks like a key and not like a misplaced value."""
    return f"The key {key}" if key.isidentifier() and len(key) <= 32 else "This key"


def _problem(err: Any) -> str:
    """The parser's problem, without text from the file."""
    problem = str(err.problem or err.context or "it cannot be read")
    if "alias" in problem or "anchor" in problem:
        return "an unquoted * or & refers to another value; put a value that begins with it in quotes"
    return problem
