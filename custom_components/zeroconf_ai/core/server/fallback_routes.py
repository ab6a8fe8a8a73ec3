"""Responses to requests without a route: unknown paths, wrong methods, and CORS preflights (OPTIONS).

Errors have the error format of the routes under the same path, else OpenAI's.
"""

from collections.abc import Iterable

from aiohttp import hdrs, web

from ..protocol.errors import MethodNotAllowedError, NotFoundError
from .dispatch import OPENAI, ErrorFormat, RequestContext, Route, begin
from .endpoints import OWN_PORT_ROUTES, ROUTES
from .endpoints.ollama import OLLAMA
from .endpoints.ollama_models import unknown_path
from .gateway import Gateway


def not_found(gateway: Gateway | None, request: web.Request) -> web.Response:
    """404 for an unknown path."""
    message = f"There is nothing at {request.path}. The base URL of this OpenAI-compatible API ends in /v1."
    return _context(gateway, request).error_response(NotFoundError(unknown_path(request.path) or message))


def method_not_allowed(gateway: Gateway | None, request: web.Request, allowed: Iterable[str]) -> web.Response:
    """405 for a path that has only the methods `allowed`."""
    methods = sorted(allowed)
    words = " or ".join(method for method in methods if method != hdrs.METH_HEAD)
    answer = _context(gateway, request).error_response(
        MethodNotAllowedError(f"{request.path} allows {words}, not {request.method}.")
    )
    answer.headers[hdrs.ALLOW] = ",".join(methods)
    return answer


def preflight(gateway: Gateway | None, request: web.Request) -> web.Response:
    """The response to OPTIONS, which needs no key because browsers send none. Without CORS: 405, or 404 for an unknown path."""
    methods = _methods(request.path)
    if gateway is None or not gateway.origins:
        return method_not_allowed(gateway, request, methods) if methods else not_found(gateway, request)
    context = _context(gateway, request)
    requested = request.headers.get(hdrs.ACCESS_CONTROL_REQUEST_HEADERS, "")
    headers = gateway.origins.preflight(request.headers.get(hdrs.ORIGIN), methods, requested)
    return web.Response(status=204, headers=context.headers | headers)


def _context(gateway: Gateway | None, request: web.Request) -> RequestContext:
    return begin(gateway, request, _error_format(request.path))


def _error_format(path: str) -> ErrorFormat:
    """The error format of the route at the path or at a parent path."""
    if unknown_path(path) is not None:
        return OLLAMA
    found = (route.error_format for route in ROUTES if _is_at(route, path) or path.startswith(f"{route.path}/"))
    return next(found, OPENAI)


def _methods(path: str) -> list[str]:
    found = {route.method for route in (*ROUTES, *OWN_PORT_ROUTES) if _is_at(route, path)}
    return sorted(found | ({hdrs.METH_HEAD} if hdrs.METH_GET in found else set()))


def _is_at(route: Route, path: str) -> bool:
    stem, variable, _ = route.path.partition("{")
    return path.startswith(stem) and len(path) > len(stem) if variable else path == route.path
