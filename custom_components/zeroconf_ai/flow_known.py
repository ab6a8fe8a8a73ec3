"""What an advertisement has to do with the providers that are set up already."""

from dataclasses import replace

from homeassistant.config_entries import SOURCE_IGNORE, ConfigEntry, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers.aiohttp_client import async_get_clientsession

from . import issues
from .const import CONF_BASE_URL, CONF_EPHEMERAL, CONF_FINGERPRINT, CONF_PROVIDER_ID, CONF_SERVICE_NAME
from .core.backends.zeroconfai import endpoint_of_record
from .core.discovery import Provider
from .core.protocol.record import ServiceRecord
from .data import DATA, ZeroconfAIConfigEntry, endpoint_of, provider_entries
from .flow_probe import answers_as


def is_own(hass: HomeAssistant, provider_id: str) -> bool:
    """Whether this Home Assistant itself advertises it."""
    shared = hass.data.get(DATA)
    return shared is not None and provider_id in shared.discovery.own_ids


def unconfigured(hass: HomeAssistant) -> dict[str, Provider]:
    """The providers on the network that are not set up, by id, in the order of preference."""
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
    """Where a provider that is set up has moved to, or None where it has not.

    Believed only where it answers at the advertised address under its id and with its certificate, asked without its key, and no
    longer at the stored address: anybody may advertise anything.
    """
    if entry.source == SOURCE_IGNORE or entry.data.get(CONF_EPHEMERAL):
        return None  # the latter follows its advertisement by itself
    if entry.data[CONF_BASE_URL] in record.base_urls():
        return None
    if record.names_public_host and not endpoint_of(entry.data).public_only:
        return None  # from this home to the internet: not without its owner
    if (record.fingerprint if record.tls else None) != entry.data.get(CONF_FINGERPRINT):
        return None
    session = async_get_clientsession(hass)
    if await answers_as(session, endpoint_of(entry.data), entry.title, record.id) is not False:
        return None
    endpoint = replace(endpoint_of_record(record), key=None)
    for url in record.urls():
        if await answers_as(session, replace(endpoint, base_url=url), entry.title, record.id):
            return url
    return None


async def adopt(hass: HomeAssistant, record: ServiceRecord) -> bool:
    """Give the identity to an entry that was typed in with the advertised address, where it answers there and as no other."""
    session = async_get_clientsession(hass)
    for entry in _entries(hass):
        if entry.unique_id is not None or entry.data[CONF_BASE_URL] not in record.base_urls():
            continue
        if await answers_as(session, endpoint_of(entry.data), entry.title, record.id) is False:
            continue
        data = {**entry.data, CONF_PROVIDER_ID: record.id, CONF_SERVICE_NAME: record.name}
        hass.config_entries.async_update_entry(entry, unique_id=record.id, data=data)
        return True
    return False


def former_of(hass: HomeAssistant, record: ServiceRecord) -> ZeroconfAIConfigEntry | None:
    """The provider that was confirmed under the same name with another identity. Its owner is asked where it is offline."""
    for entry in _entries(hass):
        former_id = entry.data.get(CONF_PROVIDER_ID)
        if entry.data.get(CONF_SERVICE_NAME) != record.name or former_id in (None, record.id):
            continue
        if entry.state is ConfigEntryState.LOADED and not entry.runtime_data.member.online:
            issues.identity_changed(entry.runtime_data.coordinator, record)
        return entry
    return None


def _entries(hass: HomeAssistant) -> list[ZeroconfAIConfigEntry]:
    return provider_entries(hass, include_ignore=False)
