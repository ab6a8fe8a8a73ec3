"""Selects the addresses of this machine to advertise."""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, ip_address
import re
from typing import NamedTuple

import ifaddr

type Address = IPv4Address | IPv6Address

_VIRTUAL_BRIDGE = re.compile(r"(?:docker|virbr|veth|cni|flannel|podman|lxcbr|lxdbr|vboxnet|vmnet)|br-[0-9a-f]{12}$")
"""Interfaces of containers and virtual machines, which other computers cannot reach."""


class InterfaceAddress(NamedTuple):
    """An address and its interface."""

    interface: str
    address: Address


def interface_addresses() -> list[InterfaceAddress]:
    """All addresses of this machine."""
    return list(_read(ifaddr.get_adapters()))


def home_interfaces() -> list[IPv4Interface]:
    """The IPv4 addresses of this machine with their networks, without those of its containers and virtual machines."""
    return [
        IPv4Interface((ip.ip, ip.network_prefix))
        for adapter in ifaddr.get_adapters()
        if not is_virtual_bridge(adapter.nice_name)
        for ip in adapter.ips
        if isinstance(ip.ip, str)
    ]


def reachable_addresses(found: Iterable[InterfaceAddress]) -> tuple[Address, ...]:
    """The addresses of the best available kind, IPv4 first.

    Kinds, best first: LAN addresses, addresses of container networks, IPv6 link-local addresses, loopback.
    """
    kinds: tuple[list[Address], ...] = ([], [], [], [])
    for interface, address in found:
        if address.is_multicast or address.is_unspecified:
            continue
        kinds[_kind(interface, address)].append(address)
    best = next((kind for kind in kinds if kind), [])
    return tuple(sorted(dict.fromkeys(best), key=lambda address: (address.version, address.is_link_local)))


def is_virtual_bridge(interface: str) -> bool:
    """Whether an interface belongs to containers or virtual machines of this machine, by its name."""
    return _VIRTUAL_BRIDGE.match(interface) is not None


def _kind(interface: str, address: Address) -> int:
    if address.is_loopback:
        return 3
    if isinstance(address, IPv6Address) and address.is_link_local:
        return 2
    return 1 if is_virtual_bridge(interface) else 0


def _read(adapters: Iterable[ifaddr.Adapter]) -> Iterator[InterfaceAddress]:
    for adapter in adapters:
        for ip in adapter.ips:
            text = ip.ip if isinstance(ip.ip, str) else ip.ip[0]  # IPv6: (address, flow info, scope id)
            yield InterfaceAddress(adapter.nice_name, ip_address(text))
