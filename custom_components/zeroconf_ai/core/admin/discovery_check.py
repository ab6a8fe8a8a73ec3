"""Why no provider is found: what was seen of multicast DNS on each interface, and what to do about it."""

from collections.abc import Iterator, Sequence
from ipaddress import IPv6Address
import re
from typing import TypedDict

from ..lan.multicast_check import InterfaceCheck, MulticastCheck, check_multicast
from ..protocol.record import SERVICE_TYPES, ServiceRecord
from ..protocol.values import clean

_TUNNEL = re.compile(r"tun|tap|wg|utun|ipsec|ppp|tailscale|zt|nebula", re.IGNORECASE)
"""Interfaces of VPNs, most of which carry no multicast."""
_NAMES = 5


class Finding(TypedDict):
    """One result, for which the page has a sentence under `code`. `values` are inserted into the sentence."""

    code: str
    level: str
    """"ok", "hint", or "problem" if it prevents discovery."""
    values: dict[str, str | int]


class CheckedInterface(TypedDict):
    """An interface. `sent`: its own packets came back; `advertised`: this program's advertisement was seen."""

    name: str
    addresses: list[str]
    sent: bool
    advertised: bool
    packets: int
    hosts: int
    providers: int
    error: str | None


class CheckedPacket(TypedDict):
    """A packet of another host. `when`: seconds since the epoch; `kinds`: the service types that it names."""

    when: float
    address: str
    interface: str
    query: bool
    kinds: list[str]


class DiscoveryCheck(TypedDict):
    """The result of a check. `packets`: the newest ones, newest first."""

    seconds: float
    findings: list[Finding]
    interfaces: list[CheckedInterface]
    packets: list[CheckedPacket]


async def check_discovery(own: ServiceRecord | None) -> DiscoveryCheck:
    """Listen for some seconds. `own`: what this program advertises; None: it advertises nothing."""
    return described(await listen(own), advertises=own is not None)


async def listen(own: ServiceRecord | None) -> MulticastCheck:
    """Listen for some seconds."""
    return await check_multicast(() if own is None else [f"{own.name}.{service_type}" for service_type in SERVICE_TYPES])


def described(checked: MulticastCheck, *, advertises: bool) -> DiscoveryCheck:
    """A check for people. `advertises`: whether this program advertises itself."""
    return {
        "seconds": checked.seconds,
        "findings": list(findings(checked, advertises=advertises)),
        "interfaces": [_interface(interface) for interface in checked.interfaces],
        "packets": [
            {
                "when": packet.when,
                "address": packet.address,
                "interface": packet.interface,
                "query": packet.query,
                "kinds": list(packet.kinds),
            }
            for packet in reversed(checked.packets)
        ],
    }


def findings(checked: MulticastCheck, *, advertises: bool) -> Iterator[Finding]:
    """What a check means, the most important first. `advertises`: whether this program advertises itself."""
    lan = [interface for interface in checked.interfaces if not interface.virtual]
    if not lan:
        yield finding("no_network", "problem")
        return
    hosts = {host for interface in lan for host in interface.hosts}
    if checked.container and not hosts:
        yield finding("container", "problem", address=str(_first_address(lan)))
    for interface in lan:
        yield from _of_interface(interface, checked.seconds)
    providers = sorted({clean(_instance(name)) for interface in checked.interfaces for name in interface.providers})
    if providers:
        shown = ", ".join(providers[:_NAMES]) + (", …" if len(providers) > _NAMES else "")
        yield finding("found", "ok", count=len(providers), names=shown)
    else:
        yield finding("no_provider" if hosts else "no_announcement", "hint", count=len(hosts))
    if not advertises:
        yield finding("own_off", "hint")
    elif any(interface.advertised for interface in lan):
        yield finding("own_seen", "ok", interfaces=_named(interface for interface in lan if interface.advertised))
    else:
        yield finding("own_missing", "problem")


def _of_interface(interface: InterfaceCheck, seconds: float) -> Iterator[Finding]:
    name = interface.name
    if interface.error is not None and not interface.packets:
        yield finding("error", "problem", interface=name, reason=interface.error)
    elif interface.hosts:
        yield finding("heard", "ok", interface=name, count=len(interface.hosts), packets=interface.packets)
    elif is_tunnel(name):
        yield finding("tunnel", "hint", interface=name)
    elif not interface.sent:
        yield finding("not_sent", "problem", interface=name)
    else:
        yield finding("silent", "problem", interface=name, seconds=round(seconds))


def is_tunnel(interface: str) -> bool:
    """Whether an interface belongs to a VPN, by its name."""
    return _TUNNEL.match(interface) is not None


def finding(code: str, level: str, **values: str | int) -> Finding:
    """A result."""
    return {"code": code, "level": level, "values": values}


def _first_address(interfaces: Sequence[InterfaceCheck]) -> object:
    addresses = [address for interface in interfaces for address in interface.addresses]
    return next((address for address in addresses if not isinstance(address, IPv6Address)), addresses[0])


def _named(interfaces: Iterator[InterfaceCheck]) -> str:
    return ", ".join(interface.name for interface in interfaces)


def _instance(name: str) -> str:
    """The instance of a full name such as `Attic._zeroconfai._tcp.local.`."""
    for service_type in SERVICE_TYPES:
        if name.lower().endswith(f".{service_type}"):
            return name[: -len(service_type) - 1]
    return name


def _interface(interface: InterfaceCheck) -> CheckedInterface:
    return {
        "name": interface.name,
        "addresses": [str(address) for address in interface.addresses],
        "sent": interface.sent,
        "advertised": interface.advertised,
        "packets": interface.packets,
        "hosts": len(interface.hosts),
        "providers": len(interface.providers),
        "error": interface.error,
    }
