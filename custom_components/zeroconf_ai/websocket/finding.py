"""The home-only switch, and finding and adding providers."""

import logging
from typing import Any

import voluptuous as vol

from homeassistant.components.websocket_api import async_register_command
from homeassistant.components.websocket_api.decorators import async_response, require_admin, websocket_command
from homeassistant.components.websocket_api.messages import event_message
from homeassistant.config_entries import SIGNAL_CONFIG_ENTRY_CHANGED
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.debounce import Debouncer
from homeassistant.helpers.dispatcher import async_dispatcher_connect

from ..const import DOMAIN, SIGNAL_PROVIDERS_CHANGED
from ..core.admin.discovered import Discovered
from ..core.admin.discovery_check import check_discovery
from ..core.admin.network_scan import describe_scan
from ..data import DATA
from ..flows.discovered_list import discovered
from ..gateway.home_only import async_set_home_only
from ..gateway.runtime import gateway_runtime
from ..provider.network_scan import async_scan_network, used_urls
from .access import Connection, answered

_LOGGER = logging.getLogger(__name__)


@callback
def async_setup(hass: HomeAssistant) -> None:
    """Register the commands."""
    for command in (set_home_only, subscribe_discovered, subscribe_scan, check):
        async_register_command(hass, command)


@websocket_command({vol.Required("type"): "zeroconf_ai/home_only", vol.Required("enabled"): bool})
@require_admin
@async_response
@answered
async def set_home_only(hass: HomeAssistant, _: Connection, message: dict[str, Any]) -> Any:
    """Set whether no request leaves the home."""
    await async_set_home_only(hass, message["enabled"])


@websocket_command({vol.Required("type"): "zeroconf_ai/discovered"})
@require_admin
@async_response
async def subscribe_discovered(hass: HomeAssistant, connection: Connection, message: dict[str, Any]) -> None:
    """Send the discovered providers, now and after each change, at most once a second, until the subscription ends."""
    sent: list[Discovered] = []

    async def send() -> None:
        found = discovered(hass)
        if sent != [found]:
            sent[:] = [found]
            connection.send_message(event_message(message["id"], found))

    debouncer = Debouncer(hass, _LOGGER, cooldown=1.0, immediate=True, function=send, background=True)

    @callback
    def changed(*_: object) -> None:
        debouncer.async_schedule_call()

    stops = [
        hass.data[DATA].discovery.watch_for_changes(changed),
        hass.config_entries.flow.async_subscribe_flow(changed),
        async_dispatcher_connect(hass, SIGNAL_PROVIDERS_CHANGED, changed),
        async_dispatcher_connect(hass, SIGNAL_CONFIG_ENTRY_CHANGED, changed),
    ]

    @callback
    def end() -> None:
        for stop in stops:
            stop()
        debouncer.async_shutdown()

    connection.subscriptions[message["id"]] = end
    connection.send_result(message["id"])
    await send()


@websocket_command({vol.Required("type"): "zeroconf_ai/discovery/scan"})
@require_admin
@callback
def subscribe_scan(hass: HomeAssistant, connection: Connection, message: dict[str, Any]) -> None:
    """Scan the home's networks for servers that advertise nothing: `{"progress": 0.4}`, …, `{"found": …}` or `{"failed": …}`.

    The end of the subscription ends the scan.
    """
    shown = -1

    @callback
    def progress(share: float) -> None:
        nonlocal shown
        if (percent := int(share * 100)) != shown:
            shown = percent
            connection.send_message(event_message(message["id"], {"progress": percent / 100}))

    async def scan() -> None:
        try:
            event: dict[str, Any] = {"found": describe_scan(await async_scan_network(hass, progress), used_urls(hass))}
        except OSError as err:
            event = {"failed": f"The network cannot be searched: {err.strerror or err}."}
        connection.send_message(event_message(message["id"], event))

    task = hass.async_create_background_task(scan(), name=f"{DOMAIN} network scan")
    connection.subscriptions[message["id"]] = task.cancel
    connection.send_result(message["id"])


@websocket_command({vol.Required("type"): "zeroconf_ai/discovery/check"})
@require_admin
@async_response
@answered
async def check(hass: HomeAssistant, _: Connection, __: dict[str, Any]) -> Any:
    """Listen to multicast DNS for some seconds, and say why no provider is found."""
    runtime = gateway_runtime(hass)
    return await check_discovery(None if runtime is None else runtime.presence.record)
