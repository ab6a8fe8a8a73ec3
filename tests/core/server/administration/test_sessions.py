"""Logging in to the page of a server: sessions, cookies, origins, throttling, links."""

import json

import pytest

from tests.support.server import served
from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.protocol.errors import AuthenticationError
from zeroconf_ai.server.access.auth_throttle import FAILURES
from zeroconf_ai.server.access.guard import Guard
from zeroconf_ai.server.administration.administration import Administration
from zeroconf_ai.server.administration.commands import COMMANDS
from zeroconf_ai.server.administration.sessions import LIFETIME, MAX_SESSIONS, Sessions
from zeroconf_ai.server.gateway import Gateway

from .browser import JSON, Browser, Site, event_of


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


async def test_sessions_local_secret_logs_in_again_until_there_is_a_new_one() -> None:
    sessions = Sessions(None, "zai_the-key-of-the-server")
    with pytest.raises(AuthenticationError):
        sessions.log_in("", "127.0.0.1", "http://127.0.0.1:8000")
    former, secret = sessions.make_local_secret(), sessions.make_local_secret()
    for _ in range(2):
        token = sessions.log_in(secret, "127.0.0.1", "http://127.0.0.1:8000")
        assert sessions.find(token).key_id is None
    with pytest.raises(AuthenticationError):
        sessions.log_in(former, "127.0.0.1", "http://127.0.0.1:8000")
    sessions.close()
