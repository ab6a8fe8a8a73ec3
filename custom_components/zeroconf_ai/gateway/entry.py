"""Set-up, update and unloading of the gateway's entry."""

import asyncio
from collections.abc import Iterator
from functools import partial
from typing import Any

from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import EVENT_CORE_CONFIG_UPDATE, EVENT_HOMEASSISTANT_CLOSE, EVENT_HOMEASSISTANT_STOP, Platform
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryNotReady
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.dispatcher import async_dispatcher_send

from .. import issues
from ..const import DOMAIN, SIGNAL_PROVIDERS_CHANGED, SUBENTRY_AI_TASK, SUBENTRY_CONVERSATION, SUBENTRY_STT, SUBENTRY_TTS
from ..core.accounting.admission_control import MeteredClosed
from ..core.accounting.storage.database import DatabaseError
from ..core.routing.accounting import Accounting
from ..core.server.gateway import Gateway
from ..core.version import __version__
from ..data import DATA, gateway_entry
from ..home_agents.backend import follow_renames
from ..usage.database import StoreOptions
from ..usage.shared_store import SHARED_STORE
from .runtime import GatewayConfigEntry, GatewayRuntime, gateway_runtime
from .views import async_register_views

PLATFORMS = [
    Platform.AI_TASK,
    Platform.BINARY_SENSOR,
    Platform.BUTTON,
    Platform.CONVERSATION,
    Platform.EVENT,
    Platform.NUMBER,
    Platform.SELECT,
    Platform.SENSOR,
    Platform.SWITCH,
]

_NOT_LOADED = frozenset({ConfigEntryState.SETUP_IN_PROGRESS, ConfigEntryState.SETUP_RETRY, ConfigEntryState.SETUP_ERROR})
"""The states of an enabled entry that is not loaded: its budgets are unknown."""


async def async_close_metered_backends(hass: HomeAssistant) -> None:
    """Block metered backends while the gateway is enabled but not loaded, since the budgets are unknown."""

    def is_due() -> bool:
        entry = gateway_entry(hass)
        return entry is not None and entry.state in _NOT_LOADED

    await hass.data[DATA].engine.attach(Accounting(admission_control=MeteredClosed(is_due)))


async def async_setup_gateway(hass: HomeAssistant, entry: GatewayConfigEntry) -> bool:
    """Set the gateway up. Raises ConfigEntryNotReady if the database cannot be opened."""
    device = dr.async_get(hass).async_get_or_create(config_entry_id=entry.entry_id, **gateway_device(entry))
    async_register_views(hass, partial(_find_server, hass))  # requests get a 503 while the database cannot be opened
    shared = hass.data[SHARED_STORE]
    entry.async_on_unload(partial(shared.release, entry.entry_id))
    try:
        store = await shared.open(entry.entry_id)
        entry.runtime_data = runtime = GatewayRuntime(hass, entry, store, device.id)
        try:
            await runtime.start()
            await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
        except BaseException:
            await runtime.close()
            raise
    except DatabaseError as err:
        raise ConfigEntryNotReady(
            translation_domain=DOMAIN, translation_key="database_failed", translation_placeholders={"error": str(err)}
        ) from err
    issues.keep_agents(hass)
    issues.check_same_servers(hass)
    issues.check_any_provider(hass)
    entry.async_on_unload(follow_renames(hass, entry))
    entry.async_on_unload(entry.add_update_listener(_Updater(entry)))
    _listen(hass, entry, runtime)
    async_dispatcher_send(hass, SIGNAL_PROVIDERS_CHANGED)
    return True


async def async_unload_gateway(hass: HomeAssistant, entry: GatewayConfigEntry) -> bool:
    """Unload the entities, then close the runtime."""
    if not await hass.config_entries.async_unload_platforms(entry, PLATFORMS):
        return False
    await entry.runtime_data.close()
    async_dispatcher_send(hass, SIGNAL_PROVIDERS_CHANGED)
    return True


def gateway_device(entry: GatewayConfigEntry) -> dr.DeviceInfo:
    """The device of the gateway."""
    return dr.DeviceInfo(
        identifiers={(DOMAIN, entry.entry_id)},
        name=entry.title,
        manufacturer="ZeroConf AI",
        model="Gateway",
        sw_version=__version__,
        entry_type=dr.DeviceEntryType.SERVICE,
    )


def _find_server(hass: HomeAssistant) -> Gateway | None:
    runtime = gateway_runtime(hass)
    return runtime.server if runtime is not None else None


def _listen(hass: HomeAssistant, entry: GatewayConfigEntry, runtime: GatewayRuntime) -> None:
    """Listen to the stop of Home Assistant and to changes of its configuration, until the entry is unloaded."""

    async def stop(_: Event) -> None:
        await runtime.stop()

    async def close(_: Event) -> None:
        await runtime.close()
        await hass.data[SHARED_STORE].release(entry.entry_id)

    @callback
    def reconfigured(_: Event) -> None:
        runtime.apply_access()

    entry.async_on_unload(hass.bus.async_listen_once(EVENT_HOMEASSISTANT_STOP, stop))
    entry.async_on_unload(hass.bus.async_listen_once(EVENT_HOMEASSISTANT_CLOSE, close))
    entry.async_on_unload(hass.bus.async_listen(EVENT_CORE_CONFIG_UPDATE, reconfigured))


class _Updater:
    """Applies a changed entry immediately; another database and changed agents or AI tasks require a reload."""

    def __init__(self, entry: GatewayConfigEntry) -> None:
        self._at_load = _at_load(entry)
        self._title = entry.title
        self._running = False
        self._again = False

    async def __call__(self, hass: HomeAssistant, entry: GatewayConfigEntry) -> None:
        """Changes that follow each other, as those of an import, are applied together."""
        self._again = True
        if self._running:
            return
        self._running = True
        try:
            while self._again:
                self._again = False
                await self._apply(hass, entry)
        finally:
            self._running = False

    async def _apply(self, hass: HomeAssistant, entry: GatewayConfigEntry) -> None:
        if _at_load(entry) != self._at_load:
            hass.config_entries.async_schedule_reload(entry.entry_id)
            return
        runtime = entry.runtime_data
        if entry.title != self._title:
            self._title = entry.title
            dr.async_get(hass).async_update_device(runtime.device_id, name=entry.title)
        await runtime.apply_options()
        runtime.coordinator.async_update_listeners()
        await _take(entry, runtime.backend_coordinators.steps())
        runtime.apply_limits()
        await _take(entry, runtime.trackers.steps())
        if entry.state is ConfigEntryState.LOADED:
            await runtime.backends.apply()
        issues.check_same_servers(hass)
        issues.check_any_provider(hass)
        async_dispatcher_send(hass, SIGNAL_PROVIDERS_CHANGED)


async def _take(entry: GatewayConfigEntry, steps: Iterator[None]) -> None:
    """Take steps while the entry is loaded. Each adds entities, so that thousands at once would block Home Assistant."""
    for _ in steps:
        await asyncio.sleep(0)
        if entry.state is not ConfigEntryState.LOADED:
            return


def _at_load(entry: GatewayConfigEntry) -> tuple[dict[str, tuple[str, dict[str, Any]]], StoreOptions]:
    """The parts of the entry that require a reload: subentries of entities, and the options of the database."""
    entities = {
        key: (subentry.title, dict(subentry.data))
        for key, subentry in entry.subentries.items()
        if subentry.subentry_type in (SUBENTRY_CONVERSATION, SUBENTRY_AI_TASK, SUBENTRY_STT, SUBENTRY_TTS)
    }
    return entities, StoreOptions.read(entry.options)
