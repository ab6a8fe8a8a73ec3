"""Open HTTP responses as answers: a stream of chunks or one JSON body, each with its time limits."""

from abc import abstractmethod
import asyncio
from collections.abc import AsyncIterator, Mapping
import re
from typing import Any, ClassVar, Protocol, override

import aiohttp

from ..dialects.openai.completion_repair import repaired_completion
from ..dialects.openai.expected import Expected
from ..dialects.openai.upstream_response import ChunkRepair
from ..protocol import json
from ..protocol.chunks import Chunk, Delta
from ..protocol.errors import ApiError, StreamBrokenError, UpstreamTimeoutError
from ..protocol.event_decoder import EventDecoder, all_events, is_json, start_of
from ..protocol.reported_errors import contains_error, reported_error
from ..protocol.sse import SSEEvent
from ..protocol.whole_answer import completion_of
from .base import Answer, Timeouts
from .deadline_reader import LOOK_SECONDS, DeadlineReader

_OBJECT = re.compile(rb'\s*\{\s*["}]')
"""The beginning of a JSON object."""
_DONE = re.compile(rb'\s*"?\[DONE\]', re.IGNORECASE)
"""The end of a stream; some servers quote it."""
_PING = re.compile(rb"[\w .,:!-]{1,64}|\[\w*\]|\"\"")
"""The data of an event that only keeps a connection alive."""

MAX_BODY_BYTES = 64 * 1024 * 1024
"""Larger JSON answers are rejected: an untrusted server must not exhaust the memory."""


class Source(Protocol):
    """The upstream of an answer, as far as the answer needs it."""

    name: str
    timeouts: Timeouts

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secrets that errors must not contain."""

    def error(self, err: ApiError) -> ApiError:
        """The error for one that the upstream reported."""


class HttpAnswer(Answer):
    """An open response. A subclass decodes the chunks of its dialect."""

    _pings_count: ClassVar[bool] = True
    """Whether data without chunks, once the answer has started, shows that the model is still working."""

    def __init__(self, upstream: Source, response: aiohttp.ClientResponse, deadline: float, max_bytes: int | None = None) -> None:
        """`deadline`: the loop's time by which the first token, or the complete body, must have arrived.

        `max_bytes`: the maximum size of a body (None: MAX_BODY_BYTES).
        """
        self._max_bytes = min(max_bytes or MAX_BODY_BYTES, MAX_BODY_BYTES)
        self._upstream = upstream
        self._response = response
        self._deadline = deadline
        self._reader = DeadlineReader(response.content, deadline)
        self.headers = response.headers

    @property
    def is_labelled_json(self) -> bool:
        """Whether the response claims to be one JSON text."""
        content_type = self._response.content_type
        return "json" in content_type and not any(word in content_type for word in ("ndjson", "jsonl", "stream", "seq", "lines"))

    @property
    def deadline(self) -> float:
        """The loop's time by which the complete body must have arrived. May be set before it is read."""
        return self._deadline

    @deadline.setter
    def deadline(self, deadline: float) -> None:
        self._deadline = self._reader.deadline = deadline

    @property
    @abstractmethod
    def _begun(self) -> bool:
        """Whether the model has started to answer: from then on the time between tokens is limited."""

    @property
    @abstractmethod
    def _done(self) -> bool:
        """Whether the rest of the stream can be ignored."""

    @property
    @abstractmethod
    def _complete(self) -> bool:
        """Whether the answer is complete, so that the end of the stream is not an error."""

    @abstractmethod
    def _decode(self, data: bytes) -> tuple[list[Chunk], ApiError | None]:
        """The chunks that `data` completes, and the error that follows them; b"": the end of the stream.

        Raises ValueError for data that violates the dialect, an ApiError for an error without chunks before it.
        """

    def _has_token(self, chunks: list[Chunk], since: float) -> bool:
        """Whether the chunks contain a token, so that the model still generates.

        `since`: seconds since the last token.
        """
        return bool(chunks)

    @override
    async def batches(self) -> AsyncIterator[list[Chunk]]:
        name, timeouts, reader = self._upstream.name, self._upstream.timeouts, self._reader
        loop = asyncio.get_running_loop()
        last_token: float | None = None
        now = loop.time()
        while not self._done:
            try:
                data = await reader.read()
                chunks, error = self._decode(data)
            except TimeoutError:
                raise stalled_error(name, begun=self._begun) from None
            except (aiohttp.ClientError, OSError) as err:
                raise connection_lost(name, err) from None
            except ValueError as err:
                raise unreadable_error(name, err) from None
            # Comments and an early role are not tokens: they do not extend the first token's deadline.
            token = self._has_token(chunks, 0.0 if last_token is None else now - last_token)
            if chunks:
                yield chunks
            if error is not None:
                raise error
            if self._begun and (chunks or self._pings_count):
                now = loop.time()  # excludes the time that the consumer needed
                if token or last_token is None:
                    last_token = now
                reader.deadline = min(now + timeouts.between_tokens, last_token + timeouts.silence)
            if not data:
                break
        if not self._complete:
            raise StreamBrokenError(f"{name} ended the stream before the answer was complete")

    async def is_stream(self, deadline: float) -> bool:
        """Whether the answer is a stream of events and not JSON, by its first bytes, which are read again.

        `deadline`: the loop's time by which the first token of a stream must have arrived.
        """
        try:
            if is_json(await self._reader.peek()):
                return False
        except TimeoutError:
            raise stalled_error(self._upstream.name, begun=False) from None
        except (aiohttp.ClientError, OSError) as err:
            raise connection_lost(self._upstream.name, err) from None
        self._reader.deadline = deadline
        return True

    async def _body(self) -> bytes:
        """The complete body. Raises as `completion` does."""
        name = self._upstream.name
        try:
            complete = self._response.content.is_eof()  # a short body mostly arrives with its headers
            async with asyncio.timeout_at(None if complete else self._deadline):
                return await read_limited(self._response, self._max_bytes, first=self._reader.take())
        except TimeoutError:
            raise UpstreamTimeoutError(f"{name} did not finish its answer in time") from None
        except (aiohttp.ClientError, OSError) as err:
            raise connection_lost(name, err) from None

    def _streamed(self, body: bytes) -> list[Chunk]:
        """The chunks of a complete body with a stream. Raises as `completion` does."""
        name = self._upstream.name
        try:
            chunks, error = self._decode(body)
            if error is None and not self._done:
                more, error = self._decode(b"")
                chunks += more
        except ValueError as err:
            raise unreadable_error(name, err) from None
        if error is not None:
            raise error
        if not self._complete:
            raise StreamBrokenError(f"{name} ended the stream before the answer was complete")
        return chunks

    @override
    async def close(self) -> None:
        self._reader.close()
        self._response.close()

    def _error(self, data: Mapping[str, Any]) -> ApiError:
        return self._upstream.error(reported_error(self._upstream.name, data, self._upstream.secrets))


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
                if _DONE.match(raw):
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


def connection_lost(name: str, err: Exception) -> StreamBrokenError:
    """The error for an answer whose connection was lost."""
    message = f"{name} closed the connection before its answer was complete"
    return StreamBrokenError(message, log_text=f"{message}: {type(err).__name__}")


def unreadable_error(name: str, err: ValueError) -> StreamBrokenError:
    """The error for an answer that cannot be parsed; `err` describes what was sent."""
    log_text = f"{name} sent {err}"
    message = log_text if isinstance(err, json.DepthError) else f"{name} sent an answer that cannot be read"
    return StreamBrokenError(message, log_text=log_text)


def stalled_error(name: str, *, begun: bool) -> UpstreamTimeoutError:
    """The error for a stream that stalls. `begun`: whether it has contained a token."""
    reason = "stopped in the middle of its answer" if begun else "accepted the request but did not start to answer"
    return UpstreamTimeoutError(f"{name} {reason}")


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


async def read_limited(response: aiohttp.ClientResponse, limit: int, *, cut: bool = False, first: bytes = b"") -> bytes:
    """The body, of which `first` was read already. More than `limit` bytes are cut off if `cut`, else raise StreamBrokenError."""
    parts = [first]
    size = len(first)
    async for part in response.content.iter_any():
        parts.append(part)
        size += len(part)
        if size > limit:
            if cut:
                break
            raise StreamBrokenError(f"the provider sent more than {limit} bytes")
    return b"".join(parts)[:limit]


def loads(body: bytes, name: str) -> Any:
    """The JSON value of a body. Raises StreamBrokenError if it is not JSON or nested too deeply."""
    if (found := decoded(body, name)) is None:
        raise _not_json(name)
    return found[1]


def decoded(body: bytes, name: str) -> tuple[bytes, Any] | None:
    """(JSON text, value) of a body, which may be framed as one event; None for a stream of several. Raises as `loads` does."""
    text = json.mended(start_of(body))
    try:
        return text, json.loads(text)
    except json.DepthError as err:
        raise StreamBrokenError(f"{name} sent {err}") from None
    except json.JSONDecodeError:
        try:
            events = [event for event in all_events(body) if event.data[:1] in (b"{", b"[") and not _DONE.match(event.data)]
        except ValueError as err:
            raise unreadable_error(name, err) from None
    if len(events) > 1 or (events and events[0].event == "error"):
        return None
    if not events or events[0].data == text:
        raise _not_json(name)
    return decoded(events[0].data, name)


def _not_json(name: str) -> StreamBrokenError:
    return StreamBrokenError(f"{name} answered with something that is not JSON: is this the address of an LLM server?")
