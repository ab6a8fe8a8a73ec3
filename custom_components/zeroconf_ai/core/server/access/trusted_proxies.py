"""`TrustedProxies`: the addresses of clients behind proxies that are trusted to name them."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from aiohttp import web

from ...protocol.addresses import unmapped

_FORWARDED = "X-Forwarded-For"
_MAX_HOPS = 32


class TrustedProxies:
    """Proxies whose `X-Forwarded-For` is believed. From other addresses it is not."""

    def __init__(self, networks: Iterable[str] = ()) -> None:
        """`networks` (CIDR) of the proxies. Raises ValueError for an invalid one."""
        self.networks = tuple(networks)
        self._parsed = tuple(ip_network(text, strict=False) for text in self.networks)

    def __bool__(self) -> bool:
        """Whether any proxy is trusted."""
        return bool(self._parsed)

    def seen_through(self, request: web.Request) -> web.Request:
        """The request with its client's address as `remote`, if it came through trusted proxies; else the request itself."""
        address = request.remote
        if not self._parsed or address is None or not self._trusts(address):
            return request
        hops = [hop.strip() for line in request.headers.getall(_FORWARDED, ()) for hop in line.split(",")]
        for hop in hops[: -_MAX_HOPS - 1 : -1]:  # the last proxy adds its client at the end
            if (parsed := _address(hop)) is None:
                break
            address = str(parsed)
            if not self._trusts(address):
                break
        return request if address == request.remote else request.clone(remote=address)

    def _trusts(self, text: str) -> bool:
        address = _address(text)
        return address is not None and any(address in network for network in self._parsed)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """The address, which some proxies write with its port; None for anything else."""
    bare = text[1:].partition("]")[0] if text.startswith("[") else text.partition(":")[0] if text.count(":") == 1 else text
    try:
        return unmapped(ip_address(bare))
    except ValueError:
        return None
