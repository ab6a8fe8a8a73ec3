"""Responses to requests without a route: equivalent paths, unknown ones, wrong methods, and CORS preflights (OPTIONS).

Errors have the error format of the routes under the same path, else OpenAI's.
"""

from collections.abc import Iterable

from aiohttp import hdrs, web

from ..protocol.errors import MethodNotAllowedError, NotFoundError
from .dispatch import OPENAI, ErrorFormat, RequestContext, Route, begin, dispatch
from .endpoints import OWN_PORT_ROUTES, ROUTES
from .endpoints.gemini import GEMINI, PREFIX
from .endpoints.ollama import OLLAMA
from .endpoints.ollama_models import unknown_path
from .equivalent_paths import equivalent_paths, find_routes
from .gateway import Gateway


async def answer_at_equivalent_path(
    gateway: Gateway, request: web.Request, routes: Iterable[Route] = (*ROUTES, *OWN_PORT_ROUTES)
) -> web.StreamResponse:
    """The response of the route that the client probably means (`equivalent_paths`); 404 if there is no such route, else 405."""
    found = {match.route.method: match for match in find_routes(routes, request.path)}
    if not found:
        return not_found(gateway, request)
    method = hdrs.METH_GET if request.method == hdrs.METH_HEAD else request.method
    if (match := found.get(method)) is None:
        return method_not_allowed(gateway, request, _with_head(found))
    return await dispatch(gateway, match.route, request, match.variables)


def not_found(gateway: Gateway | None, request: web.Request) -> web.Response:
    """404 for an unknown path."""
    hint = "The base URL of this OpenAI-compatible API ends in /v1."
    if _error_format(request.path) is GEMINI:
        hint = "Google's clients append their paths to a base URL without a path."
    message = unknown_path(request.path) or f"There is nothing at {request.path}. {hint}"
    return _context(gateway, request).error_response(NotFoundError(message))


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
    """The error format of the route that is at the path, or else at a parent path."""
    if found := find_routes((*ROUTES, *OWN_PORT_ROUTES), path):
        return found[0].route.error_format
    if unknown_path(path) is not None:
        return OLLAMA
    if f"{path}/".startswith(f"{PREFIX}/"):
        return GEMINI
    paths = tuple(equivalent_paths(path))
    formats = (route.error_format for route in ROUTES if any(place.startswith(f"{route.path}/") for place in paths))
    return next(formats, OPENAI)


def _methods(path: str) -> list[str]:
    return sorted(_with_head({match.route.method for match in find_routes((*ROUTES, *OWN_PORT_ROUTES), path)}))


def _with_head(methods: Iterable[str]) -> set[str]:
    known = set(methods)
    return known | ({hdrs.METH_HEAD} if hdrs.METH_GET in known else set())
