"""The files of the page, which everybody gets: the page for administrators and the portal are built into one folder."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

from aiohttp import hdrs, web

from ...protocol.errors import MethodNotAllowedError, NotFoundError

FILES: Final = Path(__file__).parent / "files"
"""The page of both homes, built from `frontend/`. Everybody gets these files: they contain the form to log in."""
_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""The headers of every answer of the page and its commands."""


def page_file(request: web.Request, path: str, index: str = "index.html") -> web.StreamResponse:
    """A file of the page that is below `path`; `index` is the file of the page itself.

    Raises NotFoundError or MethodNotAllowedError.
    """
    if request.path == path:
        return web.Response(status=308, headers={hdrs.LOCATION: f"{path}/"})
    name = request.path.removeprefix(f"{path}/") or index
    if (kind := _files().get(name)) is None:
        raise NotFoundError(f"There is nothing at {request.path}.")
    if request.method not in (hdrs.METH_GET, hdrs.METH_HEAD):
        raise MethodNotAllowedError(f"{request.path} allows GET, not {request.method}.")
    # Browsers ask each time whether the file has changed.
    return web.FileResponse(FILES / name, headers={**HEADERS, hdrs.CONTENT_TYPE: kind, hdrs.CACHE_CONTROL: "no-cache"})


def need_method(request: web.Request, method: str) -> None:
    """Raise MethodNotAllowedError for another method."""
    if request.method != method:
        raise MethodNotAllowedError(f"{request.path} allows {method}, not {request.method}.")


@cache
def _files() -> Mapping[str, str]:
    """The types of the files of the page by name. They do not change while the server runs, so the folder is read once."""
    return {file.name: _TYPES[file.suffix] for file in FILES.iterdir() if file.suffix in _TYPES}
