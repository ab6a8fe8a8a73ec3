"""What the gateway promises on every path at once, by real HTTP on Home Assistant's own port and on the gateway's."""

import re
import time
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockUser
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator
from yarl import URL

from custom_components.zeroconf_ai.const import CONF_OWN_PORT
from custom_components.zeroconf_ai.core.accounting.keys.client_key import ClientKey
from custom_components.zeroconf_ai.core.accounting.keys.key_store import KeyStore
from custom_components.zeroconf_ai.core.server.dispatch import Route
from custom_components.zeroconf_ai.core.server.endpoints import OWN_PORT_ROUTES, ROUTES
from homeassistant.auth.models import RefreshToken
from homeassistant.components.homeassistant.exposed_entities import async_expose_entity
from homeassistant.components.http.ban import KEY_FAILED_LOGIN_ATTEMPTS
from homeassistant.components.persistent_notification import _async_get_or_create_notifications
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.setup import async_setup_component

from ..support.fakes.provider import FakeProvider, Paused, refuse, running
from ..support.home_assistant.agents import Lamp
from ..support.home_assistant.entries import add_entity, set_up
from ..support.home_assistant.gateway import CHAT, CHAT_PATH, bearer, box, gateway_with, runtime_of, streaming
from ..support.ports import free_port

pytestmark = pytest.mark.usefixtures("ready_to_serve")

ASSIST = {"model": "homeassistant/assist", "messages": [{"role": "user", "content": "Turn on the kitchen light"}]}
SIGNED = "/v1/images/{conversation}/{message}/{filename}"
"""Needs no key but a signature."""
GUARDED = [route for route in ROUTES if not route.public]
OWN_GUARDED = [route for route in OWN_PORT_ROUTES if not route.public]
POSTS = sorted({route.path for route in ROUTES if route.method == "POST"})


def address_of(route: Route, root: str = "") -> str:
    """A path of the route, with `test-model` for its variable."""
    return root + of_test_model(route.path)


def of_test_model(path: str) -> str:
    """A route's path with `test-model` for its variable."""
    return re.sub(r"\{.*?\}", "test-model", path)


async def refuse_key(keys: KeyStore, key: ClientKey, how: str) -> None:
    """Take a key out of use."""
    if how == "revoked":
        await keys.revoke(key.id)
    elif how == "disabled":
        await keys.update(key.id, enabled=False)
    else:
        await keys.update(key.id, expires=time.time() - 1)


@pytest.mark.parametrize(("how", "status"), [("revoked", 401), ("disabled", 403), ("expired", 403)])
async def test_key_revoked_disabled_or_expired_is_refused_on_all_paths_of_both_ports(
    hass: HomeAssistant, provider: FakeProvider, hass_client_no_auth: ClientSessionGenerator, how: str, status: int
) -> None:
    hass.http.server_host = ["127.0.0.1"]
    own = free_port()
    entry = await set_up(hass, gateway_with(box(provider), options={CONF_OWN_PORT: own}))
    keys = runtime_of(entry).store.keys
    key, secret = await keys.create("Laptop")
    client = await hass_client_no_auth()
    session = async_get_clientsession(hass)
    root = f"http://127.0.0.1:{own}"
    for path in ("/v1/models", f"{root}/api/tags"):
        good = await (session if path.startswith("http") else client).get(path, headers=bearer(secret))
        assert good.status == 200
    await refuse_key(keys, key, how)
    found = {}
    for route in GUARDED:
        answer = await client.request(route.method, address_of(route), headers=bearer(secret), json=CHAT)
        found[f"home {route.method} {route.path}"] = answer.status
    for route in (*GUARDED, *OWN_GUARDED):
        async with session.request(route.method, address_of(route, root), headers=bearer(secret), json=CHAT) as answer_there:
            found[f"own {route.method} {route.path}"] = answer_there.status
    slowed_down = {429} if how == "revoked" else set()  # so many wrong keys at once look like guesses
    assert {path: code for path, code in found.items() if code not in {status} | slowed_down} == {}
    assert next(iter(found.values())) == status
    assert provider.requests == []


async def test_paths_except_health_require_a_key_without_counting_failed_logins(
    hass: HomeAssistant, provider: FakeProvider, hass_client_no_auth: ClientSessionGenerator
) -> None:
    await set_up(hass, gateway_with(box(provider)))
    client = await hass_client_no_auth()
    for route in ROUTES:
        answer = await client.request(route.method, address_of(route), json=CHAT)
        expected = 403 if route.path == SIGNED else 200 if route.public else 401
        assert (route.path, answer.status) == (route.path, expected)
    assert not hass.http.app.get(KEY_FAILED_LOGIN_ATTEMPTS)
    assert not _async_get_or_create_notifications(hass)


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(
    "body", [b"{", b"[]", b"", b"\xff\xfe", b'{"model": 7}'], ids=["cut", "list", "empty", "bytes", "number"]
)
async def test_body_that_is_invalid_is_a_400_on_all_paths(
    hass: HomeAssistant, provider: FakeProvider, hass_client_no_auth: ClientSessionGenerator, path: str, body: bytes
) -> None:
    await set_up(hass, gateway_with(box(provider)))
    client = await hass_client_no_auth()
    answer = await client.post(of_test_model(path), data=body, headers=bearer() | {"Content-Type": "application/json"})
    told = await answer.json()
    assert answer.status == 400
    if path.partition("}:")[1]:  # Google's format
        assert told["error"]["status"] == "INVALID_ARGUMENT"
    else:
        assert told["error"]["type"] == "invalid_request_error"
    assert told["error"]["message"]
    assert answer.headers["X-Request-ID" if "messages" not in path else "request-id"]


@pytest.mark.parametrize(
    "name", ["org/name", "org%2Fname", "org%2Fname%3Atag", "org/name:tag", "org/name%20b", "name%2B1", "%C3%A4%2Fb"]
)
async def test_model_id_in_each_encoding_is_found(
    hass: HomeAssistant, provider: FakeProvider, hass_client_no_auth: ClientSessionGenerator, name: str
) -> None:
    provider.models = [{"id": model} for model in ("org/name", "org/name:tag", "org/name b", "name+1", "ä/b")]
    await set_up(hass, gateway_with(box(provider)))
    client = await hass_client_no_auth()
    answer = await client.get(URL(f"/v1/models/{name}", encoded=True), headers=bearer())
    assert answer.status == 200
    assert (await answer.json())["id"] == URL(f"/{name}", encoded=True).path[1:]


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1/nothing"])
async def test_path_unknown_below_v1_is_a_404_in_openais_format(
    hass: HomeAssistant, provider: FakeProvider, hass_client_no_auth: ClientSessionGenerator, path: str
) -> None:
    await set_up(hass, gateway_with(box(provider)))
    client = await hass_client_no_auth()
    answer = await client.get(path, headers=bearer())
    assert (answer.status, answer.content_type) == (404, "application/json")
    assert (await answer.json())["error"]["code"] == "not_found"


async def test_body_chunked_beyond_the_limit_is_a_413(
    hass: HomeAssistant, provider: FakeProvider, hass_client_no_auth: ClientSessionGenerator
) -> None:
    await set_up(hass, gateway_with(box(provider)))
    client = await hass_client_no_auth()

    async def endless() -> Any:
        for _ in range(34):
            yield b"x" * (1024 * 1024)

    answer = await client.post(CHAT_PATH, data=endless(), headers=bearer() | {"Content-Type": "application/json"})
    assert (answer.status, (await answer.json())["error"]["code"]) == (413, "request_too_large")


async def test_error_names_each_skipped_candidate_with_its_reason(
    hass: HomeAssistant, provider: FakeProvider, hass_client_no_auth: ClientSessionGenerator
) -> None:
    provider.answers = [refuse(503, "warming up")]
    async with running(FakeProvider(id=None)) as second:
        second.answers = [refuse(401, "no such key")]
        await set_up(hass, gateway_with(box(provider, "Attic"), box(second, "Cellar", enabled=False), box(second, "Shed")))
        client = await hass_client_no_auth()
        answer = await client.post(CHAT_PATH, json=CHAT, headers=bearer())
    message = (await answer.json())["error"]["message"]
    assert answer.status == 502
    assert all(name in message for name in ("Attic", "Cellar", "Shed"))


async def test_backend_alias_and_model_list_apply_to_clients(
    hass: HomeAssistant, provider: FakeProvider, hass_client_no_auth: ClientSessionGenerator
) -> None:
    provider.models = [{"id": "test-model"}, {"id": "hidden"}]
    await set_up(hass, gateway_with(box(provider, models=["test-model"], aliases={"small": "test-model"})))
    client = await hass_client_no_auth()
    listed = await (await client.get("/v1/models", headers=bearer())).json()
    assert {model["id"] for model in listed["data"]} >= {"small", "test-model"}
    assert "hidden" not in {model["id"] for model in listed["data"]}
    assert (await client.post(CHAT_PATH, json=CHAT | {"model": "small"}, headers=bearer())).status == 200
    assert provider.requests[-1]["model"] == "test-model"
    assert (await client.post(CHAT_PATH, json=CHAT | {"model": "hidden"}, headers=bearer())).status == 404


async def test_backends_of_equal_priority_share_requests_by_weight(
    hass: HomeAssistant, provider: FakeProvider, hass_client_no_auth: ClientSessionGenerator
) -> None:
    async with running(FakeProvider(id=None)) as second:
        await set_up(hass, gateway_with(box(provider, "Big", weight=3), box(second, "Small", weight=1)))
        client = await hass_client_no_auth()
        for number in range(16):
            body = CHAT | {"messages": [{"role": "user", "content": f"Hello {number}"}]}
            assert (await client.post(CHAT_PATH, json=body, headers=bearer())).status == 200
        assert (len(provider.requests), len(second.requests)) == (12, 4)


async def test_sessions_keep_their_backend_over_a_restart(
    hass: HomeAssistant, provider: FakeProvider, hass_client_no_auth: ClientSessionGenerator
) -> None:
    async with running(FakeProvider(id=None)) as second:
        entry = await set_up(hass, gateway_with(box(provider, "One"), box(second, "Two")))
        client = await hass_client_no_auth()

        async def who(session: int) -> str:
            headers = bearer() | {"X-Session-ID": f"session {session}"}
            answer = await client.post(CHAT_PATH, json=CHAT, headers=headers)
            return answer.headers["X-ZeroconfAI-Provider"]

        before = {session: await who(session) for session in range(6)}
        sessions = runtime_of(entry).server.engine.sessions
        assert await hass.config_entries.async_unload(entry.entry_id)
        sessions._rows.clear()  # a new process has none
        assert await hass.config_entries.async_setup(entry.entry_id)
        after = {session: await who(session) for session in sorted(before, key=before.__getitem__)}
    assert sorted(before.values()) == ["One"] * 3 + ["Two"] * 3  # they take turns, and would again if they were forgotten
    assert after == before


async def test_backend_removed_completes_its_running_stream(
    hass: HomeAssistant, provider: FakeProvider, hass_client_no_auth: ClientSessionGenerator
) -> None:
    paused = Paused()
    provider.answers = [paused]
    entry = await set_up(hass, gateway_with(box(provider)))
    client = await hass_client_no_auth()
    async with streaming(client) as response:
        await paused.begun.wait()
        hass.config_entries.async_remove_subentry(entry, next(iter(entry.subentries)))
        await hass.async_block_till_done()
        gone = await client.post(CHAT_PATH, json=CHAT, headers=bearer())
        assert gone.status == 404
        paused.go.set()
        rest = (await response.read()).decode()
    assert "two" in rest
    assert rest.endswith("data: [DONE]\n\n")


async def test_gateway_switch_stops_and_resumes_answers(
    hass: HomeAssistant, provider: FakeProvider, hass_client_no_auth: ClientSessionGenerator
) -> None:
    entry = await set_up(hass, gateway_with(box(provider)))
    client = await hass_client_no_auth()
    found = er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    switch = next(item.entity_id for item in found if item.translation_key == "gateway" and item.domain == Platform.SWITCH)
    for action, status in (("turn_off", 503), ("turn_on", 200)):
        await hass.services.async_call("switch", action, {"entity_id": switch}, blocking=True)
        await hass.async_block_till_done()
        answer = await client.post(CHAT_PATH, json=CHAT, headers=bearer())
        assert answer.status == status


async def lamp_of(hass: HomeAssistant) -> Lamp:
    """A kitchen light that Assist may control; it is off."""
    assert await async_setup_component(hass, "conversation", {})
    lamp = Lamp()
    await add_entity(hass, Platform.LIGHT, lamp)
    async_expose_entity(hass, "conversation", "light.kitchen_light", True)
    return lamp


@pytest.mark.parametrize("by", ["token", "key"])
@pytest.mark.parametrize("may", [True, False], ids=["admin", "read-only"])
async def test_assist_request_has_the_permissions_of_the_keys_or_tokens_user(
    hass: HomeAssistant,
    hass_client_no_auth: ClientSessionGenerator,
    hass_admin_user: MockUser,
    hass_access_token: str,
    hass_read_only_user: MockUser,
    hass_read_only_access_token: str,
    by: str,
    may: bool,
) -> None:
    entry = await set_up(hass, gateway_with())
    lamp = await lamp_of(hass)
    user = hass_admin_user if may else hass_read_only_user
    secret = hass_access_token if may else hass_read_only_access_token
    if by == "key":
        _, secret = await runtime_of(entry).store.keys.create("Panel", user_id=user.id)
    client = await hass_client_no_auth()
    answer = await client.post(CHAT_PATH, json=ASSIST, headers=bearer(secret))
    assert lamp.is_on is may
    assert (answer.status == 200) or not may
    assert lamp.user_id == (user.id if may else None)


async def test_token_deleted_is_refused_by_the_next_request(
    hass: HomeAssistant,
    provider: FakeProvider,
    hass_client_no_auth: ClientSessionGenerator,
    hass_admin_user: MockUser,
) -> None:
    await set_up(hass, gateway_with(box(provider)))
    refresh: RefreshToken = await hass.auth.async_create_refresh_token(hass_admin_user, "https://example.com/app")
    token = hass.auth.async_create_access_token(refresh)
    client = await hass_client_no_auth()
    assert (await client.get("/v1/models", headers=bearer(token))).status == 200
    hass.auth.async_remove_refresh_token(refresh)
    assert (await client.get("/v1/models", headers=bearer(token))).status == 401
