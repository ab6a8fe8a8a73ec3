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

    def __init__(self, node: Any, source: str, name: str, warnings: list[str] | None = None) -> None:
        """`source` is the file name, `name` the value's name in errors, `warnings` the list of `warn`, shared by a document."""
        self._node = node
        self._source = source
        self.name = name
        self.warnings: list[str] = [] if warnings is None else warnings

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
        return self._error_at(self._node, message)

    def warn(self, message: str) -> None:
        """Add a warning with this position to the document's, once."""
        if (text := self._positioned(self._node, message)) not in self.warnings:
            self.warnings.append(text)

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
                raise self._error_at(key_node, f"{_shown(key)} is unknown. {suggestion(key, known)}")
            if key in found:
                raise self._error_at(key_node, f"{_shown(key).removeprefix('The key ')} is set twice; keep one of them.")
            # A free-form key may be a misplaced value: errors do not repeat it.
            named = self._child(key_node, "a key" if known is None else key)
            found[key] = named, self._child(node, f"a value of {self.name}" if known is None else key)
        return list(found.values())

    @property
    def has_keys(self) -> bool:
        """Whether the value is a mapping."""
        return type(self._node).__name__ == "MappingNode"

    def has(self, key: str, word: str | None = None) -> bool:
        """Whether the value is a mapping with this key, and with this word as its value if one is given."""
        return self.has_keys and any(
            node.value == key and (word is None or held.value == word) for node, held in self._node.value
        )

    @property
    def is_list(self) -> bool:
        """Whether the value is a list."""
        return type(self._node).__name__ == "SequenceNode"

    @property
    def is_single(self) -> bool:
        """Whether the value is a scalar."""
        return type(self._node).__name__ == "ScalarNode"

    @property
    def is_null(self) -> bool:
        """Whether the value is written as `null` or `~`. A key without a value is not: it was left unfinished."""
        return self.is_single and self._scalar() == "null" and bool(self._node.value)

    @property
    def kind(self) -> str:
        """The YAML type of a scalar: `str`, `int`, `float`, `bool`, `null`. Raises ConfigError for a list or mapping."""
        return self._scalar()

    def items(self) -> list[Self]:
        """The entries of a list."""
        self._expect("SequenceNode")
        return [self._child(node, f"an entry of {self.name}") for node in self._node.value]

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

    def _child(self, node: Any, name: str) -> Self:
        """A value inside this one."""
        return type(self)(node, self._source, name, self.warnings)

    def _positioned(self, node: Any, message: str) -> str:
        """The message behind the position of `node`."""
        return f"{self._source}:{node.start_mark.line + 1}:{node.start_mark.column + 1}: {message}"

    def _error_at(self, node: Any, message: str) -> ConfigError:
        return ConfigError(self._positioned(node, message))

    def _scalar(self) -> str:
        """The YAML type of the scalar."""
        self._expect("ScalarNode")
        return str(self._node.tag).removeprefix(_TAG)

    def _expect(self, kind: str) -> None:
        found = type(self._node).__name__
        if found != kind:
            raise self.error(f"{self.name} must be {_KINDS[kind]}, and is {_KINDS[found]}.")


class VariableValue(Value):
    """The value of an environment variable, in YAML; errors state the variable's name."""

    @classmethod
    def of(cls, variable: str, text: str, warnings: list[str]) -> Self:
        """Parse the value of a variable. Raises ConfigError for invalid YAML."""
        try:
            node = yaml.compose(text, Loader=_Loader)
        except yaml.YAMLError:
            raise ConfigError(f"{variable} in the environment is no valid YAML.") from None
        return cls(yaml.ScalarNode(f"{_TAG}null", "") if node is None else node, variable, variable, warnings)

    @override
    def text(self) -> str:
        """A variable is a text; what YAML would read in it does not matter."""
        self._expect("ScalarNode")
        if not (text := str(self._node.value).strip()):
            raise self.error(f"{self.name} is empty.")
        return text

    @override
    def items(self) -> list[Self]:
        """A single value is a list with commas between its entries."""
        if not self.is_single:
            return super().items()
        words = (word.strip() for word in self.text().split(","))
        return [self._child(yaml.ScalarNode(f"{_TAG}str", word), self.name) for word in words if word]

    @override
    def _positioned(self, node: Any, message: str) -> str:
        return f"the environment: {message}" if message.startswith(self._source) else f"{self._source}: {message}"


def _shown(key: str) -> str:
    """How errors show a key: only if it looks like a key and not like a misplaced value."""
    return f"The key {key}" if key.isidentifier() and len(key) <= 32 else "This key"


def _problem(err: Any) -> str:
    """The parser's problem, without text from the file."""
    problem = str(err.problem or err.context or "it cannot be read")
    if "alias" in problem or "anchor" in problem:
        return "an unquoted * or & refers to another value; put a value that begins with it in quotes"
    return problem
