"""Answers in OpenAI's format, which is the internal format, so that chunks keep their bytes."""

from typing import Self, override

import orjson

from ...protocol import sse
from ...protocol.chunks import Chunk
from ...protocol.errors import ApiError
from ...protocol.request import Request
from ..base import ResponseWriter

_PROVIDER = b'"provider"'
"""A key: texts in an answer cannot contain these bytes, because their quotation marks are escaped."""


class OpenAIWriter(ResponseWriter):
    """Forwards chunks. A failure is the last event, without `[DONE]` after it."""

    def __init__(self, request: Request) -> None:
        """`request` tells whether the client requests usage at the end of a stream."""
        self._wants_usage = (request.body.get("stream_options") or {}).get("include_usage") is True
        self._named_provider = False

    def for_model(self, _model: str) -> Self:
        """This writer: the chunks themselves name the model."""
        return self

    @override
    def body(self, completion: Chunk) -> bytes:
        return self._with_provider(completion.raw)

    @override
    def events(self, batch: list[Chunk]) -> bytes:
        events = [chunk.raw for chunk in batch if self._wants_usage or not _only_usage(chunk)]
        if events and not self._named_provider:
            self._named_provider = True
            events[0] = self._with_provider(events[0])
        return b"".join(map(sse.encode, events))

    def _with_provider(self, data: bytes) -> bytes:
        """Append the provider's name to a JSON object, unless the upstream has set it; the other bytes stay unchanged."""
        head = data.rstrip()
        if not self.provider or _PROVIDER in data or not head.endswith(b"}"):
            return data
        return b"".join((head[:-1], b",", _PROVIDER, b":", orjson.dumps(self.provider), b"}"))

    @override
    def end(self) -> bytes:
        return sse.DONE

    @override
    def failure(self, error: ApiError) -> bytes:
        return sse.encode(orjson.dumps(error.to_json()))


def _only_usage(chunk: Chunk) -> bool:
    """Whether a chunk contains only usage, which the engine always requests."""
    return chunk.usage is not None and not chunk.data.get("choices")
