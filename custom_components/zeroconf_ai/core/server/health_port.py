"""Health and metrics on a port of their own, for probes and for Prometheus. They need no key there.

`/healthz` says that the process answers, also while it stops; `/readyz` whether requests are answered (`/v1/health` of the API).
"""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from http import HTTPStatus

from aiohttp import web

from ..protocol.errors import ApiError, MethodNotAllowedError, NotFoundError
from ..protocol.status import Health
from ..version import __version__
from .access.auth import Access
from .connections import REFUSE
from .dispatch import RequestContext, begin
from .endpoints.metrics import metrics
from .endpoints.status import health
from .gateway import Gateway
from .unreadable_requests import refusals


async def _alive(_: Gateway, context: RequestContext) -> web.Response:
    return context.json({"status": "ok"})


type _Handler = Callable[[Gateway, RequestContext], Awaitable[web.Response]]

PATHS: Mapping[str, _Handler] = {
    "/healthz": _alive,
    "/livez": _alive,
    "/readyz": health,
    "/health": health,
    "/v1/health": health,
    "/metrics": metrics,
    "/v1/metrics": metrics,
}


HEALTH_PATHS = frozenset(path for path, handler in PATHS.items() if handler is not metrics)
"""The paths that programs probe all the time."""


def create_health_app(gateway: Gateway, access: Access, reachable: Callable[[], bool] | None = None) -> web.Application:
    """An application with the paths of this module for those whom `access` admits.

    `reachable`: whether the link over which clients reach the gateway is up; without a link the gateway is not ready. None:
    clients reach it directly.
    """

    @web.middleware
    async def know_paths(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPMethodNotAllowed:
            return begin(gateway, request).error_response(MethodNotAllowedError(f"{request.path} allows GET."))
        except web.HTTPNotFound:
            message = f"There is nothing at {request.path}. This port has {', '.join(PATHS)}."
            return begin(gateway, request).error_response(NotFoundError(message))

    app = web.Application(middlewares=[know_paths])
    app[REFUSE] = refusals(gateway, logged=False)
    for path, handler in PATHS.items():
        found = handler if handler is not health or reachable is None else partial(_health_of_reachable, reachable)
        app.router.add_get(path, partial(_answer, gateway, access, found))  # answers HEAD too
    return app


async def _health_of_reachable(reachable: Callable[[], bool], gateway: Gateway, context: RequestContext) -> web.Response:
    found = await health(gateway, context)
    if found.status == HTTPStatus.OK and not reachable():
        report = Health("unavailable", gateway.name, __version__, gateway.uptime, gateway.id)
        return context.json(report.to_json(), status=HTTPStatus.SERVICE_UNAVAILABLE)
    return found


async def _answer(gateway: Gateway, access: Access, handler: _Handler, request: web.Request) -> web.StreamResponse:
    context = begin(gateway, request)
    try:
        await access.admit(request, "metrics")
        return await handler(gateway, context)
    except ApiError as err:
        return context.error_response(err)
