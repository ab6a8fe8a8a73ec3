"""OpenAI's chat completions, legacy completions and embeddings: the inner language itself, so the bytes pass as they are."""

from typing import override

import orjson

from ...protocol import sse
from ...protocol.chunks import Chunk
from ...protocol.errors import ApiError
from ...protocol.request import Request
from ..base import ResponseWriter

_PROVIDER = b'"provider"'
"""No text in an answer holds these bytes: there, its quotation marks are escaped."""


class OpenAIWriter(ResponseWriter):
    """Passes chunks on. A failure is the last event, and then no `[DONE]` follows."""

    def __init__(self, request: Request) -> None:
        """`request` says whether the client wants the usage at the end of a stream."""
        self._wants_usage = (request.body.get("stream_options") or {}).get("include_usage") is True
        self._said_who = False

    @override
    def whole(self, completion: Chunk) -> bytes:
        return self._with_provider(completion.raw)

    @override
    def events(self, batch: list[Chunk]) -> bytes:
        events = [chunk.raw for chunk in batch if self._wants_usage or not _only_usage(chunk)]
        if events and not self._said_who:
            self._said_who = True
            events[0] = self._with_provider(events[0])
        return b"".join(map(sse.encode, events))

    def _with_provider(self, data: bytes) -> bytes:
        """An object with who answers added at its end, unless the upstream says so itself; its other bytes stay as they are."""
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
    """Whether a chunk says nothing but the usage, which the engine always asks for and this client did not."""
    return chunk.usage is not None and not chunk.data.get("choices")
