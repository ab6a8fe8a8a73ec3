"""Compares advertisements with the configured providers."""

from homeassistant.config_entries import SOURCE_IGNORE, ConfigEntry, ConfigEntryState
from homeassistant.const import CONF_API_KEY
from homeassistant.core import HomeAssistant
from homeassistant.helpers.aiohttp_client import async_get_clientsession

from .. import issues
from ..const import CONF_BASE_URL, CONF_EPHEMERAL, CONF_PROVIDER_ID, CONF_SERVICE_NAME
from ..core.backends.identity_probe import IdentityProbe
from ..core.lan.identity import identify
from ..core.lan.providers import Provider
from ..core.protocol.record import ServiceRecord
from ..data import DATA, confirmed_of, endpoint_of, provider_entries
from ..provider.runtime import ProviderConfigEntry
from .probe import has_id


def is_own(hass: HomeAssistant, provider_id: str) -> bool:
    """Whether the advertisement is one of this Home Assistant."""
    shared = hass.data.get(DATA)
    return shared is not None and provider_id in shared.discovery.own_ids


def unconfigured(hass: HomeAssistant) -> dict[str, Provider]:
    """The discovered providers that are not configured, by id, in the order of preference."""
    shared = hass.data.get(DATA)
    if shared is None:
        return {}
    entries = _entries(hass)
    ids = {entry.unique_id for entry in entries}
    urls = {entry.data[CONF_BASE_URL] for entry in entries}
    return {
        provider.id: provider
        for provider in shared.discovery.providers
        if provider.id not in ids and not urls & provider.record.base_urls()
    }


async def new_address(hass: HomeAssistant, entry: ConfigEntry, record: ServiceRecord) -> str | None:
    """The new address of a configured provider, if it may be followed without a confirmation.

    A loaded entry is followed by its coordinator, which also creates the repair.
    """
    if entry.source == SOURCE_IGNORE or entry.data.get(CONF_EPHEMERAL) or entry.state is ConfigEntryState.LOADED:
        return None
    if entry.data.get(CONF_PROVIDER_ID) is None:
        return None
    probe = IdentityProbe(async_get_clientsession(hass), entry.title, record.id, entry.data.get(CONF_API_KEY))
    found = await identify(record, confirmed_of(entry.data), probe)
    return found.base_url if found.follow else None


async def adopt(hass: HomeAssistant, record: ServiceRecord) -> bool:
    """Whether an entry without an id has the advertised address, and no other id answers there.

    If the provider answers with the advertised id, the entry gets it. A server without an id cannot be identified.
    """
    session = async_get_clientsession(hass)
    for entry in _entries(hass):
        if entry.unique_id is not None or entry.data[CONF_BASE_URL] not in record.base_urls():
            continue
        same = await has_id(session, endpoint_of(entry.data), entry.title, record.id)
        if same is False:
            continue
        if same:
            data = {**entry.data, CONF_PROVIDER_ID: record.id, CONF_SERVICE_NAME: record.name}
            hass.config_entries.async_update_entry(entry, unique_id=record.id, data=data)
        return True
    return False


def former_of(hass: HomeAssistant, record: ServiceRecord) -> ProviderConfigEntry | None:
    """The configured provider with the same name and another identity. If it is offline, a repair is created."""
    for entry in _entries(hass):
        former_id = entry.data.get(CONF_PROVIDER_ID)
        if entry.data.get(CONF_SERVICE_NAME) != record.name or former_id in (None, record.id):
            continue
        if entry.state is ConfigEntryState.LOADED and not entry.runtime_data.member.online:
            issues.identity_changed(entry.runtime_data.coordinator, record)
        return entry
    return None


def _entries(hass: HomeAssistant) -> list[ProviderConfigEntry]:
    return provider_entries(hass, include_ignore=False)
