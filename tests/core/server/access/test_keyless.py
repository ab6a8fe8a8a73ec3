"""Who is let in without a key in mode `none`: the home's own networks and devices, also behind a trusted proxy."""

from ipaddress import ip_address
from typing import Any

import aiohttp
import pytest

from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.lan.interfaces import Address
from zeroconf_ai.lan.neighbours import Neighbours
from zeroconf_ai.protocol.record import Auth
from zeroconf_ai.server.access.devices import AllowedDevices
from zeroconf_ai.server.access.guard import PRIVATE_NETWORKS, Guard

from ....support.server import served
from .guards import Watching, bearer, get_as


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


def test_guard_default_networks_are_private() -> None:
    assert not {"0.0.0.0/0", "::/0", "100.64.0.0/10"} & set(PRIVATE_NETWORKS)
