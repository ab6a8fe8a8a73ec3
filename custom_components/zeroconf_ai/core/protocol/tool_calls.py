"""The tool calls of an answer, from the pieces in which servers send them.

OpenAI numbers the calls, and sends the id and the name with the first piece of each. Others number all calls 0 or none at all,
repeat ids and names, send placeholders for them, cut names into pieces, or send arguments as an object.
"""

from collections.abc import Iterable, Mapping, Set as AbstractSet
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import orjson

from . import json
from .values import NOTHING, mapping

_NOTHING = frozenset({"", "null", "none", "nil", "undefined"})
"""Placeholders for an id, a name or arguments, in lower case."""
_MAX_INDEX = 10_000


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A piece of the tool call number `index`."""

    index: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""
    extra_content: Mapping[str, Any] = NOTHING
    """Fields of the vendor, such as Google's thought signature."""


@dataclass(slots=True)
class ToolCall:
    """A tool call. `arguments` is the model's JSON text, which may be malformed."""

    id: str
    name: str
    arguments: str = ""
    extra_content: Mapping[str, Any] = NOTHING
    """Fields of the vendor, which must return with the call."""

    def to_json(self) -> dict[str, Any]:
        """OpenAI's object in an assistant message."""
        call = {"id": self.id, "type": "function", "function": {"name": self.name, "arguments": self.arguments}}
        return call | {"extra_content": self.extra_content} if self.extra_content else call


def new_call_id() -> str:
    """A new id of a tool call."""
    return f"call_{uuid4().hex[:24]}"


def parse_deltas(body: Mapping[str, Any]) -> Iterable[ToolCallDelta]:
    """The pieces of tool calls in a delta or a message, a `function_call` of OpenAI's first API included."""
    for position, call in enumerate(listed_calls(body)):
        yield parse_delta(call, position)


def listed_calls(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The objects of the tool calls in a delta or a message."""
    calls = body.get("tool_calls")
    if isinstance(calls, Mapping):
        calls = [calls]
    if not calls and isinstance(legacy := body.get("function_call"), Mapping):
        calls = [{"index": 0, "function": legacy}]
    return [call for call in calls if isinstance(call, Mapping)] if isinstance(calls, list) else []


def parse_delta(call: Mapping[str, Any], position: int) -> ToolCallDelta:
    """A piece of a tool call, tolerantly. `position` is its number where it has none."""
    function = function_of(call)
    return ToolCallDelta(
        _index(call.get("index"), position),
        _named(call.get("id")),
        _named(function.get("name")),
        _text(function.get("arguments")),
        mapping(call.get("extra_content")),
    )


def function_of(call: Mapping[str, Any]) -> Mapping[str, Any]:
    """The function of a tool call, whose fields some servers send beside its id."""
    return mapping(call["function"]) if "function" in call else call


def whole_arguments(arguments: str) -> str:
    """The complete arguments of a call: an object for `null` and for nothing, the object inside of a text that contains one."""
    bare = arguments.strip()
    if bare.lower() in _NOTHING or bare in ("[]", '""'):
        return "{}"
    if bare.startswith('"'):
        try:
            inner = json.loads(bare)
            if isinstance(json.loads(inner), dict):
                return str(inner)
        except (json.JSONDecodeError, TypeError):
            return arguments
    return json.without_surrogates(arguments.encode()).decode() if "\\u" in arguments else arguments


def is_complete(arguments: str) -> bool:
    """Whether a tool call's arguments are complete JSON."""
    try:
        json.loads(arguments)
    except json.JSONDecodeError:
        return False
    return True


@dataclass(slots=True)
class _Begun:
    """A call that has begun, with the number and the id that its server gave it."""

    number: int
    call: ToolCall
    given_id: str | None


class ToolCalls:
    """Assembles the calls of one answer. Their ids are unique: a missing or repeated one is replaced."""

    def __init__(self, names: AbstractSet[str] = frozenset()) -> None:
        """`names` are the tools that the model may call; empty: unknown."""
        self._names = names
        self._begun: list[_Begun] = []
        self._newest: dict[int, _Begun] = {}
        """The newest call by number: some servers number all calls 0, and further pieces belong to the newest."""
        self._by_id: dict[tuple[int, str], _Begun] = {}
        """The newest call by number and the id that its server gave it."""
        self._ids: set[str] = set()

    @property
    def in_order(self) -> list[ToolCall]:
        """The calls by their numbers, those with the same number as they began."""
        return [begun.call for begun in sorted(self._begun, key=lambda begun: begun.number)]

    @property
    def as_begun(self) -> list[ToolCall]:
        """The calls in the order in which they began."""
        return self.begun_from(0)

    def __len__(self) -> int:
        """The number of calls that have begun."""
        return len(self._begun)

    def begun_from(self, first: int, end: int | None = None) -> list[ToolCall]:
        """The calls from the one that began as number `first`, counted from 0, to the one before `end`."""
        return [begun.call for begun in self._begun[first:end]]

    def add(self, piece: ToolCallDelta) -> ToolCall:
        """Add a piece. Returns the call that it belongs to."""
        known = self._known(piece)
        if known is None or self._begins_another(known, piece):
            return self._begin(piece)
        call = known.call
        if piece.id and known.given_id is None:
            known.given_id = piece.id
            self._by_id[piece.index, piece.id] = known
        if piece.name and not (call.arguments and call.name):
            call.name = self._continued(call.name, piece.name)
        if piece.arguments and not _repeats(call.arguments, piece.arguments):
            call.arguments += piece.arguments
        call.extra_content = piece.extra_content or call.extra_content
        return call

    def has_whole_name(self, call: ToolCall) -> bool:
        """Whether no piece of the call's name can follow."""
        if call.arguments:
            return bool(call.name)
        return call.name in self._names and not any(name.startswith(call.name) for name in self._names if name != call.name)

    def _known(self, piece: ToolCallDelta) -> _Begun | None:
        """The call that a piece may belong to."""
        if piece.id and not piece.name:
            if (same := self._by_id.get((piece.index, piece.id))) is not None:
                return same
        known = self._newest.get(piece.index)
        if known is None and not piece.name and not piece.id and self._begun:
            return self._begun[-1]
        return known

    def _begin(self, piece: ToolCallDelta) -> ToolCall:
        call_id = piece.id if piece.id and piece.id not in self._ids else new_call_id()
        self._ids.add(call_id)
        begun = _Begun(piece.index, ToolCall(call_id, piece.name or "", piece.arguments, piece.extra_content), piece.id)
        if piece.id:
            self._by_id[piece.index, piece.id] = begun
        self._begun.append(begun)
        self._newest[piece.index] = begun
        return begun.call

    def _begins_another(self, known: _Begun, piece: ToolCallDelta) -> bool:
        """Whether a piece with the number of `known` begins another call."""
        call, name = known.call, piece.name
        if not name or not call.name:
            return False
        whole = call.arguments != "" and is_complete(call.arguments)
        if piece.id and known.given_id and piece.id != known.given_id:
            if name == call.name and call.arguments and not whole:
                return piece.arguments.lstrip().startswith("{")  # else a new id with each piece
            return not self._extends(call, name)
        if name == call.name:
            repeated = piece.id is not None and piece.arguments == call.arguments
            return whole and piece.arguments != "" and not repeated
        return not self._extends(call, name)

    def _extends(self, call: ToolCall, name: str) -> bool:
        """Whether `name` continues the name of a call without arguments, or repeats it with more of it."""
        if call.arguments or name == call.name:
            return False
        if not self._names:
            return name.startswith(call.name)
        if call.name in self._names and name in self._names:
            return False
        return self._begins_a_name(call.name + name) or (name.startswith(call.name) and self._begins_a_name(name))

    def _continued(self, begin: str, name: str) -> str:
        """A name and its next piece; a name that is repeated is not a piece."""
        if not begin or begin == name:
            return name
        if self._names and self._begins_a_name(begin + name):
            return begin + name
        return name if name.startswith(begin) else begin

    def _begins_a_name(self, text: str) -> bool:
        return any(name.startswith(text) for name in self._names)


def _repeats(arguments: str, piece: str) -> bool:
    """Whether a piece repeats complete arguments."""
    if not (piece.startswith("{") and arguments.endswith("}")):
        return False
    try:
        return bool(json.loads(arguments) == json.loads(piece))
    except json.JSONDecodeError:
        return False


def _index(index: object, position: int) -> int:
    if isinstance(index, str) and index.strip().isdecimal() and len(index) < 6:
        index = int(index)
    if isinstance(index, float) and index.is_integer():
        index = int(index)
    return index if isinstance(index, int) and not isinstance(index, bool) and 0 <= index <= _MAX_INDEX else position


def _named(value: object) -> str | None:
    return value if isinstance(value, str) and value.strip().lower() not in _NOTHING else None


def _text(arguments: object) -> str:
    if isinstance(arguments, str):
        return arguments
    return orjson.dumps(arguments).decode() if isinstance(arguments, dict | list) and arguments else ""
