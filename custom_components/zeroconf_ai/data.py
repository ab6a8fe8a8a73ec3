"""What the integration keeps while it runs: one engine for all entries, and a runtime object for each."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_API_KEY, CONF_VERIFY_SSL
from homeassistant.util.hass_dict import HassKey

from .const import CONF_BASE_URL, CONF_FINGERPRINT, DOMAIN
from .core.backends.http import Ssl
from .core.backends.zeroconfai import Endpoint, ZeroconfAIBackend
from .core.discovery import DiscoveryManager
from .core.engine import Engine
from .core.protocol.record import ServiceRecord
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


def fingerprint_ssl(fingerprint: str) -> aiohttp.Fingerprint:
    """The check of one certificate. Raises ValueError where `fingerprint` is no base64url of 32 bytes."""
    return aiohttp.Fingerprint(base64.urlsafe_b64decode(fingerprint + "=" * (-len(fingerprint) % 4)))


def endpoint_of(data: Mapping[str, Any], *, key: str | None = None) -> Endpoint:
    """Where an entry's provider is and how it is spoken to; `key` replaces the stored one."""
    ssl: Ssl = bool(data.get(CONF_VERIFY_SSL, True))
    if fingerprint := data.get(CONF_FINGERPRINT):
        ssl = fingerprint_ssl(fingerprint)
    return Endpoint(data[CONF_BASE_URL], key or data.get(CONF_API_KEY), ssl)


def endpoint_of_record(record: ServiceRecord, *, key: str | None = None) -> Endpoint:
    """Where an advertisement says that its provider is. Raises ValueError for a fingerprint that is none."""
    ssl: Ssl = fingerprint_ssl(record.fingerprint) if record.tls and record.fingerprint else True
    return Endpoint(record.base_url(), key or record.ephemeral_key, ssl)
