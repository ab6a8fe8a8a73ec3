"""ZeroConf AI: finds LLM providers on the local network, uses them, and is one itself."""

from functools import partial
import logging

from homeassistant.config_entries import ConfigEntry, ConfigEntryState
from homeassistant.const import EVENT_HOMEASSISTANT_CLOSE, EVENT_HOMEASSISTANT_STOP, Platform
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import config_validation as cv, device_registry as dr
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.helpers.dispatcher import async_dispatcher_send
from homeassistant.helpers.typing import ConfigType

from . import issues
from .actions.accounting import async_setup_accounting_services
from .actions.chat import async_setup_services
from .actions.keys import async_setup_key_services
from .actions.server_models import async_setup_model_services
from .assist.pipelines import async_add_assistant, async_remove_assistant
from .certificates import async_get_certificates, context_of
from .const import (
    CONF_CLIENT_CERTIFICATE,
    CONF_CONNECTOR_ID,
    CONF_PROVIDER_ID,
    CONF_SERVER_KIND,
    DOMAIN,
    SIGNAL_PROVIDERS_CHANGED,
)
from .core.backends.base import BackendInfo
from .core.engine import Engine
from .core.presence.provider_backend import ProviderBackend
from .core.presence.server_kinds import kind_of
from .core.relay.key_file import KeyFileError
from .core.relay.members import RelayBackend
from .data import DATA, Shared, chosen_type, endpoint_of, is_gateway, model_options
from .entity import provider_device
from .flows.offers import async_get_offers
from .gateway.entry import async_close_metered_backends, async_setup_gateway, async_unload_gateway
from .gateway.home_only import async_load_home_only, async_remove_home_only
from .gateway.runtime import gateway_runtime
from .images import async_register_image_views
from .page import async_add_page, async_remove_page, async_serve_page
from .provider.coordinator import ProviderCoordinator
from .provider.first_check import take_check
from .provider.prices import price_terms
from .provider.relay import async_disconnect, async_follow_connector, async_get_relay
from .provider.runtime import ProviderConfigEntry, ProviderRuntime
from .usage.database import async_remove_files
from .usage.shared_store import SHARED_STORE, SharedStore
from .websocket import async_setup_commands
from .websocket.chats import async_open_chats

_LOGGER = logging.getLogger(__name__)

PLATFORMS = [
    Platform.AI_TASK,
    Platform.BINARY_SENSOR,
    Platform.BUTTON,
    Platform.CONVERSATION,
    Platform.EVENT,
    Platform.NUMBER,
    Platform.SENSOR,
    Platform.STT,
    Platform.SWITCH,
    Platform.TTS,
]

CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Create the shared engine and accounting store, start browsing with Home Assistant's zeroconf, and register the actions."""
    offers = await async_get_offers(hass)
    shared = Shared(Engine(), offers.discovery)
    hass.data[DATA] = shared
    await async_load_home_only(hass)
    await async_get_certificates(hass)
    hass.data[SHARED_STORE] = store = SharedStore(hass, shared.engine)
    await async_close_metered_backends(hass)
    chats = await async_open_chats(hass, shared.engine, store)
    async_setup_services(hass)
    async_setup_key_services(hass)
    async_setup_accounting_services(hass)
    async_setup_model_services(hass)
    async_setup_commands(hass)
    await async_serve_page(hass)
    async_register_image_views(hass)
    async_get_relay(hass)

    async def end_chats(_: Event) -> None:
        await chats.close()

    async def close(_: Event) -> None:
        await shared.engine.close()
        await store.stop()

    hass.bus.async_listen_once(EVENT_HOMEASSISTANT_STOP, end_chats)
    hass.bus.async_listen_once(EVENT_HOMEASSISTANT_CLOSE, close)
    return True


async def async_setup_entry(hass: HomeAssistant, entry: ConfigEntry) -> bool:
    """Set up a provider, or the gateway."""
    await async_add_page(hass)
    entry.async_on_unload(partial(_remove_unused_page, hass, entry))
    return await (async_setup_gateway if is_gateway(entry) else _setup_provider)(hass, entry)


@callback
def _remove_unused_page(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Remove the page with the last entry that is loaded."""
    others = (other for other in hass.config_entries.async_entries(DOMAIN) if other is not entry)
    if not any(other.state is ConfigEntryState.LOADED for other in others):
        async_remove_page(hass)


async def _setup_provider(hass: HomeAssistant, entry: ProviderConfigEntry) -> bool:
    """Set up one provider, also if it is offline: a request may wake it, and it may return by itself."""
    shared, store = hass.data[DATA], hass.data[SHARED_STORE]
    connector: str | None = entry.data.get(CONF_CONNECTOR_ID)
    entry.async_on_unload(partial(store.release, entry.entry_id))
    store.add(entry.entry_id)
    try:
        session = async_get_clientsession(hass) if connector is None else await async_get_relay(hass).session(connector)
    except KeyFileError as err:
        _LOGGER.error("The connector of %s cannot be admitted: %s", entry.title, err)
        return False
    backend = (ProviderBackend if connector is None else RelayBackend)(
        session,
        BackendInfo(entry.entry_id, entry.title),
        endpoint_of(entry.data, context=context_of(hass, entry.data)),
        chosen=chosen_type(entry.data),
        kind=kind_of(entry.data.get(CONF_SERVER_KIND)),
        settings=model_options(entry.options),
    )
    member = shared.engine.add(backend, await price_terms(backend))
    entry.async_on_unload(lambda: _let_go(hass, entry, shared.engine))
    provider = shared.discovery.get(entry.data.get(CONF_PROVIDER_ID, ""))
    for record in provider.records if provider is not None else ():
        if backend.base_url in record.base_urls():  # any host may advertise the id; elsewhere it is identified first
            backend.update_record(record)
            break
    coordinator = ProviderCoordinator(hass, entry, backend, member)
    device = dr.async_get(hass).async_get_or_create(config_entry_id=entry.entry_id, **provider_device(entry, member))
    entry.runtime_data = ProviderRuntime(backend, member, coordinator, device.id)
    await store.wait()
    coordinator.start()
    if connector is not None:
        await async_follow_connector(hass, entry, coordinator)
    if hass.is_running:
        await coordinator.first_check(take_check(hass, backend.endpoint))
    else:  # start-up must not wait for a machine that may be asleep
        entry.async_create_background_task(hass, coordinator.first_check(), name=f"{DOMAIN} first check {entry.title}")
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    issues.keep_agents(hass)
    issues.check_same_servers(hass)
    issues.check_any_provider(hass)
    await async_add_assistant(hass, entry)
    entry.async_on_unload(entry.add_update_listener(_Updater(entry)))
    async_dispatcher_send(hass, SIGNAL_PROVIDERS_CHANGED)
    return True


def _let_go(hass: HomeAssistant, entry: ProviderConfigEntry, engine: Engine) -> None:
    """Remove the backend from the pool; its requests in progress continue."""
    entry.async_create_task(hass, engine.remove(entry.entry_id), name=f"{DOMAIN} remove {entry.title}")
    async_dispatcher_send(hass, SIGNAL_PROVIDERS_CHANGED)


async def async_unload_entry(hass: HomeAssistant, entry: ConfigEntry) -> bool:
    """Unload the entities, then what they use."""
    if is_gateway(entry):
        return await async_unload_gateway(hass, entry)
    if entry.disabled_by is not None:
        await async_disconnect(hass, entry)
    return await hass.config_entries.async_unload_platforms(entry, PLATFORMS)


async def async_remove_entry(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Delete the repairs and the assistant of a removed entry, and with the gateway or the last entry the database."""
    if is_gateway(entry) or not hass.config_entries.async_entries(DOMAIN, include_ignore=False):
        if (store := hass.data.get(SHARED_STORE)) is not None:
            await store.remove()
        else:  # no entry was ever set up
            await async_remove_files(hass)
    if not hass.config_entries.async_entries(DOMAIN, include_ignore=False):
        await async_remove_home_only(hass)
        await async_get_relay(hass).remove()
    await async_disconnect(hass, entry)
    if entry.data.get(CONF_CLIENT_CERTIFICATE):
        await (await async_get_certificates(hass)).forget(entry.data[CONF_PROVIDER_ID])
    issues.clear(hass, entry)
    issues.check_same_servers(hass)
    issues.check_any_provider(hass)
    await async_remove_assistant(hass, entry)


async def async_remove_config_entry_device(hass: HomeAssistant, entry: ConfigEntry, device: dr.DeviceEntry) -> bool:
    """Whether the user may remove a device: only if its agent or API key no longer exists."""
    current = {(DOMAIN, key) for key in (entry.entry_id, *entry.subentries)}
    if is_gateway(entry) and (runtime := gateway_runtime(hass)) is not None:
        current |= {(DOMAIN, tracker.device) for tracker in runtime.trackers}
    return not device.identifiers & current


class _Updater:
    """Applies a changed entry: address, API key and options immediately, changed subentries with a reload."""

    def __init__(self, entry: ConfigEntry) -> None:
        self._subentries = _snapshot(entry)
        self._data = _connection(entry)

    async def __call__(self, hass: HomeAssistant, entry: ProviderConfigEntry) -> None:
        runtime = entry.runtime_data
        if _snapshot(entry) != self._subentries or runtime.member.name != entry.title:
            hass.config_entries.async_schedule_reload(entry.entry_id)
            return
        runtime.coordinator.apply_options()
        if (data := _connection(entry)) != self._data:
            self._data = data
            runtime.coordinator.apply_data()
            issues.check_same_servers(hass)
            await runtime.coordinator.check_now(models=True)
        runtime.coordinator.async_update_listeners()
        async_dispatcher_send(hass, SIGNAL_PROVIDERS_CHANGED)  # it may be disabled for routing now, or be woken


def _connection(entry: ConfigEntry) -> dict[str, object]:
    """The data of an entry without the values that the coordinator reads from the server."""
    return {key: value for key, value in entry.data.items() if key != CONF_SERVER_KIND}


def _snapshot(entry: ConfigEntry) -> dict[str, tuple[str, dict[str, object]]]:
    """The parts of the subentries that require a reload."""
    return {key: (subentry.title, dict(subentry.data)) for key, subentry in entry.subentries.items()}
