"""The base of the fakes with a real HTTP server: it listens, stops, and keeps the requests that it receives."""

from abc import ABC, abstractmethod
import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
import json
from ssl import SSLContext
from typing import Any, Self

from aiohttp import web


@dataclass
class Received:
    """One received request."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: Any
    """The parsed JSON; None if the body is empty."""
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """Its handler has ended."""
    cut: bool = False
    """The client disconnected before the end."""


class FakeServer(ABC):
    """A server that is started and stopped by its methods or as an asynchronous context manager."""

    host: str = "127.0.0.1"
    port: int = 0
    """The port; 0: a free one, which it keeps after a stop."""
    ssl: SSLContext | None = None
    """The TLS context; None: no TLS."""
    prefix = "/v1"
    shutdown_seconds = 0.0
    """How long a stop waits for open connections."""
    received: list[Received]
    _runner: web.AppRunner | None = None

    @property
    def root(self) -> str:
        """The URL of the server without a path."""
        return f"{'https' if self.ssl else 'http'}://{self.host}:{self.port}"

    @property
    def base_url(self) -> str:
        """The base URL for clients."""
        return self.root + self.prefix

    @property
    def serves(self) -> bool:
        """Whether it is started."""
        return self._runner is not None

    def bodies(self, path: str) -> list[Any]:
        """The bodies of the requests to a path."""
        return [received.body for received in self.received if received.path == path]

    async def start(self, port: int = 0) -> None:
        """Serve on the given port, else on its own."""
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_route("*", "/{tail:.*}", self._handle)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=self.shutdown_seconds)
        await self._runner.setup()
        await web.TCPSite(self._runner, self.host, port or self.port, ssl_context=self.ssl).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Stop without a goodbye; `start` uses the same port again."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def __aenter__(self) -> Self:
        """Start."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop."""
        await self.stop()

    @abstractmethod
    async def respond(self, request: web.Request) -> web.StreamResponse:
        """The response to a request, which is kept already and whose body is read."""

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        body = json.loads(raw) if raw and request.content_type != "multipart/form-data" else None
        received = Received(request.method, request.path, request.query_string, request.headers.copy(), body)
        self.received.append(received)
        try:
            return await self.respond(request)
        except (asyncio.CancelledError, ConnectionError):
            received.cut = True
            raise
        finally:
            received.over.set()


def bearer_key(headers: Mapping[str, str]) -> str | None:
    """The key of a request, or None."""
    return (headers.get("Authorization") or "").removeprefix("Bearer ") or None
