"""Which addresses are advertised."""

from ipaddress import ip_address

import ifaddr
import pytest

from zeroconf_ai.lan.interfaces import InterfaceAddress, interface_addresses, reachable_addresses

LAN = ("eth0", "192.0.2.10")
WIFI = ("wlan0", "198.51.100.3")
GLOBAL = ("eth0", "2001:db8::10")
LOCAL6 = ("eth0", "fe80::1")
DOCKER = ("docker0", "172.17.0.1")
USER_BRIDGE = ("br-0123456789ab", "172.18.0.1")
OPENWRT = ("br-lan", "203.0.113.1")
LO = ("lo", "127.0.0.1")
LO6 = ("lo", "::1")


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([LO, LO6, LAN, LOCAL6, GLOBAL], [LAN, GLOBAL]),
        ([GLOBAL, WIFI, LAN], [WIFI, LAN, GLOBAL]),
        ([DOCKER, LAN, USER_BRIDGE], [LAN]),
        ([DOCKER, OPENWRT], [OPENWRT]),
        ([LO, DOCKER], [DOCKER]),
        ([LO, LOCAL6], [LOCAL6]),
        ([LO, LO6], [LO, LO6]),
        ([LAN, LAN], [LAN]),
        ([("eth0", "0.0.0.0"), ("eth0", "224.0.0.251")], []),
        ([], []),
    ],
)
def test_interfaces_best_kind_of_address_is_selected_with_ipv4_first(
    found: list[tuple[str, str]], expected: list[tuple[str, str]]
) -> None:
    addresses = reachable_addresses(InterfaceAddress(name, ip_address(text)) for name, text in found)
    assert addresses == tuple(ip_address(text) for _, text in expected)


def test_interfaces_addresses_are_listed_with_their_interface(monkeypatch: pytest.MonkeyPatch) -> None:
    ips = [ifaddr.IP("192.0.2.10", 24, "eth0"), ifaddr.IP(("fe80::1", 0, 2), 64, "eth0")]
    monkeypatch.setattr(ifaddr, "get_adapters", lambda: [ifaddr.Adapter("eth0", "eth0", ips, 2)])
    assert interface_addresses() == [
        InterfaceAddress("eth0", ip_address("192.0.2.10")),
        InterfaceAddress("eth0", ip_address("fe80::1")),
    ]
