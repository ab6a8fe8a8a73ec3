"""Who is let in by a key, or as a user of Home Assistant."""

import asyncio
from pathlib import Path

from aiohttp import web
import pytest

from zeroconf_ai.accounting import store as accounting_store
from zeroconf_ai.accounting.keys import key_store
from zeroconf_ai.accounting.keys.client_key import ADMIN, SCOPES
from zeroconf_ai.accounting.keys.key_secret import new_secret
from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.protocol.record import Auth, Placement
from zeroconf_ai.server.access.guard import Guard, HomeUser
from zeroconf_ai.server.endpoints import OWN_PORT_ROUTES, ROUTES

from ....support.fakes.upstream import StubBackend
from ....support.server import KEY, served
from .guards import DEMO, Watching, bearer, get_as


async def test_guard_key_identifies_its_owner(store: AccountingStore) -> None:
    key, secret = await store.keys.create("Tablet", user_id="user-1", models=("demo-*",), background=True)
    guard = Watching(store.keys)
    async with served(access=guard) as gateway:
        status, _, _ = await gateway.get("models", headers=bearer(secret))
        by_other_header, _, _ = await gateway.get("models", headers={"x-api-key": secret})
    assert (status, by_other_header) == (200, 200)
    caller = guard.seen[0]
    assert (caller.name, caller.key_id, caller.user_id, caller.models) == ("Tablet", key.id, "user-1", ("demo-*",))
    assert caller.background
    assert caller.address == "127.0.0.1"
    assert guard.required


async def test_guard_requests_of_a_key_that_stays_at_home_do_not_leave(store: AccountingStore) -> None:
    """Also not if they name the backend outside, which is not listed for such a key."""
    key, secret = await store.keys.create("Camera", home_only=True)
    _, other = await store.keys.create("Laptop")
    cloud = StubBackend("cloud", placement=Placement.CLOUD, models=["gpt"])
    asked = {"model": "gpt", "messages": [{"role": "user", "content": "Hello"}]}
    async with served(cloud, StubBackend("home", models=["qwen"]), access=Guard(store.keys)) as gateway:
        _, listed, _ = await gateway.get("models", headers=bearer(secret))
        assert "gpt" not in {model["id"] for model in listed["data"]}
        assert (await gateway.get("models/gpt", headers=bearer(secret)))[0] == 404
        assert (await gateway.get("models/gpt", headers=bearer(other)))[0] == 200
        for named in ("gpt", "cloud/gpt"):
            body = {**asked, "model": named}
            status, refused, _ = await gateway.ask("POST", "chat/completions", json=body, headers=bearer(secret))
            assert (status, refused["error"]["code"]) == (503, "home_only")
            assert refused["error"]["message"].startswith("Requests with this API key stay at home, and no provider at home ")
        assert cloud.sent == []
        assert (await gateway.ask("POST", "chat/completions", json=asked, headers=bearer(other)))[0] == 200
        await store.keys.update(key.id, home_only=False)
        assert (await gateway.ask("POST", "chat/completions", json=asked, headers=bearer(secret)))[0] == 200


@pytest.mark.parametrize("mode", [Auth.TOKEN, Auth.NONE])
async def test_guard_key_that_another_process_created_is_accepted_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: Auth
) -> None:
    monkeypatch.setattr(accounting_store, "REFRESH_SECONDS", 3600.0)
    store, other = [await AccountingStore.open(tmp_path / "gateway.db") for _ in range(2)]
    guard = Watching(store.keys, mode=mode)
    try:
        async with served(access=guard) as gateway:
            key, secret = await other.keys.create("Tablet")
            found = await asyncio.gather(*(get_as(gateway, **bearer(secret)) for _ in range(3)))
        assert found == [(200, None)] * 3
        assert {caller.key_id for caller in guard.seen} == {key.id}
    finally:
        await other.close()
        await store.close()


async def test_guard_guesses_read_the_keys_once(store: AccountingStore, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = list[None]()

    async def read() -> None:
        reads.append(None)

    monkeypatch.setattr(key_store, "_LOOK_UP_SECONDS", 3600.0)
    async with served(access=Guard(store.keys)) as gateway:
        monkeypatch.setattr(store.keys, "refresh", read)
        for guess in ("sk-other", "zai_short", KEY):
            assert (await get_as(gateway, **bearer(guess)))[0] == 401
        assert reads == []
        for _ in range(4):
            assert (await get_as(gateway, **bearer(new_secret())))[0] == 401
    assert len(reads) == 1


async def test_guard_revoked_key_is_refused_by_the_next_request(store: AccountingStore) -> None:
    key, secret = await store.keys.create("Tablet")
    async with served(access=Guard(store.keys)) as gateway:
        assert (await gateway.get("models", headers=bearer(secret)))[0] == 200
        await store.keys.revoke(key.id)
        status, body, _ = await gateway.get("models", headers=bearer(secret))
    assert (status, body["error"]["code"]) == (401, "invalid_api_key")


@pytest.mark.parametrize("mode", [Auth.TOKEN, Auth.NONE])
async def test_guard_key_of_a_deleted_user_is_refused_in_each_mode(store: AccountingStore, mode: Auth) -> None:
    _, secret = await store.keys.create("Tablet", user_id="user-1")
    _, free = await store.keys.create("Phone")
    active = {"user-1"}

    async def is_active(user_id: str) -> bool:
        return user_id in active

    async with served(access=Guard(store.keys, mode=mode, active_user=is_active)) as gateway:
        assert await get_as(gateway, **bearer(secret)) == (200, None)
        active.clear()
        assert await get_as(gateway, **bearer(secret)) == (403, "key_disabled")
        assert await get_as(gateway, **bearer(free)) == (200, None)


@pytest.mark.parametrize("mode", [Auth.TOKEN, Auth.NONE])
async def test_guard_disabled_key_is_refused_in_each_mode(store: AccountingStore, mode: Auth) -> None:
    key, secret = await store.keys.create("Tablet")
    await store.keys.update(key.id, enabled=False)
    async with served(access=Guard(store.keys, mode=mode)) as gateway:
        status, body, _ = await gateway.get("models", headers=bearer(secret))
    assert (status, body["error"]["code"]) == (403, "key_disabled")


@pytest.mark.parametrize("mode", [Auth.TOKEN, Auth.NONE])
async def test_guard_key_is_limited_to_its_endpoints(store: AccountingStore, mode: Auth) -> None:
    _, secret = await store.keys.create("Lister", endpoints=("models",))
    async with served(access=Guard(store.keys, mode=mode)) as gateway:
        allowed, _, _ = await gateway.get("models", headers=bearer(secret))
        status, body, _ = await gateway.ask("POST", "chat/completions", json=DEMO, headers=bearer(secret))
    assert allowed == 200
    assert (status, body["error"]["type"], body["error"]["code"]) == (403, "permission_error", "endpoint_not_allowed")


async def test_guard_key_of_the_command_works_beside_others(store: AccountingStore) -> None:
    _, secret = await store.keys.create("Tablet")
    async with served(access=Guard(store.keys, key=KEY)) as gateway:
        for known in (KEY, secret):
            assert (await gateway.get("models", headers=bearer(known)))[0] == 200
        status, body, headers = await gateway.get("models", headers=bearer(KEY[:-1]))
    assert (status, body["error"]["code"], headers["WWW-Authenticate"]) == (401, "invalid_api_key", "Bearer")


async def test_guard_without_keys_and_users_refuses_all() -> None:
    async with served(access=Guard()) as gateway:
        assert await get_as(gateway) == (401, "missing_api_key")
        assert await get_as(gateway, Authorization="Bearer x") == (401, "invalid_api_key")


def test_guard_key_can_be_limited_to_each_endpoint_group() -> None:
    assert {route.scope for route in (*ROUTES, *OWN_PORT_ROUTES) if not route.public} <= {*SCOPES, ADMIN}


async def test_guard_all_private_paths_require_a_key() -> None:
    async with served(access=Guard(key=KEY)) as gateway:
        for route in (*ROUTES, *OWN_PORT_ROUTES):
            path = route.path.replace("{model:.+}", "demo-rules")
            status, _, _ = await gateway.ask(route.method, path, json={} if route.method == "POST" else None)
            public = {"/v1/images/{conversation}/{message}/{filename}": 404, "/v1/enroll": 400, "/v1/enroll/{request}": 400}
            # A server that stores no images, and speaks no TLS.
            assert status == (public.get(route.path, 200) if route.public else 401), route.path


@pytest.mark.parametrize("mode", [Auth.TOKEN, Auth.NONE])
async def test_guard_home_assistant_user_is_identified(mode: Auth) -> None:
    def home_user(request: web.Request) -> HomeUser | None:
        return HomeUser("user-1", "Ada", admin=True) if request.headers.get("Authorization") == "Bearer token" else None

    guard = Watching(mode=mode, home_user=home_user)
    async with served(access=guard) as gateway:
        assert await get_as(gateway, Authorization="Bearer token", Origin="https://elsewhere.example.net") == (200, None)
    assert (guard.seen[0].name, guard.seen[0].user_id, guard.seen[0].admin) == ("Ada", "user-1", True)
