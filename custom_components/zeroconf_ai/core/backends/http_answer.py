"""Open HTTP responses as answers: a stream of chunks or one JSON body, each with its time limits."""

from abc import abstractmethod
import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, ClassVar, Protocol, override

import aiohttp

from ..dialects.base import Translator
from ..protocol.chunks import Chunk
from ..protocol.errors import ApiError, StreamBrokenError, UpstreamTimeoutError
from ..protocol.event_decoder import is_json
from ..protocol.reported_errors import reported_error
from ..protocol.usage import Usage
from .answer_errors import connection_lost, stalled_error, unreadable_error
from .base import Answer, Timeouts
from .bodies import MAX_BODY_BYTES, read_limited
from .deadline_reader import DeadlineReader


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


class TranslatedStream(HttpAnswer):
    """An open response whose stream a translator decodes."""

    def __init__(
        self,
        upstream: Source,
        response: aiohttp.ClientResponse,
        deadline: float,
        translator: Translator,
        max_bytes: int | None = None,
    ) -> None:
        """`translator` decodes this answer only; the other arguments are those of `HttpAnswer`."""
        super().__init__(upstream, response, deadline, max_bytes)
        self._translator = translator

    @property
    @override
    def usage(self) -> Usage | None:
        return self._translator.usage

    @property
    @override
    def _begun(self) -> bool:
        return self._translator.begun

    @property
    @override
    def _done(self) -> bool:
        return self._translator.done

    @property
    @override
    def _complete(self) -> bool:
        return self._translator.complete

    @override
    def _decode(self, data: bytes) -> tuple[list[Chunk], ApiError | None]:
        try:
            return self._translator.feed(data), None
        except ApiError as err:
            raise self._upstream.error(err) from None
