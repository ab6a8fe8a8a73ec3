"""Network addresses and URLs: IPv4 addresses in IPv6 form, the subscriber to which limits per address apply, parts of a URL."""

from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import SplitResult, urlsplit

_IPV6_SUBSCRIBER_BITS = 64
"""An IPv6 host may use any of the 2^64 addresses of its network (RFC 8981), so limits apply to the network."""


def subscriber(address: str | None) -> str:
    """The subscriber of an address: the address itself, or the network of an IPv6 address."""
    try:
        parsed = ip_address(address or "")
    except ValueError:
        return address or ""
    if not isinstance(parsed, IPv6Address) or parsed.ipv4_mapped:
        return str(address)
    return f"{int(parsed) >> (128 - _IPV6_SUBSCRIBER_BITS):x}/{_IPV6_SUBSCRIBER_BITS}"


def unmapped(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address in an IPv4-mapped IPv6 address (::ffff:127.0.0.1); other addresses are returned unchanged.

    `is_loopback` and similar properties evaluate mapped addresses only from Python 3.13 on.
    """
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def url_parts(text: str) -> SplitResult | None:
    """The parts of a URL; None for a text that is no URL, for example with a `[` without a `]`, or with a port above 65535."""
    try:
        parts = urlsplit(text)
        _ = parts.hostname, parts.port
    except ValueError:
        return None
    return parts
