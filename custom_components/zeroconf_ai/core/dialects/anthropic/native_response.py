"""Answers of Anthropic's Messages API that are passed on to a client of this API, for requests with hosted tools."""

from collections.abc import Mapping
from typing import Any, override

import orjson

from ...protocol import sse
from ...protocol.chunks import Chunk, NativeChunk
from ...protocol.errors import ApiError
from ...protocol.usage import Usage
from ...protocol.values import mapping
from ..base import ResponseWriter
from ..native_response import NativeTranslator
from .client_response import MessagesWriter, error_body
from .upstream_response import AnthropicTranslator


class NativeMessagesTranslator(NativeTranslator):
    """Translates one answer as `AnthropicTranslator` does, and keeps its events."""

    def __init__(self, model: str, secrets: tuple[str, ...] = ()) -> None:
        """`model` is that of the chunks; errors do not contain `secrets`."""
        super().__init__("Anthropic", secrets)
        self._inner = AnthropicTranslator(model, secrets=secrets)

    @property
    @override
    def usage(self) -> Usage | None:
        return self._inner.usage

    @override
    def event(self, event: Mapping[str, Any]) -> list[Chunk]:
        chunks = self._inner.event(event)
        self.begun, self.complete, self.done = self._inner.begun, self._inner.complete, self._inner.done
        return chunks

    @override
    def completion(self, body: Mapping[str, Any]) -> dict[str, Any]:
        return self._inner.completion(body)


class NativeMessagesWriter(ResponseWriter):
    """Writes one message, whose events are those of the backend."""

    ping = MessagesWriter.ping

    def __init__(self, request_id: str) -> None:
        """`request_id` is named in errors."""
        self._request_id = request_id
        self._open: set[int] = set()
        """Indexes of blocks that have begun and not ended."""
        self._ended = False

    @override
    def answer_id(self, upstream: str | None) -> str | None:
        return upstream

    @override
    def body(self, completion: Chunk) -> bytes:
        return orjson.dumps(self._own(completion.native if isinstance(completion, NativeChunk) else {}))

    @override
    def events(self, batch: list[Chunk]) -> bytes:
        return b"".join(self._event(chunk.native) for chunk in batch if isinstance(chunk, NativeChunk))

    @override
    def end(self) -> bytes:
        if self._ended:
            return b""
        # The answer was cut off here: the budget covers no more.
        stops = [{"type": "content_block_stop", "index": index} for index in sorted(self._open)]
        used = {"output_tokens": self.used().completion_tokens}
        cut = {"type": "message_delta", "delta": {"stop_reason": "max_tokens", "stop_sequence": None}, "usage": used}
        events: tuple[Mapping[str, Any], ...] = (*stops, cut, {"type": "message_stop"})
        return b"".join(self._event(event) for event in events)

    @override
    def failure(self, error: ApiError) -> bytes:
        return sse.encode(orjson.dumps(error_body(error, self._request_id)), "error")

    def _event(self, event: Mapping[str, Any]) -> bytes:
        kind, index = event.get("type"), event.get("index")
        if kind == "message_start":
            event = {**event, "message": self._own(mapping(event.get("message")))}
        elif kind == "content_block_start" and isinstance(index, int):
            self._open.add(index)
        elif kind == "content_block_stop" and isinstance(index, int):
            self._open.discard(index)
        elif kind == "message_stop":
            self._ended = True
        return sse.encode(orjson.dumps(event), str(kind or "message"))

    def _own(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """The message, with the tools that were left out."""
        return {**message, **({"dropped_tools": self.dropped_tools} if self.dropped_tools else {})}
