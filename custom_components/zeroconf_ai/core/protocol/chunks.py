"""An answer in the inner language: chunks of a stream, and what is read from them whatever server made them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
import re
import time
from typing import Any, Self, override
from uuid import uuid4

import orjson

from . import json
from .usage import Usage
from .values import mapping

_USAGE = b'"usage"'
_NULL = re.compile(rb"\s*:\s*null")


class Chunk:
    """One `chat.completion.chunk`. The bytes of an OpenAI-speaking server are kept as they came and parsed when asked for."""

    __slots__ = ("_data", "raw")

    def __init__(self, raw: bytes) -> None:
        """`raw` is the JSON of one event, without `data:`."""
        self.raw = raw
        self._data: dict[str, Any] | None = None

    @classmethod
    def of(cls, data: dict[str, Any], raw: bytes | None = None) -> Self:
        """A chunk from an object made here, or from the parsed object of `raw`."""
        chunk = cls(orjson.dumps(data) if raw is None else raw)
        chunk._data = data
        return chunk

    @property
    def data(self) -> dict[str, Any]:
        """The parsed object; empty where the bytes are no JSON object."""
        if self._data is None:
            try:
                parsed = json.loads(self.raw)
            except json.JSONDecodeError:
                parsed = {}
            self._data = parsed if isinstance(parsed, dict) else {}
        return self._data

    @property
    def usage(self) -> Usage | None:
        """The usage that it carries. Chunks without one, or with null (OpenAI's all but the last), are not parsed."""
        return Usage.parse(self.data.get("usage")) if _has_usage(self.raw) else None

    @property
    def finish_reason(self) -> str | None:
        """Why the model stopped, where it says so here; of the first choice."""
        return _finish_reason(_first_choice(self.data))

    @override
    def __repr__(self) -> str:
        """Sizes only: what people say does not belong into a log."""
        return f"<Chunk of {len(self.raw)} bytes>"


def _has_usage(raw: bytes) -> bool:
    """Whether a chunk may carry a usage: False only where each `"usage"` in it is a key with the value null.

    A quotation mark inside of a JSON string is escaped, so that `"usage":null` is never a piece of a text.
    """
    at = raw.find(_USAGE)
    while at >= 0:
        at += len(_USAGE)
        if _NULL.match(raw, at) is None:
            return True
        at = raw.find(_USAGE, at)
    return False


def completion_as_chunk(chunk: Chunk) -> Chunk:
    """A whole completion as one chunk, for a caller that asked for a stream and a server that does not do streams."""
    choices = chunk.data.get("choices")
    if not isinstance(choices, list) or chunk.data.get("object") in ("chat.completion.chunk", "text_completion"):
        return chunk  # a legacy completion's chunks look like the whole
    turned = []
    for position, choice in enumerate(choices):
        if isinstance(choice, dict) and isinstance(message := choice.get("message"), dict):
            delta = dict(message)
            if isinstance(calls := message.get("tool_calls"), list):
                delta["tool_calls"] = [{"index": index, **mapping(call)} for index, call in enumerate(calls)]
            choice = {key: value for key, value in choice.items() if key != "message"} | {"index": position, "delta": delta}
        turned.append(choice)
    return Chunk.of(chunk.data | {"object": "chat.completion.chunk", "choices": turned})


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A piece of a tool call; `index` says of which."""

    index: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""


@dataclass(frozen=True, slots=True)
class Delta:
    """What one chunk adds to the first choice."""

    content: str = ""
    reasoning: str = ""
    tool_calls: tuple[ToolCallDelta, ...] = ()
    finish_reason: str | None = None
    usage: Usage | None = None

    @property
    def has_token(self) -> bool:
        """Whether a model has said anything with it (an early `role` alone is nothing yet)."""
        return bool(self.content or self.reasoning or self.tool_calls or self.finish_reason)

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Self:
        """Read a chunk, or a whole completion from a server that does not stream, tolerantly."""
        choice = _first_choice(data)
        body = mapping(choice.get("delta") or choice.get("message"))
        return cls(
            content=_text(body.get("content")) or _text(choice.get("text")),
            reasoning=_text(body.get("reasoning_content")) or _text(body.get("reasoning")),
            tool_calls=tuple(_tool_calls(body.get("tool_calls"))),
            finish_reason=_finish_reason(choice),
            usage=Usage.parse(data.get("usage")),
        )


def _first_choice(data: Mapping[str, Any]) -> Mapping[str, Any]:
    choices = data.get("choices")
    return mapping(choices[0]) if isinstance(choices, list) and choices else {}


def _finish_reason(choice: Mapping[str, Any]) -> str | None:
    reason = choice.get("finish_reason")
    return reason if isinstance(reason, str) and reason else None


def _text(value: object) -> str:
    """A text, or the texts of a list of parts."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        texts = (part.get("text") for part in value if isinstance(part, Mapping))
        return "".join(text for text in texts if isinstance(text, str))
    return ""


def _tool_calls(calls: object) -> Iterable[ToolCallDelta]:
    if not isinstance(calls, list):
        return
    for position, call in enumerate(calls):
        if not isinstance(call, Mapping):
            continue
        function = mapping(call.get("function"))
        index, call_id, name = call.get("index"), call.get("id"), function.get("name")
        arguments = function.get("arguments")
        if isinstance(arguments, Mapping):  # Ollama's way
            arguments = orjson.dumps(arguments).decode()
        yield ToolCallDelta(
            index=index if isinstance(index, int) else position,
            id=call_id if isinstance(call_id, str) and call_id else None,
            name=name if isinstance(name, str) and name else None,
            arguments=arguments if isinstance(arguments, str) else "",
        )


@dataclass(slots=True)
class ToolCall:
    """A tool call as the model finished it. `arguments` is the JSON text that it wrote, which may be malformed."""

    id: str
    name: str
    arguments: str = ""

    def to_json(self) -> dict[str, Any]:
        """OpenAI's object of an assistant message."""
        return {"id": self.id, "type": "function", "function": {"name": self.name, "arguments": self.arguments}}


@dataclass(slots=True)
class Message:
    """Puts deltas together into the message that they make."""

    content: str = ""
    reasoning: str = ""
    finish_reason: str | None = None
    usage: Usage | None = None
    _calls: list[tuple[int, ToolCall]] = field(default_factory=list)
    _newest: dict[int, ToolCall] = field(default_factory=dict)
    """By number: some servers number every call 0, and the newest of a number is the one that goes on."""

    def add(self, delta: Delta) -> None:
        """Add one chunk's delta."""
        self.content += delta.content
        self.reasoning += delta.reasoning
        self.finish_reason = delta.finish_reason or self.finish_reason
        self.usage = delta.usage or self.usage
        for piece in delta.tool_calls:
            known = self._newest.get(piece.index)
            if known is None or _begins_another(known, piece):
                call = ToolCall(piece.id or f"call_{uuid4().hex[:24]}", piece.name or "", piece.arguments)
                self._calls.append((piece.index, call))
                self._newest[piece.index] = call
            else:
                known.name = known.name or piece.name or ""
                known.arguments += piece.arguments

    @property
    def tool_calls(self) -> list[ToolCall]:
        """The calls in the model's order; nameless leftovers are dropped."""
        return [call for _, call in sorted(self._calls, key=lambda numbered: numbered[0]) if call.name]

    @property
    def calls_begun(self) -> list[ToolCall]:
        """The calls in the order in which they began, those without a name yet included: for who passes them on as they grow."""
        return [call for _, call in self._calls]


def _begins_another(known: ToolCall, piece: ToolCallDelta) -> bool:
    """Whether a piece with a known call's number is another call: by its id, else by its name or because `known` is complete."""
    if not piece.name or not known.name:
        return False
    if piece.id:
        return piece.id != known.id
    if piece.name != known.name:
        return True
    try:
        json.loads(known.arguments)
    except json.JSONDecodeError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class ChunkWriter:
    """Makes the chunks of one answer: the same id, time and model on each."""

    model: str
    id: str = field(default_factory=lambda: f"chatcmpl-{uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))

    def chunk(self, delta: dict[str, Any], finish_reason: str | None = None) -> Chunk:
        """A chunk with one choice."""
        return Chunk.of(self._head() | {"choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]})

    def usage(self, usage: Usage) -> Chunk:
        """The last chunk: no choice, only the usage."""
        return Chunk.of(self._head() | {"choices": [], "usage": usage.to_json()})

    def completion(self, message: Message) -> dict[str, Any]:
        """The whole answer for a caller that did not ask for a stream."""
        body: dict[str, Any] = {"role": "assistant", "content": message.content or None}
        if message.reasoning:
            body["reasoning_content"] = message.reasoning
        if calls := message.tool_calls:
            body["tool_calls"] = [call.to_json() for call in calls]
        choice = {"index": 0, "message": body, "logprobs": None, "finish_reason": message.finish_reason or "stop"}
        return self._head("chat.completion") | {"choices": [choice], "usage": (message.usage or Usage()).to_json()}

    def _head(self, kind: str = "chat.completion.chunk") -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}
