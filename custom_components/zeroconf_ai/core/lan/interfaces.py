"""Which addresses of this machine are worth advertising."""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
import re
from typing import NamedTuple

import ifaddr

type Address = IPv4Address | IPv6Address

_INNER_BRIDGE = re.compile(r"(?:docker|virbr|veth|cni|flannel|podman|lxcbr|lxdbr|vboxnet|vmnet)|br-[0-9a-f]{12}$")
"""Networks of containers and virtual machines, which the other computers of the house cannot reach."""


class InterfaceAddress(NamedTuple):
    """An address and the name of the interface that has it."""

    interface: str
    address: Address


def interface_addresses() -> list[InterfaceAddress]:
    """All addresses of this machine."""
    return list(_read(ifaddr.get_adapters()))


def worth_advertising(found: Iterable[InterfaceAddress]) -> tuple[Address, ...]:
    """Those that others can reach, IPv4 first; the next best kind only where there is nothing better.

    In this order: addresses of the house's networks, of inner networks of containers, IPv6 link-local ones, loopback.
    """
    kinds: tuple[list[Address], ...] = ([], [], [], [])
    for interface, address in found:
        if address.is_multicast or address.is_unspecified:
            continue
        kinds[_kind(interface, address)].append(address)
    best = next((kind for kind in kinds if kind), [])
    return tuple(sorted(dict.fromkeys(best), key=lambda address: (address.version, address.is_link_local)))


def _kind(interface: str, address: Address) -> int:
    if address.is_loopback:
        return 3
    if isinstance(address, IPv6Address) and address.is_link_local:
        return 2
    return 1 if _INNER_BRIDGE.match(interface) else 0


def _read(adapters: Iterable[ifaddr.Adapter]) -> Iterator[InterfaceAddress]:
    for adapter in adapters:
        for ip in adapter.ips:
            text = ip.ip if isinstance(ip.ip, str) else ip.ip[0]  # IPv6 comes with flow and scope
            yield InterfaceAddress(adapter.nice_name, ip_address(text))
