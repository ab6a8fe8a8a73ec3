"""Tool calls in the chunks of OpenAI-compatible servers → OpenAI's pieces, numbered, each call after the one before it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...protocol import json
from ...protocol.tool_calls import ToolCall, ToolCalls, function_of, is_complete, parse_delta, whole_arguments
from ...protocol.values import mapping
from .json_escapes import EscapeRepair


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


class CallRepair:
    """The tool calls of one choice of a stream."""

    def __init__(self, tools: frozenset[str]) -> None:
        """`tools`: names of the offered functions."""
        self._calls = ToolCalls(tools)
        self._states: dict[int, _Call] = {}
        """By the identity of the call."""
        self._current: _Call | None = None
        """The call whose newest piece was sent at once."""
        self.numbered = 0
        """Number of calls of which the first piece was sent."""
        self._closed = 0
        """Number of calls whose arguments are complete: strict clients read one call after the other."""
        self._seen = 0
        """Number of calls when their arguments were last examined."""

    def continues(self, number: int, piece: bytes) -> bool:
        """Whether a piece of the arguments of the server's call `number` can be sent unchanged; it is added to that call."""
        current = self._current
        if current is None or current.number != number:
            return False
        if b"\\\\" in piece or b"\\u" in piece or piece.lstrip().startswith(b"{") or not current.sent:
            return False
        current.more.append(json.loads(b'"' + piece + b'"') if b"\\" in piece else piece.decode())
        return True

    def entries(self, pieces: Iterable[Mapping[str, Any]], *, final: bool, cut: bool = False) -> list[dict[str, Any]]:
        """OpenAI's pieces for those of the server; `final`: nothing more follows, `cut`: because a limit truncated the answer."""
        self._add_sent()
        touched: dict[int, Mapping[str, Any]] = {}
        for position, piece in enumerate(pieces):
            parsed = parse_delta(piece, position)
            call = self._calls.add(parsed)
            touched[id(call)] = piece
            sent = self._states.setdefault(id(call), _Call())
            sent.number = parsed.index
            sent.extra |= extra_fields(piece)
        first = self._closed
        while len(waiting := self._calls.begun_from(self._closed, self._closed + 2)) > 1:
            if id(waiting[0]) not in touched and len(self._calls) == self._seen and not final:
                break  # it is as incomplete as it was
            if not is_complete(waiting[0].arguments):
                break
            self._closed += 1
        self._seen = len(self._calls)
        calls = self._calls.begun_from(first, None if final else self._closed + 1)
        found = (self._entry(call, touched.get(id(call)), ended=final, cut=cut) for call in calls)
        entries = [entry for entry in found if entry is not None]
        newest = self._calls.begun_from(len(self._calls) - 1)
        if newest and id(newest[0]) in touched and self._closed == len(self._calls) - 1:
            sent = self._states[id(newest[0])]
            self._current = sent if sent.index == sent.number and sent.escapes.is_empty else None
        return entries

    def _add_sent(self) -> None:
        """Add the arguments that were sent unchanged to their call."""
        current, self._current = self._current, None
        if current is not None and current.more:
            (call,) = (call for call in self._calls.begun_from(self._closed) if self._states[id(call)] is current)
            more, current.more = "".join(current.more), []
            call.arguments += more
            current.sent += len(more)

    def _entry(self, call: ToolCall, given: Mapping[str, Any] | None, *, ended: bool, cut: bool) -> dict[str, Any] | None:
        """What is new of a call; None for nothing. `given`: the server's piece in this chunk, or None."""
        sent = self._states[id(call)]
        begins = sent.index is None
        if not call.name:
            return None
        arguments = call.arguments
        if not (ended or not arguments or arguments.lstrip().startswith("{")):
            return None  # null, or a text that contains the object
        if begins and not ended:
            is_null = given is not None and function_of(given).get("arguments", "") in (None, "null") and not arguments
            if is_null or not self._calls.has_whole_name(call):
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
            sent.index = self.numbered
            self.numbered += 1
            named = {"id": call.id, "type": "function", **extra}
            return {"index": sent.index, **named, "function": {"name": call.name, "arguments": text, **function}}
        return {"index": sent.index, **extra, "function": {"arguments": text, **function}}


def extra_fields(call: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a call and its function that OpenAI does not define."""
    if "function" not in call:
        return {}
    extra = {name: value for name, value in call.items() if name not in ("index", "id", "type", "function")}
    function = mapping(call["function"])
    if inner := {name: value for name, value in function.items() if name not in ("name", "arguments")}:
        extra["function"] = inner
    return extra
