"""`zeroconf_ai/live`: the live state, now and after each change, at most twice a second."""

from typing import Any

import voluptuous as vol

from homeassistant.components.websocket_api import async_register_command
from homeassistant.components.websocket_api.decorators import async_response, require_admin, websocket_command
from homeassistant.components.websocket_api.messages import event_message
from homeassistant.core import HomeAssistant, callback

from ..core.admin.live import Live, LiveFeed, live
from ..data import DATA
from ..usage.shared_store import SHARED_STORE
from .access import Connection, names_of


@callback
def async_setup(hass: HomeAssistant) -> None:
    """Register the command."""
    async_register_command(hass, subscribe)


@websocket_command({vol.Required("type"): "zeroconf_ai/live"})
@require_admin
@async_response
async def subscribe(hass: HomeAssistant, connection: Connection, message: dict[str, Any]) -> None:
    """Send the live state until the subscription ends."""
    engine, shared = hass.data[DATA].engine, hass.data[SHARED_STORE]
    names = await names_of(hass)

    def state() -> Live:
        return live(engine, None if shared.store is None else shared.store.totals, names)

    def send(found: Live) -> None:
        connection.send_message(event_message(message["id"], found))

    feed = LiveFeed(engine, state, send)
    await feed.attach()
    connection.subscriptions[message["id"]] = feed.close
    connection.send_result(message["id"])
    feed.start()
