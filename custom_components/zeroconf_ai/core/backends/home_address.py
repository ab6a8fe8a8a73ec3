"""Whether an address is at home: on this machine, in its networks, or in private address space."""

import asyncio
from contextlib import suppress
from ipaddress import ip_address
import socket

from yarl import URL

from ..protocol.record import names_public_host
from .egress import Egress

RESOLVE_SECONDS = 5.0


def names_outside(base_url: str) -> bool:
    """Whether a URL names a host on the internet: a public address, or a name of the form of a public name.

    A public name may have an address at home: `is_outside` resolves it.
    """
    try:
        return ip_address((URL(base_url).raw_host or "").partition("%")[0]).is_global
    except ValueError:
        return names_public_host(base_url.lower())


async def is_outside(base_url: str, egress: Egress | None = None) -> bool:
    """Whether the host of a URL has an address on the internet. A public name that cannot be resolved counts as outside.

    Addresses in the networks of this machine's interfaces are at home, also the public ones of IPv6.
    """
    if not names_outside(base_url):
        return False
    egress = egress or Egress()
    await egress.refresh()
    host = URL(base_url).raw_host or ""
    with suppress(ValueError):
        return egress.allows(ip_address(host))
    with suppress(OSError, TimeoutError, UnicodeError):
        async with asyncio.timeout(RESOLVE_SECONDS):
            found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
        addresses = [ip_address(str(sockaddr[0]).partition("%")[0]) for *_, sockaddr in found]
        return not addresses or any(egress.allows(address) for address in addresses)
    return True
