"""The MCP server over streamable HTTP: who may connect, and from which web pages."""

from dataclasses import dataclass
import secrets
import socket

from mcp.server.mcpserver import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send
import uvicorn

PATH = "/mcp"
_MAX_CONNECTIONS = 64
_GRACE_SECONDS = 5
"""How long running calls may go on when the server stops."""
_LOOPBACK_HOSTS = ["127.0.0.1:*", "localhost:*", "[::1]:*"]
"""Host names in requests from this machine. Another name is a web page's own, which resolves to this machine (DNS rebinding)."""


@dataclass(frozen=True, slots=True)
class Access:
    """Who may connect."""

    key: str | None
    """The bearer token of every request; None: requests need no token."""
    origins: tuple[str, ...] = ()
    """The origins of web pages that may connect. Programs send no origin."""


def create_app(server: MCPServer[None], access: Access, *, local: bool) -> ASGIApp:
    """The application. `local`: whether it listens for this machine only."""
    security = TransportSecuritySettings(
        enable_dns_rebinding_protection=local, allowed_hosts=_LOOPBACK_HOSTS, allowed_origins=[*access.origins]
    )
    app: ASGIApp = server.streamable_http_app(streamable_http_path=PATH, stateless_http=True, transport_security=security)
    app = _Guard(app, access)
    if access.origins:
        app = CORSMiddleware(
            app, access.origins, allow_methods=["GET", "POST"], allow_headers=["*"], expose_headers=["Mcp-Session-Id"]
        )
    return app


async def serve(app: ASGIApp, listening: socket.socket) -> None:
    """Serve until SIGINT or SIGTERM."""
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        limit_concurrency=_MAX_CONNECTIONS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    await uvicorn.Server(config).serve([listening])


class _Guard:
    """Checks the origin of every request, then its key."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(Headers(scope=scope)) if scope["type"] == "http" else None
        await (refusal or self._app)(scope, receive, send)

    def _refusal(self, headers: Headers) -> JSONResponse | None:
        """The reason to refuse a request; None: accept it."""
        origin = headers.get("origin")
        if origin is not None and origin not in self._access.origins:
            return JSONResponse({"error": "This web page may not connect. Allow its origin with --allow-origin."}, 403)
        if self._access.key is None:
            return None
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and secrets.compare_digest(token.strip().encode(), self._access.key.encode()):
            return None
        return JSONResponse({"error": "The access key is missing or wrong."}, 401, {"WWW-Authenticate": "Bearer"})
