"""`Link`: many streams over one WebSocket (docs/protocol.md, section 5).

Frames are written at once while the connection takes them. While it does not, control frames come first, and then each stream in
its turn. So a slow reader stalls only its own stream, whose sender runs out of credit, and memory is bounded.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from enum import Enum
import logging
import os
import socket as sockets
from typing import Any

import aiohttp
from aiohttp import web

from .frames import (
    GOING_AWAY,
    LAST_STREAM,
    MAX_STREAMS,
    Frame,
    FrameError,
    FrameType,
    RequestHead,
    ResponseHead,
    decode,
    decode_json,
    decode_window,
    encode,
    encode_json,
    encode_request,
    encode_response,
    encode_window,
    parse_request_head,
    parse_response_head,
    reset_error,
)
from .stream import LinkClosedError, RelayError, Stream, StreamResetError

_LOGGER = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 15.0
DEAD_SECONDS = 30.0
_CLOSE_SECONDS = 2.0
"""Maximum time for the closing handshake of the WebSocket, which a dead connection never answers."""
_MAX_CONTROL = 4 * MAX_STREAMS
"""Control frames that wait at most: a peer that causes more does not read."""
_LATE_STREAMS = frozenset({FrameType.DATA, FrameType.END, FrameType.RESET, FrameType.WINDOW, FrameType.OPEN})

type WebSocket = web.WebSocketResponse | aiohttp.ClientWebSocketResponse
type Accept = Callable[[Stream], Awaitable[None]]
"""Answers a request. Cancelled when the stream is lost; a stream that it leaves open is reset."""


class Role(Enum):
    """The two sides of a link."""

    HOUSE = "house"
    """Opens streams."""
    CONNECTOR = "connector"
    """Answers them."""


class Link:
    """A link over an open WebSocket whose sides have proved who they are."""

    def __init__(
        self,
        socket: WebSocket,
        role: Role,
        *,
        accept: Accept | None = None,
        on_hello: Callable[[Mapping[str, Any]], None] | None = None,
        on_goaway: Callable[[], None] | None = None,
        heartbeat: float = HEARTBEAT_SECONDS,
        dead: float = DEAD_SECONDS,
    ) -> None:
        """`accept` answers requests (CONNECTOR). `heartbeat`, `dead`: seconds between pings, and of silence that end the link."""
        self.role = role
        self.closed = False
        self.draining = False
        """Whether one of the sides takes no new streams."""
        self.reason = ""
        """Why the link ended, for the log."""
        self._socket = socket
        self._accept = accept
        self._on_hello = on_hello
        self._on_goaway = on_goaway
        self._heartbeat, self._dead = heartbeat, dead
        self._loop = asyncio.get_running_loop()
        self._last_received = self._loop.time()
        self._streams: dict[int, Stream] = {}
        self._tasks: dict[int, asyncio.Future[None]] = {}
        self._last_stream = 0
        self._control: deque[bytes] = deque()
        self._turns: deque[Stream] = deque()
        self._writing = False
        self._writer: asyncio.Task[None] | None = None
        """Set while the connection takes no more data."""
        self._reader: asyncio.Task[None] | None = None
        self._idle: asyncio.Future[None] | None = None

    # The life of the link

    async def run(self) -> None:
        """Read frames until the link ends; afterwards `reason` says why. Cancellation closes it."""
        self._reader = asyncio.create_task(self._read())
        beats = asyncio.create_task(self._beat())
        try:
            await asyncio.wait({self._reader, beats}, return_when=asyncio.FIRST_COMPLETED)
            if self._reader.done() and not self._reader.cancelled() and (error := self._reader.exception()) is not None:
                _LOGGER.error("The relay link failed", exc_info=error)
        finally:
            beats.cancel()
            self._reader.cancel()
            self._fail(self.reason or "the other side closed the connection")
            await asyncio.gather(self._reader, beats, *self._tasks.values(), return_exceptions=True)
            await self._close_socket()

    async def close(self, reason: str = "closed by this side") -> None:
        """End the link at once, and every open stream with it. `run` returns afterwards."""
        self._fail(reason)
        if self._reader is None:
            await self._close_socket()
        else:
            self._reader.cancel()

    async def drain(self, seconds: float) -> None:
        """Take no new streams, and wait for the open ones, at most `seconds`."""
        self.goaway()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._streams and not self.closed:
                    self._idle = self._idle or self._loop.create_future()
                    await asyncio.shield(self._idle)
                if self._writer is not None and not self.closed:
                    await asyncio.shield(self._writer)  # the last frames of the streams

    def goaway(self) -> None:
        """Take no new streams; open ones go on."""
        if not self.draining and not self.closed:
            self.draining = True
            self.write_control(encode_json(FrameType.GOAWAY, 0, {}))

    def hello(self, value: Mapping[str, Any]) -> None:
        """Send what this side is and offers."""
        self.write_control(encode_json(FrameType.HELLO, 0, value))

    @property
    def streams(self) -> int:
        """How many streams are open."""
        return len(self._streams)

    # Streams

    async def open(self, method: str, path: str, headers: tuple[tuple[str, str], ...] = ()) -> Stream:
        """Open a stream for a request. Raises LinkClosedError, and RelayError if too many are open or the head is invalid."""
        return self.open_now(RequestHead(method, path, headers))

    def open_now(self, head: RequestHead) -> Stream:
        """The same as `open`, for callers that cannot wait."""
        if self.closed or self.draining or self._last_stream >= LAST_STREAM:
            raise LinkClosedError(self.reason or "the link takes no new requests")
        if len(self._streams) >= MAX_STREAMS:
            raise RelayError("too many requests are open on the link")
        try:
            frame = encode_request(self._last_stream + 1, head)
        except FrameError as err:
            raise RelayError(str(err)) from None
        self._last_stream += 1
        stream = Stream(self, self._last_stream, head)
        self._streams[stream.number] = stream
        self.write_control(frame)
        return stream

    def answer(self, stream: Stream, status: int, headers: tuple[tuple[str, str], ...] = ()) -> None:
        """Begin the response. Raises RelayError if the head is invalid or the stream has ended."""
        if stream.ended:
            raise LinkClosedError("the stream has ended")
        head = ResponseHead(status, headers)
        try:
            stream.answer(head, encode_response(stream.number, head))
        except FrameError as err:
            raise RelayError(str(err)) from None

    # Writing (`Port`)

    def write_control(self, frame: bytes) -> None:
        """Send a frame before all data."""
        if self.closed:
            return
        self._control.append(frame)
        if len(self._control) > _MAX_CONTROL:
            self._end("the other side does not read")
            return
        self._write()

    def write_stream(self, stream: Stream) -> None:
        """Send what a stream has, in its turn."""
        if not stream.queued and not self.closed and stream.sendable:
            stream.queued = True
            self._turns.append(stream)
            self._write()

    def grant(self, stream: Stream, credit: int) -> None:
        """Send credit for a stream."""
        self.write_control(encode_window(stream.number, credit))

    def send_reset(self, stream: Stream, error: Mapping[str, str]) -> None:
        """Tell the other side that a stream has ended."""
        self._send_reset(stream.number, error)

    def forget(self, stream: Stream) -> None:
        """A stream has ended."""
        self._streams.pop(stream.number, None)
        if not self._streams and self._idle is not None:
            if not self._idle.done():
                self._idle.set_result(None)
            self._idle = None

    def _send_reset(self, number: int, error: Mapping[str, str]) -> None:
        self.write_control(encode_json(FrameType.RESET, number, {"error": error}))

    def _write(self) -> None:
        if not self._writing:
            self._writing = True
            # Starts eagerly: without congestion everything is written before this returns, and no task is scheduled.
            writer = asyncio.Task(self._write_all(), loop=self._loop, eager_start=True)
            if not writer.done():
                self._writer = writer

    async def _write_all(self) -> None:
        try:
            while (frame := self._next_frame()) is not None:
                await self._socket.send_bytes(frame)
        except (ConnectionError, RuntimeError, aiohttp.ClientError) as err:  # RuntimeError: the WebSocket is closing
            self._end(f"the connection was lost: {type(err).__name__}")
        finally:
            self._writing = False
            self._writer = None

    def _next_frame(self) -> bytes | None:
        if self._control:
            return self._control.popleft()
        while self._turns:
            stream = self._turns.popleft()
            stream.queued = False
            if stream.sendable:
                frame = stream.next_frame()
                self.write_stream(stream)  # its next turn
                return frame
        return None

    # Reading

    async def _read(self) -> None:
        while True:
            message = await self._socket.receive()
            if message.type is not aiohttp.WSMsgType.BINARY:
                if message.type is aiohttp.WSMsgType.TEXT:
                    self._fail("the other side sent a text message")
                elif message.type is aiohttp.WSMsgType.ERROR:
                    self._fail(f"the connection was lost: {type(self._socket.exception()).__name__}")
                return
            self._last_received = self._loop.time()
            try:
                self._on_frame(decode(message.data))
            except FrameError as err:
                self._fail(f"the other side violates the protocol: {err}")
                return
            if self.closed:
                return

    def _on_frame(self, frame: Frame) -> None:
        """Raises FrameError."""
        stream = self._streams.get(frame.stream)
        if frame.type is FrameType.DATA and stream is not None:
            stream.on_data(frame.payload)
        elif frame.type is FrameType.OPEN and self.role is Role.CONNECTOR:
            self._on_request(frame)
        elif frame.type in _LATE_STREAMS:
            if stream is not None:
                self._on_stream_frame(stream, frame)
            elif frame.stream > self._last_stream:
                raise FrameError("a frame belongs to a stream that was not opened")
        elif frame.type is FrameType.PING:
            self.write_control(encode(FrameType.PONG, 0, frame.payload))
        elif frame.type is FrameType.GOAWAY:
            decode_json(frame.payload)
            self._goes_away()
        elif frame.type is FrameType.HELLO:
            value = decode_json(frame.payload)
            if self._on_hello is not None:
                self._on_hello(value)

    def _goes_away(self) -> None:
        """The other side takes no new streams."""
        self.draining = True
        if self._on_goaway is not None:
            self._on_goaway()

    def _on_stream_frame(self, stream: Stream, frame: Frame) -> None:
        if frame.type is FrameType.OPEN:
            stream.on_head(parse_response_head(decode_json(frame.payload)))
        elif frame.type is FrameType.END:
            stream.on_end()
        elif frame.type is FrameType.WINDOW:
            stream.on_window(decode_window(frame.payload))
        else:
            error = StreamResetError(reset_error(frame.payload))
            if self.role is Role.HOUSE and error.code == GOING_AWAY and not self.draining:
                self._goes_away()  # before the request is sent again: otherwise it would come back on this link without end
            stream.lose(error)
            if (task := self._tasks.get(stream.number)) is not None:
                task.cancel()

    def _on_request(self, frame: Frame) -> None:
        if frame.stream <= self._last_stream:
            raise FrameError("a stream id was used before")
        self._last_stream = frame.stream
        head = parse_request_head(decode_json(frame.payload))
        if self.draining or self._accept is None:
            self._send_reset(frame.stream, {"code": GOING_AWAY, "message": "The connector stops."})
        elif len(self._streams) >= MAX_STREAMS:
            self._send_reset(frame.stream, {"code": "too_many_streams", "message": "Too many requests are open."})
        else:
            stream = Stream(self, frame.stream, head)
            self._streams[stream.number] = stream
            task = asyncio.Task(self._answer(self._accept, stream), loop=self._loop, eager_start=True)
            if not task.done():
                self._tasks[stream.number] = task

    async def _answer(self, accept: Accept, stream: Stream) -> None:
        try:
            await accept(stream)
        except RelayError:
            pass  # the stream or the link is lost
        except Exception:
            _LOGGER.exception("A request over the relay failed")
            stream.reset({"code": "internal_error", "type": "server_error", "message": "The connector failed."})
        finally:
            self._tasks.pop(stream.number, None)
            stream.finish()

    async def _beat(self) -> None:
        count = 0
        while (silence := self._loop.time() - self._last_received) < self._dead:
            count += 1
            self.write_control(encode(FrameType.PING, 0, count.to_bytes(8)))
            await asyncio.sleep(min(self._heartbeat, max(self._dead - silence, 0.001)))
        self._fail(f"nothing was received for {self._dead:g} s")

    # The end

    def _end(self, reason: str) -> None:
        """End the link from outside of its reader."""
        self._fail(reason)
        if self._reader is not None:
            self._reader.cancel()

    def _fail(self, reason: str) -> None:
        """Mark the link as closed, once, and end its streams."""
        if self.closed:
            return
        self.closed = self.draining = True
        self.reason = reason
        self._control.clear()
        self._turns.clear()
        lost = LinkClosedError(f"the relay link was lost: {reason}")
        for stream in list(self._streams.values()):
            stream.lose(lost)
        for task in list(self._tasks.values()):
            task.cancel()

    async def _close_socket(self) -> None:
        if self._writer is not None:
            self._writer.cancel()
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._socket.close()
        except (TimeoutError, ConnectionError, RuntimeError, aiohttp.ClientError):
            pass
        # A dead connection keeps unsent data, and so its socket, for minutes otherwise.
        connection = self._socket.get_extra_info("socket")
        if connection is not None:
            with suppress(OSError), sockets.socket(fileno=os.dup(connection.fileno())) as own:  # uvloop's has no `shutdown`
                own.shutdown(sockets.SHUT_RDWR)
