"""A server with the portal, an OpenID provider, and browsers."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, fields, replace
from datetime import UTC
import json
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
import pytest
from yarl import URL

from tests.support.fakes.open_id import CLIENT_ID, CLIENT_SECRET, FakeOpenId, open_id_provider
from tests.support.server import CHAT, Served, served
from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.accounting.users.user import User
from zeroconf_ai.config.portal_fields import AllowList, KeySettings, PortalSettings
from zeroconf_ai.server.access.guard import Guard
from zeroconf_ai.server.portal.open_id import OpenIdProvider
from zeroconf_ai.server.portal.policy import PortalPolicy
from zeroconf_ai.server.portal.portal import PATH, Portal

PUBLIC = "https://ai.example.net"


@dataclass
class Browser:
    """A browser that reaches the server as PUBLIC: it keeps cookies as browsers do, and does not follow redirects by itself."""

    server: Served
    cookies: dict[str, str] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)
    """The attributes of the cookies that were set last, by name."""

    async def get(self, path: str, **headers: str) -> aiohttp.ClientResponse:
        """The response to a GET of a path, or of an address below PUBLIC."""
        address = path.removeprefix(PUBLIC)
        assert address.startswith("/"), f"the portal sent the browser to {path}"
        return await self._ask("GET", address, headers={name.replace("_", "-"): value for name, value in headers.items()})

    async def send(self, command: str, body: Any = None, **headers: str | None) -> tuple[int, Any]:
        """Status and JSON of a command. `headers`: others than those of the page; None leaves one out."""
        usual = {"Origin": PUBLIC, "Content-Type": "application/json", "Sec-Fetch-Site": "same-origin"}
        given = {**usual, **{name.replace("_", "-"): value for name, value in headers.items()}}
        sent = {name: value for name, value in given.items() if value is not None}
        response = await self._ask(
            "POST", f"{PATH}/api/{command}", data=json.dumps({} if body is None else body).encode(), headers=sent
        )
        return response.status, await response.json()

    async def session(self) -> tuple[int, Any]:
        """Status and JSON of the session."""
        response = await self.get(f"{PATH}/api/session")
        return response.status, await response.json()

    async def _ask(self, method: str, path: str, **options: Any) -> aiohttp.ClientResponse:
        headers = {**options.pop("headers"), "Host": "inside:8000"}
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        url = URL(f"http://127.0.0.1:{self.server.port}{path}", encoded=True)
        async with self.server.session.request(method, url, allow_redirects=False, headers=headers, **options) as response:
            await response.read()
        for name, cookie in response.cookies.items():
            self.attributes[name] = dict(cookie)
            if cookie["max-age"] == "0" or not cookie.value:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = cookie.value
        return response


@dataclass
class Site:
    """A server with the portal."""

    server: Served
    store: AccountingStore
    provider: FakeOpenId
    settings: PortalSettings
    session: aiohttp.ClientSession
    portal: Portal = field(init=False)

    def __post_init__(self) -> None:
        """Make the portal."""
        self.begin_anew()

    def begin_anew(self) -> None:
        """Replace the portal by one that has asked the provider nothing, and let the provider be as at first."""
        policy = PortalPolicy(self.settings, self.store.users)
        provider = OpenIdProvider(self.session, self.settings)
        self.portal = Portal(self.server.gateway, self.store, policy, provider, "root@example.net")
        fresh = FakeOpenId(self.provider.port)
        for one in fields(FakeOpenId):
            setattr(self.provider, one.name, getattr(fresh, one.name))

    def browser(self) -> Browser:
        """A browser in which nobody has signed in."""
        return Browser(self.server)

    async def go_to_provider(self, browser: Browser) -> str:
        """Begin to sign in; returns where the browser is sent."""
        response = await browser.get(f"{PATH}/login")
        assert response.status == 303, await response.text()
        return response.headers["Location"]

    async def sign_in(self, browser: Browser | None = None) -> tuple[Browser, str]:
        """Sign in; returns the browser, and the address of the page to which it is sent in the end."""
        browser = browser or self.browser()
        response = await browser.get(self.provider.return_address(await self.go_to_provider(browser)))
        assert response.status == 303
        return browser, response.headers["Location"]

    async def enter(self) -> Browser:
        """A browser in which the provider's person has signed in."""
        browser, address = await self.sign_in()
        assert address == f"{PUBLIC}{PATH}/", address
        return browser

    async def new_key(self, browser: Browser, name: str = "laptop") -> dict[str, Any]:
        """A new API key."""
        status, found = await browser.send("keys/create", {"name": name})
        assert status == 200, found
        return dict(found)

    async def chat(self, secret: str) -> tuple[int, str | None]:
        """Status of a chat with an API key, and the code of the error."""
        headers = {"Authorization": f"Bearer {secret}"}
        body = {**CHAT, "model": "demo-rules"}
        status, found, _ = await self.server.ask("POST", "chat/completions", json=body, headers=headers)
        return status, found.get("error", {}).get("code")

    @property
    def person(self) -> User:
        """The only person who has signed in."""
        (found,) = self.store.users
        return found

    def person_named(self, subject: str) -> User:
        """The person with a subject."""
        return next(user for user in self.store.users if user.identity.subject == subject)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[AccountingStore]:
    opened = await AccountingStore.open(tmp_path / "gateway.db", zone=UTC)
    yield opened
    await opened.close()


@pytest.fixture
async def provider() -> AsyncIterator[FakeOpenId]:
    async with open_id_provider() as fake:
        yield fake


@pytest.fixture
def settings(provider: FakeOpenId) -> PortalSettings:
    allow = AllowList(subjects=frozenset({"ada"}), groups=frozenset({"ai-users"}), domains=frozenset({"example.org"}))
    keys = KeySettings(2, ("demo*",), ("chat", "models"), requests_per_minute=1000, valid_days=30, monthly_budget=5.0)
    return PortalSettings(PUBLIC, provider.issuer, CLIENT_ID, allow, CLIENT_SECRET, keys=keys)


type Open = Callable[..., Awaitable[Site]]


@pytest.fixture
async def open_site(store: AccountingStore, provider: FakeOpenId, settings: PortalSettings) -> AsyncIterator[Open]:
    """Opens a server with the portal; keyword arguments replace its settings."""
    async with AsyncExitStack() as stack:

        async def make(**changes: Any) -> Site:
            chosen = replace(settings, **changes)
            policy = PortalPolicy(chosen, store.users)
            session = await stack.enter_async_context(aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()))

            async def answer(request: web.Request) -> web.StreamResponse:
                return await made.portal.answer(request)  # the present one

            server = await stack.enter_async_context(
                served(
                    access=Guard(store.keys, active_user=policy.is_active, blocked_user=store.users.is_blocked),
                    ledger=store.ledger,
                    pages=lambda _: {PATH: answer},
                )
            )
            made = Site(server, store, provider, chosen, session)
            return made

        yield make


@pytest.fixture
async def site(open_site: Open) -> Site:
    return await open_site()
