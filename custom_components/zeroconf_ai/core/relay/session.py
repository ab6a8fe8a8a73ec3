"""An `aiohttp.ClientSession` whose connections are streams of a relay link, so that every backend works over it unchanged."""

import asyncio
from collections.abc import Iterable
from typing import Any, override

import aiohttp
from aiohttp.client_proto import ResponseHandler
import orjson

from ..protocol.reasons import ConnectorAwayError
from ..protocol.relayed import may_cross, request_headers, response_headers
from .frames import GOING_AWAY, MAX_STREAMS, RequestHead, ResponseHead
from .stream import LinkClosedError, RelayError, Stream, StreamResetError
from .uplink import Uplink

MAX_KEPT_BYTES = 32 * 1024 * 1024
"""A larger body is not kept for being sent again."""
_MAX_HEAD = 64 * 1024
_END_OF_HEAD = b"\r\n\r\n"
_END_OF_LINE = b"\r\n"
TOO_MANY_STREAMS = "too_many_streams"


def relay_session(uplink: Uplink) -> aiohttp.ClientSession:
    """A session whose requests all go to one connector, whatever host their URL names. The caller closes it."""
    return aiohttp.ClientSession(connector=RelayConnector(uplink), cookie_jar=aiohttp.DummyCookieJar(), trust_env=False)


def relay_url(connector_id: str) -> str:
    """The base URL of a connector's provider: a name that exists nowhere (RFC 6761)."""
    return f"http://{connector_id}.relay.invalid/v1"


class RelayConnector(aiohttp.BaseConnector):
    """Connects to nothing: each request gets a stream of the link."""

    def __init__(self, uplink: Uplink) -> None:
        """Belongs to the running loop. More requests than a link has streams wait for their turn."""
        super().__init__(force_close=True, limit=MAX_STREAMS)
        self._uplink = uplink

    @override
    async def _create_connection(
        self, req: aiohttp.ClientRequest, traces: list[Any], timeout: aiohttp.ClientTimeout
    ) -> ResponseHandler:
        try:
            await self._uplink.wait(timeout.sock_connect)
        except LinkClosedError as err:
            raise aiohttp.ClientConnectionError(str(err)) from ConnectorAwayError()
        protocol = ResponseHandler(self._loop)
        protocol.connection_made(_Transport(self._uplink, protocol))
        return protocol


class _Transport(asyncio.Transport):
    """Turns the bytes of one HTTP request into a stream, and its response into bytes. Receives the events of the stream."""

    def __init__(self, uplink: Uplink, protocol: ResponseHandler) -> None:
        super().__init__()
        self._uplink = uplink
        self._protocol = protocol
        self._loop = asyncio.get_running_loop()
        self._incoming = bytearray()
        self._request: RequestHead | None = None
        self._left: int | None = None
        """Bytes of the body that are missing; None: the body has chunks."""
        self._complete = False
        self._stream: Stream | None = None
        self._kept: list[bytes] = []
        self._kept_bytes = 0
        self._answered = False
        self._closing = False
        self._paused = self._writing_paused = False
        self._unread = 0
        self._resending: asyncio.Task[None] | None = None

    # The transport of aiohttp's request

    @override
    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._closing:
            return
        if self._request is None:
            self._incoming += data
            self._read_head()
        elif self._left is None:
            self._incoming += data
            self._read_chunks()
        else:
            self._read_part(bytes(data))

    @override
    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        for data in list_of_data:
            self.write(data)

    @override
    def is_closing(self) -> bool:
        return self._closing

    @override
    def close(self) -> None:
        self._end(None)

    @override
    def abort(self) -> None:
        self._end(None)

    @override
    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    @override
    def is_reading(self) -> bool:
        return not self._paused

    @override
    def pause_reading(self) -> None:
        self._paused = True

    @override
    def resume_reading(self) -> None:
        self._paused = False
        unread, self._unread = self._unread, 0
        if unread and self._stream is not None:
            self._stream.consumed(unread)

    # The request

    def _read_head(self) -> None:
        head, mark, rest = self._incoming.partition(_END_OF_HEAD)
        if not mark:
            if len(self._incoming) > _MAX_HEAD:
                self._end(ConnectionResetError("the head of the request is too large"))
            return
        self._incoming = bytearray()
        line, *fields = head.decode("utf-8", "surrogateescape").split("\r\n")
        method, target, _ = line.split(" ", 2)
        headers = [(name.strip(), value.strip()) for name, _, value in (field.partition(":") for field in fields)]
        named = {name.lower(): value for name, value in headers}
        self._request = RequestHead(method, target, tuple(request_headers(headers)))
        self._left = None if "transfer-encoding" in named else int(named.get("content-length", 0))
        if not may_cross(method, target):
            self._answer_self(404, "not_found", "This path is not part of what a connector offers.")
            return
        try:
            self._open()
        except LinkClosedError:
            self._resend()
        except RelayError as err:
            self._answer_self(503, TOO_MANY_STREAMS, f"The connector cannot be asked: {err}.")
            return
        if self._left == 0:
            self._end_body()
        elif rest:
            self.write(rest)

    def _read_part(self, data: bytes) -> None:
        assert self._left is not None
        part = data[: self._left]
        self._left -= len(part)
        self._send(part)
        if not self._left:
            self._end_body()

    def _read_chunks(self) -> None:
        """Chunks as aiohttp's writer makes them: without extensions and trailers."""
        while not self._complete and not self._closing:
            line, mark, rest = self._incoming.partition(_END_OF_LINE)
            if not mark:
                return
            size = int(line, 16)
            if len(rest) < size + len(_END_OF_LINE):
                return
            if size:
                self._send(bytes(rest[:size]))
            else:
                self._end_body()
            self._incoming = rest[size + len(_END_OF_LINE) :]

    def _send(self, part: bytes) -> None:
        if self._kept_bytes <= MAX_KEPT_BYTES and not self._answered:
            self._kept_bytes += len(part)
            self._kept.append(part)
        if self._stream is not None and not self._stream.ended:
            self._stream.write(part)

    def _end_body(self) -> None:
        self._complete = True
        if self._stream is not None:
            self._stream.end()

    def _open(self) -> None:
        """Open a stream. Raises RelayError."""
        link = self._uplink.link
        if link is None:
            raise LinkClosedError("the connector is not connected")
        assert self._request is not None
        self._stream = link.open_now(self._request)
        self._stream.deliver_to(self)

    # The same request over another link

    def _resend(self) -> None:
        """Send the request again: nothing of its response has arrived."""
        self._stream = None
        if self._kept_bytes > MAX_KEPT_BYTES:
            self._end(ConnectionResetError("the link was lost"))
        else:
            self._resending = self._loop.create_task(self._send_again(), name="zeroconf_ai relay resend")

    async def _send_again(self) -> None:
        try:
            await self._uplink.wait()
            self._open()
        except RelayError as err:
            self._end(ConnectionResetError(str(err)))
            return
        self.resume_writing()  # the former stream may have waited for credit
        for part in tuple(self._kept):
            if self._stream is not None:  # None: the new link is lost, too, and the next attempt has begun
                self._stream.write(part)
        if self._complete and self._stream is not None:
            self._stream.end()

    # The response (`Receiver`)

    def head_received(self, head: ResponseHead) -> None:
        """The response begins: from now on, nothing is sent again."""
        self._answered = True
        self._kept.clear()
        self._write_head(head.status, response_headers(head.headers))

    def data_received(self, data: bytes) -> None:
        """Pass on bytes of the body, and grant as many while they are read."""
        if self._closing:
            return
        if not self._answered:
            self._end(ConnectionResetError("the connector sent a body without a head"))
            return
        self._protocol.data_received(data)
        if self._paused:
            self._unread += len(data)
        elif self._stream is not None:
            self._stream.consumed(len(data))

    def end_received(self) -> None:
        """The response is complete."""
        self._end(None if self._answered else ConnectionResetError("the connector sent no response"))

    def stream_lost(self, error: RelayError) -> None:
        """The link was lost, or the connector refuses the request or stops answering."""
        again = isinstance(error, LinkClosedError) or (isinstance(error, StreamResetError) and error.code == GOING_AWAY)
        if again and not self._answered:
            self._resend()
        elif isinstance(error, StreamResetError) and not self._answered:
            status = 503 if error.code == TOO_MANY_STREAMS else 502
            self._answer_self(status, error.code or "provider_error", str(error))
        else:
            self._end(ConnectionResetError(str(error)))

    def pause_writing(self) -> None:
        """Much of the request waits for credit."""
        if not self._closing and not self._writing_paused:
            self._writing_paused = True
            self._protocol.pause_writing()

    def resume_writing(self) -> None:
        """More of the request can be sent."""
        if not self._closing and self._writing_paused:
            self._writing_paused = False
            self._protocol.resume_writing()

    def _write_head(self, status: int, headers: Iterable[tuple[str, str]]) -> None:
        lines = [f"HTTP/1.1 {status} ", *(f"{name}: {value}" for name, value in headers), "connection: close", "", ""]
        self._protocol.data_received("\r\n".join(lines).encode("utf-8", "surrogateescape"))

    def _answer_self(self, status: int, code: str, message: str) -> None:
        """Answer in place of the connector."""
        self._answered = True
        kind = "invalid_request_error" if status < 500 else "upstream_error"
        body = orjson.dumps({"error": {"message": message, "type": kind, "param": None, "code": code}})
        # aiohttp sets its parser up after it has written the head.
        self._loop.call_soon(self._write_answer, status, body)

    def _write_answer(self, status: int, body: bytes) -> None:
        if not self._closing:
            self._write_head(status, (("content-type", "application/json"), ("content-length", str(len(body)))))
            self._protocol.data_received(body)
            self._end(None)

    def _end(self, error: Exception | None) -> None:
        """End the connection; `error`: before the response was complete."""
        if self._closing:
            return
        self._closing = True
        self._kept.clear()
        if self._resending is not None and self._resending is not asyncio.current_task():
            self._resending.cancel()
        if self._stream is not None:
            self._stream.reset()
        self._loop.call_soon(self._protocol.connection_lost, error)
