"""A browser with the page of a server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
import json
from typing import Any

import aiohttp

from tests.support.server import Served
from zeroconf_ai.accounting.store import AccountingStore

POLICY = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
JSON = "application/json"
MODEL = "demo-rules"


@dataclass
class Browser:
    """A browser with the page of a server, and its cookies."""

    server: Served
    cookies: dict[str, str]

    @property
    def origin(self) -> str:
        """The origin of the page."""
        return f"http://127.0.0.1:{self.server.port}"

    async def ask(self, command: str, body: Any = None, **headers: str | None) -> tuple[int, Any]:
        """Status and JSON of a command. `headers`: others than those of the page; None leaves one out."""
        given = {
            "Origin": self.origin,
            "Content-Type": JSON,
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        sent = {name: value for name, value in given.items() if value is not None}
        raw = body if isinstance(body, bytes) else json.dumps({} if body is None else body).encode()
        async with self.server.session.post(
            f"{self.origin}/admin/api/{command}", data=raw, headers=sent, cookies=self.cookies
        ) as response:
            assert response.headers["Content-Security-Policy"] == POLICY
            for name, cookie in response.cookies.items():
                self.cookies[name] = cookie.value
            return response.status, await response.json()

    async def log_in(self, key: str) -> None:
        """Log in."""
        status, found = await self.ask("login", {"key": key})
        assert status == 200, found

    async def session(self, **headers: str) -> int:
        """The status of the session."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return (await self.server.ask("GET", "/admin/api/session", headers=named, cookies=self.cookies))[0]

    @asynccontextmanager
    async def live(self, **headers: str) -> AsyncIterator[aiohttp.ClientResponse]:
        """The stream of the live state."""
        named = {"Accept": "text/event-stream", **{name.replace("_", "-"): value for name, value in headers.items()}}
        async with self.server.session.get(
            f"{self.origin}/admin/api/live", headers=named, cookies=self.cookies, timeout=aiohttp.ClientTimeout(30)
        ) as response:
            yield response


@dataclass
class Site:
    """A server with a database, and the key of its administrator."""

    server: Served
    store: AccountingStore
    secret: str
    key_id: str

    def browser(self) -> Browser:
        """A browser that is not logged in."""
        return Browser(self.server, {})


async def event_of(response: aiohttp.ClientResponse) -> str:
    """The next event of a stream, without pings."""
    text = ""
    while not (text.endswith("\n\n") and not text.startswith(":")):
        line = (await response.content.readline()).decode()
        assert line, f"the stream ended: {text}"
        text = "" if text.startswith(":") and line == "\n" else text + line
    return text.strip()
