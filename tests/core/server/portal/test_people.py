"""Who may use the portal, and what becomes of people's keys when they may not any more."""

from typing import Any

import pytest

from zeroconf_ai.accounting.budget import Scope
from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.config.portal_fields import AllowList
from zeroconf_ai.server.portal.portal import PATH

from .conftest import PUBLIC, Open, Site

REFUSED = f"{PUBLIC}{PATH}/#not_allowed"


_ALLOWED: tuple[tuple[dict[str, Any], dict[str, Any] | None], ...] = (
    ({"sub": "ada"}, None),
    ({"sub": "bob", "groups": ["others", "ai-users"]}, None),
    ({"sub": "bob", "groups": "ai-users"}, None),
    ({"sub": "bob"}, {"sub": "bob", "groups": ["ai-users"]}),
    ({"sub": "bob", "email": "Bob@Example.ORG", "email_verified": True}, None),
    ({"sub": "bob", "email": "bob@example.org", "email_verified": "true"}, None),
    ({"sub": "bob"}, {"sub": "bob", "email": "bob@example.org", "email_verified": True}),
)


async def test_person_in_a_list_is_let_in(site: Site) -> None:
    for person, user_info in _ALLOWED:
        site.begin_anew()
        site.provider.person, site.provider.user_info = person, user_info
        await site.enter()
        assert site.person_named(person["sub"]).identity.subject == person["sub"]


_REFUSED: tuple[tuple[dict[str, Any], dict[str, Any] | None], ...] = (
    ({"sub": "Ada"}, None),
    ({"sub": "bob"}, None),
    ({"sub": "bob", "groups": ["AI-users", "ai-users/sub", 7, None, ["ai-users"]]}, None),
    ({"sub": "bob", "groups": {"ai-users": True}}, None),
    ({"sub": "bob", "roles": ["ai-users"]}, None),
    ({"sub": "bob", "email": "bob@example.org"}, None),
    ({"sub": "bob", "email": "bob@example.org", "email_verified": False}, None),
    ({"sub": "bob", "email": "bob@example.org", "email_verified": "false"}, None),
    ({"sub": "bob", "email": "bob@example.org", "email_verified": 1.5}, None),
    ({"sub": "bob", "email": "bob@example.org.evil.example", "email_verified": True}, None),
    ({"sub": "bob", "email": "bob@sub.example.org", "email_verified": True}, None),
    ({"sub": "bob", "email": "bob@example.org@evil.example", "email_verified": True}, None),
    ({"sub": "bob", "email": ["bob@example.org"], "email_verified": True}, None),
    # The address of one source is not verified by the word of the other.
    ({"sub": "bob", "email": "bob@example.org"}, {"sub": "bob", "email": "bob@evil.example", "email_verified": True}),
)


async def test_person_in_no_list_is_refused(site: Site) -> None:
    for person, user_info in _REFUSED:
        site.begin_anew()
        site.provider.person, site.provider.user_info = person, user_info
        browser, address = await site.sign_in()
        assert address == REFUSED, person
        assert (await browser.session())[0] == 401
        assert not list(site.store.users)


async def test_person_is_the_same_by_issuer_and_subject_only(site: Site) -> None:
    await site.enter()
    first = site.person
    site.provider.person = {"sub": "ada", "name": "Ada Lovelace", "groups": ["ai-users"]}
    await site.enter()
    assert site.person.id == first.id
    assert (site.person.identity.name, site.person.identity.email) == ("Ada Lovelace", None)
    site.provider.person = {"sub": "bob", "name": "Ada Lovelace", "email": "ada@example.net", "groups": ["ai-users"]}
    await site.enter()
    assert len({user.id for user in site.store.users}) == 2


async def test_person_who_leaves_the_group_loses_the_keys(site: Site) -> None:
    site.provider.person = {"sub": "bob", "groups": ["ai-users"]}
    browser = await site.enter()
    secret = (await site.new_key(browser))["key"]
    assert await site.chat(secret) == (200, None)
    site.provider.person = {"sub": "bob", "groups": ["others"]}
    assert (await site.sign_in())[1] == REFUSED
    assert await site.chat(secret) == (403, "key_disabled")
    assert (await browser.session())[1]["allowed"] is False
    assert await browser.send("keys/create", {"name": "another"}) == (
        403,
        {"error": {"message": "You may not use this portal any more. Ask an administrator.", "type": "permission_error",
                   "param": None, "code": "not_allowed"}},
    )  # fmt: skip
    site.provider.person = {"sub": "bob", "groups": ["ai-users"]}
    await site.enter()
    assert await site.chat(secret) == (200, None)


async def test_person_whom_a_new_list_leaves_out_loses_the_keys(site: Site, open_site: Open) -> None:
    secret = (await site.new_key(await site.enter()))["key"]
    other = await open_site(allow=AllowList(groups=frozenset({"ai-users"})))
    assert await other.chat(secret) == (403, "key_disabled")
    moved = await open_site(issuer="https://other.example")
    assert await moved.chat(secret) == (403, "key_disabled")


async def test_blocked_person_gets_a_clear_page_and_the_keys_stop_at_once(site: Site) -> None:
    browser = await site.enter()
    key = await site.new_key(browser)
    await site.store.users.block(site.person.id, blocked=True, actor="root")
    assert await site.chat(key["key"]) == (403, "user_blocked")
    assert (await browser.send("keys"))[1]["own"]["refusal"] == "blocked"
    for command in ("keys/create", "keys/update", "keys/enable", "keys/rotate", "keys/revoke"):
        status, found = await browser.send(command, {"key_id": key["key_id"], "name": "x", "enabled": False})
        assert (status, found["error"]["code"]) == (403, "user_blocked"), command
    browser = await site.enter()  # whoever signs in again sees the same
    assert (await browser.send("keys"))[1]["own"]["refusal"] == "blocked"
    await site.store.users.block(site.person.id, blocked=False, actor="root")
    assert await site.chat(key["key"]) == (200, None)
    acts = [(event.act, event.actor) for event in await site.store.audit.list()]
    assert [act for act in acts if act[0].startswith("user.")] == [("user.unblock", "root"), ("user.block", "root")]


async def test_block_by_another_process_stops_the_keys(site: Site, tmp_path: Any) -> None:
    secret = (await site.new_key(await site.enter()))["key"]
    other = await AccountingStore.open(tmp_path / "gateway.db")
    await other.users.block(site.person.id, blocked=True)
    await other.close()
    await site.store.users.refresh()  # what the store does each second
    assert await site.chat(secret) == (403, "user_blocked")


async def test_forgotten_person_leaves_nothing(site: Site) -> None:
    browser = await site.enter()
    secret, user_id = (await site.new_key(browser))["key"], site.person.id
    await site.store.forget(user_id=user_id)
    assert await site.chat(secret) == (401, "invalid_api_key")
    assert (await browser.session())[0] == 401
    assert not list(site.store.users)
    assert not list(site.store.budgets.of(Scope.USER, user_id))


async def test_sessions_of_a_person_are_few_and_end(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zeroconf_ai.accounting.users.user_store.SESSIONS_OF_USER", 2)
    first = await site.enter()
    others = [await site.enter(), await site.enter()]
    assert (await first.session())[0] == 401
    assert [(await browser.session())[0] for browser in others] == [200, 200]
    assert await others[0].send("logout") == (200, {})
    assert (await others[0].session())[0] == 401
    monkeypatch.setattr("zeroconf_ai.accounting.users.user_store.SESSION_SECONDS", -1.0)
    late = await site.enter()
    assert (await late.session())[0] == 401
    await site.store.tidy()
    assert (await others[1].session())[0] == 200
