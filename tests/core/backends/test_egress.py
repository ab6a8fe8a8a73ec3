"""Addresses that a stranger's URL may lead to: judged where they are resolved, connected to, and after that."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address, ip_network
import socket
from typing import Any

import aiohttp
from aiohttp import web
import ifaddr
import pytest

from tests.support.clouds.asking import error_of
from tests.support.fakes.provider import serving
from zeroconf_ai.backends import egress as module
from zeroconf_ai.backends.base import BackendInfo, Endpoint
from zeroconf_ai.backends.egress import Egress, NotPublicError, on_link_networks
from zeroconf_ai.backends.http import HttpUpstream
from zeroconf_ai.backends.zeroconfai import ZeroconfAIBackend, endpoint_of_record, probe
from zeroconf_ai.engine import ask_health
from zeroconf_ai.protocol.errors import UpstreamConnectionError
from zeroconf_ai.protocol.record import SATURN_TYPE, ServiceRecord

HERE = ip_network("127.0.0.0/8")
NAME = "beacon.example"


@asynccontextmanager
async def listening() -> AsyncIterator[tuple[int, list[bytes]]]:
    """A port on loopback, and what each connection to it brought."""
    brought: list[bytes] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        index = len(brought)
        brought.append(b"")
        brought[index] = await reader.read()
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], brought


def resolves_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    """Let every name stand for one of `addresses` after the other, the last one from then on. Returns the names asked for."""
    asked: list[str] = []

    async def resolve(host: str, port: int, **_: Any) -> Any:
        address = addresses[min(len(asked), len(addresses) - 1)]
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
    return asked


def beacon(port: int, **changes: str) -> ServiceRecord:
    """The advertisement of a cloud beacon under a public name."""
    txt = {"deployment": "cloud", "api_base": f"https://{NAME}:{port}/v1", **changes}
    return ServiceRecord.from_txt(
        txt, name="Beacon", host="beacon.local.", port=8000, addresses=["192.168.1.5"], service_type=SATURN_TYPE
    )


async def test_egress_on_link_prefix_is_refused_with_the_rest_of_the_home() -> None:
    egress = Egress(on_link=lambda: [ip_network("2a02:1234:5678:9a00::/56"), ip_network("81.2.69.0/24")])
    assert egress.allows(ip_address("2a02:1234:5678:9a01::5"))
    await egress.refresh()
    for address in ("2a02:1234:5678:9a01::5", "2a02:1234:5678:9aff::5", "81.2.69.142", "::ffff:81.2.69.142", "2002:5102:458e::1"):
        assert not egress.allows(ip_address(address)), address
    assert egress.allows(ip_address("2a02:1234:5678:9b00::5"))
    allowing = Egress([ip_network("2a02:1234:5678:9a00::/64")], on_link=lambda: [ip_network("2a02:1234:5678:9a00::/56")])
    await allowing.refresh()
    assert allowing.allows(ip_address("2a02:1234:5678:9a00::5"))


@pytest.mark.parametrize(
    ("address", "prefix", "network"),
    [
        ("2a02:1234:5678:9a01::5", 128, "2a02:1234:5678:9a00::/56"),
        ("2a02:1234:5678:9a01::5", 64, "2a02:1234:5678:9a00::/56"),
        ("2a02:1234:5678:9a01::5", 48, "2a02:1234:5678::/48"),
        ("fe80::1%eth0", 64, "fe80::/56"),
        ("192.168.1.5", 24, "192.168.1.0/24"),
    ],
)
def test_interface_address_gives_the_network_of_the_home(address: str, prefix: int, network: str) -> None:
    assert module._on_link(address, prefix) == ip_network(network)


def test_on_link_networks_are_those_of_all_interfaces(monkeypatch: pytest.MonkeyPatch) -> None:
    four, six = ifaddr.IP("81.2.69.142", 24, "eth0"), ifaddr.IP(("2a02:1234:5678:9a01::5", 0, 2), 128, "eth0")
    monkeypatch.setattr(ifaddr, "get_adapters", lambda: [ifaddr.Adapter("eth0", "eth0", [four, six])])
    assert on_link_networks() == (ip_network("81.2.69.0/24"), ip_network("2a02:1234:5678:9a00::/56"))


async def test_egress_resolves_rebound_name_never_to_the_home(monkeypatch: pytest.MonkeyPatch) -> None:
    resolves_to(monkeypatch, "93.184.216.34", "192.168.1.1")
    egress = Egress()
    assert [found["host"] for found in await egress.resolve(NAME, 443)] == ["93.184.216.34"]
    with pytest.raises(NotPublicError):
        await egress.resolve(NAME, 443)


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}/", "http://１２７.０.０.１:{port}/", "http://" + NAME + ":{port}/"])
async def test_egress_connector_opens_no_connection_to_the_home(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    resolves_to(monkeypatch, "127.0.0.1")
    async with listening() as (port, brought), aiohttp.ClientSession(connector=Egress().connector()) as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(url.format(port=port))
    assert not brought


async def test_egress_connector_peer_that_is_not_public_is_sent_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    egress = Egress()
    monkeypatch.setattr(egress, "new_socket", lambda found: socket.socket(*found[:3]))  # as if it had been let through
    async with listening() as (port, brought), aiohttp.ClientSession(connector=egress.connector()) as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(f"http://127.0.0.1:{port}/")
    assert brought == [b""]


async def test_egress_request_goes_to_the_address_that_was_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = resolves_to(monkeypatch, "127.0.0.1", "192.168.1.1")
    heard = []

    async def answer(request: web.BaseRequest) -> web.Response:
        heard.append((request.headers["Host"], request.path))
        return web.json_response({"status": "ok"})

    async with serving(answer) as port, aiohttp.ClientSession() as session:
        endpoint = Endpoint(f"http://{NAME}:{port}/v1", public_only=True)
        upstream = HttpUpstream(session, endpoint, name="Beacon", egress=Egress([HERE]))
        assert await upstream.get_json("/health") == {"status": "ok"}
    assert heard == [(f"{NAME}:{port}", "/v1/health")]
    assert asked == [NAME]


async def test_egress_request_next_address_where_one_is_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    async def resolve(_: str, port: int, **__: Any) -> Any:
        dead = (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", port, 0, 0))
        return [dead, (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    async def answer(_: web.BaseRequest) -> web.Response:
        return web.json_response({"status": "ok"})

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
    async with serving(answer) as port, aiohttp.ClientSession() as session:
        endpoint = Endpoint(f"http://{NAME}:{port}/v1", public_only=True)
        upstream = HttpUpstream(session, endpoint, name="Beacon", egress=Egress([HERE, ip_network("::1/128")]))
        assert await upstream.get_json("/health") == {"status": "ok"}


async def test_advertised_upstream_with_a_private_address_is_not_connected(monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening() as (port, brought), aiohttp.ClientSession() as session:
        resolves_to(monkeypatch, "127.0.0.1")
        record = beacon(port, ephemeral_key="sk-ephemeral")
        endpoint = endpoint_of_record(record)
        backend = ZeroconfAIBackend(session, BackendInfo("beacon", "Beacon"), endpoint)
        for asked in (ask_health(session)(record), probe(session, endpoint, "Beacon"), backend.health(), backend.models()):
            err = await error_of(asked)
            assert isinstance(err, UpstreamConnectionError)
            assert str(port) not in err.message
    assert not brought


@pytest.mark.parametrize(
    ("changes", "public_only"),
    [
        ({}, True),
        ({"deployment": "network"}, False),
        ({"api_base": "http://192.168.1.5:9000/v1"}, False),
        ({"api_base": "https://nas.local/v1"}, False),
    ],
)
def test_endpoint_of_an_advertisement_is_public_only_for_a_public_name(changes: dict[str, str], public_only: bool) -> None:
    assert endpoint_of_record(beacon(8000, **changes)).public_only is public_only
