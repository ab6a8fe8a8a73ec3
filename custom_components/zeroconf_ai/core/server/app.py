"""The server on a port of its own."""

from collections.abc import Awaitable, Callable
from functools import partial

from aiohttp import web

from .. import __version__
from ..protocol.errors import MethodNotAllowedError, NotFoundError
from .dispatch import OPENAI, begin, dispatch
from .endpoints import ROUTES
from .front import page
from .gateway import DRAIN_SECONDS, Gateway

_CANCEL_SECONDS = 2.0
"""How long aiohttp waits for handlers that were told to end before it cancels them."""


def create_app(gateway: Gateway, *, drain_seconds: float = DRAIN_SECONDS) -> web.Application:
    """An application with all routes. When it is shut down, running requests get `drain_seconds` to finish."""
    app = web.Application(middlewares=[_unrouted])
    app.router.add_get("/", partial(page, gateway, __version__))
    for route in ROUTES:
        handler = partial(dispatch, gateway, route)
        if route.method == "GET":
            app.router.add_get(route.path, handler)  # answers HEAD too
        else:
            app.router.add_route(route.method, route.path, handler)

    async def drain(_: web.Application) -> None:
        await gateway.drain(drain_seconds)

    app.on_shutdown.append(drain)
    return app


def create_runner(app: web.Application) -> web.AppRunner:
    """A runner that cancels a request when its client goes away, which cuts the upstream off."""
    return web.AppRunner(app, handler_cancellation=True, shutdown_timeout=_CANCEL_SECONDS, access_log=None)


@web.middleware
async def _unrouted(request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> web.StreamResponse:
    """Errors for what no route takes: in OpenAI's shape, or in that of the path's other methods."""
    try:
        return await handler(request)
    except web.HTTPNotFound:
        message = f"There is nothing at {request.path}. The base URL of this OpenAI-compatible API ends in /v1."
        return begin(request).refuse(NotFoundError(message))
    except web.HTTPMethodNotAllowed as err:
        allowed = " or ".join(sorted(err.allowed_methods - {"HEAD"}))
        manners = next((route.manners for route in ROUTES if route.path == request.path), OPENAI)
        answer = begin(request, manners).refuse(MethodNotAllowedError(f"{request.path} takes {allowed}, not {err.method}."))
        answer.headers["Allow"] = err.headers["Allow"]
        return answer
