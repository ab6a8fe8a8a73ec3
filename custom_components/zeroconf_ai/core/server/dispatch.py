"""From an HTTP request to its handler and back: request id, key, body, errors. Knows no `web.Application`.

Home Assistant's views call `dispatch` with their own requests, so no handler may count on middlewares or on the application's
limits, and errors are returned, never raised: raising a 401 inside Home Assistant would ban the caller's address.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
import logging
import re
from secrets import token_hex
from typing import Any
from urllib.parse import quote

from aiohttp import hdrs, web
import orjson

from ..engine import Caller, Source
from ..protocol.errors import ApiError, AuthenticationError, InvalidRequestError, RequestTooLargeError
from .gateway import Gateway

_LOGGER = logging.getLogger(__name__)

_SANE_ID = re.compile(r"[\w.:/+=@-]{1,128}", re.ASCII)
_MAX_HOPS = 32
_NOBODY = Caller(Source.HTTP)


@dataclass(frozen=True, slots=True)
class ErrorFormat:
    """What a path's clients expect of every answer there, whatever it says."""

    error_body: Callable[[ApiError, str], Mapping[str, Any]]
    """The JSON of an error, from the error and the request's id."""
    id_headers: tuple[str, ...] = ("X-Request-ID",)


OPENAI = ErrorFormat(lambda error, _: error.to_json())


@dataclass(slots=True)
class RequestContext:
    """One HTTP request: as it came, and the id that it has in logs and in its answer."""

    http: web.Request
    id: str
    error_format: ErrorFormat = OPENAI
    caller: Caller = _NOBODY
    """Who asks; known once it was let in."""
    cors: Mapping[str, str] = field(default_factory=dict)
    """What lets a web page read the answer."""

    @property
    def headers(self) -> dict[str, str]:
        """The headers of every answer: the request's id, and what lets a web page read it."""
        return {**dict.fromkeys(self.error_format.id_headers, self.id), **self.cors}

    @property
    def via(self) -> tuple[str, ...]:
        """The ids of the gateways that it came through (`Via: 1.1 ID, 1.1 ID`)."""
        hops = [hop.split() for line in self.http.headers.getall("Via", ()) for hop in line.split(",")]
        return tuple(hop[1] for hop in hops if len(hop) > 1 and _SANE_ID.fullmatch(hop[1]))[:_MAX_HOPS]

    def json(
        self, body: Mapping[str, Any] | bytes, *, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> web.Response:
        """An answer in JSON."""
        raw = body if isinstance(body, bytes) else orjson.dumps(body)
        named = self.headers | dict(headers or {})
        return web.Response(body=raw, status=status, headers=named, content_type="application/json")

    def refuse(self, error: ApiError) -> web.Response:
        """An error as the answer."""
        headers = error.headers()
        if isinstance(error, AuthenticationError):
            headers["WWW-Authenticate"] = "Bearer"  # RFC 9110, 11.6.1
        return self.json(self.error_format.error_body(error, self.id), status=error.status, headers=headers)

    async def read(self, limit: int) -> bytes:
        """The body. Raises RequestTooLargeError for more than `limit` bytes, before reading them where their number is known."""
        length = self.http.content_length
        parts: list[bytes] = []
        size = 0
        if length is None or length <= limit:
            try:
                while part := await self.http.content.readany():
                    size += len(part)
                    if size > limit:
                        break
                    parts.append(part)
                else:
                    return b"".join(parts)
            except (web.RequestPayloadError, ValueError) as err:
                _LOGGER.info("The body of request %s cannot be read: %s", self.id, err)
                message = "The body cannot be read. Check its length, encoding and compression."
                raise InvalidRequestError(message, code="invalid_body") from err
        raise RequestTooLargeError(f"The request is larger than {limit} bytes, the most that is taken here.")


type Handler = Callable[[Gateway, RequestContext], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Route:
    """A path, in aiohttp's notation, and what answers there. A `public` one needs no key and is answered to the last.

    `scope` is the word by which a key is allowed a group of paths.
    """

    method: str
    path: str
    handler: Handler
    scope: str = ""
    public: bool = False
    error_format: ErrorFormat = OPENAI


async def dispatch(gateway: Gateway, route: Route, request: web.Request) -> web.StreamResponse:
    """The answer to `request`; errors of every kind included."""
    call = begin(gateway, request, route.error_format)
    try:
        if route.public:
            return await route.handler(gateway, call)
        gateway.begin()
        try:
            call.caller = await gateway.access.admit(request, route.scope)
            return await route.handler(gateway, call)
        finally:
            gateway.end()
    except ApiError as err:
        return call.refuse(err)
    except ConnectionResetError:
        raise  # the client has gone: nobody is left to be told anything
    except Exception:
        _LOGGER.exception("Request %s to %s failed", call.id, route.path)
        return call.refuse(internal_error(call.id))


def begin(gateway: Gateway | None, request: web.Request, error_format: ErrorFormat = OPENAI) -> RequestContext:
    """A call with the client's own request id where that is harmless, else with a new one. None: nobody will answer it."""
    named = request.headers.get("X-Request-ID", "")
    cors = gateway.origins.headers(request.headers.get(hdrs.ORIGIN)) if gateway is not None else {}
    return RequestContext(request, named if _SANE_ID.fullmatch(named) else f"req_{token_hex(16)}", error_format, cors=cors)


def internal_error(request_id: str) -> ApiError:
    """What a client is told of a mistake of ours; the details are in the log alone."""
    return ApiError(f"The server failed. Its log says why, at request {request_id}.", code="internal_error")


@lru_cache(maxsize=256)
def header_text(text: str) -> str:
    """`text` for a header: percent-encoded where it is not plain ASCII."""
    return quote(text, safe=" !#$&'()*+,-./:;<=>?@[]^_`{|}~")
