"""The networks and devices that need no API key: entered ones and the suggestion."""

from collections.abc import Iterable
from ipaddress import ip_network

from homeassistant.components import network
from homeassistant.core import HomeAssistant

from ..core.lan.neighbours import parse_mac
from .probe import Problem

NETWORK_NEEDED = "network_needed"
NETWORK_INVALID = "network_invalid"
NETWORK_NOT_PRIVATE = "network_not_private"
MAC_INVALID = "mac_invalid"


def read_networks(texts: Iterable[str], *, needed: bool) -> list[str]:
    """Networks in CIDR notation without duplicates. Raises Problem for an invalid or public one."""
    found = []
    for text in texts:
        if not text.strip():
            continue
        try:
            named = ip_network(text.strip(), strict=False)
        except ValueError:
            raise Problem(NETWORK_INVALID, text) from None
        if not (named.is_private or named.is_loopback or named.is_link_local):
            raise Problem(NETWORK_NOT_PRIVATE, text)
        found.append(str(named))
    if needed and not found:
        raise Problem(NETWORK_NEEDED)
    return list(dict.fromkeys(found))


def read_macs(texts: Iterable[str]) -> list[str]:
    """MAC addresses in one notation, without duplicates. Raises Problem for an invalid one."""
    found = []
    for text in texts:
        if not text.strip():
            continue
        try:
            found.append(parse_mac(text))
        except ValueError:
            raise Problem(MAC_INVALID, text) from None
    return list(dict.fromkeys(found))


async def home_networks(hass: HomeAssistant) -> list[str]:
    """The private networks of this machine."""
    found = [
        ip_network(f"{address['address']}/{address['network_prefix']}", strict=False)
        for adapter in await network.async_get_adapters(hass)
        if adapter["enabled"]
        for address in (*adapter["ipv4"], *adapter["ipv6"])
    ]
    return [str(item) for item in dict.fromkeys(found) if item.is_private and not item.is_loopback and not item.is_link_local]
