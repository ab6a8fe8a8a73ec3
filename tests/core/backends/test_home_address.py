"""Whether an address is at home, with the resolver's answers for names."""

import asyncio
from ipaddress import ip_network
import socket
from typing import Any

import pytest

from zeroconf_ai.backends.egress import Egress
from zeroconf_ai.backends.home_address import is_outside


@pytest.fixture
def resolved(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """The addresses of names; others do not resolve."""
    names: dict[str, list[str]] = {}

    async def getaddrinfo(self: object, host: str, port: Any, **_: Any) -> list[tuple[Any, ...]]:
        if host not in names:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in names[host]]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", getaddrinfo)
    return names


@pytest.mark.parametrize(
    ("addresses", "outside"),
    [
        (["192.168.1.5"], False),
        (["104.18.1.1"], True),
        (["192.168.1.5", "104.18.1.1"], True),
        ([], True),
        (["fe80::1%eth0"], False),
    ],
)
async def test_is_outside_public_name_is_judged_by_its_addresses(
    resolved: dict[str, list[str]], addresses: list[str], *, outside: bool
) -> None:
    resolved["ollama.example.org"] = addresses
    assert await is_outside("https://ollama.example.org/v1") is outside


async def test_is_outside_public_name_that_does_not_resolve_is_outside(resolved: dict[str, list[str]]) -> None:
    assert await is_outside("https://ollama.example.org/v1")


async def test_is_outside_name_of_the_home_is_not_resolved(resolved: dict[str, list[str]]) -> None:
    resolved["gpu.local"] = ["104.18.1.1"]
    assert not await is_outside("http://gpu.local:8000/v1")


async def test_is_outside_public_address_of_the_homes_own_network_is_at_home(resolved: dict[str, list[str]]) -> None:
    egress = Egress(on_link=lambda: [ip_network("2001:db8:1:2::/56", strict=False), ip_network("2003:a:b:c00::/56")])
    assert not await is_outside("http://[2003:a:b:c01::9]:8000/v1", egress)
    assert await is_outside("http://[2003:a:b:d00::9]:8000/v1", egress)
