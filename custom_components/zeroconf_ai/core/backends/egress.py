"""Egress filter: limits untrusted URLs to public addresses, so that they cannot reach the home network.

Untrusted URLs come from requests (images) and advertisements (Saturn's `api_base`). The filter checks the address of the
connection, not the text of the URL: parsers interpret texts differently, and a name may resolve to another address later.
"""

import asyncio
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_interface, ip_network
import socket
from typing import Any, override

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
import ifaddr
from yarl import URL

type Address = IPv4Address | IPv6Address
type Network = IPv4Network | IPv6Network

_GLOBAL_UNICAST = ip_network("2000::/3")
"""The only IPv6 block that IANA has allocated for public hosts."""
_NAT64 = ip_network("64:ff9b::/96")
"""RFC 6052. 64:ff9b:1::/48 (RFC 8215) is for local use, and outside 2000::/3."""
_FORBIDDEN: tuple[Network, ...] = (
    ip_network("168.63.129.16/32"),  # Azure's host agent: a public address for internal use
    ip_network("192.88.99.0/24"),  # 6to4 relays
    ip_network("2001::/32"),  # Teredo: a tunnel to an IPv4 host behind a NAT
    ip_network("3fff::/20"),  # documentation (RFC 9637)
)
_HOME_PREFIX = 56
"""The prefix length that homes mostly get (RFC 6177); an interface reports a /64 of it, or with DHCPv6 its own /128."""
_REFRESH_SECONDS = 60.0
_MAX_ADDRESSES = 4
"""How many addresses of a name are tried."""


class NotPublicError(OSError):
    """An address that is not allowed, or a name that resolves to one."""


def on_link_networks() -> tuple[Network, ...]:
    """The networks of this machine's interfaces. Blocking."""
    return tuple(
        _on_link(ip.ip if isinstance(ip.ip, str) else ip.ip[0], ip.network_prefix)
        for adapter in ifaddr.get_adapters()
        for ip in adapter.ips
    )


def _on_link(address: str, prefix: int) -> Network:
    network = ip_interface(f"{address.partition('%')[0]}/{prefix}").network
    if isinstance(network, IPv6Network) and prefix > _HOME_PREFIX:
        return network.supernet(new_prefix=_HOME_PREFIX)
    return network


class Egress:
    """The allowed addresses: public ones except the home's own networks, and explicitly allowed networks."""

    def __init__(self, allowed: Iterable[Network] = (), on_link: Callable[[], Iterable[Network]] = on_link_networks) -> None:
        """`allowed`: networks that are allowed although they are not public; `on_link` returns the networks of the interfaces."""
        self._allowed = tuple(allowed)
        self._read_on_link = on_link
        self._on_link: tuple[Network, ...] = ()
        self._read_at: float | None = None

    async def refresh(self) -> None:
        """Read the interfaces if the last time was more than _REFRESH_SECONDS ago: a home's IPv6 prefix changes."""
        now = asyncio.get_running_loop().time()
        if self._read_at is None or now - self._read_at > _REFRESH_SECONDS:
            self._on_link = tuple(await asyncio.to_thread(self._read_on_link))
            self._read_at = now

    def allows(self, address: Address) -> bool:
        """Whether an address is allowed, as of the last `refresh`."""
        inner = _innermost(address)
        if any(candidate in network for network in self._allowed for candidate in (address, inner)):
            return True
        if isinstance(inner, IPv6Address) and inner not in _GLOBAL_UNICAST:
            return False
        if inner.is_multicast or any(inner in network for network in (*_FORBIDDEN, *self._on_link)):
            return False
        return inner.is_global

    async def resolve(self, host: str, port: int, family: socket.AddressFamily = socket.AF_UNSPEC) -> list[ResolveResult]:
        """The addresses of a host. Raises NotPublicError if one is not allowed (one is enough for DNS rebinding), OSError."""
        await self.refresh()
        found = await asyncio.get_running_loop().getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
        flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        results: list[ResolveResult] = []
        for found_family, _, proto, _, sockaddr in found:
            address = str(sockaddr[0])
            self._check(address)
            results.append(ResolveResult(hostname=host, host=address, port=port, family=found_family, proto=proto, flags=flags))
        return results[:_MAX_ADDRESSES]

    async def request(self, session: aiohttp.ClientSession, method: str, url: str, **options: Any) -> aiohttp.ClientResponse:
        """`session.request` to an address that was resolved and checked here.

        Raises NotPublicError, and what aiohttp raises.
        """
        named = URL(url)
        if named.host is None or named.raw_host is None or named.port is None:
            raise aiohttp.InvalidURL(url)
        headers = {**options.pop("headers", {}), "Host": named.raw_authority}
        failed: aiohttp.ClientConnectorError | None = None
        for found in await self.resolve(named.raw_host, named.port):
            try:
                return await session.request(
                    method, named.with_host(found["host"]), headers=headers, server_hostname=named.raw_host, **options
                )
            except aiohttp.ClientSSLError:
                raise
            except aiohttp.ClientConnectorError as err:
                failed = err
        raise failed or NotPublicError(f"{named.host} has no address")

    def connector(self) -> aiohttp.TCPConnector:
        """A connector for allowed addresses only."""
        return _GuardedConnector(self)

    def new_socket(self, found: tuple[Any, ...]) -> socket.socket:
        """A socket for aiohttp. Raises NotPublicError for an address that is not allowed, including literal ones in a URL."""
        family, kind, proto, _, sockaddr = found
        self._check(str(sockaddr[0]))
        return socket.socket(family, kind, proto)

    def check_peer(self, connection: aiohttp.connector.Connection) -> None:
        """Raise NotPublicError if the peer's address is not allowed."""
        transport = connection.transport
        peer = transport.get_extra_info("peername") if transport is not None else None
        if not peer:
            raise NotPublicError("the peer's address is unknown")
        self._check(str(peer[0]))

    def _check(self, address: str) -> None:
        if not self.allows(ip_address(address.partition("%")[0])):
            raise NotPublicError("the address is not public")


class _GuardedConnector(aiohttp.TCPConnector):
    """Checks an address when it is resolved, before it is connected to, and before data is sent."""

    def __init__(self, egress: Egress) -> None:
        super().__init__(resolver=_Resolver(egress), use_dns_cache=False, force_close=True, socket_factory=egress.new_socket)
        self._egress = egress

    @override
    async def connect(self, req: Any, traces: Any, timeout: Any) -> Any:
        await self._egress.refresh()
        connection = await super().connect(req, traces, timeout)
        try:
            self._egress.check_peer(connection)
        except NotPublicError as err:
            connection.close()
            raise aiohttp.ClientConnectorError(req.connection_key, err) from None
        return connection


class _Resolver(AbstractResolver):
    """Resolves names for aiohttp, to allowed addresses only."""

    def __init__(self, egress: Egress) -> None:
        self._egress = egress

    @override
    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        return await self._egress.resolve(host, port, family)

    @override
    async def close(self) -> None:
        """Nothing is open."""


def _innermost(address: Address) -> Address:
    """The IPv4 address that an IPv6 address embeds, else `address`."""
    if isinstance(address, IPv6Address):
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
        return address.ipv4_mapped or address.sixtofour or address
    return address
