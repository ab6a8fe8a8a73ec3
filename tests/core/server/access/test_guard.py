"""Who is let in: keys, users of Home Assistant, and in mode `none` the home's own networks, browsers kept in check."""

import asyncio
from collections.abc import AsyncIterator
from ipaddress import ip_address
import json
from pathlib import Path
from typing import Any, override

import aiohttp
from aiohttp import web
import pytest

from zeroconf_ai.accounting import store as accounting_store
from zeroconf_ai.accounting.keys import key_store
from zeroconf_ai.accounting.keys.client_key import ADMIN, SCOPES
from zeroconf_ai.accounting.keys.key_secret import new_secret
from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.engine import Caller
from zeroconf_ai.lan.interfaces import Address
from zeroconf_ai.lan.neighbours import Neighbours
from zeroconf_ai.protocol.record import Auth, Placement
from zeroconf_ai.server.access import auth_throttle
from zeroconf_ai.server.access.auth_throttle import AuthThrottle
from zeroconf_ai.server.access.devices import AllowedDevices
from zeroconf_ai.server.access.guard import PRIVATE_NETWORKS, Guard, HomeUser
from zeroconf_ai.server.endpoints import OWN_PORT_ROUTES, ROUTES

from ....support.fakes.upstream import StubBackend
from ....support.server import KEY, Served, served

DEMO = {"model": "demo-rules", "messages": [{"role": "user", "content": "Hello"}]}


class Watching(Guard):
    """A guard that remembers whom it let in."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.seen: list[Caller] = []

    @override
    async def admit(self, request: web.Request, scope: str) -> Caller:
        caller = await super().admit(request, scope)
        self.seen.append(caller)
        return caller


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[AccountingStore]:
    opened = await AccountingStore.open(tmp_path / "gateway.db")
    yield opened
    await opened.close()


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


async def raw(port: int, *lines: str) -> tuple[int, dict[str, Any]]:
    """Status and JSON of a request written by hand."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write("\r\n".join([*lines, "Connection: close", "", ""]).encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


async def get_as(gateway: Served, **headers: str) -> tuple[int, str | None]:
    """(status, the error's code) of a GET with these headers."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    status, body, _ = await gateway.get("models", headers=named)
    return status, body.get("error", {}).get("code")


# Keys


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


# Wrong keys


async def test_guard_many_wrong_keys_are_throttled_and_valid_ones_accepted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now = 1000.0
    guard = Guard(key=KEY, clock=lambda: now)
    async with served(access=guard) as gateway:
        for _ in range(auth_throttle.FAILURES):
            assert await get_as(gateway, Authorization="Bearer wrong") == (401, "invalid_api_key")
        waits = []
        for _ in range(8):
            status, body, headers = await gateway.get("models", headers=bearer("wrong"))
            assert (status, body["error"]["type"]) == (429, "rate_limit_error")
            waits.append(int(headers["Retry-After"]))
        assert waits == [2, 4, 8, 16, 32, 60, 60, 60]
        assert await get_as(gateway, Authorization=f"Bearer {KEY}") == (200, None)
        assert await get_as(gateway) == (401, "missing_api_key")  # no guess
        connector = aiohttp.TCPConnector(local_addr=("127.0.0.2", 0))
        async with (
            aiohttp.ClientSession(connector=connector) as other,
            other.get(f"{gateway.url}/models", headers=bearer("wrong")) as answer,
        ):
            assert answer.status == 401  # another address
        now += auth_throttle.WINDOW * 2
        assert await get_as(gateway, Authorization="Bearer wrong") == (401, "invalid_api_key")
    assert caplog.text.count("127.0.0.1 failed more than 10 times") == 1


def test_guard_throttle_ends_with_time() -> None:
    now = 0.0
    times = AuthThrottle(lambda: now)
    for _ in range(100):
        assert times.failed("192.0.2.1") == 0.0
        now += auth_throttle.WINDOW / auth_throttle.FAILURES


def test_guard_throttle_counts_an_ipv6_network_as_one_address() -> None:
    times = AuthThrottle(lambda: 0.0)
    waits = [times.failed(f"2001:db8:0:1::{host:x}") for host in range(1, auth_throttle.FAILURES + 2)]
    assert waits[-2:] == [0.0, 2.0]
    assert times.failed("2001:db8:0:2::1") == 0.0
    assert times.failed("::ffff:192.0.2.1") == 0.0


def test_guard_throttle_stores_a_maximum_of_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth_throttle, "MAX_ADDRESSES", 3)
    times = AuthThrottle(lambda: 0.0)
    for _ in range(auth_throttle.FAILURES):
        times.failed("192.0.2.1")
    for last in (2, 3):
        times.failed(f"192.0.2.{last}")
    assert times.failed("192.0.2.1") == 2.0  # still known, and now the newest
    for last in (4, 5, 6):
        times.failed(f"192.0.2.{last}")
    assert times.failed("192.0.2.1") == 0.0
    assert len(times._levels) == 3


# Without keys


async def test_guard_local_client_without_keys_is_accepted_with_any_key() -> None:
    guard = Watching(mode=Auth.NONE)
    async with served(access=guard) as gateway:
        assert await get_as(gateway) == (200, None)
        assert await get_as(gateway, Authorization="Bearer unused") == (200, None)
        async with gateway.sdk() as client:
            said = await client.chat.completions.create(model="demo-rules", messages=[{"role": "user", "content": "Hello"}])
    assert said.choices[0].message.content
    assert not guard.required
    assert {caller.address for caller in guard.seen} == {"127.0.0.1"}


async def test_guard_valid_key_without_required_keys_is_identified(store: AccountingStore) -> None:
    key, secret = await store.keys.create("Tablet")
    guard = Watching(store.keys, mode=Auth.NONE, networks=())
    async with served(access=guard) as gateway:
        assert await get_as(gateway, **bearer(secret)) == (200, None)
        assert await get_as(gateway) == (403, "network_not_allowed")
    assert [caller.key_id for caller in guard.seen] == [key.id]


async def test_guard_other_networks_need_a_key() -> None:
    async with served(access=Guard(mode=Auth.NONE, networks=("127.0.0.2/32",))) as gateway:
        assert await get_as(gateway) == (403, "network_not_allowed")
        connector = aiohttp.TCPConnector(local_addr=("127.0.0.2", 0))
        async with aiohttp.ClientSession(connector=connector) as neighbour, neighbour.get(f"{gateway.url}/models") as answer:
            assert answer.status == 200


async def test_guard_devices_that_are_not_allowed_need_a_key(store: AccountingStore) -> None:
    """A trusted proxy names the clients, so that this test has several."""
    _, secret = await store.keys.create("Tablet")
    table: dict[Address, str] = {ip_address("192.0.2.7"): "00:00:5e:00:53:07", ip_address("2001:db8::8"): "00:00:5e:00:53:08"}
    allowed = AllowedDevices(["00-00-5E-00-53-07"], Neighbours(lambda: table))
    options: dict[str, Any] = {"networks": ("0.0.0.0/0", "::/0"), "proxies": ("127.0.0.0/8",), "devices": allowed}
    async with served(access=Guard(store.keys, mode=Auth.NONE, **options)) as gateway:
        assert await get_as(gateway) == (200, None)  # this machine
        assert await get_as(gateway, **{"X-Forwarded-For": "192.0.2.7"}) == (200, None)
        for other, words in (("2001:db8::8", "The device 00:00:5e:00:53:08 at"), ("192.0.2.9", "is not known")):
            status, body, _ = await gateway.get("models", headers={"X-Forwarded-For": other})
            assert (status, body["error"]["code"]) == (403, "network_not_allowed")
            assert words in body["error"]["message"]
            assert await get_as(gateway, **bearer(secret), **{"X-Forwarded-For": other}) == (200, None)


def test_guard_invalid_network_is_refused() -> None:
    with pytest.raises(ValueError, match=r"192\.0\.2\.300"):
        Guard(networks=("192.0.2.300/24",))


async def test_guard_remote_access_needs_a_key() -> None:
    remote = False
    async with served(access=Guard(mode=Auth.NONE, remote=lambda _: remote)) as gateway:
        assert await get_as(gateway) == (200, None)
        remote = True
        assert await get_as(gateway) == (403, "network_not_allowed")


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded"])
async def test_guard_unknown_proxy_needs_a_key(header: str) -> None:
    async with served(access=Guard(mode=Auth.NONE)) as gateway:
        assert await get_as(gateway, **{header: "for=192.168.1.5" if header == "Forwarded" else "192.168.1.5"}) == (
            403,
            "network_not_allowed",
        )


@pytest.mark.parametrize(
    ("forwarded", "status", "address"),
    [
        ("192.168.1.5", 200, "192.168.1.5"),
        ("203.0.113.9", 403, None),
        ("192.168.1.5, 203.0.113.9", 403, None),  # what a client claims stands left of what the proxy saw
        ("203.0.113.9, 192.168.1.5", 403, None),  # the proxy of the home is not one that is believed
        ("203.0.113.9, 127.0.0.3", 403, None),
        ("192.168.1.5, 127.0.0.3", 200, "192.168.1.5"),
        ("::ffff:192.168.1.5", 200, "192.168.1.5"),
        ("nonsense", 403, None),
        ("", 403, None),
    ],
)
async def test_guard_trusted_proxy_forwards_the_clients_address(forwarded: str, status: int, address: str | None) -> None:
    guard = Watching(mode=Auth.NONE, proxies=("127.0.0.0/8",))
    async with served(access=guard) as gateway:
        found, _ = await get_as(gateway, X_Forwarded_For=forwarded)
    assert found == status
    assert [caller.address for caller in guard.seen] == ([address] if address else [])


# Browsers


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "192.168.1.5:8000",
        "[::1]:8000",
        "[fe80::1]",
        "localhost",
        "LOCALHOST:8000",
        "app.localhost",
        "homeassistant",
        "homeassistant:8123",
        "homeassistant.local",
        "homeassistant.local.",
        "ha.internal",
        "ha.home.arpa",
        "ha.lan",
        "ai.example.net",
        "AI.example.net:443",
    ],
)
async def test_guard_host_of_the_server_is_accepted(host: str) -> None:
    async with served(access=Guard(mode=Auth.NONE, host_names=("ai.example.net",))) as gateway:
        status, _ = await raw(gateway.port, "GET /v1/models HTTP/1.1", f"Host: {host}")
    assert status == 200


@pytest.mark.parametrize(
    "host",
    [
        "rebind.example.net",
        "rebind.example.net:8000",
        "127.0.0.1.example.net",
        "127.0.0.1.nip.io",
        "localhost.example.net",
        "homeassistant.local.example.net",
        "notlocal.net",
        ".",
        ":8000",
        "[::1].example.net",
        "[rebind.example.net]",
        "127.0.0.1@rebind.example.net",
        "rebind.example.net, 127.0.0.1",
    ],
)
async def test_guard_host_of_a_public_name_is_refused(host: str) -> None:
    async with served(access=Guard(mode=Auth.NONE)) as gateway:
        status, body = await raw(gateway.port, "GET /v1/models HTTP/1.1", f"Host: {host}")
    assert status in (400, 403)
    if status == 403:
        assert body["error"]["code"] == "host_not_allowed"


async def test_guard_request_without_host_is_accepted() -> None:
    async with served(access=Guard(mode=Auth.NONE)) as gateway:
        status, _ = await raw(gateway.port, "GET /v1/models HTTP/1.0")
    assert status == 200


@pytest.mark.parametrize(
    "origin",
    [
        "https://elsewhere.example.net",
        "null",
        "http://127.0.0.1",
        "http://127.0.0.1:1",
        "http://localhost:{port}",
        "x",
        "http://[",
    ],
)
async def test_guard_origin_of_another_site_is_refused(origin: str) -> None:
    async with served(access=Guard(mode=Auth.NONE)) as gateway:
        assert await get_as(gateway, Origin=origin.format(port=gateway.port)) == (403, "origin_not_allowed")


async def test_guard_origin_of_the_server_and_allowed_ones_are_accepted() -> None:
    async with served(access=Guard(mode=Auth.NONE, origins=("https://chat.example.net",))) as gateway:
        assert await get_as(gateway, Origin=f"http://127.0.0.1:{gateway.port}") == (200, None)
        assert await get_as(gateway, Origin="https://chat.example.net") == (200, None)
        assert await get_as(gateway, Origin="http://chat.example.net") == (403, "origin_not_allowed")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""])
async def test_guard_body_type_of_forms_is_refused(kind: str) -> None:
    async with served(access=Guard(mode=Auth.NONE)) as gateway:
        body = json.dumps(DEMO).encode()
        status, answer, _ = await gateway.ask("POST", "chat/completions", data=body, headers={"Content-Type": kind})
    assert (status, answer["error"]["code"]) == (415, "unsupported_media_type")


async def test_guard_valid_key_skips_origin_host_and_body_checks() -> None:
    async with served(access=Guard(mode=Auth.NONE, key=KEY, networks=())) as gateway:
        headers = bearer(KEY) | {"Origin": "https://x.example.net", "Host": "x.example.net", "Content-Type": "text/plain"}
        status, _, _ = await gateway.ask("POST", "chat/completions", data=json.dumps(DEMO).encode(), headers=headers)
    assert status == 200


def test_guard_default_networks_are_private() -> None:
    assert not {"0.0.0.0/0", "::/0", "100.64.0.0/10"} & set(PRIVATE_NETWORKS)
