"""Answers of OpenAI-compatible servers → OpenAI's: valid chunks keep their bytes, others are repaired for strict clients.

What is valid follows OpenAI's API reference and its SDK 3.52 (`lib/streaming/_deltas.py`), which joins repeated ids and names and
refuses a call without a number.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
import re
from typing import Any, NamedTuple, Self

from ...protocol import json
from ...protocol.chunks import Chunk, Delta
from ...protocol.request import Kind, Request
from ...protocol.thinking import with_reasoning_cut
from ...protocol.tool_calls import (
    ToolCall,
    ToolCalls,
    function_of,
    is_complete,
    listed_calls,
    new_call_id,
    parse_delta,
    whole_arguments,
)
from ...protocol.usage import usage_of
from ...protocol.values import mapping
from .json_escapes import EscapeRepair

_TEXT = rb'"([^"\\]*+(?:\\.[^"\\]*+)*+)"'
_CHOICE_BEGIN = rb'"choices"\s*:\s*\[\s*\{(?:\s*"finish_reason"\s*:\s*null\s*,)?\s*"index"\s*:\s*(\d+)\s*,\s*"delta"\s*:\s*\{'
_CHOICE_END = rb'\s*\}(?:\s*,\s*"(?:logprobs|finish_reason|stop_reason|native_finish_reason|token_ids)"\s*:\s*null)*\s*\}\s*\]'
_PLAIN = re.compile(
    _CHOICE_BEGIN
    + rb'(?:\s*"(?:role|content|reasoning_content|reasoning|refusal)"\s*:\s*(?:null|'
    + _TEXT
    + rb")\s*,?)*+"
    + _CHOICE_END
)
"""The one choice of a chunk with text only, as most are."""
_PIECE = re.compile(
    _CHOICE_BEGIN
    + rb'\s*"tool_calls"\s*:\s*\[\s*\{\s*"index"\s*:\s*(\d+)\s*,\s*"function"\s*:\s*\{\s*"arguments"\s*:\s*'
    + _TEXT
    + rb"\s*\}\s*\}\s*\]"
    + _CHOICE_END
)
"""The one choice of a chunk with nothing but a piece of a tool call's arguments."""
_CHUNK = b'"chat.completion.chunk"'
_CHOICES = re.compile(rb'"choices"\s*:\s*\[\s*\{')
_DELTA = re.compile(rb'"delta"\s*:\s*\{')
_NULL = re.compile(rb"\s*:\s*(?:null|\[\s*\])")
_FINISH = {
    "completed": "stop",
    "complete": "stop",
    "end": "stop",
    "end_turn": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "stop_sequence": "stop",
    "max_length": "length",
    "max_output_tokens": "length",
    "max_tokens": "length",
    "safety": "content_filter",
    "function_call": "tool_calls",
    "tool_call": "tool_calls",
    "tool_use": "tool_calls",
}
"""OpenAI's finish reason for those of other APIs, in lower case."""
_KNOWN = frozenset({"stop", "length", "content_filter", "tool_calls"})
_NEWLINE = 0x0A
_MAX_CHOICES = 128
_FEW = 8


class Expected(NamedTuple):
    """What the answer to a request may contain."""

    kind: Kind = Kind.CHAT
    tools: frozenset[str] = frozenset()
    """Names of the offered functions."""
    legacy: bool = False
    """Whether they were offered as `functions`, in OpenAI's first API, so that a `function_call` is the answer."""

    @classmethod
    def by(cls, request: Request) -> Self:
        """What a request expects."""
        tools, functions = request.body.get("tools"), request.body.get("functions")
        if isinstance(tools, list) and tools:
            named = (mapping(mapping(tool).get("function")).get("name") for tool in tools)
            return cls(request.kind, frozenset(name for name in named if isinstance(name, str)))
        return cls(request.kind, legacy=isinstance(functions, list) and bool(functions))


@dataclass(slots=True)
class _Call:
    """How much of a call was sent to the client."""

    index: int | None = None
    """Its number for the client; None before its first piece is sent."""
    sent: int = 0
    """Number of characters of its arguments that were sent or are part of `escapes`."""
    escapes: EscapeRepair = field(default_factory=EscapeRepair)
    number: int = -1
    """Its number for the server."""
    more: list[str] = field(default_factory=list)
    """Further arguments, which were sent unchanged."""
    extra: dict[str, Any] = field(default_factory=dict)
    """Fields of its newest piece that OpenAI does not define (Gemini's thought signatures)."""


@dataclass(slots=True)
class _Choice:
    """The state of one choice of a stream."""

    calls: ToolCalls
    states: dict[int, _Call] = field(default_factory=dict)
    """By the identity of the call."""
    current: _Call | None = None
    """The call whose newest piece was sent at once."""
    numbered: int = 0
    """Number of calls of which the first piece was sent."""
    closed: int = 0
    """Number of calls whose arguments are complete: strict clients read one call after the other."""
    seen: int = 0
    """Number of calls when their arguments were last examined."""
    spoke: bool = False
    """Whether it had a delta with a token."""
    finished: str | None = None


class ChunkRepair:
    """Repairs the chunks of one stream."""

    def __init__(self, expected: Expected) -> None:
        self._expected = expected
        self._choices: dict[int, _Choice] = {}
        self._head: Mapping[str, Any] = {}
        """The newest chunk that was parsed."""
        self._valid: list[bytes] = []
        """The first valid chunks."""
        self.finished = False
        """Whether a choice has its finish reason."""

    def feed(self, raw: bytes) -> list[Chunk]:
        """Return the chunks for one event; none for an event without a choice and usage. Raises ValueError for invalid JSON."""
        if not self.finished and ((self._choices and self._continues_call(raw)) or self._is_valid(raw)):
            if len(self._valid) < _FEW:
                self._valid.append(raw)
            return [Chunk(raw)]
        if _NEWLINE in raw:
            raw = raw.replace(b"\n", b" ")
        return self._repaired(raw)

    def flush(self) -> list[Chunk]:
        """Return what was held back, and a finish reason if there was none, at the end of a complete stream."""
        chunks: list[Chunk] = []
        for index, choice in self._choices.items():
            entries = self._entries(choice, (), final=True, cut=choice.finished == "length")
            finish = "tool_calls" if choice.numbered and choice.finished in (None, "stop") else choice.finished or "stop"
            if entries or (finish != choice.finished and (choice.spoke or self._spoke)):
                choice.finished = finish
                chunks.append(self._extra(index, {"tool_calls": entries} if entries else {}, finish))
        if not self.finished and not chunks and self._spoke:
            chunks.append(self._extra(0, {}, "stop"))
        self.finished = True
        return chunks

    @property
    def _spoke(self) -> bool:
        """Whether a valid chunk had a token; true if there were many."""
        return len(self._valid) >= _FEW or any(Delta.parse(Chunk(raw).data).has_token for raw in self._valid)

    def _is_valid(self, raw: bytes) -> bool:
        """Whether a chunk needs no repair and has neither a tool call nor a finish reason. False may be wrong."""
        at = raw.find(b'"choices"')
        if at < 0 or _NEWLINE in raw:
            return False
        if self._expected.kind is Kind.CHAT:
            if raw.find(_CHUNK) < 0:
                return False
            if _PLAIN.match(raw, at) is not None:
                return True
            if _DELTA.search(raw, at) is None or b'"message"' in raw:
                return False
            if not (_is_empty(raw, b'"tool_calls"') and _is_empty(raw, b'"function_call"')):
                return False
        return b'"index"' in raw and _is_empty(raw, b'"finish_reason"') and _CHOICES.match(raw, at) is not None

    def _continues_call(self, raw: bytes) -> bool:
        """Whether a chunk has only a piece of the arguments of the call that is being sent, which is added to it."""
        if raw.find(_CHUNK) < 0 or _NEWLINE in raw:
            return False
        if (at := raw.find(b'"choices"')) < 0 or (found := _PIECE.match(raw, at)) is None:
            return False
        state = self._choices.get(int(found[1]))
        if state is None or state.current is None or state.current.number != int(found[2]):
            return False
        piece = found[3]
        if b"\\\\" in piece or b"\\u" in piece or piece.lstrip().startswith(b"{") or not state.current.sent:
            return False
        text = json.loads(b'"' + piece + b'"') if b"\\" in piece else piece.decode()
        state.current.more.append(text)
        return True

    def _repaired(self, raw: bytes) -> list[Chunk]:
        try:
            data = json.loads(raw)
        except json.DepthError:
            raise
        except json.JSONDecodeError:
            raise ValueError("an event that is not JSON") from None
        if not isinstance(data, dict):
            raise ValueError("an event that is not a JSON object")
        listed = data.get("choices")
        choices = [choice for choice in listed if isinstance(choice, dict)] if isinstance(listed, list) else []
        if choices:
            self._head = data
        before: list[Chunk] = []
        kept = [new for at, choice in enumerate(choices) if (new := self._choice(choice, at, before)) is not None]
        if not kept and usage_of(data) is None:
            return before
        changes: dict[str, Any] = {}
        if not isinstance(listed, list) or not _are_unchanged(kept, listed):
            changes["choices"] = kept
        if self._expected.kind is Kind.CHAT and data.get("object") != "chat.completion.chunk":
            changes["object"] = "chat.completion.chunk"
        return [*before, Chunk.of(data | changes) if changes else Chunk.of(data, raw)]

    def _choice(self, choice: dict[str, Any], position: int, before: list[Chunk]) -> dict[str, Any] | None:
        """The repaired choice, the same object if it is valid; None for one that is left out.

        `before` gets the chunks to send before it.
        """
        index = choice.get("index")
        if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < _MAX_CHOICES:
            index = position % _MAX_CHOICES
        state = self._choices.get(index)
        if state is None:
            state = self._choices[index] = _Choice(ToolCalls(self._expected.tools))
        new = choice if choice.get("index") == index else choice | {"index": index}
        if self._expected.kind is Kind.CHAT:
            if (converted := _with_delta(new, spoke=state.spoke or ("message" in new and self._spoke))) is None:
                return None
            if (new := self._with_calls(converted, state, index, before)) is not converted and _is_void(new):
                return None
        delta = Delta.parse({"choices": [new]})
        state.spoke = state.spoke or bool(delta.content or delta.reasoning or delta.tool_calls)
        kept = self._with_finish(new, state)
        self.finished = self.finished or state.finished is not None
        return kept

    def _with_finish(self, choice: dict[str, Any], state: _Choice) -> dict[str, Any] | None:
        """The choice with OpenAI's finish reason; None for what follows it without a call or a finish reason of its own."""
        reason = choice.get("finish_reason")
        finish = _finish(reason, called=state.numbered > 0, legacy=self._expected.legacy)
        if state.finished is not None:
            delta = Delta.parse({"choices": [choice]})
            late = bool(delta.tool_calls) or (finish is not None and bool(delta.content or delta.reasoning))
            if not late:
                return None
        if finish is not None:
            state.finished = finish
        return choice if reason == finish else choice | {"finish_reason": finish}

    def _with_calls(self, choice: dict[str, Any], state: _Choice, index: int, before: list[Chunk]) -> dict[str, Any]:
        """The choice with OpenAI's pieces of tool calls. At the end of a call's choice the rest of it is sent."""
        delta: dict[str, Any] = choice["delta"]
        if self._expected.legacy or any("custom" in call for call in listed_calls(delta)):
            return choice
        pieces = listed_calls(delta)
        finish = _finish(choice.get("finish_reason"), called=False, legacy=False)
        final, cut = finish is not None, finish == "length"
        if not pieces:
            if final and (entries := self._entries(state, (), final=True, cut=cut)):
                before.append(self._extra(index, {"tool_calls": entries}, None))
            if delta.get("tool_calls"):  # not a list of objects
                return choice | {"delta": {name: value for name, value in delta.items() if name != "tool_calls"}}
            return choice
        entries = self._entries(state, pieces, final=final, cut=cut)
        if "function_call" not in delta and _are_same(entries, delta.get("tool_calls")):
            return choice
        delta = {name: value for name, value in delta.items() if name not in ("tool_calls", "function_call")}
        return choice | {"delta": delta | {"tool_calls": entries} if entries else delta}

    def _entries(
        self, state: _Choice, pieces: Iterable[Mapping[str, Any]], *, final: bool, cut: bool = False
    ) -> list[dict[str, Any]]:
        """OpenAI's pieces for those of the server; `final`: nothing more follows, `cut`: because a limit truncated the answer."""
        self._add_sent(state)
        touched: dict[int, Mapping[str, Any]] = {}
        for position, piece in enumerate(pieces):
            parsed = parse_delta(piece, position)
            call = state.calls.add(parsed)
            touched[id(call)] = piece
            sent = state.states.setdefault(id(call), _Call())
            sent.number = parsed.index
            sent.extra |= _extra_fields(piece)
        first = state.closed
        while len(waiting := state.calls.begun_from(state.closed, state.closed + 2)) > 1:
            if id(waiting[0]) not in touched and len(state.calls) == state.seen and not final:
                break  # it is as incomplete as it was
            if not is_complete(waiting[0].arguments):
                break
            state.closed += 1
        state.seen = len(state.calls)
        calls = state.calls.begun_from(first, None if final else state.closed + 1)
        found = (self._entry(state, call, touched.get(id(call)), ended=final, cut=cut) for call in calls)
        entries = [entry for entry in found if entry is not None]
        newest = state.calls.begun_from(len(state.calls) - 1)
        if newest and id(newest[0]) in touched and state.closed == len(state.calls) - 1:
            sent = state.states[id(newest[0])]
            state.current = sent if sent.index == sent.number and sent.escapes.is_empty else None
        return entries

    def _add_sent(self, state: _Choice) -> None:
        """Add the arguments that were sent unchanged to their call."""
        current, state.current = state.current, None
        if current is not None and current.more:
            (call,) = (call for call in state.calls.begun_from(state.closed) if state.states[id(call)] is current)
            more, current.more = "".join(current.more), []
            call.arguments += more
            current.sent += len(more)

    def _entry(
        self, state: _Choice, call: ToolCall, given: Mapping[str, Any] | None, *, ended: bool, cut: bool
    ) -> dict[str, Any] | None:
        """What is new of a call; None for nothing. `given`: the server's piece in this chunk, or None."""
        sent = state.states[id(call)]
        begins = sent.index is None
        if not call.name:
            return None
        arguments = call.arguments
        if not (ended or not arguments or arguments.lstrip().startswith("{")):
            return None  # null, or a text that contains the object
        if begins and not ended:
            is_null = given is not None and function_of(given).get("arguments", "") in (None, "null") and not arguments
            if is_null or not state.calls.has_whole_name(call):
                return None
        if ended and not cut and not sent.sent:
            call.arguments = arguments = whole_arguments(arguments)
        text = sent.escapes.feed(arguments[sent.sent :])
        sent.sent = len(arguments)
        if ended:
            text += sent.escapes.flush()
        if not begins and not text and given is None:
            return None
        extra, sent.extra = sent.extra, {}
        function: dict[str, Any] = extra.pop("function", {})
        if sent.index is None:
            sent.index = state.numbered
            state.numbered += 1
            named = {"id": call.id, "type": "function", **extra}
            return {"index": sent.index, **named, "function": {"name": call.name, "arguments": text, **function}}
        return {"index": sent.index, **extra, "function": {"arguments": text, **function}}

    def _extra(self, index: int, delta: dict[str, Any], finish: str | None) -> Chunk:
        """A chunk that the server did not send."""
        newest = self._head or (Chunk(self._valid[-1]).data if self._valid else {})
        head = {name: value for name, value in newest.items() if name not in ("choices", "usage", "object")}
        part: dict[str, Any] = {"text": ""} if self._expected.kind is Kind.COMPLETION else {"delta": delta}
        kind = "text_completion" if self._expected.kind is Kind.COMPLETION else "chat.completion.chunk"
        return Chunk.of(head | {"object": kind, "choices": [{"index": index, **part, "finish_reason": finish}]})


def repaired_completion(data: dict[str, Any], expected: Expected) -> dict[str, Any]:
    """A complete answer with OpenAI's tool calls and finish reasons; the same object if it is valid."""
    choices = data.get("choices")
    if not isinstance(choices, list) or expected.kind is not Kind.CHAT:
        return data
    repaired = [_repaired_choice(choice, position, expected) for position, choice in enumerate(choices)]
    return data if _are_unchanged(repaired, choices) else data | {"choices": repaired}


def _repaired_choice(choice: Any, position: int, expected: Expected) -> Any:
    if not isinstance(choice, dict):
        return choice
    message = choice.get("message")
    if not isinstance(message, dict):
        if isinstance(delta := choice.get("delta"), dict):  # a whole answer in the format of a stream
            message, choice = delta, {name: value for name, value in choice.items() if name != "delta"} | {"message": delta}
        elif isinstance(text := choice.get("text"), str):
            message = {"role": "assistant", "content": text}
            choice = {name: value for name, value in choice.items() if name != "text"} | {"message": message}
        else:
            return choice
    changes: dict[str, Any] = {}
    if (cut := with_reasoning_cut(message)) is not message:
        message = dict(cut)
        changes["message"] = message
    called = bool(message.get("tool_calls"))
    if not expected.legacy:
        given = listed_calls(message)
        truncated = _finish(choice.get("finish_reason"), called=False, legacy=False) == "length"
        calls = [call if "custom" in call else _whole_call(call, at, cut=truncated) for at, call in enumerate(given)]
        calls = _with_own_ids([call for call in calls if "custom" in call or call["function"]["name"]])
        called = bool(calls)
        if "function_call" in message or ((given or message.get("tool_calls")) and calls != message.get("tool_calls")):
            new = {name: value for name, value in message.items() if name not in ("tool_calls", "function_call")}
            if calls:
                new["tool_calls"] = calls
            changes["message"] = new
    finish = _finish(choice.get("finish_reason"), called=called, legacy=expected.legacy)
    if finish != choice.get("finish_reason"):
        changes["finish_reason"] = finish or "stop"
    if not isinstance(choice.get("index"), int):
        changes["index"] = position
    return choice | changes if changes else choice


def _whole_call(call: Mapping[str, Any], position: int, *, cut: bool) -> dict[str, Any]:
    piece = parse_delta(call, position)
    extra = _extra_fields(call)
    function = extra.pop("function", {})
    if "index" in call:
        extra["index"] = piece.index
    named = {"id": piece.id or new_call_id(), "type": "function"}
    arguments = piece.arguments if cut else whole_arguments(piece.arguments)
    return {**named, **extra, "function": {"name": piece.name or "", "arguments": arguments, **function}}


def _with_own_ids(calls: list[Any]) -> list[Any]:
    """The calls, each with an id of its own."""
    used: set[object] = set()
    found = []
    for call in calls:
        if call.get("id") in used:
            call = call | {"id": new_call_id()}
        used.add(call.get("id"))
        found.append(call)
    return found


def _is_void(choice: Mapping[str, Any]) -> bool:
    return not choice["delta"] and not choice.get("finish_reason")


def _with_delta(choice: dict[str, Any], *, spoke: bool) -> dict[str, Any] | None:
    """The choice with a delta; one with a complete message or a text instead is converted. None for one without any of them.

    `spoke`: whether the stream had text before, which a message at its end repeats.
    """
    delta, message = choice.get("delta"), choice.get("message")
    if isinstance(delta, dict) and "message" not in choice:
        return choice
    if not isinstance(delta, dict) or not delta:
        delta = {}
        if isinstance(message, dict):
            delta = {} if spoke and choice.get("finish_reason") else dict(message)
            if isinstance(calls := delta.get("tool_calls"), list):
                delta["tool_calls"] = [{"index": at, **mapping(call)} for at, call in enumerate(calls)]
        elif isinstance(text := choice.get("text"), str) and text:
            delta = {"content": text}
        elif "delta" not in choice and not choice.get("finish_reason"):
            return None
    return {name: value for name, value in choice.items() if name not in ("message", "text")} | {"delta": delta}


def _finish(reason: object, *, called: bool, legacy: bool) -> str | None:
    """OpenAI's finish reason for one of a server; None for none yet. `called`: whether the model has called a tool."""
    if not isinstance(reason, str) or not reason:
        return None
    if legacy and reason == "function_call":
        return reason
    named = reason.lower()
    finish = _FINISH.get(named, named if named in _KNOWN else reason)
    if legacy:
        return finish
    if called:
        return "tool_calls" if finish == "stop" else finish
    return "stop" if finish == "tool_calls" else finish


def _is_empty(raw: bytes, key: bytes) -> bool:
    """Whether each `key` in a chunk has the value null or an empty list. Texts cannot contain the key's quotation marks."""
    at = raw.find(key)
    while at >= 0:
        at += len(key)
        if _NULL.match(raw, at) is None:
            return False
        at = raw.find(key, at)
    return True


def _extra_fields(call: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a call and its function that OpenAI does not define."""
    if "function" not in call:
        return {}
    extra = {name: value for name, value in call.items() if name not in ("index", "id", "type", "function")}
    function = mapping(call["function"])
    if inner := {name: value for name, value in function.items() if name not in ("name", "arguments")}:
        extra["function"] = inner
    return extra


def _are_same(entries: list[dict[str, Any]], given: object) -> bool:
    """Whether the pieces are those of the server, which may repeat the type."""
    if not isinstance(given, list) or len(given) != len(entries):
        return False
    return all(
        entry == call or ("id" not in entry and entry | {"type": "function"} == call)
        for entry, call in zip(entries, given, strict=True)
    )


def _are_unchanged(new: list[Any], old: list[Any]) -> bool:
    return len(new) == len(old) and all(one is other for one, other in zip(new, old, strict=True))
