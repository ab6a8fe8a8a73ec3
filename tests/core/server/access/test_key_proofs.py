"""`/v1/health` proves that the gateway knows a key: to its holder alone, at its own address alone, and not too often."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
import secrets
import time
from typing import Any

import aiohttp
from aiohttp import web
import pytest

from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.backends.base import Endpoint
from zeroconf_ai.backends.identity_probe import IdentityProbe, proves_key
from zeroconf_ai.lan.identity import Reply, Target
from zeroconf_ai.protocol import key_proof
from zeroconf_ai.protocol.record import Auth
from zeroconf_ai.server.access.auth_throttle import FAILURES
from zeroconf_ai.server.access.guard import Guard

from ....support.server import Served, served

UNKNOWN = "zai_example-of-a-wrong-key-000000000"


def query(key: str, challenge: bytes | None = None) -> dict[str, str]:
    kid = key_proof.key_id(key_proof.digest(key))
    return {"kid": key_proof.encode(kid), "challenge": key_proof.encode(challenge or secrets.token_bytes(32))}


async def proof_of(gateway: Served, params: dict[str, str], **options: Any) -> str:
    status, body, _ = await gateway.get("health", params=params, **options)
    assert status == 200
    proof: str = body["proof"]
    return proof


async def is_proven(gateway: Served, key: str, *, provider_id: str = "gateway-id") -> bool:
    return await proves_key(Endpoint(gateway.url), "It", provider_id, key)


@asynccontextmanager
async def relay(gateway: Served) -> AsyncIterator[str]:
    """The base URL of an impostor that has every request answered by the gateway."""

    async def pass_on(request: web.BaseRequest) -> web.Response:
        url = f"http://127.0.0.1:{gateway.port}{request.path_qs}"
        headers = {"Host": f"127.0.0.1:{gateway.port}", "X-Forwarded-Host": request.host, "Forwarded": f"host={request.host}"}
        async with gateway.session.get(url, headers=headers) as response:
            return web.Response(body=await response.read(), content_type="application/json")

    runner = web.ServerRunner(web.Server(pass_on))
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("mode", [Auth.TOKEN, Auth.NONE])
async def test_key_proof_of_a_generated_key_is_valid_without_sending_it(store: AccountingStore, mode: Auth) -> None:
    _, secret = await store.keys.create("Home Assistant")
    async with served(access=Guard(store.keys, mode=mode)) as gateway:
        assert await is_proven(gateway, secret)
        assert not await is_proven(gateway, secret, provider_id="another-id")
        assert not await is_proven(gateway, UNKNOWN)


async def test_key_proof_is_not_in_a_plain_health_check(store: AccountingStore) -> None:
    async with served(access=Guard(store.keys)) as gateway:
        for params in ({}, {"t": "1"}):
            status, body, _ = await gateway.get("health", params=params)
            assert status == 200
            assert "proof" not in body


async def test_key_proof_relayed_from_the_provider_is_invalid(store: AccountingStore) -> None:
    _, secret = await store.keys.create("Home Assistant")
    async with served(access=Guard(store.keys)) as gateway, relay(gateway) as impostor:
        probe = IdentityProbe(gateway.session, "It", "gateway-id", secret)
        assert await probe(Target(impostor, prove=True)) is Reply.KNOWN
        assert await probe(Target(gateway.url, prove=True)) is Reply.PROVEN


async def test_key_proof_uses_the_sockets_address_not_headers(store: AccountingStore) -> None:
    _, secret = await store.keys.create("Home Assistant")
    params = query(secret)
    async with served(access=Guard(store.keys)) as gateway:
        headers = {
            "Host": "192.0.2.66:9",
            "Forwarded": "for=192.0.2.66;host=192.0.2.66:9",
            "X-Forwarded-Host": "192.0.2.66:9",
            "X-Forwarded-For": "192.0.2.66",
            "X-Forwarded-Port": "9",
        }
        proof = await proof_of(gateway, params, headers=headers)
        challenge = key_proof.decode(params["challenge"], 32)
        digest = key_proof.digest(secret)
        assert proof == key_proof.encode(key_proof.prove(digest, challenge, "gateway-id", "127.0.0.1", gateway.port))


async def test_key_proof_of_a_former_secret_is_valid_during_the_overlap(store: AccountingStore) -> None:
    key, former = await store.keys.create("Home Assistant")
    _, current = await store.keys.rotate(key.id, 3600)
    async with served(access=Guard(store.keys)) as gateway:
        assert await is_proven(gateway, former)
        assert await is_proven(gateway, current)
        _, newest = await store.keys.rotate(key.id, 0)
        assert not await is_proven(gateway, current)
        assert await is_proven(gateway, newest)


async def test_key_proof_of_invalid_keys_is_like_that_of_unknown_ones(store: AccountingStore) -> None:
    """The answer does not reveal whether a key exists, neither by its format nor by repetition."""
    good_key, good = await store.keys.create("Good")
    disabled_key, disabled = await store.keys.create("Disabled")
    revoked_key, revoked = await store.keys.create("Revoked")
    _, expired = await store.keys.create("Expired", expires=time.time() - 1)
    await store.keys.update(disabled_key.id, enabled=False)
    await store.keys.revoke(revoked_key.id)
    seen: set[tuple[int, tuple[str, ...], int]] = set()
    async with served(access=Guard(store.keys)) as gateway:
        for secret in (good, disabled, revoked, expired, UNKNOWN):
            params = query(secret)
            status, body, headers = await gateway.get("health", params=params)
            again = await proof_of(gateway, params)
            assert again == body["proof"]
            key_proof.decode(again, 32)
            seen.add((status, tuple(body), len(headers)))
            gateway.gateway.key_proofs._throttle._levels.clear()
        assert len(seen) == 1
        proven = [await is_proven(gateway, secret) for secret in (good, disabled, revoked, expired, UNKNOWN)]
        assert proven == [True, False, False, False, False]
    assert store.keys.get(good_key.id).last_used is None  # type: ignore[union-attr]


@pytest.mark.parametrize("access", [{"key": UNKNOWN}, {"access": Guard(key=UNKNOWN)}], ids=["key check", "guard"])
async def test_key_proof_of_a_chosen_key_is_never_given(access: dict[str, Any]) -> None:
    """It might be guessed from its proof, however long it is."""
    async with served(**access) as gateway:
        assert not await is_proven(gateway, UNKNOWN)
        assert await IdentityProbe(gateway.session, "It", "gateway-id", UNKNOWN)(Target(gateway.url, prove=True)) is Reply.KNOWN


async def test_key_proof_id_of_a_chosen_key_is_not_sent() -> None:
    asked: list[str] = []

    async def answer(request: web.BaseRequest) -> web.Response:
        asked.append(request.path_qs)
        return web.json_response({"status": "ok", "id": "gateway-id"})

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    try:
        async with aiohttp.ClientSession() as session:
            assert await IdentityProbe(session, "It", "gateway-id", "password")(Target(url, prove=True)) is Reply.KNOWN
            assert await IdentityProbe(session, "It", "gateway-id", UNKNOWN)(Target(url, prove=False)) is Reply.KNOWN
            assert asked == ["/v1/health", "/v1/health"]
            assert await IdentityProbe(session, "It", "other-id", UNKNOWN)(Target(url, prove=True)) is Reply.OTHER
            assert not [path for path in asked if "kid" in path]
            assert await IdentityProbe(session, "It", "gateway-id", UNKNOWN)(Target(url, prove=True)) is Reply.KNOWN
            assert "kid" in asked[-1]  # a server that knows no proof
    finally:
        await runner.cleanup()


GOOD = query(UNKNOWN, bytes(range(32)))


@pytest.mark.parametrize(
    ("params", "wrong"),
    [
        ([("kid", GOOD["kid"])], "challenge"),
        ([("challenge", GOOD["challenge"])], "kid"),
        ([("kid", ""), ("challenge", GOOD["challenge"])], "kid"),
        ([("kid", GOOD["kid"] + "A"), ("challenge", GOOD["challenge"])], "kid"),
        ([("kid", "!" * 16), ("challenge", GOOD["challenge"])], "kid"),
        ([("kid", GOOD["kid"]), ("challenge", GOOD["challenge"] + "=")], "challenge"),
        ([("kid", GOOD["kid"]), ("challenge", GOOD["challenge"][:-1] + "9")], "challenge"),
        ([("kid", GOOD["kid"]), ("challenge", "A" * 4000)], "challenge"),
        ([("kid", GOOD["kid"]), ("challenge", GOOD["challenge"]), ("challenge", GOOD["challenge"])], "challenge"),
    ],
)
async def test_key_proof_malformed_parameters_are_refused_by_name(params: list[tuple[str, str]], wrong: str) -> None:
    async with served() as gateway:
        status, body, _ = await gateway.get("health", params=params)
        assert (status, body["error"]["type"], body["error"]["param"]) == (400, "invalid_request_error", wrong)


async def test_key_proofs_are_throttled_and_plain_health_checks_are_not(store: AccountingStore) -> None:
    _, secret = await store.keys.create("Home Assistant")
    async with served(access=Guard(store.keys)) as gateway:
        for number in range(FAILURES):
            await proof_of(gateway, query((secret, UNKNOWN)[number % 2]))
        for key in (secret, UNKNOWN):
            status, body, headers = await gateway.get("health", params=query(key))
            assert (status, body["error"]["code"]) == (429, "too_many_proofs")
            assert int(headers["Retry-After"]) >= 1
        assert not await is_proven(gateway, secret)
        assert (await gateway.get("health"))[0] == 200
