"""Anthropic's answers → OpenAI's: events of a stream to chunks, a message to a completion.

Events: message_start, content_block_start / _delta / _stop, message_delta (stop reason, cumulative usage), message_stop; `ping`
anywhere; `error` at any time after a 200 (SDK 2.11, `raw_message_stream_event.py`).
"""

from collections.abc import Mapping
from typing import Any, override

import orjson

from ...protocol.chunks import Chunk, ChunkWriter, Delta, Message, completion_as_chunk
from ...protocol.event_decoder import EventDecoder
from ...protocol.reported_errors import contains_error, reported_error
from ...protocol.tool_calls import ToolCallDelta, new_call_id, parse_delta
from ...protocol.usage import Usage
from ...protocol.values import mapping, parse_count
from ..base import Translator, event_objects
from ..reasoning import SIGNED_FORMAT
from .upstream_request import JSON_TOOL

_FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
    "pause_turn": "length",
    "model_context_window_exceeded": "length",
    "compaction": "length",
}


class AnthropicTranslator(Translator):
    """Translates one answer of the Messages API."""

    def __init__(self, model: str, *, json_tool: bool = False, usage: bool = True, secrets: tuple[str, ...] = ()) -> None:
        """`json_tool`: the input of `JSON_TOOL` is the answer's text. `usage`: the stream ends with a usage chunk."""
        self._decoder = EventDecoder()
        self._writer = ChunkWriter(model)
        self._json_tool = json_tool
        self._held = ""
        """The text of an answer that should be `JSON_TOOL`'s input: shown if the model does not call the tool."""
        self._answered = False
        self._wants_usage = usage
        self._secrets = secrets
        self._usage: dict[str, Any] = {}
        self._blocks: dict[int, _Block] = {}
        self._calls = 0
        self._ids: set[str] = set()
        self._details = 0
        self._runs_code = False

    @property
    @override
    def usage(self) -> Usage | None:
        """The usage reported so far; the prompt's tokens are in the first event."""
        usage = Usage.parse(self._usage)
        return usage.with_calls({**dict(usage.calls), "code_execution": 1}) if usage is not None and self._runs_code else usage

    @override
    def feed(self, data: bytes) -> list[Chunk]:
        events = self._decoder.feed(data) if data else self._decoder.flush()
        chunks: list[Chunk] = []
        for event in events:
            for parsed in event_objects(event):
                if event.event == "error" or parsed.get("type") == "error" or contains_error(parsed):
                    raise reported_error("Anthropic", parsed, self._secrets)
                chunks += self.event(parsed)
            if self.done:
                break
        return chunks

    @override
    def completion(self, body: Mapping[str, Any]) -> dict[str, Any]:
        if body.get("type") == "error" or contains_error(body):
            raise reported_error("Anthropic", body, self._secrets)
        content = body.get("content")
        if not isinstance(content, list):
            raise ValueError("a message without content")
        self._count(body)
        message = Message(finish_reason=self._finish(body.get("stop_reason")), usage=self.usage)
        details: list[dict[str, Any]] = []
        blocks = [mapping(item) for item in content]
        if self._json_tool and any(_is_answer(block) for block in blocks):
            first = next(block for block in blocks if _is_answer(block))
            blocks = [block for block in blocks if block.get("type") != "text" and (block is first or not _is_answer(block))]
        for block in blocks:
            self._count_code(block)
            self._add_block(message, details, block)
        message.usage = self.usage
        if self._json_tool and message.finish_reason == "tool_calls" and not message.tool_calls:
            message.finish_reason = "stop"
        result = self._named(body).completion(message)
        spoken = result["choices"][0]["message"]
        if details:
            spoken["reasoning_details"] = details
        if refusal := _refusal(body):
            spoken["refusal"] = refusal
        return result

    def _add_block(self, message: Message, details: list[dict[str, Any]], block: Mapping[str, Any]) -> None:
        kind = block.get("type")
        if kind == "text":
            message.add(Delta(content=_text(block.get("text"))))
        elif kind == "tool_use":
            arguments = orjson.dumps(block.get("input") or {}).decode()
            if self._json_tool and _is_answer(block):
                message.add(Delta(content=arguments))
            else:
                call = ToolCallDelta(self._calls, self._call_id(block), _text(block.get("name")), arguments)
                message.add(Delta(tool_calls=(call,)))
                self._calls += 1
        elif kind in ("thinking", "redacted_thinking"):
            message.add(Delta(reasoning=_text(block.get("thinking"))))
            signed = _Block(kind, text=_text(block.get("thinking")), signature=_text(block.get("signature") or block.get("data")))
            details += self._detail(signed)

    def event(self, event: Mapping[str, Any]) -> list[Chunk]:
        """The chunks for one event."""
        kind = event.get("type")
        if kind == "message":  # a complete one, although a stream was requested
            self.begun = self.done = self.complete = True
            return [completion_as_chunk(Chunk.of(self.completion(event)))]
        if kind == "message_start":
            message = mapping(event.get("message"))
            self._writer = self._named(message)
            self._count(message)
            return [self._writer.chunk({"role": "assistant", "content": ""})]
        if kind == "content_block_start":
            self.begun = True
            return self._block_start(_index(event), mapping(event.get("content_block")))
        if kind == "content_block_delta":
            return self._block_delta(_index(event), mapping(event.get("delta")))
        if kind == "content_block_stop":
            return self._block_stop(_index(event))
        if kind == "message_delta":
            return self._message_delta(event)
        if kind == "message_stop":
            self.done = self.complete = True
        return []  # pings and events of later versions

    def _block_start(self, index: int, content: Mapping[str, Any]) -> list[Chunk]:
        self._count_code(content)
        kind = _text(content.get("type"))
        block = self._blocks[index] = _Block(kind)
        if kind == "text":
            return self._say_text(_text(content.get("text")))
        if kind == "thinking":
            block.text = _text(content.get("thinking"))
            block.signature = _text(content.get("signature"))
            return self._say("reasoning_content", block.text)
        if kind == "redacted_thinking":
            block.signature = _text(content.get("data"))
        elif kind == "tool_use":
            block.input = dict(mapping(content.get("input")))
            block.answers = self._json_tool and _is_answer(content)
            if block.answers:
                block.ignored, self._answered, self._held = self._answered, True, ""
            else:
                before = self._release()
                block.call = self._calls
                self._calls += 1
                function = {"name": _text(content.get("name")), "arguments": ""}
                call = {"index": block.call, "id": self._call_id(content), "type": "function", "function": function}
                return [*before, self._writer.chunk({"tool_calls": [call]})]
        return []

    def _block_delta(self, index: int, delta: Mapping[str, Any]) -> list[Chunk]:
        block = self._blocks.get(index)
        if block is None:
            raise ValueError("a delta of a block that has not begun")
        kind = delta.get("type")
        if kind == "text_delta":
            return self._say_text(_text(delta.get("text")))
        if kind == "thinking_delta":
            block.text += _text(delta.get("thinking"))
            return self._say("reasoning_content", _text(delta.get("thinking")))
        if kind == "signature_delta":
            block.signature += _text(delta.get("signature"))
        elif kind == "input_json_delta" and block.kind == "tool_use":
            return self._argument_deltas(block, _text(delta.get("partial_json")))
        return []

    def _block_stop(self, index: int) -> list[Chunk]:
        block = self._blocks.pop(index, None)
        if block is None:
            return []
        if block.kind == "tool_use" and not block.argued:  # no arguments, or all of them in the first event
            return self._argument_deltas(block, orjson.dumps(block.input).decode())
        if block.kind in ("thinking", "redacted_thinking") and (details := self._detail(block)):
            return [self._writer.chunk({"reasoning_details": details})]
        return []

    def _message_delta(self, event: Mapping[str, Any]) -> list[Chunk]:
        delta = mapping(event.get("delta"))
        self._count(event)
        reason = delta.get("stop_reason")
        if reason is None or self.complete:
            return []
        self.begun = self.complete = True
        finish = self._finish(reason)
        if self._json_tool and not self._calls and finish == "tool_calls":
            finish = "stop"
        refusal = _refusal(delta)
        chunks = self._release()
        chunks += [self._writer.chunk({"refusal": refusal})] if refusal else []
        chunks.append(self._writer.chunk({}, finish))
        if self._wants_usage:
            chunks.append(self._writer.usage(self.usage or Usage()))
        return chunks

    def _count(self, reported: Mapping[str, Any]) -> None:
        """Add the counts of a message or an event; zeros and nulls replace no earlier count."""
        for name, count in mapping(reported.get("usage")).items():
            if any(mapping(count).values()) if isinstance(count, Mapping) else count:
                self._usage[name] = count

    def _count_code(self, block: Mapping[str, Any]) -> None:
        """Count a container in which code ran, which the reported usage leaves out; an answer has at most one."""
        if block.get("type") == "server_tool_use" and str(block.get("name")).endswith("code_execution"):
            self._runs_code = True

    def _call_id(self, block: Mapping[str, Any]) -> str:
        """The id of a tool call; a new one if compatible servers send none, or one twice."""
        given = parse_delta(block, 0).id
        call_id = new_call_id() if given is None or given in self._ids else given
        self._ids.add(call_id)
        return call_id

    def _say_text(self, text: str) -> list[Chunk]:
        """The chunks of a text: none as long as JSON may follow, or after it."""
        if not self._json_tool or self._calls:
            return self._say("content", text)
        if not self._answered:
            self._held += text
        return []

    def _release(self) -> list[Chunk]:
        """The chunk of the text that was held back."""
        text, self._held = self._held, ""
        return self._say("content", text)

    def _say(self, field: str, text: str) -> list[Chunk]:
        return [self._writer.chunk({field: text})] if text else []

    def _argument_deltas(self, block: "_Block", text: str) -> list[Chunk]:
        if not text:
            return []
        block.argued = True
        if block.answers:
            return [] if block.ignored else self._say("content", text)
        return [self._writer.chunk({"tool_calls": [{"index": block.call, "function": {"arguments": text}}]})]

    def _detail(self, block: "_Block") -> list[dict[str, Any]]:
        """The signed reasoning for the client's next request; reasoning without a signature cannot be sent back."""
        if not block.signature:
            return []
        detail: dict[str, Any] = {"index": self._details, "format": SIGNED_FORMAT}
        self._details += 1
        if block.kind == "redacted_thinking":
            return [detail | {"type": "reasoning.encrypted", "data": block.signature}]
        return [detail | {"type": "reasoning.text", "text": block.text, "signature": block.signature}]

    def _finish(self, reason: object) -> str:
        return _FINISH.get(reason, "stop") if isinstance(reason, str) else "stop"

    def _named(self, message: Mapping[str, Any]) -> ChunkWriter:
        """A writer with the upstream's id and model, if it reports them."""
        model, message_id = _text(message.get("model")) or self._writer.model, _text(message.get("id")) or self._writer.id
        return ChunkWriter(model, message_id, self._writer.created)


class _Block:
    """The state of a content block."""

    __slots__ = ("answers", "argued", "call", "ignored", "input", "kind", "signature", "text")

    def __init__(self, kind: str, *, text: str = "", signature: str = "") -> None:
        self.kind = kind
        self.text = text
        self.signature = signature
        self.input: dict[str, Any] = {}
        self.call = 0
        """The number of the tool call; the block's index counts all blocks."""
        self.answers = False
        """Whether the tool's input is the answer's text."""
        self.ignored = False
        """Whether it is a second answer."""
        self.argued = False
        """Whether arguments were sent."""


def _is_answer(block: Mapping[str, Any]) -> bool:
    return block.get("type") == "tool_use" and block.get("name") == JSON_TOOL


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _index(event: Mapping[str, Any]) -> int:
    return parse_count(event.get("index"))


def _refusal(message: Mapping[str, Any]) -> str:
    return _text(mapping(message.get("stop_details")).get("explanation"))
