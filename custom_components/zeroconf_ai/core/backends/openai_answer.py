"""`OpenAIAnswer`: answers in OpenAI's dialect, whose chunks keep their bytes."""

import re
from typing import override

import aiohttp

from ..dialects.openai.completion_repair import repaired_completion
from ..dialects.openai.expected import Expected
from ..dialects.openai.upstream_response import ChunkRepair
from ..protocol import json
from ..protocol.chunks import Chunk, Delta
from ..protocol.errors import ApiError, StreamBrokenError
from ..protocol.event_decoder import EventDecoder, is_done
from ..protocol.reported_errors import contains_error
from ..protocol.sse import SSEEvent
from ..protocol.whole_answer import completion_of
from .bodies import decoded
from .deadline_reader import LOOK_SECONDS
from .http_answer import HttpAnswer, Source

_OBJECT = re.compile(rb'\s*\{\s*["}]')
"""The beginning of a JSON object."""
_PING = re.compile(rb"[\w .,:!-]{1,64}|\[\w*\]|\"\"")
"""The data of an event that only keeps a connection alive."""


class OpenAIAnswer(HttpAnswer):
    """An answer in OpenAI's dialect: its Server-Sent Events keep their bytes."""

    _pings_count = False
    _begun = False
    _done = False

    def __init__(
        self,
        upstream: Source,
        response: aiohttp.ClientResponse,
        deadline: float,
        max_bytes: int | None = None,
        expected: Expected | None = None,
    ) -> None:
        """`expected`: what a chat or a text completion may contain; None: another kind. The others are those of `HttpAnswer`."""
        super().__init__(upstream, response, deadline, max_bytes)
        self._decoder = EventDecoder()
        self._expected = expected
        self._repair = ChunkRepair(expected or Expected())

    @property
    @override
    def _complete(self) -> bool:
        return self._done or self._repair.finished

    @override
    def _decode(self, data: bytes) -> tuple[list[Chunk], ApiError | None]:
        chunks: list[Chunk] = []
        for event in self._decoder.feed(data) if data else self._decoder.flush():
            raw = event.data
            if raw[:1] != b"{":
                if is_done(raw):
                    self._done = True
                    break
                raw = raw.strip()
                if _is_ping(event, raw):
                    continue
            _check_event(raw, self._upstream.name)
            is_error = event.event == "error"
            if is_error or raw.find(b'"error"') >= 0:
                found = Chunk(raw).data
                if is_error or contains_error(found):
                    return chunks, self._error(found)
            chunks += self._repair.feed(raw)
        if self._done or (not data and self._repair.finished):
            chunks += self._repair.flush()
        return chunks, None

    @override
    def _has_token(self, chunks: list[Chunk], since: float) -> bool:
        """Parses the chunks only if the last known token is older than LOOK_SECONDS."""
        if self._begun and since < LOOK_SECONDS:
            return False
        token = any(Delta.parse(chunk.data).has_token for chunk in chunks)
        self._begun = self._begun or token
        return token

    @override
    async def completion(self) -> Chunk:
        body = await self._body()
        found = decoded(body, self._upstream.name)
        if found is None and self._expected is not None:
            return Chunk.of(repaired_completion(completion_of(self._streamed(body)), self._expected))
        text, parsed = found or (body, None)
        if not isinstance(parsed, dict):
            return Chunk.of({}, text)
        if contains_error(parsed):
            raise self._error(parsed)
        repaired = parsed if self._expected is None else repaired_completion(parsed, self._expected)
        return Chunk.of(parsed, text) if repaired is parsed else Chunk.of(repaired)


def _is_ping(event: SSEEvent, data: bytes) -> bool:
    """Whether an event whose data is not an object contains no part of an answer."""
    return data[:1] != b"{" and (not data or event.event not in (None, "message", "error") or _PING.fullmatch(data) is not None)


def _check_event(data: bytes, name: str) -> None:
    """Raise StreamBrokenError if `data` does not look like a JSON object, or is nested too deeply. Rarely parses it."""
    if not (data.startswith(b'{"') and data.endswith(b"}")):
        if _OBJECT.match(data) is None or not data.rstrip().endswith(b"}"):
            raise StreamBrokenError(f"{name} sent an event that is not a JSON object")
    if json.may_be_deep(data):
        try:
            json.loads(data)
        except json.DepthError as err:
            raise StreamBrokenError(f"{name} sent {err}") from None
        except json.JSONDecodeError:
            return  # code that reads its content reports it
