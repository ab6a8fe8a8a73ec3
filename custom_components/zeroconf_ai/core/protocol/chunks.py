"""An answer in the internal format: chunks of a stream, parsed tolerantly, and the message that they make."""

from collections.abc import Mapping
from dataclasses import dataclass, field
import re
import time
from typing import Any, Self, override
from uuid import uuid4

import orjson

from . import json
from .tool_calls import ToolCall, ToolCallDelta, ToolCalls, parse_deltas
from .usage import Usage, usage_of
from .values import mapping

_USAGE = b'"usage"'
_TIMINGS = b'"timings"'
_NULL = re.compile(rb"\s*:\s*null")


class Chunk:
    """One `chat.completion.chunk`. The bytes of an OpenAI-compatible server are kept and parsed only when needed."""

    __slots__ = ("_data", "raw")

    def __init__(self, raw: bytes) -> None:
        """`raw` is the JSON of one event, without `data:`."""
        self.raw = raw
        self._data: dict[str, Any] | None = None

    @classmethod
    def of(cls, data: dict[str, Any], raw: bytes | None = None) -> Self:
        """A chunk from an object, which is serialized, or from `raw` and its parsed object."""
        chunk = cls(orjson.dumps(data) if raw is None else raw)
        chunk._data = data
        return chunk

    @property
    def data(self) -> dict[str, Any]:
        """The parsed object; empty if the bytes are not a JSON object."""
        if self._data is None:
            try:
                parsed = json.loads(self.raw)
            except json.JSONDecodeError:
                parsed = {}
            self._data = parsed if isinstance(parsed, dict) else {}
        return self._data

    @property
    def usage(self) -> Usage | None:
        """The chunk's usage, or None. Chunks without usage or with null (OpenAI's all but the last) are not parsed."""
        return usage_of(self.data) if self.may_have_usage or _TIMINGS in self.raw else None

    @property
    def may_have_usage(self) -> bool:
        """Whether it may contain a field `usage` that is not null, without parsing it."""
        return _has_usage(self.raw)

    @property
    def finish_reason(self) -> str | None:
        """The finish reason of the first choice, or None."""
        return _finish_reason(_first_choice(self.data))

    @override
    def __repr__(self) -> str:
        """The size only: logs must not contain prompts and answers."""
        return f"<Chunk of {len(self.raw)} bytes>"


class NativeChunk(Chunk):
    """A chunk that also has the part of the answer in the dialect in which the request was passed on."""

    __slots__ = ("begins", "native")

    native: Mapping[str, Any]
    """The event, or the complete answer, in that dialect."""
    begins: bool
    """Whether the answer has begun, so that no other backend may be tried: a hosted tool may be running."""

    @classmethod
    def around(cls, chunk: Chunk, native: Mapping[str, Any], *, begins: bool = True) -> Self:
        """The chunk with its native part."""
        found = cls.of(chunk.data, chunk.raw)
        found.native, found.begins = native, begins
        return found


def begins_answer(chunk: Chunk) -> bool:
    """Whether a chunk contains output of the model, or shows that a hosted tool has begun."""
    return (isinstance(chunk, NativeChunk) and chunk.begins) or Delta.parse(chunk.data).has_token


def _has_usage(raw: bytes) -> bool:
    """Whether a chunk may contain usage: False only if each `"usage"` in it is a key with the value null.

    Quotation marks in JSON strings are escaped, so `"usage":null` is never part of a text.
    """
    at = raw.find(_USAGE)
    while at >= 0:
        at += len(_USAGE)
        if _NULL.match(raw, at) is None:
            return True
        at = raw.find(_USAGE, at)
    return False


def has_message(data: Mapping[str, Any]) -> bool:
    """Whether a complete answer has a message or a text."""
    choice = _first_choice(data)
    return isinstance(choice.get("text"), str) or bool(mapping(choice.get("message")))


def completion_as_chunk(chunk: Chunk) -> Chunk:
    """Convert a complete answer to one chunk, for a caller that requested a stream from a server that does not stream."""
    choices = chunk.data.get("choices")
    if not isinstance(choices, list) or chunk.data.get("object") in ("chat.completion.chunk", "text_completion"):
        return chunk  # chunks of a text completion have the format of a complete one
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
class Delta:
    """The contribution of one chunk to the first choice."""

    content: str = ""
    reasoning: str = ""
    tool_calls: tuple[ToolCallDelta, ...] = ()
    finish_reason: str | None = None
    usage: Usage | None = None

    @property
    def has_token(self) -> bool:
        """Whether it contains output of the model, not only the `role`."""
        return bool(self.content or self.reasoning or self.tool_calls or self.finish_reason)

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Self:
        """Parse a chunk, or a complete answer from a server that does not stream, tolerantly."""
        choice = _first_choice(data)
        body = mapping(choice.get("delta") or choice.get("message"))
        return cls(
            content=_text(body.get("content")) or _text(choice.get("text")),
            reasoning=_text(body.get("reasoning_content")) or _text(body.get("reasoning")),
            tool_calls=tuple(parse_deltas(body)),
            finish_reason=_finish_reason(choice),
            usage=usage_of(data),
        )


def _first_choice(data: Mapping[str, Any]) -> Mapping[str, Any]:
    choices = data.get("choices")
    return mapping(choices[0]) if isinstance(choices, list) and choices else {}


def _finish_reason(choice: Mapping[str, Any]) -> str | None:
    reason = choice.get("finish_reason")
    return reason if isinstance(reason, str) and reason else None


def _text(value: object) -> str:
    """A text, or the joined texts of a list of parts."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        texts = (part.get("text") for part in value if isinstance(part, Mapping))
        return "".join(text for text in texts if isinstance(text, str))
    return ""


@dataclass(slots=True)
class Message:
    """Assembles a message from deltas."""

    content: str = ""
    reasoning: str = ""
    finish_reason: str | None = None
    usage: Usage | None = None
    _calls: ToolCalls = field(default_factory=ToolCalls)

    def add(self, delta: Delta) -> None:
        """Add one chunk's delta."""
        self.content += delta.content
        self.reasoning += delta.reasoning
        self.finish_reason = delta.finish_reason or self.finish_reason
        self.usage = delta.usage if self.usage is None else self.usage.updated(delta.usage)
        for piece in delta.tool_calls:
            self._calls.add(piece)

    @property
    def tool_calls(self) -> list[ToolCall]:
        """The calls in the model's order, without those that have no name."""
        return [call for call in self._calls.in_order if call.name]

    @property
    def calls_begun(self) -> list[ToolCall]:
        """The calls in the order in which they began, including those without a name yet, for streaming."""
        return self._calls.as_begun


@dataclass(frozen=True, slots=True)
class ChunkWriter:
    """Builds the chunks of one answer, all with the same id, time and model."""

    model: str
    id: str = field(default_factory=lambda: f"chatcmpl-{uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))

    def chunk(self, delta: dict[str, Any], finish_reason: str | None = None) -> Chunk:
        """A chunk with one choice."""
        return Chunk.of(self._head() | {"choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]})

    def usage(self, usage: Usage) -> Chunk:
        """The last chunk: the usage without a choice."""
        return Chunk.of(self._head() | {"choices": [], "usage": usage.to_json()})

    def completion(self, message: Message) -> dict[str, Any]:
        """The complete answer for a caller that did not request a stream."""
        body: dict[str, Any] = {"role": "assistant", "content": message.content or None, "refusal": None}
        if message.reasoning:
            body["reasoning_content"] = message.reasoning
        if calls := message.tool_calls:
            body["tool_calls"] = [call.to_json() for call in calls]
        choice = {"index": 0, "message": body, "logprobs": None, "finish_reason": message.finish_reason or "stop"}
        return self._head("chat.completion") | {"choices": [choice], "usage": (message.usage or Usage()).to_json()}

    def _head(self, kind: str = "chat.completion.chunk") -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}
