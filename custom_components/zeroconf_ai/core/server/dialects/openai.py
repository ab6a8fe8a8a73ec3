"""OpenAI's chat completions, legacy completions and embeddings: the inner language itself, so the bytes pass as they are."""

from typing import override

import orjson

from ...protocol import sse
from ...protocol.chunks import Chunk
from ...protocol.errors import ApiError
from ...protocol.request import Request
from .base import AnswerWriter


class OpenAIWriter(AnswerWriter):
    """Passes chunks on. A failure is the last event, and then no `[DONE]` follows."""

    def __init__(self, request: Request) -> None:
        """`request` says whether the client wants the usage at the end of a stream."""
        self._wants_usage = (request.body.get("stream_options") or {}).get("include_usage") is True

    @override
    def whole(self, body: bytes) -> bytes:
        return body

    @override
    def events(self, batch: list[Chunk]) -> bytes:
        return b"".join([sse.encode(chunk.raw) for chunk in batch if self._wants_usage or not _only_usage(chunk)])

    @override
    def end(self) -> bytes:
        return sse.DONE

    @override
    def failure(self, error: ApiError) -> bytes:
        return sse.encode(orjson.dumps(error.to_json()))


def _only_usage(chunk: Chunk) -> bool:
    """Whether a chunk says nothing but the usage, which the engine always asks for and this client did not."""
    return chunk.usage is not None and not chunk.data.get("choices")
