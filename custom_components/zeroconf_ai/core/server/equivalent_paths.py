"""Paths of clients whose base URL is not exactly this server's, and the route that each one means.

Clients join a base URL and a path: `http://host:8000` without `/v1`, `http://host:8000/v1/` with a slash at the end, or one with
`/v1` for an SDK that adds `/v1` itself. Clouds have prefixes of their own, which their clients keep.
"""

from collections.abc import Iterable, Iterator, Mapping
import re
from typing import NamedTuple

from .dispatch import Route

_SLASHES = re.compile(r"/{2,}")
_BASE = re.compile(r"(?:/api|/openai)?(?:/v1)+(?=/|$)")
"""`/api/v1` is OpenRouter's base, `/openai/v1` Groq's and Azure's."""
_DEPLOYMENT = re.compile(r"/openai/deployments/[^/]+(?=/)")
"""Azure's base before its version 1; its clients name the model in the body, too."""


class Match(NamedTuple):
    """A route and the variables in its path."""

    route: Route
    variables: Mapping[str, str]


def equivalent_paths(path: str) -> Iterator[str]:
    """The paths that a client may have meant with an unknown one, the likeliest first; the path itself is among them."""
    plain = _SLASHES.sub("/", path).rstrip("/")
    yield plain
    if plain.startswith("/v1/v1beta/"):  # Google's SDK at a base URL with /v1
        yield plain.removeprefix("/v1")
    elif plain != (found := _BASE.sub("/v1", plain, count=1)) and plain.startswith(("/api/", "/openai/", "/v1/")):
        yield found
    elif not plain.startswith("/v1/"):
        yield f"/v1{_DEPLOYMENT.sub('', plain, count=1)}"


def find_routes(routes: Iterable[Route], path: str) -> list[Match]:
    """The routes, one for each method, of the first equivalent of a path that has any."""
    listed = tuple(routes)
    for candidate in equivalent_paths(path):
        if found := [Match(route, variables) for route in listed if (variables := variables_at(route, candidate)) is not None]:
            return found
    return []


def variables_at(route: Route, path: str) -> Mapping[str, str] | None:
    """The variable in the route's path, which has at most one, by name; None if the route is not at `path`."""
    stem, _, rest = route.path.partition("{")
    if not rest:
        return {} if path == route.path else None
    variable, _, tail = rest.rpartition("}")
    value = path[len(stem) : len(path) - len(tail)]
    if not (value and path.startswith(stem) and path.endswith(tail)):
        return None
    return {variable.partition(":")[0]: value}
