"""Answer in the internal format → Anthropic's message, or its events.

Events: message_start, content_block_start / _delta / _stop, message_delta (stop reason, usage), message_stop (SDK 2.11,
`raw_message_stream_event.py`). A failure is an `error` event.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, override
from uuid import uuid4

import orjson

from ...protocol import sse
from ...protocol.chunks import Chunk, Delta, Message
from ...protocol.errors import ApiError, NotFoundError, QuotaError, RequestTooLargeError, UnavailableError
from ...protocol.tool_calls import is_complete
from ...protocol.usage import Usage
from ..base import ResponseWriter, first_choice, parse_arguments, refusal_of, signed_reasoning
from ..reasoning import DETAILS, SIGNED_FORMAT, UNSIGNED, pack
from .client_request import UnsupportedThreadError

_STOP = {"length": "max_tokens", "content_filter": "refusal"}
_TYPES = {
    "invalid_request_error": "invalid_request_error",
    "authentication_error": "authentication_error",
    "permission_error": "permission_error",
    "rate_limit_error": "rate_limit_error",
    "timeout_error": "timeout_error",
}


def error_body(error: ApiError, request_id: str) -> dict[str, Any]:
    """The error in Anthropic's format. Its HTTP status is not changed."""
    match error:
        case NotFoundError():
            kind = "not_found_error"
        case RequestTooLargeError():
            kind = "request_too_large"
        case QuotaError():
            kind = "billing_error"
        case UnavailableError(code="provider_capacity_exceeded"):
            kind = "overloaded_error"
        case _:
            kind = _TYPES.get(error.type, "api_error")
    details = {"details": error.details_json} if isinstance(error, UnsupportedThreadError) else {}
    return {"type": "error", "error": {"type": kind, "message": error.message, **details}, "request_id": request_id}


class _Block:
    """A content block that has begun."""

    def __init__(self, index: int, kind: str) -> None:
        self.index = index
        self.kind = kind
        self.sent = 0
        """Number of characters sent of a tool call's arguments."""
        self.open = True
        self.signed = False


class MessagesWriter(ResponseWriter):
    """Writes one message of Anthropic's Messages API."""

    ping = sse.encode(b'{"type":"ping"}', "ping")

    def __init__(self, model: str, request_id: str, *, reasoning: bool, stop_sequences: list[str]) -> None:
        """`reasoning`: include the reasoning, in thinking blocks."""
        self._model = model
        self._request_id = request_id
        self._reasoning = reasoning
        self._stops = stop_sequences
        self._id = f"msg_{uuid4().hex}"
        self._message = Message()
        self._refusal = ""
        self._stopped_at: str | None = None
        self._begun = False
        self._events: list[bytes] = []
        self._blocks = 0
        self._open: _Block | None = None
        """The open block of text or thinking."""
        self._calls: dict[int, _Block] = {}

    @override
    def answer_id(self, upstream: str | None) -> str | None:
        return self._id

    @override
    def body(self, completion: Chunk) -> bytes:
        data = completion.data
        self._add(data)
        message = self._message
        content: list[dict[str, Any]] = []
        if self._reasoning:
            details = signed_reasoning(first_choice(data)[1])
            if message.reasoning and not any(_is_claudes(detail) for detail in details):  # whose details have the text
                content.append({"type": "thinking", "thinking": message.reasoning, "signature": UNSIGNED})
            content += [_signed_block(detail) for detail in details]
        if text := message.content + self._refusal:
            content.append({"type": "text", "text": text})
        for call in message.tool_calls:
            if message.finish_reason == "length" and not is_complete(call.arguments):
                continue  # truncated, as the stop reason shows
            content.append({"type": "tool_use", "id": call.id, "name": call.name, "input": parse_arguments(call)})
        return orjson.dumps(self._head(content) | self._closing() | {"usage": _usage(self.used().updated(self._message.usage))})

    @override
    def events(self, batch: list[Chunk]) -> bytes:
        if not self._begun:
            self._begin()
        for chunk in batch:
            self._chunk(chunk.data)
        return self._flush()

    @override
    def end(self) -> bytes:
        self._close()
        for block in self._calls.values():
            self._stop(block)
        self._emit("message_delta", delta=self._closing(), usage=_usage(self.used().updated(self._message.usage)))
        self._emit("message_stop")
        return self._flush()

    @override
    def failure(self, error: ApiError) -> bytes:
        return sse.encode(orjson.dumps(error_body(error, self._request_id)), "error")

    def _add(self, data: Mapping[str, Any]) -> Delta:
        delta = Delta.parse(data)
        self._message.add(delta)
        choice, part = first_choice(data)
        self._refusal += refusal_of(part)
        if (matched := choice.get("stop_reason")) in self._stops:  # vLLM reports the matched stop sequence here
            self._stopped_at = matched
        return delta

    def _chunk(self, data: Mapping[str, Any]) -> None:
        delta = self._add(data)
        _, part = first_choice(data)
        if self._reasoning:
            if delta.reasoning:
                self._delta("thinking", {"type": "thinking_delta", "thinking": delta.reasoning})
            for detail in signed_reasoning(part):
                self._signature(detail)
        if text := delta.content + refusal_of(part):
            self._delta("text", {"type": "text_delta", "text": text})
        if delta.tool_calls:
            self._argument_deltas()

    def _signature(self, detail: Mapping[str, Any]) -> None:
        """Add the signature of the open thinking block, or a block of encrypted reasoning."""
        if (block := _signed_block(detail))["type"] == "redacted_thinking":
            self._close()
            self._open = self._start(block)
        else:
            self._delta("thinking", {"type": "signature_delta", "signature": detail.get("signature")})
            if self._open is not None:
                self._open.signed = True
        self._close()

    def _delta(self, kind: str, delta: dict[str, Any]) -> None:
        if self._open is None or self._open.kind != kind:
            self._close()
            empty = {"text": ""} if kind == "text" else {"thinking": "", "signature": ""}
            self._open = self._start({"type": kind, **empty})
        self._emit("content_block_delta", index=self._open.index, delta=delta)

    def _argument_deltas(self) -> None:
        """Emit new arguments of the tool calls. Servers may interleave calls, so a block is closed only when it is complete."""
        for place, call in enumerate(self._message.calls_begun):
            block = self._calls.get(place)
            if block is None and call.name:
                self._close()
                block = self._start({"type": "tool_use", "id": call.id, "name": call.name, "input": {}})
                self._calls[place] = block
            if block is not None and block.open and (piece := call.arguments[block.sent :]):
                block.sent = len(call.arguments)
                self._emit("content_block_delta", index=block.index, delta={"type": "input_json_delta", "partial_json": piece})

    def _close(self) -> None:
        """Close the open block and complete tool calls before another block begins."""
        if self._open is not None:
            self._stop(self._open)
            self._open = None
        calls = self._message.calls_begun
        for place, block in self._calls.items():
            if block.open and is_complete(calls[place].arguments):
                self._stop(block)

    def _start(self, content: dict[str, Any]) -> _Block:
        block = _Block(self._blocks, content["type"])
        self._blocks += 1
        self._emit("content_block_start", index=block.index, content_block=content)
        return block

    def _stop(self, block: _Block) -> None:
        if block.open:
            block.open = False
            if block.kind == "thinking" and not block.signed:
                signature = {"type": "signature_delta", "signature": UNSIGNED}
                self._emit("content_block_delta", index=block.index, delta=signature)
            self._emit("content_block_stop", index=block.index)

    def _begin(self) -> None:
        """Emit the first event, with the prompt's tokens as far as they are known: most upstreams report them at the end."""
        self._begun = True
        closing = {"stop_reason": None, "stop_sequence": None}
        usage = _usage(replace(self.used(), completion_tokens=0, reasoning_tokens=0))
        self._emit("message_start", message=self._head([]) | closing | {"usage": usage})

    def _emit(self, kind: str, **fields: Any) -> None:
        self._events.append(sse.encode(orjson.dumps({"type": kind, **fields}), kind))

    def _flush(self) -> bytes:
        events, self._events = self._events, []
        return b"".join(events)

    def _head(self, content: list[dict[str, Any]]) -> dict[str, Any]:
        dropped = {"dropped_tools": self.dropped_tools} if self.dropped_tools else {}
        return {"id": self._id, "type": "message", "role": "assistant", "model": self._model, "content": content, **dropped}

    def _closing(self) -> dict[str, Any]:
        finish = self._message.finish_reason
        reason = _STOP.get(finish or "", "end_turn")
        if reason == "end_turn" and self._message.tool_calls:  # some servers report "stop" for tool calls
            reason = "tool_use"
        if self._stopped_at is not None and reason == "end_turn":
            return {"stop_reason": "stop_sequence", "stop_sequence": self._stopped_at}
        if self._refusal:
            details = {"type": "refusal", "category": None, "explanation": self._refusal}
            return {"stop_reason": "refusal", "stop_sequence": None, "stop_details": details}
        return {"stop_reason": reason, "stop_sequence": None}


def _usage(usage: Usage) -> dict[str, Any]:
    """Usage in Anthropic's format: `input_tokens` excludes cache reads and writes, unlike our prompt tokens."""
    written, for_an_hour = usage.cache_write_tokens, usage.cache_write_1h_tokens
    kept = {"ephemeral_5m_input_tokens": max(0, written - for_an_hour), "ephemeral_1h_input_tokens": for_an_hour}
    return {
        "input_tokens": max(0, usage.prompt_tokens - usage.cached_tokens - written),
        "cache_creation_input_tokens": written,
        **({"cache_creation": kept} if for_an_hour else {}),
        "cache_read_input_tokens": usage.cached_tokens,
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"thinking_tokens": usage.reasoning_tokens},
    }


def _is_claudes(detail: Mapping[str, Any]) -> bool:
    return detail.get("format") == SIGNED_FORMAT


def _signed_block(detail: Mapping[str, Any]) -> dict[str, Any]:
    """The block of signed reasoning. That of another vendor, such as a thought signature of Gemini, is opaque to the client."""
    if not _is_claudes(detail):
        return {"type": "redacted_thinking", "data": pack({DETAILS: [detail]})}
    if detail.get("type") == "reasoning.encrypted":
        return {"type": "redacted_thinking", "data": detail.get("data")}
    return {"type": "thinking", "thinking": detail.get("text") or "", "signature": detail.get("signature")}
