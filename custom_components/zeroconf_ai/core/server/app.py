"""The server on a separate port."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
import logging
import ssl

from aiohttp import hdrs, web
from aiohttp.typedefs import Middleware

from ..protocol.values import NOTHING
from ..version import __version__
from .access.peer_certificate import CertifiedConnections
from .administration.administration import PATH, Administration
from .authority_page import AUTHORITY_PATH, authority_certificate
from .connections import REFUSE, LimitedRunner
from .content_encoding import COMPRESSED_BODIES
from .dispatch import dispatch
from .endpoints import OWN_PORT_ROUTES, ROUTES
from .fallback_routes import answer_at_equivalent_path, method_not_allowed, preflight
from .gateway import DRAIN_SECONDS, Gateway
from .landing_page import PORTAL_PATH, landing_page
from .relay_entrance import BROKERS_PATH, RELAY_PATH
from .relay_port import admit_broker, admit_connector
from .request_log import Handler
from .tls.front import TlsFront
from .unreadable_requests import refusals

_HTTP_LOGGER = logging.getLogger(f"{__name__}.http")
_CANCEL_SECONDS = 2.0
"""How long aiohttp waits for interrupted handlers before it cancels them."""


def create_app(
    gateway: Gateway,
    *,
    drain_seconds: float | None = DRAIN_SECONDS,
    administration: Administration | None = None,
    pages: Mapping[str, Callable[[web.Request], Awaitable[web.StreamResponse]]] = NOTHING,
) -> web.Application:
    """An application with all routes.

    Its shutdown drains the gateway, which gives running requests `drain_seconds` to finish. None: the caller drains it,
    or another server keeps using it. `administration` is the page below `/admin`, whose sessions end at the shutdown. `pages`
    answer all other requests at and below a path such as `/portal`.
    """
    app = web.Application(middlewares=[_fallback_middleware(gateway)])
    app[REFUSE] = refusals(gateway, logged=True)
    portal = f"{PORTAL_PATH}/" if PORTAL_PATH in pages else None
    app.router.add_get("/", partial(landing_page, gateway, __version__, None if administration is None else f"{PATH}/", portal))
    for route in (*ROUTES, *OWN_PORT_ROUTES):
        handler = partial(dispatch, gateway, route)
        if route.method == "GET":
            app.router.add_get(route.path, handler)  # answers HEAD too
        else:
            app.router.add_route(route.method, route.path, handler)

    app.router.add_get(AUTHORITY_PATH, partial(authority_certificate, gateway))
    app.router.add_get(RELAY_PATH, partial(admit_connector, gateway), allow_head=False)
    app.router.add_get(f"{BROKERS_PATH}/{{connector}}", partial(admit_broker, gateway), allow_head=False)
    if administration is not None:
        app.router.add_route(hdrs.METH_ANY, f"{PATH}{{rest:(/.*)?}}", administration.answer)

    for path, answer in pages.items():
        app.router.add_route(hdrs.METH_ANY, f"{path}{{rest:(/.*)?}}", answer)

    async def drain(_: web.Application) -> None:
        if administration is not None:
            await administration.close()
        if drain_seconds is not None:
            await gateway.drain(drain_seconds)

    if administration is not None:
        app.on_startup.append(lambda _: administration.open())
    app.on_shutdown.append(drain)
    return app


def create_runner(
    app: web.Application,
    *,
    cancel_seconds: float = _CANCEL_SECONDS,
    tls: ssl.SSLContext | None = None,
    certified: CertifiedConnections | None = None,
) -> web.AppRunner:
    """A runner that cancels a request, and so its upstream request, when the client disconnects, and disconnects slow clients.

    Its cleanup cancels requests that still run after `cancel_seconds`. `tls`: its ports speak TLS with this context, and answer
    plain HTTP with the https address. `certified`: learns of the connections with a client certificate.
    """
    _HTTP_LOGGER.addFilter(_is_own_failure)
    app[COMPRESSED_BODIES] = True
    front = None if tls is None else TlsFront(tls)
    return LimitedRunner(app, shutdown_timeout=cancel_seconds, logger=_HTTP_LOGGER, front=front, certified=certified)


def _is_own_failure(record: logging.LogRecord) -> bool:
    """Whether a record of aiohttp is not about a client that has left, or about a body that cannot be read."""
    failure = record.exc_info[1] if record.exc_info else None
    return not isinstance(failure, ConnectionError | web.RequestPayloadError)


def _fallback_middleware(gateway: Gateway) -> Middleware:
    """A middleware that answers requests without a route, and closes the connections of a server that stops."""

    async def find(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method == hdrs.METH_OPTIONS:
            return preflight(gateway, request)
        try:
            return await handler(request)
        except web.HTTPNotFound:
            return await answer_at_equivalent_path(gateway, request)
        except web.HTTPMethodNotAllowed as err:
            return method_not_allowed(gateway, request, err.allowed_methods)

    @web.middleware
    async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        request = gateway.proxies.seen_through(request)
        log = gateway.request_log
        response = await (find(request, handler) if log is None else log.answer(request, partial(find, handler=handler)))
        if gateway.draining and not response.prepared:
            response.force_close()
        return response

    return answer
