"""Data shared by all config entries: the engine, the discovery, and functions that distinguish entries."""

from collections.abc import Mapping
from dataclasses import dataclass
from ssl import SSLContext
from typing import Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_API_KEY, CONF_TYPE, CONF_VERIFY_SSL
from homeassistant.core import HomeAssistant
from homeassistant.util.hass_dict import HassKey

from .const import (
    CONF_ADVERTISED,
    CONF_BASE_URL,
    CONF_EPHEMERAL,
    CONF_FINGERPRINT,
    CONF_HOUSEHOLD,
    CONF_KEEP_ALIVE,
    CONF_KIND,
    CONF_NUM_CTX,
    CONF_PROVIDER_ID,
    DOMAIN,
    KIND_GATEWAY,
)
from .core.backends.base import Endpoint, Ssl
from .core.backends.identity_probe import ConfirmedKey, confirmed_key
from .core.backends.ollama.backend import OllamaOptions
from .core.backends.zeroconfai import fingerprint_ssl
from .core.config.backend_types import BACKEND_TYPES, BackendType
from .core.engine import Engine
from .core.lan.discovery import DiscoveryManager
from .core.lan.identity import Confirmed
from .core.protocol.record import names_public_host


@dataclass(frozen=True, slots=True)
class Shared:
    """Objects shared by all entries."""

    engine: Engine
    discovery: DiscoveryManager


DATA: HassKey[Shared] = HassKey(DOMAIN)


def is_gateway(entry: ConfigEntry) -> bool:
    """Whether the entry is the gateway's, not a provider's."""
    return entry.data.get(CONF_KIND) == KIND_GATEWAY


def gateway_entry(hass: HomeAssistant) -> ConfigEntry | None:
    """Return the gateway's entry, loaded or not; None if there is no gateway."""
    return hass.config_entries.async_entry_for_domain_unique_id(DOMAIN, KIND_GATEWAY)


def provider_entries(hass: HomeAssistant, *, include_ignore: bool = True) -> list[ConfigEntry]:
    """Return the entries of providers, loaded or not."""
    entries = hass.config_entries.async_entries(DOMAIN, include_ignore=include_ignore)
    return [entry for entry in entries if not is_gateway(entry)]


def endpoint_of(data: Mapping[str, Any], *, key: str | None = None, context: SSLContext | None = None) -> Endpoint:
    """The endpoint of an entry's provider; `key` replaces the stored API key.

    `context`: the TLS context with the certificate for the provider (`certificates.context_of`).
    """
    ssl: Ssl = bool(data.get(CONF_VERIFY_SSL, True))
    if context is not None:
        ssl = context
    elif fingerprint := data.get(CONF_FINGERPRINT):
        ssl = fingerprint_ssl(fingerprint)
    url = data[CONF_BASE_URL]
    advertised = data.get(CONF_ADVERTISED) or data.get(CONF_EPHEMERAL)
    public_only = bool(advertised) and names_public_host(url)
    return Endpoint(url, key or data.get(CONF_API_KEY), ssl, public_only=public_only)


def model_options(options: Mapping[str, Any]) -> OllamaOptions:
    """Context size and keep-alive in the options of a provider's entry."""
    return OllamaOptions(num_ctx=options.get(CONF_NUM_CTX), keep_alive=options.get(CONF_KEEP_ALIVE))


def chosen_type(data: Mapping[str, Any]) -> BackendType | None:
    """The backend type that the owner has chosen for an entry's provider; None: the server is recognized."""
    return BACKEND_TYPES.get(data.get(CONF_TYPE, ""))


def confirmed_of(data: Mapping[str, Any]) -> Confirmed:
    """The confirmed properties of an entry's provider. The entry must have a provider id."""
    # A household token is a generated key, but not stored.
    key: ConfirmedKey = {"keyed": True, "provable": True} if CONF_HOUSEHOLD in data else confirmed_key(data.get(CONF_API_KEY))
    return Confirmed(
        data[CONF_PROVIDER_ID],
        data[CONF_BASE_URL],
        data.get(CONF_FINGERPRINT),
        verify=bool(data.get(CONF_VERIFY_SSL, True)),
        public_only=endpoint_of(data).public_only,
        ephemeral=bool(data.get(CONF_EPHEMERAL)),
        **key,
    )
