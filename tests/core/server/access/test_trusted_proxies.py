"""The address of a client behind proxies, and what depends on it."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.support.server import CHAT, served
from zeroconf_ai.server.access.guard import Guard
from zeroconf_ai.server.access.trusted_proxies import TrustedProxies
from zeroconf_ai.server.request_log import AccessLog

LOOPBACK = ("127.0.0.0/8",)


@pytest.mark.parametrize(
    ("networks", "forwarded", "seen"),
    [
        ((), "203.0.113.7", "127.0.0.1"),
        (("10.0.0.0/8",), "203.0.113.7", "127.0.0.1"),
        (LOOPBACK, "203.0.113.7", "203.0.113.7"),
        (LOOPBACK, "203.0.113.7:4711", "203.0.113.7"),
        (LOOPBACK, "[2001:db8::1]:4711", "2001:db8::1"),
        (LOOPBACK, "2001:db8::1", "2001:db8::1"),
        (LOOPBACK, "::ffff:203.0.113.7", "203.0.113.7"),
        # What the client itself wrote stands before what the proxy adds.
        (LOOPBACK, "198.51.100.1, 203.0.113.7", "203.0.113.7"),
        ((*LOOPBACK, "203.0.113.7/32"), "198.51.100.1, 203.0.113.7", "198.51.100.1"),
        (LOOPBACK, "nonsense", "127.0.0.1"),
        (LOOPBACK, "198.51.100.1, nonsense", "127.0.0.1"),
        (LOOPBACK, "", "127.0.0.1"),
        (LOOPBACK, ", ".join(["127.0.0.1"] * 1000), "127.0.0.1"),
    ],
)
async def test_client_behind_trusted_proxies_is_seen(networks: tuple[str, ...], forwarded: str, seen: str) -> None:
    entries: list[Mapping[str, Any]] = []
    async with served() as server:
        server.gateway.proxies = TrustedProxies(networks)
        server.gateway.request_log = AccessLog(entries.append, silent=frozenset())
        await server.ask("POST", "chat/completions", json=CHAT, headers={"X-Forwarded-For": forwarded})
    assert [entry["client"] for entry in entries] == [seen]


async def test_wrong_keys_count_for_the_client_and_not_for_the_proxy() -> None:
    async with served(access=Guard(key="zai_right")) as server:
        server.gateway.proxies = TrustedProxies(LOOPBACK)

        async def status(address: str) -> int:
            headers = {"X-Forwarded-For": address, "Authorization": "Bearer zai_wrong"}
            return (await server.ask("POST", "chat/completions", json=CHAT, headers=headers))[0]

        assert [await status("203.0.113.7") for _ in range(11)] == [401] * 10 + [429]
        assert await status("203.0.113.8") == 401
