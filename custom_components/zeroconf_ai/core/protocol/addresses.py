"""Reduces a network address to the subscriber that is counted."""

from ipaddress import IPv6Address, ip_address

_IPV6_SUBSCRIBER_BITS = 64
"""An IPv6 host chooses among 2^64 addresses of its network as it likes (RFC 8981): the network is what is counted."""


def subscriber(address: str | None) -> str:
    """The subscriber of an address: the address itself, or the network of an IPv6 address."""
    try:
        parsed = ip_address(address or "")
    except ValueError:
        return address or ""
    if not isinstance(parsed, IPv6Address) or parsed.ipv4_mapped:
        return str(address)
    return f"{int(parsed) >> (128 - _IPV6_SUBSCRIBER_BITS):x}/{_IPV6_SUBSCRIBER_BITS}"
