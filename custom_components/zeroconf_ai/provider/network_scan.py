"""Looks for inference servers on the networks of Home Assistant's enabled adapters, when an administrator asks for it."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from ipaddress import AddressValueError, IPv4Address, IPv4Interface

from zeroconf import DNSAddress  # type: ignore[attr-defined]

from homeassistant.components import network, zeroconf
from homeassistant.core import HomeAssistant
from homeassistant.util.hass_dict import HassKey

from ..const import CONF_BASE_URL, DOMAIN, SUBENTRY_BACKEND
from ..core.presence.network_scan import Known, NetworkScan, ScanResult, home_networks
from ..data import gateway_entry, provider_entries

DHCP = "dhcp"
"""The integration of Home Assistant that knows the devices of the network by their requests for an address."""
_ONE_AT_A_TIME: HassKey[asyncio.Lock] = HassKey(f"{DOMAIN}_network_scan")


async def async_scan_network(hass: HomeAssistant, on_progress: Callable[[float], None]) -> ScanResult:
    """Scan the networks, one scan after the other. `on_progress` is called with the completed share, 0 to 1."""
    async with hass.data.setdefault(_ONE_AT_A_TIME, asyncio.Lock()):
        networks = home_networks(await _interfaces(hass))
        return await NetworkScan(networks, await _known(hass), on_progress=on_progress).run()


def used_urls(hass: HomeAssistant) -> list[str]:
    """The base URLs of the providers and of the gateway's backends that are set up."""
    gateway = gateway_entry(hass)
    backends = () if gateway is None else gateway.get_subentries_of_type(SUBENTRY_BACKEND)
    entries = provider_entries(hass, include_ignore=False)
    return [*(entry.data[CONF_BASE_URL] for entry in entries), *(backend.data[CONF_BASE_URL] for backend in backends)]


async def _interfaces(hass: HomeAssistant) -> list[IPv4Interface]:
    adapters = await network.async_get_adapters(hass)
    return [
        IPv4Interface((ip["address"], ip["network_prefix"]))
        for adapter in adapters
        if adapter["enabled"]
        for ip in adapter["ipv4"]
    ]


async def _known(hass: HomeAssistant) -> list[Known]:
    """The machines that Home Assistant knows by DHCP or by multicast DNS, with their names."""
    found: dict[IPv4Address, str] = {}
    instance = await zeroconf.async_get_async_instance(hass)
    for name in instance.zeroconf.cache.names():
        for record in instance.zeroconf.cache.entries_with_name(name):
            if isinstance(record, DNSAddress) and len(record.address) == 4:
                found[IPv4Address(record.address)] = record.name.rstrip(".").removesuffix(".local")
    if DHCP in hass.config.components:
        # Not a dependency: Home Assistant would install its requirements where it is not set up.
        helpers = import_module(f"homeassistant.components.{DHCP}.helpers")
        for device in helpers.async_discovered_service_info(hass):
            with suppress(AddressValueError):
                found[IPv4Address(device.ip)] = device.hostname
    return [Known(address, name or None) for address, name in found.items()]
