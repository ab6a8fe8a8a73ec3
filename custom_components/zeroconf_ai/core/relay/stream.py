"""`Stream`: one request and its response on a link, each with its own credit."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping
from typing import Protocol, override

from .frames import FIRST_CREDIT, MAX_CREDIT, MAX_DATA_BYTES, FrameError, FrameType, RequestHead, ResponseHead, encode

_LOW_WATER = MAX_DATA_BYTES
"""A sender goes on when at most this many bytes wait for credit or for their turn."""


class RelayError(Exception):
    """A failure of a link or of one of its streams."""


class LinkClosedError(RelayError):
    """The link is closed, or closing, so that the stream has ended or was not opened."""


class StreamResetError(RelayError):
    """The other side ended the stream; `error` has `message`, `type` and `code` as far as it stated them."""

    def __init__(self, error: Mapping[str, str]) -> None:
        super().__init__(error.get("message") or "the other side ended the stream")
        self.error = error

    @property
    def code(self) -> str:
        """The code of the error; "" if it has none."""
        return self.error.get("code", "")


class Receiver(Protocol):
    """What gets the events of a stream at once, instead of a task that reads it."""

    def head_received(self, head: ResponseHead) -> None:
        """The response begins."""

    def data_received(self, data: bytes) -> None:
        """Bytes of the body. The receiver calls `Stream.consumed` when it can take as many more."""

    def end_received(self) -> None:
        """The body is complete."""

    def stream_lost(self, error: RelayError) -> None:
        """The stream has ended before that. Called once, and nothing follows it."""

    def pause_writing(self) -> None:
        """Much data waits for credit: write no more until `resume_writing`."""

    def resume_writing(self) -> None:
        """More data can be written."""


class Port(Protocol):
    """The link, as far as a stream needs it."""

    def write_stream(self, stream: "Stream") -> None:
        """Send what the stream has, in its turn."""

    def write_control(self, frame: bytes) -> None:
        """Send a frame before all data."""

    def grant(self, stream: "Stream", credit: int) -> None:
        """Send credit for a stream."""

    def forget(self, stream: "Stream") -> None:
        """The stream has ended."""

    def send_reset(self, stream: "Stream", error: Mapping[str, str]) -> None:
        """Tell the other side that the stream has ended."""


class Stream:
    """One request or response body in each direction. Read it by `async for`, or give it a receiver."""

    def __init__(self, port: Port, number: int, request: RequestHead) -> None:
        """Created by the link."""
        self.number = number
        self.request = request
        self._port = port
        self._receiver: Receiver | None = None
        self._loop = asyncio.get_running_loop()
        # What is sent.
        self._credit = FIRST_CREDIT
        self._unsent = bytearray()
        self._ending = False
        self._end_sent = False
        self._writable: asyncio.Future[None] | None = None
        self._paused = False
        self.queued = False
        """Whether it waits for its turn in the link."""
        # What is received.
        self._window = FIRST_CREDIT
        self._consumed = 0
        self._head: ResponseHead | None = None
        self._parts: deque[bytes] = deque()
        self._end_received = False
        self._finished = False
        self._readable: asyncio.Future[None] | None = None
        self._error: RelayError | None = None

    @override
    def __repr__(self) -> str:
        """Without headers and data."""
        return f"<Stream {self.number} {self.request!r}>"

    # Sending

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send data when there is credit for it. Raises RelayError if the stream has ended.

        Callers that do not await `send` must heed `pause_writing`, because waiting data is kept in memory.
        """
        if self._error is not None:
            raise self._error
        if self._ending:
            raise RelayError("the body of the stream is complete")
        self._unsent += data
        self._port.write_stream(self)
        if len(self._unsent) > _LOW_WATER and not self._paused:
            self._paused = True
            if self._receiver is not None:
                self._receiver.pause_writing()

    async def send(self, data: bytes) -> None:
        """Send data, and return when most of it was sent. Raises RelayError if the stream has ended."""
        view = memoryview(data)
        for start in range(0, len(view), MAX_DATA_BYTES):
            self.write(view[start : start + MAX_DATA_BYTES])
            while len(self._unsent) > _LOW_WATER:
                self._writable = self._writable or self._loop.create_future()
                await asyncio.shield(self._writable)
                if self._error is not None:
                    raise self._error

    def end(self) -> None:
        """The body is complete: what was written is still sent."""
        if not self._ending and self._error is None:
            self._ending = True
            self._port.write_stream(self)

    @property
    def sendable(self) -> bool:
        """Whether the link can send a frame of it now."""
        if self._error is not None:
            return False
        return self._credit > 0 if self._unsent else self._ending and not self._end_sent

    def next_frame(self) -> bytes:
        """The next frame to send, called by the link while it is `sendable`."""
        if not self._unsent:
            self._end_sent = True
            frame = encode(FrameType.END, self.number)
            self._forget_if_over()
            return frame
        size = min(self._credit, MAX_DATA_BYTES, len(self._unsent))
        with memoryview(self._unsent) as view, view[:size] as part:
            frame = encode(FrameType.DATA, self.number, part)
        del self._unsent[:size]
        self._credit -= size
        if len(self._unsent) <= _LOW_WATER:
            if self._writable is not None:
                self._wake_writer()
            if self._paused:
                self._paused = False
                if self._receiver is not None:
                    self._receiver.resume_writing()
        return frame

    def _wake_writer(self) -> None:
        writable, self._writable = self._writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)

    # Receiving

    def deliver_to(self, receiver: Receiver) -> None:
        """Call the receiver at every event from now on, and at once for what has already arrived."""
        self._receiver = receiver
        if self._head is not None:
            receiver.head_received(self._head)
        while self._parts:
            receiver.data_received(self._parts.popleft())
        if self._end_received:
            receiver.end_received()
        elif self._error is not None:
            receiver.stream_lost(self._error)

    async def response(self) -> ResponseHead:
        """The head of the response. Raises RelayError if the stream ends before it."""
        while self._head is None:
            if self._error is not None:
                raise self._error
            if self._end_received:
                raise RelayError("the stream ended without a response")
            await self._event()
        return self._head

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The parts of the body as they arrive. Raises RelayError if it is incomplete."""
        while True:
            while self._parts:
                part = self._parts.popleft()
                self.consumed(len(part))
                yield part
            if self._error is not None:
                raise self._error
            if self._end_received:
                return
            await self._event()

    def consumed(self, size: int) -> None:
        """Report that `size` received bytes no longer take memory: the other side may send as many again."""
        self._consumed += size
        if self._consumed >= FIRST_CREDIT // 2 and not self._end_received and self._error is None:
            credit, self._consumed = self._consumed, 0
            self._window += credit
            self._port.grant(self, credit)

    async def _event(self) -> None:
        self._readable = self._readable or self._loop.create_future()
        await asyncio.shield(self._readable)

    def _wake_reader(self) -> None:
        readable, self._readable = self._readable, None
        if readable is not None and not readable.done():
            readable.set_result(None)

    def answer(self, head: ResponseHead, frame: bytes) -> None:
        """Send the head of the response; `Link.answer` is for callers."""
        self._head = head
        self._port.write_control(frame)

    # Events of the link

    def on_head(self, head: ResponseHead) -> None:
        """Raises FrameError for a second head."""
        if self._head is not None or self._end_received:
            raise FrameError("a response has two heads")
        self._head = head
        if self._receiver is not None:
            self._receiver.head_received(head)
        else:
            self._wake_reader()

    def on_data(self, data: bytes) -> None:
        """Raises FrameError for data after the end, or without credit."""
        if self._end_received:
            raise FrameError("data follows the end of a stream")
        self._window -= len(data)
        if self._window < 0:
            raise FrameError("a stream has sent more than its credit")
        if not data or self._finished:
            return
        if self._receiver is not None:
            self._receiver.data_received(data)
        else:
            self._parts.append(data)
            self._wake_reader()

    def on_end(self) -> None:
        """Raises FrameError for a second end."""
        if self._end_received:
            raise FrameError("a stream has two ends")
        self._end_received = True
        self._forget_if_over()
        if self._receiver is not None:
            self._receiver.end_received()
        else:
            self._wake_reader()

    def on_window(self, credit: int) -> None:
        """Raises FrameError if the credit exceeds the largest one."""
        self._credit += credit
        if self._credit > MAX_CREDIT:
            raise FrameError("a stream has too much credit")
        self._port.write_stream(self)

    # The end

    @property
    def ended(self) -> bool:
        """Whether it was lost, or both bodies are complete."""
        return self._error is not None or (self._end_received and self._end_sent)

    def reset(self, error: Mapping[str, str] | None = None) -> None:
        """End the stream at once, in both directions. `error`: `message`, `type` and `code`. Safe to call twice."""
        if self.ended:
            return
        self._port.send_reset(self, error or {"code": "cancelled", "message": "The request was cancelled."})
        self._receiver = None
        self.lose(RelayError("the stream was reset"))

    def finish(self) -> None:
        """Nothing more is read, and what was written is still sent. A stream whose body has no end yet is reset."""
        if not self._ending:
            self.reset()
        self._finished = True
        self._parts.clear()

    def lose(self, error: RelayError) -> None:
        """The stream has ended: the link is lost, or the other side has reset it."""
        if self.ended:
            return
        self._error = error
        self._unsent.clear()
        self._port.forget(self)
        self._wake_writer()
        self._wake_reader()
        if self._receiver is not None and not self._end_received:
            self._receiver.stream_lost(error)

    def _forget_if_over(self) -> None:
        if self._end_received and self._end_sent:
            self._port.forget(self)
