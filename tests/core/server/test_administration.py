"""The API of the page at `/admin/` of a server's own port: sessions, origins, revoked keys, throttling, and each command."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC
from ipaddress import ip_address
import json
from pathlib import Path
import time
from typing import Any
from unittest.mock import ANY

import aiohttp
import pytest
from yarl import URL

from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.accounting.usage.generation import Generation, Outcome
from zeroconf_ai.lan.providers import Provider
from zeroconf_ai.lan.trust import Trust
from zeroconf_ai.protocol.errors import AuthenticationError
from zeroconf_ai.protocol.record import ServiceRecord
from zeroconf_ai.protocol.status import ProviderState
from zeroconf_ai.protocol.usage import Usage
from zeroconf_ai.routing.policy import Policy
from zeroconf_ai.server.access.auth_throttle import FAILURES
from zeroconf_ai.server.access.guard import Guard
from zeroconf_ai.server.administration.administration import FILES, Administration
from zeroconf_ai.server.administration.commands import COMMANDS
from zeroconf_ai.server.administration.live_stream import STREAM_LIMIT
from zeroconf_ai.server.administration.program import Program
from zeroconf_ai.server.administration.sessions import LIFETIME, MAX_SESSIONS, Sessions
from zeroconf_ai.server.gateway import Gateway

from ...support.fakes.upstream import StubBackend
from ...support.server import CHAT, KEY, Served, served
from ...support.waiting import until

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


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[AccountingStore]:
    opened = await AccountingStore.open(tmp_path / "gateway.db", zone=UTC)
    yield opened
    await opened.close()


@pytest.fixture
async def site(store: AccountingStore) -> AsyncIterator[Site]:
    key, secret = await store.keys.create("Owner", endpoints=("admin",))
    async with served(
        access=Guard(store.keys),
        ledger=store.ledger,
        administration=lambda gateway: Administration(gateway, store),
        cors_origins=("*",),
    ) as server:
        yield Site(server, store, secret, key.id)


@pytest.fixture
async def owner(site: Site) -> Browser:
    """A browser in which the administrator is logged in."""
    browser = site.browser()
    await browser.log_in(site.secret)
    return browser


async def event_of(response: aiohttp.ClientResponse) -> str:
    """The next event of a stream, without pings."""
    text = ""
    while not (text.endswith("\n\n") and not text.startswith(":")):
        line = (await response.content.readline()).decode()
        assert line, f"the stream ended: {text}"
        text = "" if text.startswith(":") and line == "\n" else text + line
    return text.strip()


async def test_administration_without_a_session_refuses_every_command_and_the_stream(site: Site) -> None:
    browser = site.browser()
    for command in (*COMMANDS, "logout"):
        status, found = await browser.ask(command)
        assert (status, found["error"]["code"]) == (401, "no_session"), command
    assert await browser.session() == 401
    async with browser.live() as response:
        assert response.status == 401
    browser.cookies = {"zai_session_gatewayid": "\udcff guessed"}
    assert await browser.session() == 401
    assert (await site.server.ask("POST", "/admin/api/keys", headers={"Authorization": f"Bearer {site.secret}"}))[0] == 403


async def test_administration_key_for_all_endpoints_is_no_administrators(site: Site) -> None:
    _, secret = await site.store.keys.create("Laptop")
    browser = site.browser()
    status, found = await browser.ask("login", {"key": secret})
    assert (status, found["error"]["code"]) == (403, "no_admin_key")
    assert "--endpoint admin" in found["error"]["message"]
    assert browser.cookies == {}


async def test_administration_login_sets_a_cookie_that_no_script_and_no_other_site_gets(site: Site) -> None:
    headers = {"Origin": f"http://127.0.0.1:{site.server.port}", "Content-Type": JSON}
    status, found, told = await site.server.ask("POST", "/admin/api/login", json={"key": site.secret}, headers=headers)
    assert (status, found) == (200, {"name": "Owner", "records": True})
    cookie = told["Set-Cookie"]
    assert cookie.startswith("zai_session_gatewayid=")
    assert {"HttpOnly", "SameSite=Strict", "Path=/admin", f"Max-Age={int(LIFETIME)}"} <= set(cookie.split("; "))
    assert site.secret not in cookie
    assert told["X-Content-Type-Options"] == "nosniff"
    assert told["Referrer-Policy"] == "no-referrer"
    assert told["Cache-Control"] == "no-store"
    assert "Access-Control-Allow-Origin" not in told


async def test_administration_login_behind_tls_sets_a_secure_cookie_of_this_host_only(site: Site) -> None:
    host = {"Host": "ai.example.net", "Origin": "https://ai.example.net", "Content-Type": JSON}
    _, _, told = await site.server.ask("POST", "/admin/api/login", json={"key": site.secret}, headers=host)
    cookie = told["Set-Cookie"]
    assert cookie.startswith("__Host-zai_session_gatewayid=")
    assert {"HttpOnly", "SameSite=Strict", "Secure", "Path=/"} <= set(cookie.split("; "))
    name, _, token = cookie.partition(";")[0].partition("=")
    sent = {"Host": "ai.example.net"}
    assert (await site.server.ask("GET", "/admin/api/session", cookies={name: token}, headers=sent))[0] == 200
    # The same token in the cookie that works without TLS is no session: anybody between could have read it.
    plain = {name.removeprefix("__Host-"): token}
    assert (await site.server.ask("GET", "/admin/api/session", cookies=plain, headers=sent))[0] == 401


@pytest.mark.parametrize(
    "origin", [None, "null", "", "http://127.0.0.1:1", "http://evil.example", "http://127.0.0.1", "https://127.0.0.1:1"]
)
async def test_administration_command_of_another_page_is_refused(owner: Browser, site: Site, origin: str | None) -> None:
    status, found = await owner.ask("keys/create", {"name": "Theirs"}, Origin=origin)
    assert (status, found["error"]["code"]) == (403, "origin_not_allowed")
    assert (await site.browser().ask("login", {"key": site.secret}, Origin=origin))[0] == 403
    assert [key.name for key in site.store.keys] == ["Owner"]


async def test_administration_stream_of_another_page_is_refused(owner: Browser) -> None:
    for headers in (
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site"},
    ):
        async with owner.live(**headers) as response:
            assert response.status == 403, headers
        assert await owner.session(**headers) == 403
    async with owner.live(Accept="image/avif,*/*") as response:  # an <img> of another page
        assert response.status == 400
    async with owner.live(Origin=owner.origin, Sec_Fetch_Site="same-origin") as response:
        assert response.status == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
async def test_administration_body_that_any_page_can_send_is_refused(owner: Browser, kind: str) -> None:
    assert (await owner.ask("keys/create", {"name": "X"}, Content_Type=kind))[0] == 415


@pytest.mark.parametrize("end", ["revoke", "disable", "expire", "demote"])
async def test_administration_key_that_ends_ends_its_sessions_and_streams(owner: Browser, site: Site, end: str) -> None:
    _, other = await site.store.keys.create("Second", endpoints=("admin",))
    second = site.browser()
    await second.log_in(other)
    async with owner.live() as response:
        assert json.loads((await event_of(response)).removeprefix("data: "))["members"][0]["name"]
        match end:
            case "revoke":
                await site.store.keys.revoke(site.key_id)
            case "disable":
                await site.store.keys.update(site.key_id, enabled=False)
            case "expire":
                await site.store.keys.update(site.key_id, expires=1.0)
            case _:
                await site.store.keys.update(site.key_id, endpoints=("chat",))
        assert await event_of(response) == "event: end\ndata: {}"
        assert await response.read() == b""
    assert await owner.session() == 401
    assert (await owner.ask("keys"))[0] == 401
    assert await second.session() == 200


async def test_administration_logout_ends_the_session_and_its_streams(owner: Browser) -> None:
    kept = dict(owner.cookies)
    async with owner.live() as response:
        await event_of(response)
        assert (await owner.ask("logout"))[0] == 200
        assert await event_of(response) == "event: end\ndata: {}"
    assert set(owner.cookies.values()) == {""}
    owner.cookies = kept
    assert await owner.session() == 401


async def test_administration_wrong_keys_make_the_address_wait_and_the_right_one_too(site: Site) -> None:
    browser = site.browser()
    statuses = [(await browser.ask("login", {"key": f"zai_wrong-{number}"}))[0] for number in range(FAILURES + 1)]
    assert statuses == [401] * FAILURES + [429]
    status, found = await browser.ask("login", {"key": site.secret})
    assert (status, found["error"]["code"]) == (429, "too_many_wrong_keys")
    assert browser.cookies == {}


async def test_administration_link_logs_in_once(store: AccountingStore) -> None:
    used: list[str] = []
    made: list[str] = []

    def administration(gateway: Gateway) -> Administration:
        page = Administration(gateway, store)
        made.append(page.sessions.make_link(lambda: used.append("former")))
        made.append(page.sessions.make_link(lambda: used.append("newest")))
        return page

    async with served(access=Guard(store.keys), ledger=store.ledger, administration=administration) as server:
        former, secret = made
        browser = Browser(server, {})
        assert (await browser.ask("login", {"key": former}))[0] == 401
        await browser.log_in(secret)
        assert used == ["newest"]
        assert await browser.session() == 200
        assert (await Browser(server, {}).ask("login", {"key": secret}))[0] == 401
        status, found = await browser.ask("keys/create", {"name": "Laptop"})
        assert (status, store.keys.verify(found["key"]).name) == (200, "Laptop")


async def test_sessions_end_after_their_lifetime_and_are_bounded(store: AccountingStore) -> None:
    now = 0.0
    _, secret = await store.keys.create("Owner", endpoints=("admin",))
    sessions = Sessions(store.keys, None, lambda: now)
    tokens = [sessions.log_in(secret, None, "http://x") for _ in range(MAX_SESSIONS + 1)]

    def is_open(token: str) -> bool:
        try:
            return sessions.find(token).name == "Owner"
        except AuthenticationError:
            return False

    assert [is_open(token) for token in tokens] == [False] + [True] * MAX_SESSIONS
    now = LIFETIME - 1
    assert is_open(tokens[-1])
    now = LIFETIME
    assert not any(map(is_open, tokens))
    sessions.close()


async def test_administration_streams_of_a_session_are_bounded(owner: Browser) -> None:
    async with owner.live() as first:
        await event_of(first)
        opened = [owner.live() for _ in range(STREAM_LIMIT)]
        statuses = [(await stream.__aenter__()).status for stream in opened]
        assert statuses == [200] * (STREAM_LIMIT - 1) + [429]
        for stream in opened:
            await stream.__aexit__(None, None, None)

    async def reopened() -> bool:
        async with owner.live() as response:
            return response.status == 200

    await until(reopened)


async def test_administration_stream_follows_requests_and_their_costs(owner: Browser, site: Site) -> None:
    async with owner.live() as response:
        first = json.loads((await event_of(response)).removeprefix("data: "))
        assert (first["requests_today"], first["running"]) == (0, [])
        assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert response.headers["Content-Security-Policy"] == POLICY
        _, secret = await site.store.keys.create("Laptop")
        headers = {"Authorization": f"Bearer {secret}"}
        assert (await site.server.ask("POST", "chat/completions", json=CHAT | {"model": "auto"}, headers=headers))[0] == 200
        while True:
            state = json.loads((await event_of(response)).removeprefix("data: "))
            if state["last_answer"] is not None:
                break
        assert state["last_answer"]["model"] == MODEL


async def test_administration_streams_end_with_the_server(store: AccountingStore) -> None:
    _, secret = await store.keys.create("Owner", endpoints=("admin",))

    def administration(gateway: Gateway) -> Administration:
        return Administration(gateway, store)

    async with served(access=Guard(store.keys), ledger=store.ledger, administration=administration) as server:
        browser = Browser(server, {})
        await browser.log_in(secret)
        async with browser.live() as response:
            await event_of(response)
            await server.runner.cleanup()
            assert b"event: end" in await response.read()


async def test_administration_keys_are_created_disabled_rotated_and_revoked(owner: Browser, site: Site) -> None:
    status, made = await owner.ask("keys/create", {"name": "  Laptop\u202e "})
    assert (status, made["name"]) == (200, "Laptop")
    assert made["curl"].startswith(f"curl {owner.origin}/v1/chat/completions")
    assert made["key"] in made["python"]
    used = {"Authorization": f"Bearer {made['key']}"}
    assert (await site.server.ask("GET", "models", headers=used))[0] == 200
    (await owner.ask("keys/enable", {"key_id": made["key_id"], "enabled": False}))
    assert (await site.server.ask("GET", "models", headers=used))[0] == 403
    assert (await owner.ask("keys/enable", {"key_id": made["key_id"], "enabled": True}))[1]["enabled"] is True
    _, rotated = await owner.ask("keys/rotate", {"key_id": made["key_id"]})
    assert rotated["key"] != made["key"]
    _, listed = await owner.ask("keys")
    assert [key["name"] for key in listed["keys"]] == ["Owner", "Laptop"]
    assert listed["base_url"] == f"{owner.origin}/v1"
    assert rotated["key"] not in json.dumps(listed)
    assert await owner.ask("keys/revoke", {"key_id": made["key_id"]}) == (200, {})
    assert (await owner.ask("keys/revoke", {"key_id": made["key_id"]}))[0] == 404
    assert not any(key.admin for key in site.store.keys if key.name != "Owner")
    actors = {(event.act, event.actor) for event in await site.store.audit.list()}
    assert ("key.revoke", site.key_id) in actors


async def test_administration_keys_have_labels_and_limits_that_are_changed(owner: Browser, site: Site) -> None:
    limits = {"requests_per_minute": 10, "tokens_per_minute": 1000, "parallel": 1}
    fields = {"labels": [" Kitchen "], "models": ["a*"], "endpoints": ["chat"], "background": True, **limits}
    _, made = await owner.ask("keys/create", {"name": "Tablet", **fields, "expires": 4_102_444_800, "monthly_budget": 2.5})
    wanted = {**fields, "labels": ["Kitchen"], "expires": "2100-01-01T00:00:00+00:00"}
    assert {name: made[name] for name in wanted} == wanted
    for program in ("curl", "python", "javascript", "opencode", "open_webui", "claude_code", "continue"):
        assert made["key"] in made[program]
        assert owner.origin in made[program]
    (_, tablet) = (await owner.ask("keys"))[1]["keys"]
    assert [budget["amount"] for budget in tablet["budgets"]] == [2.5]
    nothing = dict.fromkeys(("parallel", "expires", "monthly_budget"))
    _, changed = await owner.ask("keys/update", {"key_id": made["key_id"], "name": "Desk", "labels": [], **nothing})
    kept = {**wanted, "name": "Desk", "labels": [], "parallel": None, "expires": None}
    assert {name: changed[name] for name in kept} == kept
    assert [key["budgets"] for key in (await owner.ask("keys"))[1]["keys"]] == [[], []]
    assert (await owner.ask("keys/update", {"key_id": "nobody", "name": "X"}))[0] == 404
    assert next(key for key in site.store.keys if key.name == "Owner").admin


async def test_administration_budget_is_set_reset_and_removed(owner: Browser, site: Site) -> None:
    named = {"scope": "household", "period": "month"}
    assert await owner.ask("budgets/set", {**named, "amount": 5, "action": "refuse"}) == (200, {})
    found = (await owner.ask("budgets"))[1]
    (budget,) = found["budgets"]
    assert found["currency"] == "USD"
    assert (budget["owner"], budget["amount"], budget["action"]) == ("Test gateway", 5, "refuse")
    assert await owner.ask("budgets/reset", named) == (200, {})
    key = {"scope": "key", "period": "day", "subject": site.key_id}
    assert await owner.ask("budgets/set", {**key, "amount": 0.5}) == (200, {})
    assert [budget["owner"] for budget in (await owner.ask("budgets"))[1]["budgets"]] == ["Test gateway", "Owner"]
    assert await owner.ask("budgets/remove", named) == (200, {})
    assert (await owner.ask("budgets/remove", named))[0] == 404


async def test_administration_usage_and_records_name_the_keys(owner: Browser, site: Site) -> None:
    laptop, _ = await site.store.keys.create("Laptop")
    for number in range(3):
        record = Generation(
            id=f"gen{number}",
            created=time.time(),
            source="http",
            kind="chat",
            requested_model="auto",
            model="m",
            backend_id="b",
            backend_name="B",
            usage=Usage(10, 5, 2, 1),
            cost=1_500_000_000,
            outcome=Outcome.OK,
            duration=2.0,
            key_id=laptop.id,
            caller="Laptop",
        )
        site.store.ledger.record(record)
    _, report = await owner.ask("usage", {"group_by": ["key"]})
    assert [(row["key_name"], row["requests"]) for row in report["rows"]] == [("Laptop", 3)]
    _, page = await owner.ask("requests", {"limit": 2, "key_id": laptop.id, "outcome": "ok"})
    assert [record["who"] for record in page["requests"]] == ["Laptop", "Laptop"]
    _, found = await owner.ask("requests", {"request_id": page["requests"][0]["id"]})
    assert found["requests"] == page["requests"][:1]
    _, rest = await owner.ask("requests", {"limit": 2, "after": page["next"]})
    assert (len(rest["requests"]), rest["next"]) == (1, None)
    _, hours = await owner.ask("usage", {"group_by": ["hour"]})
    assert hours["total"]["requests"] == 3


async def test_administration_why_and_check_answer_for_the_providers(owner: Browser) -> None:
    _, plan = await owner.ask("why", {"text": "Hello", "model": MODEL})
    assert [candidate["model"] for candidate in plan["candidates"]] == [MODEL]
    assert (await owner.ask("callers"))[1] == {"keys": [{"id": ANY, "name": "Owner"}], "users": []}
    models = (await owner.ask("models"))[1]
    assert (models["editable"], [model["id"] for model in models["models"]]) == (False, ["demo-embed", MODEL])
    backend_id = plan["candidates"][0]["backend_id"]
    assert await owner.ask("providers/check", {"backend_id": backend_id}) == (200, {})
    assert (await owner.ask("providers/check", {"backend_id": "nobody"}))[0] == 404


@pytest.mark.parametrize(
    ("command", "body"),
    [
        ("keys/create", {}),
        ("keys/create", {"name": ""}),
        ("keys/create", {"name": " \u202e "}),
        ("keys/create", {"name": "x" * 101}),
        ("keys/create", {"name": ["x"]}),
        ("keys/create", {"name": "x", "labels": ["a,b"]}),
        ("keys/create", {"name": "x", "labels": "Kitchen"}),
        ("keys/create", {"name": "x", "endpoints": ["admin"]}),
        ("keys/create", {"name": "x", "parallel": 0}),
        ("keys/create", {"name": "x", "expires": 1}),
        ("keys/create", {"name": "x", "expires": 1e300}),
        ("keys/create", {"name": "x", "monthly_budget": -1}),
        ("keys/create", {"name": "x", "background": 1}),
        ("keys/update", {"key_id": "KEY", "name": ""}),
        ("keys/update", {"key_id": "KEY", "labels": [1]}),
        ("keys/create", []),
        ("keys/create", b"{"),
        ("keys/create", b'{"name": "\xff"}'),
        ("keys/create", b"[" * 2000 + b"]" * 2000),
        ("keys/enable", {"key_id": "KEY", "enabled": "yes"}),
        ("usage", {"start": "2026-02-30"}),
        ("usage", {"start": "20260101"}),
        ("usage", {"start": "2030-01-02", "end": "2030-01-01"}),
        ("usage", {"start": "1900-01-01"}),
        ("usage", {"group_by": ["moon"]}),
        ("usage", {"group_by": "day"}),
        ("requests", {"after": "x"}),
        ("requests", {"limit": 0}),
        ("requests", {"limit": True}),
        ("requests", {"outcome": "perhaps"}),
        ("requests", {"start": "now"}),
        ("requests", b'{"start": 1e999}'),
        ("requests", {"model": "x" * 513}),
        ("budgets/set", {"scope": "household", "period": "month"}),
        ("budgets/set", {"scope": "household", "period": "month", "amount": -1}),
        ("budgets/set", {"scope": "household", "period": "month", "amount": 1e10}),
        ("budgets/set", {"scope": "household", "period": "year", "amount": 1}),
        ("budgets/set", {"scope": "moon", "period": "month", "amount": 1}),
        ("budgets/set", {"scope": {}, "period": "month", "amount": 1}),
        ("budgets/set", {"scope": "key", "period": "month", "amount": 1}),
        ("budgets/set", {"scope": "household", "period": "month", "amount": 1, "action": "pay"}),
        ("budgets/set", {"scope": "household", "period": "month", "amount": 1, "thresholds": [0]}),
        ("budgets/set", {"scope": "household", "period": "month", "amount": 1, "thresholds": [True]}),
        ("budgets/set", {"scope": "household", "period": "month", "amount": 1, "thresholds": "80"}),
        ("budgets/set", {"scope": "household", "period": "month", "amount": 1, "thresholds": [50] * 11}),
        ("why", {}),
        ("why", {"text": ["Hello"]}),
        ("why", {"text": " "}),
        ("why", {"text": '{"messages": 5}'}),
        ("why", {"text": "curl http://x/v1/models"}),
        ("login", {"key": 5}),
    ],
)
async def test_administration_wrong_fields_are_told_and_change_nothing(
    owner: Browser, site: Site, command: str, body: Any
) -> None:
    if isinstance(body, dict) and body.get("key_id") == "KEY":
        body = {**body, "key_id": site.key_id}
    status, found = await owner.ask(command, body)
    assert status == 400, found
    assert found["error"]["message"]
    assert [key.name for key in site.store.keys] == ["Owner"]
    assert not len(site.store.budgets)


async def test_administration_large_bodies_are_refused(owner: Browser) -> None:
    assert (await owner.ask("why", b" " * (1024 * 1024 + 1)))[0] == 413
    assert (await owner.ask("login", b" " * 5000))[0] == 413


async def test_administration_unknown_paths_and_methods_are_errors_with_the_same_headers(owner: Browser) -> None:
    for method, path, expected in (
        ("GET", "/admin/api/keys", 405),
        ("POST", "/admin/api/session", 405),
        ("POST", "/admin/api/nothing", 404),
        ("GET", "/admin/api", 404),
        ("PUT", "/admin/api/keys", 405),
    ):
        status, _, headers = await owner.server.ask(method, path, cookies=owner.cookies)
        assert (status, headers["Content-Security-Policy"]) == (expected, POLICY), path


async def test_administration_files_of_the_page_are_served_with_its_policy(site: Site) -> None:
    status, _, headers = await site.server.ask("GET", "/admin", allow_redirects=False)
    assert (status, headers["Location"]) == (308, "/admin/")
    _, page, headers = await site.server.ask("GET", "/admin/")
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert b"<zai-server>" in page
    (chart,) = (file.name for file in FILES.glob("chart-*.js"))
    for name, kind in (("page.js", "text/javascript"), (chart, "text/javascript"), ("page.css", "text/css")):
        for method in ("GET", "HEAD"):
            status, _, headers = await site.server.ask(method, f"/admin/{name}")
            assert (status, headers["Content-Type"], headers["Cache-Control"]) == (200, f"{kind}; charset=utf-8", "no-cache")
            assert headers["Content-Security-Policy"] == POLICY
            assert headers["X-Content-Type-Options"] == "nosniff"
    etag = headers["ETag"]
    assert (await site.server.ask("GET", "/admin/page.css", headers={"If-None-Match": etag}))[0] == 304
    for path in ("/admin/sessions.py", "/admin/../sessions.py", "/admin/%2e%2e/sessions.py", "/admin/files", "/administration"):
        url = URL(f"http://127.0.0.1:{site.server.port}{path}", encoded=True)
        async with site.server.session.get(url) as response:
            assert response.status == 404
    assert (await site.server.ask("POST", "/admin/"))[0] == 405


async def test_administration_of_one_shared_key_shows_load_and_no_records() -> None:
    async with served(key=KEY, administration=lambda gateway: Administration(gateway, None, KEY)) as server:
        browser = Browser(server, {})
        assert (await browser.ask("login", {"key": "zai_wrong"}))[0] == 401
        status, found = await browser.ask("login", {"key": KEY})
        assert (status, found) == (200, {"name": "", "records": False})
        async with browser.live() as response:
            assert json.loads((await event_of(response)).removeprefix("data: "))["members"][0]["models"]
        for command in ("keys", "budgets", "usage", "requests", "keys/create"):
            status, found = await browser.ask(command, {"name": "X"})
            assert (status, found["error"]["code"]) == (404, "not_recorded")


async def test_server_without_a_key_has_no_administration() -> None:
    async with served() as server:
        assert (await server.ask("POST", "/admin/api/login", json={"key": "x"}))[0] == 404


async def test_administrators_key_sees_the_usage_of_all_callers(site: Site) -> None:
    _, reader = await site.store.keys.create("Report", endpoints=("admin", "usage"))
    laptop, _ = await site.store.keys.create("Laptop")
    record = Generation(
        id="g",
        created=time.time(),
        source="http",
        kind="chat",
        requested_model="auto",
        outcome=Outcome.OK,
        key_id=laptop.id,
    )
    site.store.ledger.record(record)
    _, found, _ = await site.server.ask("GET", "usage?group_by=key", headers={"Authorization": f"Bearer {reader}"})
    assert [row["key"] for row in found["data"]] == [laptop.id]
    # The page's own key is for the page alone.
    assert (await site.server.ask("GET", "usage", headers={"Authorization": f"Bearer {site.secret}"}))[0] == 403


async def test_home_only_is_set_stored_and_told_to_the_page(store: AccountingStore) -> None:
    _, secret = await store.keys.create("Owner", endpoints=("admin",))
    saved: list[bool] = []

    def administration(gateway: Gateway) -> Administration:
        return Administration(gateway, store, program=Program(saved.append))

    async with served(access=Guard(store.keys), ledger=store.ledger, administration=administration) as server:
        owner = Browser(server, {})
        await owner.log_in(secret)
        assert await owner.ask("home_only", {"enabled": True}) == (200, {})
        assert (saved, server.gateway.engine.home_only) == ([True], True)
        assert (await owner.ask("home_only", {"enabled": "yes"}))[0] == 400
        server.gateway.engine.policy = Policy(home_only=True)
        status, found = await owner.ask("home_only", {"enabled": False})
        assert (status, found["error"]["code"]) == (400, "configured")
        assert "homeOnly" in found["error"]["message"]
        assert server.gateway.engine.home_only


async def test_discovered_providers_have_their_state_and_the_own_one_is_left_out(store: AccountingStore) -> None:
    _, secret = await store.keys.create("Owner", endpoints=("admin",))
    names = {"gateway-id": "Own", "new": "New", "used": "Used", "gone": "Gone", "changed": "Changed"}

    def provider(number: int, provider_id: str) -> Provider:
        address = ip_address(f"192.0.2.{number + 1}")
        record = ServiceRecord(names[provider_id], "box.local.", 8000, (address,), id=provider_id, models=("m",) * 20)
        state = ProviderState.OFFLINE if provider_id == "gone" else ProviderState.HEALTHY
        return Provider(record, Trust.CHANGED if provider_id == "changed" else Trust.NEW, state)

    async def scan() -> list[Provider]:
        return [provider(number, provider_id) for number, provider_id in enumerate(names)]

    used = StubBackend("lan:used")
    async with served(
        used,
        access=Guard(store.keys),
        ledger=store.ledger,
        administration=lambda gateway: Administration(gateway, store, program=Program(scan=scan)),
    ) as server:
        owner = Browser(server, {})
        await owner.log_in(secret)
        server.gateway.engine.own_id = "gateway-id"
        status, found = await owner.ask("discovered")
        assert status == 200
        assert [(one["name"], one["state"]) for one in found["providers"]] == [
            ("Changed", "changed"),
            ("New", "new"),
            ("Gone", "unanswered"),
            ("Used", "set_up"),
        ]
        assert len(found["providers"][0]["models"]) == 8
        assert (found["kinds"], found["gateway"]) == ([], None)
