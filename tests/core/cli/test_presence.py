"""Staying advertised while addresses come and go."""

from ipaddress import ip_address
import os

import click
import pytest
from zeroconf.asyncio import AsyncServiceInfo

from zeroconf_ai.cli import presence
from zeroconf_ai.cli.network import open_zeroconf
from zeroconf_ai.cli.presence import Presence, reachable_at
from zeroconf_ai.lan.interfaces import InterfaceAddress
from zeroconf_ai.protocol.record import SERVICE_TYPE, ServiceRecord

from ...support.waiting import until

pytestmark = pytest.mark.usefixtures("own_loopback")

FIRST, SECOND = (InterfaceAddress("lo", ip_address(f"127.0.0.{number}")) for number in (1, 2))


def test_presence_addresses_are_those_of_the_listening_host() -> None:
    lan, lan6, lo = ip_address("192.0.2.10"), ip_address("2001:db8::10"), ip_address("127.0.0.1")
    found = [InterfaceAddress("eth0", lan), InterfaceAddress("eth0", lan6), InterfaceAddress("lo", lo)]
    assert reachable_at(["0.0.0.0", "::"], found) == (lan, lan6)
    assert reachable_at(["0.0.0.0"], found) == (lan,)
    assert reachable_at(["::"], found) == (lan6,)
    assert reachable_at(["127.0.0.1"], found) == (lo,)
    assert reachable_at(["192.0.2.10"], found) == (lan,)
    assert reachable_at(["198.51.100.1"], found) == ()


async def test_presence_new_addresses_are_advertised_after_a_network_failure(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    addresses = [FIRST]
    monkeypatch.setattr(presence, "interface_addresses", lambda: addresses)
    monkeypatch.setattr(presence, "WATCH_SECONDS", 0.1)
    broken = False

    def open_or_fail(interfaces: tuple[str, ...]) -> object:
        if broken:
            raise click.ClickException("no network")
        return open_zeroconf(interfaces)

    monkeypatch.setattr(presence, "open_zeroconf", open_or_fail)
    names: list[str] = []
    record = ServiceRecord(f"Present {os.getpid()}", "present.local.", 8000, id="present")
    here = Presence(record, ["127.0.0.1", "127.0.0.2"], saturn=True, renamed=names.append)
    await here.start()
    try:
        assert names == [record.name]
        broken = True
        addresses.append(SECOND)
        await until(lambda: "Not advertised, trying again" in caplog.text)
        broken = False
        await until(lambda: len(names) >= 2)
        async with open_zeroconf(["127.0.0.1"]) as other:
            info = AsyncServiceInfo(SERVICE_TYPE, f"{record.name}.{SERVICE_TYPE}")
            assert await info.async_request(other.zeroconf, 3000)
            assert set(info.parsed_addresses()) == {"127.0.0.1", "127.0.0.2"}
    finally:
        await here.close()


async def test_presence_closed_before_the_start_does_nothing() -> None:
    await Presence(ServiceRecord("x", "x.local.", 1), ["127.0.0.1"], saturn=True, renamed=print).close()
