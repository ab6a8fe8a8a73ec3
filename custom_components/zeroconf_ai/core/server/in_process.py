"""`InProcess`: answers requests that reach this process in another way than by HTTP on a port, as a port would.

The application's routes, middlewares and limits are the same. Nothing listens, and no HTTP is written or parsed: a connector's
requests arrive in frames of a relay link.
"""

from abc import ABC, abstractmethod
import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterable
from http import HTTPStatus
from ssl import SSLContext
from typing import cast, override

from aiohttp import HttpVersion11, StreamReader, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import RawRequestMessage
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from .access.relayed import HOUSE, House
from .connections import LONGEST_FIELD, MOST_FIELDS, READ_BUFFER_BYTES, REFUSE


class BrokenOffError(ConnectionError):
    """The rest of a body or of an answer does not come."""


class AnswerSink(ABC):
    """The receiver of an answer. Its methods raise a ConnectionError after the client has left."""

    @abstractmethod
    async def start(self, status: int, headers: Iterable[tuple[str, str]]) -> None:
        """Begin the answer."""

    @abstractmethod
    async def write(self, data: bytes) -> None:
        """Send a part of the body. Waits while the reader is slower."""

    @abstractmethod
    async def end(self) -> None:
        """End the answer, which is complete."""


class InProcess:
    """The requests of one application, from `start` to `close`."""

    def __init__(self, runner: web.AppRunner) -> None:
        """`runner` is one of `create_runner`; it needs no port. It is set up and cleaned up by its owner."""
        self._runner = runner

    async def answer(
        self,
        method: str,
        target: str,
        headers: Iterable[tuple[str, str]],
        body: AsyncIterator[bytes],
        sink: AnswerSink,
        house: House | None = None,
    ) -> None:
        """Answer a request. `target`: path and query; `body`: its parts, which may raise BrokenOffError; `house`: its sender.

        Raises BrokenOffError if the answer has begun and cannot be completed, ConnectionError of `sink`. A cancelled request ends
        its upstream request.
        """
        server = self._runner.server
        assert server is not None
        loop = asyncio.get_running_loop()
        protocol = _Protocol(loop)
        content = StreamReader(protocol, READ_BUFFER_BYTES, loop=loop)
        named = CIMultiDictProxy(CIMultiDict(headers))
        path, _, query = target.partition("?")
        url = URL.build(path=path, query_string=query, encoded=True)
        message = RawRequestMessage(method, target, HttpVersion11, named, (), False, None, False, False, url)
        writer = _Writer(sink, protocol.connection)
        task = asyncio.current_task()
        assert task is not None
        receiving = loop.create_task(_receive(body, content, protocol))
        try:
            request = server.request_factory(message, content, cast("web.RequestHandler", protocol), writer, task)
            if house is not None:
                request[HOUSE] = house
            response = await self._response(server, cast("web.Request", request))
            writer.check()
            await response.prepare(request)
            await response.write_eof()
        finally:
            receiving.cancel()
            await asyncio.gather(receiving, return_exceptions=True)

    async def _response(self, server: web.Server, request: web.Request) -> web.StreamResponse:
        """The response of the application, also for a request that it refuses by an exception."""
        try:
            return await server.request_handler(request)
        except web.HTTPException as err:
            refuse = self._runner.app.get(REFUSE)
            if refuse is None or err.status < HTTPStatus.BAD_REQUEST:
                return err
            return refuse(request, err.status, None)


async def _receive(body: AsyncIterator[bytes], content: StreamReader, protocol: "_Protocol") -> None:
    """Pass the parts of a body on, not faster than they are read."""
    try:
        async for part in body:
            content.feed_data(part)
            await protocol.readable.wait()
    except ConnectionError as err:
        content.set_exception(web.RequestPayloadError("the body broke off"), err)
    else:
        content.feed_eof()


class _Transport(asyncio.Transport):
    """What handlers need of a connection: its end."""

    def __init__(self) -> None:
        super().__init__()
        self._closing = False

    @override
    def is_closing(self) -> bool:
        return self._closing

    @override
    def close(self) -> None:
        self._closing = True

    @override
    def abort(self) -> None:
        self._closing = True


class _Protocol(BaseProtocol):
    """What aiohttp's requests need of a connection."""

    __slots__ = ("connection", "readable")

    max_field_size = LONGEST_FIELD
    max_headers = MOST_FIELDS
    peername = sockname = None
    ssl_context: SSLContext | None = None

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.transport = self.connection = _Transport()
        self.readable = asyncio.Event()
        self.readable.set()

    @override
    def pause_reading(self) -> None:
        self._reading_paused = True
        self.readable.clear()

    @override
    def resume_reading(self, resume_parser: bool = True) -> None:
        self._reading_paused = False
        self.readable.set()


class _Writer(AbstractStreamWriter):
    """Passes what a response writes to a sink."""

    def __init__(self, sink: AnswerSink, connection: _Transport) -> None:
        self._sink = sink
        self._connection = connection
        self._writing = asyncio.Lock()  # a ping of a silent stream may meet its next part
        self.length = None

    def check(self) -> None:
        """Raise BrokenOffError if the answer cannot be completed."""
        if self._connection.is_closing():
            raise BrokenOffError("the answer broke off")

    @override
    async def write_headers(self, status_line: str, headers: CIMultiDict[str]) -> None:
        self.check()
        await self._pass_on(self._sink.start(int(status_line.split(" ", 2)[1]), headers.items()))

    @override
    async def write(self, chunk: bytes | bytearray | memoryview) -> None:
        self.check()
        if chunk:
            self.output_size += len(chunk)
            await self._pass_on(self._sink.write(bytes(chunk)))

    @override
    async def write_eof(self, chunk: bytes = b"") -> None:
        await self.write(chunk)
        await self._pass_on(self._sink.end())

    @override
    async def drain(self) -> None:
        """Nothing is buffered."""

    @override
    def enable_compression(self, encoding: str = "deflate", strategy: int | None = None) -> None:
        raise ValueError("answers in the process are not compressed")

    @override
    def enable_chunking(self) -> None:
        """Parts of a body stay apart without it."""

    async def _pass_on(self, sent: Awaitable[None]) -> None:
        """Raises the ConnectionError of the sink, after which the handler knows that its client has left."""
        async with self._writing:
            try:
                await sent
            except ConnectionError:
                self._connection.close()
                raise
