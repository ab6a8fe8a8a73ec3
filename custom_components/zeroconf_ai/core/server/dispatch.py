"""Calls the handler of an HTTP request: request id, authentication, body, errors. Independent of `web.Application`.

Home Assistant's views call `dispatch` with their own requests. Handlers must therefore not rely on middlewares or on the
application's limits, and errors are returned, never raised: a raised 401 would make Home Assistant ban the client's address.
"""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from functools import lru_cache
import logging
from typing import Any
from urllib.parse import quote

from aiohttp import hdrs, web
import orjson

from ..engine import Caller, Source
from ..protocol.errors import ApiError, AuthenticationError, RequestTimeoutError
from ..protocol.values import NOTHING
from .body_memory import BodyShare
from .connections import LimitedConnection
from .gateway import Gateway
from .request_body import read_json, receiving
from .request_log import CLIENT_CLOSED, CURRENT, id_of, is_sane_id
from .vanished_clients import watch_client

_LOGGER = logging.getLogger(__name__)

_MAX_HOPS = 32
_UNKNOWN_CALLER = Caller(Source.HTTP)


@dataclass(frozen=True, slots=True)
class ErrorFormat:
    """The error format that the clients of a path expect."""

    error_body: Callable[[ApiError, str], Mapping[str, Any]]
    """Make the JSON body from the error and the request id."""
    id_headers: tuple[str, ...] = ("X-Request-ID",)


OPENAI = ErrorFormat(lambda error, _: error.to_json())


@dataclass(slots=True)
class RequestContext:
    """One HTTP request, and its id in logs and in the response."""

    http: web.Request
    id: str
    error_format: ErrorFormat = OPENAI
    caller: Caller = _UNKNOWN_CALLER
    """Set after authentication."""
    cors: Mapping[str, str] = field(default_factory=dict)
    """CORS headers of the response."""
    share: BodyShare | None = None
    """The memory of its body; set after authentication."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """The variables in the request's path."""

    @property
    def headers(self) -> dict[str, str]:
        """The headers of every response: request id and CORS."""
        return {**dict.fromkeys(self.error_format.id_headers, self.id), **self.cors}

    @property
    def via(self) -> tuple[str, ...]:
        """The ids of the gateways that forwarded it (`Via: 1.1 ID, 1.1 ID`)."""
        hops = [hop.split() for line in self.http.headers.getall("Via", ()) for hop in line.split(",")]
        return tuple(hop[1] for hop in hops if len(hop) > 1 and is_sane_id(hop[1]))[:_MAX_HOPS]

    def json(
        self, body: Mapping[str, Any] | bytes, *, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> web.Response:
        """A JSON response."""
        raw = body if isinstance(body, bytes) else orjson.dumps(body)
        named = self.headers | dict(headers or {})
        return web.Response(body=raw, status=status, headers=named, content_type="application/json")

    def error_response(self, error: ApiError) -> web.Response:
        """The response for an error."""
        headers = error.headers()
        if isinstance(error, AuthenticationError):
            headers["WWW-Authenticate"] = "Bearer"  # RFC 9110, 11.6.1
        response = self.json(self.error_format.error_body(error, self.id), status=error.status, headers=headers)
        if isinstance(error, RequestTimeoutError):
            response.force_close()  # RFC 9110, 15.5.9
        return response

    async def read(self, limit: int) -> bytes:
        """Read a body of JSON. Raises as `read_json` does."""
        assert self.share is not None
        return await read_json(self.http, self.share, limit, self.id)

    def receiving(self, limit: int) -> AbstractAsyncContextManager[None]:
        """A block that reads a body in parts (`request_body.receiving`)."""
        assert self.share is not None
        return receiving(self.http, self.share, limit)


type Handler = Callable[[Gateway, RequestContext], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Route:
    """A path in aiohttp's notation and its handler.

    A `public` route needs no key and is answered while the server stops. `scope`: the group of paths that a key is allowed.
    """

    method: str
    path: str
    handler: Handler
    scope: str = ""
    public: bool = False
    error_format: ErrorFormat = OPENAI
    formats: Mapping[str, ErrorFormat] = NOTHING
    """The error formats of clients that send a header, by the header."""
    page: Callable[[Gateway, web.Request], web.Response | None] | None = None
    """What a browser gets without a key; the function returns None for a program."""

    def format_for(self, request: web.Request) -> ErrorFormat:
        """The error format that the client of a request expects."""
        return next((found for header, found in self.formats.items() if header in request.headers), self.error_format)


async def dispatch(
    gateway: Gateway, route: Route, request: web.Request, variables: Mapping[str, str] | None = None
) -> web.StreamResponse:
    """Return the response to `request`, also for every kind of error. `variables` of its path; None: those that aiohttp found."""
    context = begin(gateway, request, route.format_for(request))
    context.variables = request.match_info if variables is None else variables
    if not isinstance(request.protocol, LimitedConnection):  # which has done so once
        watch_client(request.transport)
    try:
        if route.page is not None and (page := route.page(gateway, request)) is not None:
            return page
        if route.public:
            return await route.handler(gateway, context)
        gateway.begin()
        try:
            context.caller = caller = await gateway.access.admit(request, route.scope)
            if (log := CURRENT.get()) is not None:
                log.caller = caller
            context.share = BodyShare(gateway.body_memory, caller.key_id or caller.user_id or caller.address or "")
            return await route.handler(gateway, context)
        finally:
            if context.share is not None:
                context.share.release()
            gateway.end()
    except ApiError as err:
        return context.error_response(err)
    except ConnectionError:
        if request.transport is not None and not request.transport.is_closing():
            _LOGGER.exception("Request %s to %s failed", context.id, route.path)
            return context.error_response(internal_error(context.id))
        return web.Response(status=CLIENT_CLOSED)  # not raised: aiohttp would log a traceback for a client that has left
    except Exception:
        _LOGGER.exception("Request %s to %s failed", context.id, route.path)
        return context.error_response(internal_error(context.id))


def begin(gateway: Gateway | None, request: web.Request, error_format: ErrorFormat = OPENAI) -> RequestContext:
    """The request context, with the client's request id if it is valid, else with a new one. `gateway` None: no gateway runs."""
    cors = gateway.origins.headers(request.headers.get(hdrs.ORIGIN)) if gateway is not None else {}
    return RequestContext(request, id_of(request), error_format, cors=cors)


def internal_error(request_id: str) -> ApiError:
    """The error for an internal failure; only the log has the details."""
    return ApiError(f"Internal error. The server's log has the details, under request {request_id}.", code="internal_error")


@lru_cache(maxsize=256)
def header_text(text: str) -> str:
    """`text` for a header: percent-encoded unless it is plain ASCII."""
    return quote(text, safe=" !#$&'()*+,-./:;<=>?@[]^_`{|}~")
