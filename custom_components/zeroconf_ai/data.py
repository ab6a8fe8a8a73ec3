"""What the integration keeps while it runs: one engine for all entries, and a runtime object for each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_API_KEY, CONF_VERIFY_SSL
from homeassistant.util.hass_dict import HassKey

from .const import CONF_BASE_URL, CONF_FINGERPRINT, DOMAIN
from .core.backends.http import Ssl
from .core.backends.zeroconfai import Endpoint, ZeroconfAIBackend, fingerprint_ssl
from .core.discovery import DiscoveryManager
from .core.engine import Engine
from .core.routing.pool import Member

if TYPE_CHECKING:
    from .coordinator import ProviderCoordinator


@dataclass(frozen=True, slots=True)
class Shared:
    """What all entries share."""

    engine: Engine
    discovery: DiscoveryManager


DATA: HassKey[Shared] = HassKey(DOMAIN)


@dataclass(frozen=True, slots=True)
class ProviderRuntime:
    """What one provider's entry has while it is loaded."""

    backend: ZeroconfAIBackend
    member: Member
    coordinator: ProviderCoordinator
    device_id: str
    """The device registry's id of the provider's device."""


type ZeroconfAIConfigEntry = ConfigEntry[ProviderRuntime]


def endpoint_of(data: Mapping[str, Any], *, key: str | None = None) -> Endpoint:
    """Where an entry's provider is and how it is spoken to; `key` replaces the stored one."""
    ssl: Ssl = bool(data.get(CONF_VERIFY_SSL, True))
    if fingerprint := data.get(CONF_FINGERPRINT):
        ssl = fingerprint_ssl(fingerprint)
    return Endpoint(data[CONF_BASE_URL], key or data.get(CONF_API_KEY), ssl)
