"""`RelayedRequests`: answers the requests of houses in this process, within the fixed table of what crosses a link."""

import asyncio
from collections.abc import AsyncIterator, Iterable
import logging
from typing import override

import orjson

from ..protocol.errors import PermissionDeniedError
from ..protocol.relayed import may_cross, request_headers, response_headers
from ..server.access.relayed import House
from ..server.in_process import AnswerSink, BrokenOffError, InProcess
from .link import Link
from .stream import RelayError, Stream

_LOGGER = logging.getLogger(__name__)

STALL_SECONDS = 60.0
"""A house that takes nothing of an answer for so long has left: its stream ends, and with it the upstream request."""
_JSON = ("content-type", "application/json")


class RelayedRequests:
    """Answers the streams of all links."""

    def __init__(self, server: InProcess, stall: float = STALL_SECONDS) -> None:
        """`server` has the application of a gateway whose access is `RelayedAccess`."""
        self._server = server
        self._stall = stall

    async def answer(self, link: Link, house: House, stream: Stream) -> None:
        """Answer one request. Raises RelayError if its stream or its link is lost."""
        head = stream.request
        sink = _Sink(link, stream, self._stall)
        if not may_cross(head.method, head.path):
            await _refuse(sink, head.method, head.path.partition("?")[0])
            return
        try:
            await self._server.answer(head.method, head.path, request_headers(head.headers), _body(stream), sink, house)
        except BrokenOffError:
            stream.reset({"code": "provider_error", "type": "upstream_error", "message": "The answer broke off."})
        except ConnectionError:
            stream.reset()  # the house has left, or does not read


async def _refuse(sink: AnswerSink, method: str, path: str) -> None:
    error = PermissionDeniedError(f"{method} {path} is not answered over a relay link.", code="endpoint_not_allowed")
    body = orjson.dumps(error.to_json())
    await sink.start(error.status, [_JSON, ("content-length", str(len(body)))])
    await sink.write(body)
    await sink.end()


async def _body(stream: Stream) -> AsyncIterator[bytes]:
    """The parts of a request's body. Raises BrokenOffError if it is incomplete."""
    try:
        async for part in stream:
            yield part
    except RelayError as err:
        raise BrokenOffError(str(err)) from None


class _Sink(AnswerSink):
    """Sends an answer on a stream. A stream that is lost is a ConnectionError, as on a port."""

    def __init__(self, link: Link, stream: Stream, stall: float) -> None:
        self._link = link
        self._stream = stream
        self._stall = stall

    @override
    async def start(self, status: int, headers: Iterable[tuple[str, str]]) -> None:
        try:
            self._link.answer(self._stream, status, tuple(response_headers(headers)))
        except RelayError as err:
            raise ConnectionResetError(str(err)) from None

    @override
    async def write(self, data: bytes) -> None:
        try:
            async with asyncio.timeout(self._stall):
                await self._stream.send(data)
        except RelayError as err:
            raise ConnectionResetError(str(err)) from None
        except TimeoutError:
            _LOGGER.info("A house read nothing of an answer for %d s", self._stall)
            raise ConnectionResetError("the house reads nothing") from None

    @override
    async def end(self) -> None:
        self._stream.end()
