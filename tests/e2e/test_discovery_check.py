"""What is seen of multicast DNS on a LAN of namespaces, and what is said about it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
import socket
import subprocess

import pytest
from zeroconf.asyncio import AsyncZeroconf

from devhome.namespaces import Host, Lan
from zeroconf_ai.admin.discovery_check import DiscoveryCheck, check_discovery
from zeroconf_ai.lan.advertiser import Advertiser
from zeroconf_ai.lan.multicast_check import MAX_HOSTS, MAX_PACKETS, check_multicast
from zeroconf_ai.protocol.record import ServiceRecord

from .conftest import StartProvider

MDNS = ("224.0.0.251", 5353)
ASKS_FOR_PRINTERS = b"\0\0\0\0\0\x01\0\0\0\0\0\0\x04_ipp\x04_tcp\x05local\0\0\x0c\0\x01"


def codes(found: DiscoveryCheck) -> list[tuple[str, str]]:
    """Code and level of each finding."""
    return [(finding["code"], finding["level"]) for finding in found["findings"]]


def record(lan: Lan) -> ServiceRecord:
    """What the tester advertises."""
    address = ip_address(lan.host("tester").ipv4)
    return ServiceRecord(name="Own gateway", host="own.local.", port=8123, id="own", addresses=(address,))


async def test_check_names_the_interface_the_provider_and_its_packets(lan: Lan, start_provider: StartProvider) -> None:
    provider = await start_provider("attic", name="Attic <b>AI</b>")
    found = await check_discovery(None)
    assert codes(found) == [("heard", "ok"), ("found", "ok"), ("own_off", "hint")]
    assert found["findings"][1]["values"] == {"count": 1, "names": "Attic <b>AI</b>"}
    (interface,) = found["interfaces"]
    assert (interface["name"], interface["sent"], interface["error"]) == ("eth0", True, None)
    assert lan.host("tester").ipv4 in interface["addresses"]
    assert interface["packets"] >= 1
    heard = [packet for packet in found["packets"] if packet["address"] == lan.host("attic").ipv4]
    assert heard
    assert any("_zeroconfai._tcp" in packet["kinds"] for packet in heard)
    assert provider is not None


async def test_check_sees_the_own_advertisement_and_the_silence_of_others(lan: Lan) -> None:
    zeroconf = AsyncZeroconf(interfaces=[lan.host("tester").ipv4])
    advertiser = Advertiser(zeroconf, record(lan))
    missing = await check_discovery(record(lan))
    await advertiser.start()
    seen = await check_discovery(advertiser.record)
    await advertiser.close()
    await zeroconf.async_close()
    assert codes(missing) == [("silent", "problem"), ("no_announcement", "hint"), ("own_missing", "problem")]
    assert codes(seen) == [("silent", "problem"), ("no_announcement", "hint"), ("own_seen", "ok")]
    assert seen["findings"][2]["values"] == {"interfaces": "eth0"}


async def test_check_host_without_a_provider_is_heard(lan: Lan) -> None:
    printer = lan.host("printer")
    sender = _sender(printer)
    with sender:
        checking = asyncio.create_task(check_discovery(None))
        while not checking.done():
            sender.sendto(ASKS_FOR_PRINTERS, MDNS)
            await asyncio.sleep(0.1)
        found = await checking
    assert codes(found)[:2] == [("heard", "ok"), ("no_provider", "hint")]
    assert found["findings"][1]["values"] == {"count": 1}
    newest = found["packets"][0]
    assert (newest["address"], newest["query"], newest["kinds"]) == (printer.ipv4, True, ["_ipp._tcp"])


async def test_check_flood_of_garbage_is_bounded(lan: Lan) -> None:
    with _sender(lan.host("flooder")) as sender:
        checking = asyncio.create_task(check_multicast(seconds=2.0))
        while not checking.done():
            for number in range(100):
                sender.sendto(bytes([number]) * 1200, MDNS)
            await asyncio.sleep(0.05)
        found = await checking
    (interface,) = found.interfaces
    assert interface.packets > 500
    assert len(found.packets) <= MAX_PACKETS
    assert len(interface.hosts) <= MAX_HOSTS
    assert found.packets == ()  # none of them is a message
    assert interface.services == set()


@contextmanager
def firewall(rule: str) -> Iterator[None]:
    """A rule of this machine's firewall for IPv4 and IPv6."""
    programs = ("iptables", "ip6tables")
    for program in programs:
        subprocess.run([program, "-A", *rule.split()], check=True, capture_output=True)
    try:
        yield
    finally:
        for program in programs:
            subprocess.run([program, "-D", *rule.split()], check=True, capture_output=True)


@pytest.mark.parametrize(
    ("rule", "code"),
    [("INPUT -p udp --dport 5353 -j DROP", "not_sent"), ("OUTPUT -p udp --dport 5353 -j REJECT", "error")],
)
async def test_check_names_a_firewall_of_this_machine(lan: Lan, rule: str, code: str) -> None:
    with firewall(rule):
        found = await check_discovery(None)
    assert codes(found)[0] == (code, "problem")


def _sender(host: Host) -> socket.socket:
    with host.namespace.entered():
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(host.ipv4))
        sender.bind((host.ipv4, 5353))
    return sender
