"""Advertisements of providers, as Home Assistant passes them to the config flow."""

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

from custom_components.zeroconf_ai.const import DOMAIN
from custom_components.zeroconf_ai.core.protocol.record import SERVICE_TYPE
from homeassistant.config_entries import SOURCE_ZEROCONF, ConfigFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.helpers.service_info.zeroconf import ZeroconfServiceInfo

from ..fakes.provider import FakeProvider


def announced(
    provider: FakeProvider,
    name: str = "GPU box",
    *,
    service_type: str = SERVICE_TYPE,
    addresses: tuple[str, ...] = ("127.0.0.1",),
    txt: Mapping[str, str] | None = None,
) -> ZeroconfServiceInfo:
    """The discovery data of Home Assistant's zeroconf; `txt` adds to the record, an empty value removes a key."""
    properties = {"id": provider.id or "", "models": "test-model", **(txt or {})}
    return ZeroconfServiceInfo(
        ip_address=ip_address(addresses[0]),
        ip_addresses=[ip_address(address) for address in addresses],
        port=provider.port,
        hostname="gpu-box.local.",
        type=service_type,
        name=f"{name}.{service_type}",
        properties={key: value for key, value in properties.items() if value},
    )


async def discover(hass: HomeAssistant, info: ZeroconfServiceInfo) -> ConfigFlowResult:
    """Start the discovery flow."""
    return await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_ZEROCONF}, data=info)


async def submit(hass: HomeAssistant, result: ConfigFlowResult, fields: dict[str, Any] | None = None) -> ConfigFlowResult:
    """Submit the form that is shown."""
    return await hass.config_entries.flow.async_configure(result["flow_id"], fields or {})
