"""The API keys of people: within what the operator allows, and nobody else's."""

from typing import Any

import pytest

from zeroconf_ai.accounting.budget import Scope
from zeroconf_ai.protocol.values import NANO
from zeroconf_ai.server.portal.portal import PATH, SESSION_COOKIE

from .conftest import PUBLIC, Site


async def test_key_has_the_limits_of_the_operator_and_is_shown_once(site: Site) -> None:
    browser = await site.enter()
    made = await site.new_key(browser)
    assert made["key"].startswith("zai_")
    assert f"{PUBLIC}/v1/chat/completions" in made["curl"]
    assert made["key"] in made["curl"]
    key = site.store.keys.get(made["key_id"])
    assert key is not None
    assert (key.user_id, key.models, key.endpoints, key.requests_per_minute) == (
        site.person.id,
        ("demo*",),
        ("chat", "models"),
        1000,
    )
    assert key.expires is not None
    assert key.expires - key.created == pytest.approx(30 * 86_400, abs=60)
    (budget,) = site.store.budgets.of(Scope.USER, site.person.id)
    assert budget.amount == 5 * NANO
    listed = (await browser.send("keys"))[1]
    assert made["key"] not in str(listed)
    assert listed["own"]["administrators"] == ["root@example.net"]
    assert await site.chat(made["key"]) == (200, None)


async def test_key_cannot_be_created_with_more_rights_than_the_operator_gives(site: Site) -> None:
    browser = await site.enter()
    wanted = {
        "name": "x",
        "models": [],
        "endpoints": ["admin"],
        "requests_per_minute": None,
        "user_id": "somebody",
        "expires": None,
    }
    status, made = await browser.send("keys/create", wanted)
    assert status == 200
    key = site.store.keys.get(made["key_id"])
    assert key is not None
    assert (key.endpoints, key.models, key.user_id) == (("chat", "models"), ("demo*",), site.person.id)
    await browser.send("keys/update", {"key_id": key.id, **wanted, "name": "renamed"})
    changed = site.store.keys.get(key.id)
    assert changed is not None
    assert (changed.name, changed.endpoints, changed.expires) == ("renamed", ("chat", "models"), key.expires)


async def test_keys_beyond_the_number_are_refused(site: Site) -> None:
    browser = await site.enter()
    first = await site.new_key(browser, "one")
    await site.new_key(browser, "two")
    status, found = await browser.send("keys/create", {"name": "three"})
    assert (status, found["error"]["code"]) == (403, "too_many_keys")
    assert (await browser.send("keys/revoke", {"key_id": first["key_id"]}))[0] == 200
    await site.new_key(browser, "three")


async def test_key_is_rotated_disabled_and_revoked_by_its_owner(site: Site) -> None:
    browser = await site.enter()
    key = await site.new_key(browser)
    status, rotated = await browser.send("keys/rotate", {"key_id": key["key_id"]})
    assert status == 200
    assert await site.chat(rotated["key"]) == (200, None)
    await browser.send("keys/enable", {"key_id": key["key_id"], "enabled": False})
    assert await site.chat(rotated["key"]) == (403, "key_disabled")
    await browser.send("keys/enable", {"key_id": key["key_id"], "enabled": True})
    await browser.send("keys/revoke", {"key_id": key["key_id"]})
    assert await site.chat(rotated["key"]) == (401, "invalid_api_key")
    assert await site.chat(key["key"]) == (401, "invalid_api_key")


async def test_keys_usage_and_requests_of_others_are_not_seen_and_not_changed(site: Site) -> None:
    browser = await site.enter()
    site.provider.person = {"sub": "bob", "groups": ["ai-users"]}
    other = await site.enter()
    key = await site.new_key(browser)
    assert (await other.send("keys"))[1]["keys"] == []
    for command in ("keys/update", "keys/enable", "keys/rotate", "keys/revoke"):
        body = {"key_id": key["key_id"], "name": "mine", "enabled": False}
        status, found = await other.send(command, body)
        assert (status, found["error"]["message"]) == (404, "There is no such API key."), command
    await site.chat(key["key"])
    await site.store.flush()
    mine = site.person_named("ada").id
    for body in ({}, {"user_id": mine}, {"key_id": key["key_id"]}):
        assert (await other.send("requests", body))[1]["requests"] == []
        assert (await other.send("usage", body))[1]["rows"] == []


async def test_command_that_another_site_sends_is_refused(site: Site) -> None:
    browser = await site.enter()
    foreign: tuple[dict[str, str | None], ...] = (
        {"Origin": None},
        {"Origin": "https://evil.example"},
        {"Origin": "http://ai.example.net"},
        {"Origin": "http://inside:8000"},
        {"Origin": "null"},
        {"Content_Type": "text/plain"},
    )
    for command in ("keys/create", "logout", "keys"):
        for headers in foreign:
            status, found = await browser.send(command, {"name": "x"}, **headers)
            is_form = "Content_Type" in headers
            assert status == (415 if is_form else 403)
            assert found["error"]["code"] == ("unsupported_media_type" if is_form else "origin_not_allowed")
    assert not list(site.store.keys)
    assert (await browser.session())[0] == 200


async def test_commands_need_a_session(site: Site) -> None:
    await site.enter()
    for token in (None, "", "guessed", "ö".encode().hex() * 200):
        browser = site.browser()
        if token is not None:
            browser.cookies[SESSION_COOKIE] = token
        for command in ("keys", "keys/create", "usage", "requests"):
            status, found = await browser.send(command, {"name": "x"})
            assert (status, found["error"]["code"]) == (401, "no_session")


async def test_command_with_a_wrong_body_is_refused(site: Site) -> None:
    browser = await site.enter()
    wrong: list[Any] = [[], "text", {}, {"name": ""}, {"name": 7}, {"name": "x", "labels": "y"}, {"name": "a" * 200}]
    for body in wrong:
        assert (await browser.send("keys/create", body))[0] == 400, body
    assert not list(site.store.keys)


async def test_page_is_for_everybody_and_may_not_be_framed(site: Site) -> None:
    browser = site.browser()
    page = await browser.get(f"{PATH}/")
    assert page.status == 200
    assert "zai-portal" in await page.text()
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    assert (await browser.get(PATH)).headers["Location"] == f"{PATH}/"
    assert (await browser.get(f"{PATH}/portal.js")).status == 200
    for missing in ("nothing", "..%2fsecret", "api/nothing", "api/keys/../login"):
        response = await browser.get(f"{PATH}/{missing}")
        assert response.status in (404, 405), missing
        assert response.headers["X-Content-Type-Options"] == "nosniff"


async def test_page_names_the_provider(site: Site) -> None:
    response = await site.browser().get(f"{PATH}/api/provider")
    assert await response.json() == {"name": "127.0.0.1"}


async def test_landing_page_leads_to_the_portal(site: Site) -> None:
    response = await site.browser().get("/", Accept="text/html")
    text = await response.text()
    assert 'href="/portal/"' in text
    assert "Sign in to get one" in text
