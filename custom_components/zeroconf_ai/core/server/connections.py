"""Connections of a separate port: a client that sends or reads too slowly, or opens too many, is disconnected.

aiohttp itself closes a connection that waits for its next request, and reads the rest of a body whose request has ended for 10 s
at most. `request_body` limits the body of a request. Home Assistant's own server has none of the limits of this module.
"""

from abc import ABC, abstractmethod
import asyncio
from collections import Counter
from collections.abc import Callable
from http import HTTPStatus
from logging import Logger
from typing import Any, cast, override

from aiohttp import StreamReader, web
from aiohttp.http import RawRequestMessage
from aiohttp.http_exceptions import HttpProcessingError
import orjson

from ..protocol.addresses import subscriber
from ..protocol.errors import ApiError, RequestTimeoutError, UnavailableError
from .access.peer_certificate import CertifiedConnections
from .vanished_clients import watch_client

try:
    import resource
except ImportError:  # on Windows, which has no such limit
    resource = None  # type: ignore[assignment]

HEAD_SECONDS = 15.0
"""From the connection, or from the first byte of a later request, until all headers have arrived."""
IDLE_SECONDS = 65.0
"""Until the next request of a connection begins. Reverse proxies close theirs after 60 s, and must be the first to do so."""
STALL_SECONDS = 60.0
"""A client that reads less than STALL_BYTES of what waits for it in this time is disconnected."""
STALL_BYTES = 16 * 1024
READ_BUFFER_BYTES = 64 * 1024
"""Twice as many bytes of a body are buffered until its request, which may have no key, reads them."""
MAX_CONNECTIONS = 2048
LONGEST_LINE = 8190
"""Bytes of a request line, as in Apache. It differs from the next limit, because errors of aiohttp say no more than the limit."""
LONGEST_FIELD = 8192
"""Bytes of a header, its name and value."""
MOST_FIELDS = 128
"""Headers of a request."""
_DESCRIPTORS = 4
"""File descriptors for each connection: its own, the one to the provider, and a reserve for the database and discovery."""


type Refuse = Callable[[web.BaseRequest, int, BaseException | None], web.Response]
"""Makes the answer to a request that reaches no route, or whose handler fails, from a status and the failure."""

REFUSE = web.AppKey[Refuse]("zeroconf_ai_refuse")
"""The answers of an application to requests that aiohttp refuses. Without it, they are aiohttp's texts."""


def _raw_response(error: ApiError, reason: str) -> bytes:
    body = orjson.dumps(error.to_json())
    head = (
        f"HTTP/1.1 {error.status} {reason}",
        "Connection: close",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in error.headers().items()),
    )
    return "\r\n".join((*head, "", "")).encode() + body


_TOO_SLOW = _raw_response(RequestTimeoutError(f"The headers did not arrive within {HEAD_SECONDS:.0f} s."), "Request Timeout")
_TOO_MANY = _raw_response(
    UnavailableError("Too many connections are open. Close some, or try again.", code="too_many_connections", retry_after=5.0),
    "Service Unavailable",
)


class Front(ABC):
    """What the connections of a server have before HTTP, such as a TLS handshake."""

    @abstractmethod
    def __call__(self, secure: Callable[[], asyncio.Protocol]) -> asyncio.Protocol:
        """The first protocol of a connection, which later becomes the protocol that `secure` makes."""

    @abstractmethod
    async def close(self) -> None:
        """End the connections that have not become those of the server."""


class ConnectionLimits:
    """Counts the connections of a server, in total and by address (IPv6: by /64 network)."""

    def __init__(self, maximum: int) -> None:
        """`maximum`: of all connections, of which one address may have half: all clients behind a reverse proxy share one."""
        if resource is not None:
            maximum = min(maximum, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // _DESCRIPTORS)
        self._maximum = maximum
        self._open: Counter[str] = Counter()
        self._total = 0

    def admit(self, address: str) -> bool:
        """Count a new connection. False if there are too many: it is not counted."""
        if self._total >= self._maximum or self._open[address] >= self._maximum // 2:
            return False
        self._total += 1
        self._open[address] += 1
        return True

    def leave(self, address: str) -> None:
        """Count the end of a connection."""
        self._total -= 1
        self._open[address] -= 1
        if not self._open[address]:
            del self._open[address]


class LimitedConnection(web.RequestHandler):
    """A connection with the limits of this module."""

    __slots__ = (
        "_address",
        "_begun",
        "_certified",
        "_events",
        "_head_timer",
        "_limits",
        "_refuse",
        "_responding",
        "_stall_timer",
        "_unsent",
    )

    def __init__(
        self,
        server: web.Server,
        limits: ConnectionLimits,
        logger: Logger,
        refuse: Refuse | None,
        certified: CertifiedConnections | None = None,
    ) -> None:
        """Belongs to the running loop. `certified` learns of it if its client has a certificate."""
        self._events = asyncio.get_running_loop()
        super().__init__(
            server,
            loop=self._events,
            keepalive_timeout=IDLE_SECONDS,
            access_log=None,  # type: ignore[arg-type] # None is allowed, as for `web.AppRunner`
            logger=logger,
            auto_decompress=False,  # see `content_encoding`
            read_bufsize=READ_BUFFER_BYTES,
            max_line_size=LONGEST_LINE,
            max_field_size=LONGEST_FIELD,
            max_headers=MOST_FIELDS,
        )
        self._refuse = refuse
        self._limits = limits
        self._certified = certified
        self._address: str | None = None
        self._begun = False
        self._responding = False
        self._head_timer: asyncio.TimerHandle | None = None
        self._stall_timer: asyncio.TimerHandle | None = None
        self._unsent = 0

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        connection = cast("asyncio.Transport", transport)  # uvloop's has the methods, not the class
        peer = transport.get_extra_info("peername")
        address = subscriber(str(peer[0])) if isinstance(peer, tuple) else ""
        if not self._limits.admit(address):
            self.force_close()
            connection.write(_TOO_MANY)
            connection.close()
            return
        self._address = address
        if self._certified is not None:
            self._certified.opened(connection)
        self._await_head()
        super().connection_made(transport)
        watch_client(transport)

    @override
    def connection_lost(self, exc: BaseException | None) -> None:
        if self._address is not None:
            self._limits.leave(self._address)
            self._address = None
        if self._certified is not None:
            self._certified.closed(self.transport)
        for timer in (self._head_timer, self._stall_timer):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    @override
    def data_received(self, data: bytes) -> None:
        if data and not self._responding:
            self._begun = True
            if self._head_timer is None:
                self._await_head()
        super().data_received(data)
        if self._messages and not isinstance(self._messages[-1][0], RawRequestMessage):
            self._end_unreadable_body()

    def request_begun(self) -> None:
        """All headers of a request have arrived."""
        self._responding = True
        self._begun = False
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    @override
    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        if self._refuse is not None and isinstance(resp, web.HTTPException) and resp.status >= HTTPStatus.BAD_REQUEST:
            resp = self._refused(self._refuse, request, resp.status, None)
        try:
            return await super().finish_response(request, resp, start_time)
        finally:
            self._responding = False  # what arrives now is the rest of the body, or another request

    def _end_unreadable_body(self) -> None:
        """End the body whose rest is no valid HTTP. aiohttp queues an answer to the rest, and lets the body's reader wait."""
        request = self._current_request
        body = self._messages[-2][1] if len(self._messages) > 1 else None if request is None else request.content
        if body is None or body.is_eof():
            return
        if len(self._messages) == 1:  # the running request is answered, and what follows it cannot be told apart
            self._messages.pop()
            self.close()
        body.set_exception(web.RequestPayloadError("the rest of the body is no valid HTTP"))

    @override
    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        if self._refuse is None or request.writer.output_size:
            return super().handle_error(request, status, exc, message)
        if not isinstance(exc, HttpProcessingError):
            super().handle_error(request, status, exc, message)  # logs it
        return self._refused(self._refuse, request, status, exc)

    def _refused(self, refuse: Refuse, request: web.BaseRequest, status: int, failure: BaseException | None) -> web.Response:
        """The answer to a request of which the rest cannot be read, or need not be."""
        answer = refuse(request, status, failure)
        answer.force_close()
        return answer

    @override
    def pause_writing(self) -> None:
        super().pause_writing()
        self._await_reader()

    @override
    def resume_writing(self) -> None:
        if self._stall_timer is not None:
            self._stall_timer.cancel()
        super().resume_writing()

    def _await_head(self) -> None:
        self._head_timer = self._events.call_later(HEAD_SECONDS, self._end_head)

    def _end_head(self) -> None:
        if self._begun and self.transport is not None:
            self.transport.write(_TOO_SLOW)
        self.force_close()

    def _await_reader(self) -> None:
        assert self.transport is not None
        self._unsent = self.transport.get_write_buffer_size()
        self._stall_timer = self._events.call_later(STALL_SECONDS, self._check_reader)

    def _check_reader(self) -> None:
        if self.transport is None:
            return
        if self._unsent - self.transport.get_write_buffer_size() < STALL_BYTES:
            self.transport.abort()
        else:
            self._await_reader()


class _LimitedServer(web.Server):
    """A server of limited connections."""

    def __init__(
        self, made: web.Server, logger: Logger, refuse: Refuse | None, front: Front | None, certified: CertifiedConnections | None
    ) -> None:
        """`made` has the handlers of the application."""
        super().__init__(
            made.request_handler,
            request_factory=_BeginRequest(made.request_factory),
            handler_cancellation=made.handler_cancellation,
        )
        self._limits = ConnectionLimits(MAX_CONNECTIONS)
        self._logger = logger
        self._refuse = refuse
        self._front = front
        self._certified = certified

    @override
    def __call__(self) -> web.RequestHandler:
        if self._front is None:
            return self._connection()
        return cast("web.RequestHandler", self._front(self._connection))  # asyncio needs any protocol here

    @override
    async def shutdown(self, timeout: float | None = None) -> None:
        if self._front is not None:
            await self._front.close()
        await super().shutdown(timeout)

    def _connection(self) -> LimitedConnection:
        return LimitedConnection(self, self._limits, self._logger, self._refuse, self._certified)


class LimitedRunner(web.AppRunner):
    """Runs an application on limited connections."""

    def __init__(
        self,
        app: web.Application,
        *,
        logger: Logger,
        shutdown_timeout: float,
        front: Front | None = None,
        certified: CertifiedConnections | None = None,
    ) -> None:
        """A request is cancelled when its client disconnects; cleanup cancels those that run after `shutdown_timeout` seconds.

        `front`: what the connections have before HTTP; None: they begin with HTTP. `certified`: learns of the connections with a
        client certificate.
        """
        super().__init__(app, handler_cancellation=True, shutdown_timeout=shutdown_timeout, access_log=None, logger=logger)
        self._logger = logger
        self._front = front
        self._certified = certified

    @override
    async def _make_server(self) -> web.Server:
        return _LimitedServer(await super()._make_server(), self._logger, self.app.get(REFUSE), self._front, self._certified)


class _BeginRequest:
    """The application's factory of requests, which is called when all headers of a request have arrived."""

    def __init__(self, factory: Callable[..., web.BaseRequest]) -> None:
        self._factory = factory

    def __call__(
        self, message: RawRequestMessage, payload: StreamReader, protocol: web.RequestHandler, *more: Any
    ) -> web.BaseRequest:
        if isinstance(protocol, LimitedConnection):
            protocol.request_begun()
        return self._factory(message, payload, protocol, *more)
