"""Listens to the multicast of mDNS on each interface for some seconds, to say why no provider is found.

The sockets are bound to the multicast address itself where the system allows it (all but Windows), so that unicast answers still
reach the program's own zeroconf instance.
"""

import asyncio
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
import re
import socket
import struct
import sys
import time
from typing import override

import ifaddr
from zeroconf import DNSPointer, const  # type: ignore[attr-defined]  # public in all but `__all__`
from zeroconf._dns import DNSQuestion
from zeroconf._protocol.incoming import DNSIncoming
from zeroconf._protocol.outgoing import DNSOutgoing

from ..protocol.record import SERVICE_TYPES
from ..protocol.values import clean
from .interfaces import is_virtual_bridge

type Address = IPv4Address | IPv6Address

LISTEN_SECONDS = 4.0
QUERY_AT = (0.0, 1.5)
"""Seconds after the start. Responders do not repeat an answer within a second (RFC 6762, 6)."""
MAX_INTERFACES = 16
MAX_PACKETS = 20
"""The newest packets in the result."""
MAX_PARSED = 500
"""Packets of one interface that are parsed; the rest is only counted."""
MAX_SERVICES = 64
"""Service types of one interface that are named."""
MAX_HOSTS = 256
"""Addresses of one interface that are told apart."""
_MAX_KINDS = 4
_MAX_BYTES = 9000
"""RFC 6762, 17."""
_PORT = 5353
_GROUP_V4, _GROUP_V6 = "224.0.0.251", "ff02::fb"
_IP_MULTICAST_ALL = 49
"""Linux: 0 limits a socket to the groups that it has joined itself. Not in Python's `socket`."""
_CONTAINER_MARKS = (Path("/.dockerenv"), Path("/run/.containerenv"))
_SYS_NET = Path("/sys/class/net")
_SERVICE = re.compile(r"_[A-Za-z0-9-]{1,63}\._(?:tcp|udp)")
"""A service type (RFC 6763, 7)."""
_EVERYTHING = "_services._dns-sd._udp.local."
"""Asks for all service types (RFC 6763, 9), which every responder answers."""


@dataclass(frozen=True, slots=True)
class HeardPacket:
    """A packet of another host. `kinds`: service types that it names, cleaned, at most 4."""

    when: float
    """Seconds since the epoch."""
    address: str
    interface: str
    query: bool
    kinds: tuple[str, ...]


@dataclass(slots=True)
class InterfaceCheck:
    """What was seen on one interface."""

    name: str
    index: int
    addresses: tuple[Address, ...]
    virtual: bool
    """Whether it belongs to containers or virtual machines of this machine."""
    error: str | None = None
    """Why nothing could be sent or received, in the system's words."""
    sent: bool = False
    """Whether packets of this machine were received again here, as every listener on this machine must receive them."""
    advertised: bool = False
    """Whether this program's own advertisement was seen."""
    packets: int = 0
    """The number of packets of other hosts."""
    hosts: set[str] = field(default_factory=set)
    """Addresses of other hosts, at most `MAX_HOSTS`."""
    providers: set[str] = field(default_factory=set)
    """Instance names of providers that other hosts advertise, at most `MAX_HOSTS`."""
    services: set[str] = field(default_factory=set)
    """Service types that other hosts advertise, such as `_ipp._tcp`, cleaned, at most `MAX_SERVICES`."""


@dataclass(frozen=True, slots=True)
class MulticastCheck:
    """The result for all interfaces except loopback."""

    interfaces: tuple[InterfaceCheck, ...]
    container: bool
    """Whether this runs in a container with a network of its own, which the home's multicast does not reach."""
    packets: tuple[HeardPacket, ...]
    """The newest packets of other hosts, oldest first."""
    seconds: float


async def check_multicast(advertised: Iterable[str] = (), seconds: float = LISTEN_SECONDS) -> MulticastCheck:
    """Ask for providers and all services on each interface, and listen. `advertised`: this program's own full instance names."""
    interfaces, container = await asyncio.to_thread(_read_interfaces)
    own = {str(address).partition("%")[0] for interface in interfaces for address in interface.addresses}
    heard: deque[HeardPacket] = deque(maxlen=MAX_PACKETS)
    names = frozenset(name.lower() for name in advertised)
    loop = asyncio.get_running_loop()
    started = loop.time()
    listening: list[tuple[InterfaceCheck, socket.AddressFamily, asyncio.DatagramTransport]] = []
    try:
        for interface in interfaces:
            for family in sorted({_family(address) for address in interface.addresses}):
                try:
                    made = _socket(interface, family)
                    transport, _ = await loop.create_datagram_endpoint(
                        partial(_Listener, interface, own, names, heard), sock=made
                    )
                except OSError as err:
                    interface.error = err.strerror or type(err).__name__
                    continue
                listening.append((interface, family, transport))
        for pause in QUERY_AT:
            await asyncio.sleep(max(0.0, min(pause, seconds) - (loop.time() - started)))
            for interface, family, transport in listening:
                _ask(interface, family, transport)
        await asyncio.sleep(max(0.0, seconds - (loop.time() - started)))
    finally:
        for _, _, transport in listening:
            transport.close()
    return MulticastCheck(tuple(interfaces), container, tuple(heard), seconds)


class _Listener(asyncio.DatagramProtocol):
    """Records what one socket receives."""

    def __init__(self, interface: InterfaceCheck, own: set[str], advertised: frozenset[str], heard: deque[HeardPacket]) -> None:
        self._interface = interface
        self._own = own
        self._advertised = advertised
        self._heard = heard
        self._parsed = 0

    @override
    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        interface, address = self._interface, str(addr[0]).partition("%")[0]
        ours = address in self._own
        if ours:
            interface.sent = True
        else:
            interface.packets += 1
            if len(interface.hosts) < MAX_HOSTS:
                interface.hosts.add(address)
        if self._parsed >= MAX_PARSED or len(data) > _MAX_BYTES:
            return
        self._parsed += 1
        message = DNSIncoming(data)
        if not message.valid:
            return
        pointers = [record for record in message.answers() if isinstance(record, DNSPointer)]
        providers = {record.alias for record in pointers if record.name.lower() in SERVICE_TYPES and record.ttl}
        if ours:
            interface.advertised = interface.advertised or any(name.lower() in self._advertised for name in providers)
            return
        interface.providers |= set(list(providers)[: MAX_HOSTS - len(interface.providers)])
        types = {
            clean(name.removesuffix(".local."), 64) for record in pointers if record.ttl for name in (record.name, record.alias)
        }
        types = {name for name in types if _SERVICE.fullmatch(name)}
        interface.services |= set(list(types)[: MAX_SERVICES - len(interface.services)])
        named = dict.fromkeys([*(question.name for question in message.questions), *(record.name for record in pointers)])
        if not named:
            return
        kinds = tuple(clean(name.removesuffix(".local."), 64) for name in list(named)[:_MAX_KINDS])
        self._heard.append(HeardPacket(time.time(), address, interface.name, message.is_query(), kinds))

    @override
    def error_received(self, exc: Exception) -> None:
        if isinstance(exc, OSError):
            self._interface.error = exc.strerror or type(exc).__name__


def _ask(interface: InterfaceCheck, family: socket.AddressFamily, transport: asyncio.DatagramTransport) -> None:
    query = DNSOutgoing(const._FLAGS_QR_QUERY)
    for name in (*SERVICE_TYPES, _EVERYTHING):
        query.add_question(DNSQuestion(name, const._TYPE_PTR, const._CLASS_IN))
    group = (_GROUP_V4, _PORT) if family is socket.AF_INET else (_GROUP_V6, _PORT, 0, interface.index)
    try:
        transport.sendto(query.packets()[0], group)
    except OSError as err:
        interface.error = err.strerror or type(err).__name__


def _socket(interface: InterfaceCheck, family: socket.AddressFamily) -> socket.socket:
    """A socket that receives the multicast of one interface. Raises OSError."""
    made = socket.socket(family, socket.SOCK_DGRAM)
    try:
        made.setblocking(False)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "SO_REUSEPORT"):
            with suppress(OSError):  # not supported by every kernel
                made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        by_group = sys.platform != "win32"
        if family is socket.AF_INET:
            address = next(address for address in interface.addresses if isinstance(address, IPv4Address)).packed
            if sys.platform == "linux":
                made.setsockopt(socket.IPPROTO_IP, _IP_MULTICAST_ALL, 0)
            made.bind((_GROUP_V4 if by_group else "", _PORT))
            made.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(_GROUP_V4) + address)
            made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, address)
            made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)  # RFC 6762, 11
        else:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            made.bind((_GROUP_V6 if by_group else "", _PORT, 0, interface.index))
            membership = socket.inet_pton(family, _GROUP_V6) + struct.pack("@I", interface.index)
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, membership)
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, interface.index)
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
    except BaseException:
        made.close()
        raise
    return made


def _family(address: Address) -> socket.AddressFamily:
    return socket.AF_INET if isinstance(address, IPv4Address) else socket.AF_INET6


def _read_interfaces() -> tuple[list[InterfaceCheck], bool]:
    """The interfaces with addresses except loopback, and whether this is a container with its own network. Blocking."""
    found: list[InterfaceCheck] = []
    for adapter in ifaddr.get_adapters():
        texts = (ip.ip if isinstance(ip.ip, str) else ip.ip[0] for ip in adapter.ips)
        addresses = tuple(address for text in texts if not (address := ip_address(text.partition("%")[0])).is_loopback)
        if addresses:
            virtual = is_virtual_bridge(adapter.nice_name)
            found.append(InterfaceCheck(clean(adapter.nice_name, 64), adapter.index or 0, addresses, virtual))
    found.sort(key=lambda interface: interface.virtual)
    contained = any(mark.exists() for mark in _CONTAINER_MARKS)
    hardware = any((_SYS_NET / interface.name / "device").exists() for interface in found)
    return found[:MAX_INTERFACES], contained and not hardware
