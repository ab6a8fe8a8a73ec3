"""Where the gateway's alerts go, and what they are about."""

from typing import Any, Final

import voluptuous as vol
from yarl import URL

from homeassistant.components.notify.const import DOMAIN as NOTIFY_DOMAIN
from homeassistant.components.websocket_api import async_register_command
from homeassistant.components.websocket_api.const import ERR_INVALID_FORMAT
from homeassistant.components.websocket_api.decorators import async_response, require_admin, websocket_command
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import config_validation as cv

from ..core.accounting.keys.key_watch import DEFAULT_FACTOR
from ..core.alerts.alert import CHOICES
from ..data import gateway_entry
from ..usage.alerts import (
    CONF_ALERT_FROM,
    CONF_ALERT_KINDS,
    CONF_ALERTS,
    CONF_KEY_FACTOR,
    DEFAULT_ALERT_FROM,
    alert_kinds,
    alert_settings,
)
from ..usage.notifiers import CONF_NOTIFY_ACTIONS, CONF_NOTIFY_ENTITIES, CONF_WEBHOOK_URL, notify_actions
from .access import CommandError, Connection, answered, gateway_of

_MOST: Final = 50


@callback
def async_setup(hass: HomeAssistant) -> None:
    """Register the commands."""
    for command in (alerts, set_alerts, send_test):
        async_register_command(hass, command)


@websocket_command({vol.Required("type"): "zeroconf_ai/alerts"})
@require_admin
@async_response
@answered
async def alerts(hass: HomeAssistant, _: Connection, __: dict[str, Any]) -> Any:
    """The settings, and what can be chosen. Of the webhook only its host: its URL may contain a secret."""
    gateway_of(hass)
    settings = _settings(hass)
    url = settings.get(CONF_WEBHOOK_URL)
    entities = {state.entity_id: state.name for state in hass.states.async_all(NOTIFY_DOMAIN)}
    chosen = settings.get(CONF_NOTIFY_ENTITIES, [])
    return {
        CONF_NOTIFY_ENTITIES: list(chosen),
        CONF_NOTIFY_ACTIONS: [name.removeprefix(f"{NOTIFY_DOMAIN}.") for name in settings.get(CONF_NOTIFY_ACTIONS, [])],
        "webhook_host": None if url is None else URL(url).host,
        CONF_ALERT_KINDS: sorted(alert_kinds(settings)),
        CONF_ALERT_FROM: settings.get(CONF_ALERT_FROM, DEFAULT_ALERT_FROM),
        CONF_KEY_FACTOR: settings.get(CONF_KEY_FACTOR, DEFAULT_FACTOR),
        "entities": [{"id": entity, "name": entities.get(entity, entity)} for entity in dict.fromkeys([*entities, *chosen])],
        "actions": notify_actions(hass),
        "kinds": [kind.value for kind in CHOICES],
    }


@websocket_command(
    {
        vol.Required("type"): "zeroconf_ai/alerts/set",
        vol.Required(CONF_NOTIFY_ENTITIES): vol.All([cv.entity_domain(NOTIFY_DOMAIN)], vol.Length(max=_MOST)),
        vol.Required(CONF_NOTIFY_ACTIONS): vol.All([vol.All(cv.slug, vol.Length(max=255))], vol.Length(max=_MOST)),
        vol.Required(CONF_ALERT_KINDS): vol.All([vol.In([kind.value for kind in CHOICES])], vol.Unique()),
        vol.Required(CONF_ALERT_FROM): vol.All(vol.Coerce(int), vol.Range(1, 100)),
        vol.Required(CONF_KEY_FACTOR): vol.All(vol.Coerce(int), vol.Range(0, 1000)),
        vol.Optional(CONF_WEBHOOK_URL): vol.All(str, vol.Length(max=2048)),
    }
)
@require_admin
@async_response
@answered
async def set_alerts(hass: HomeAssistant, _: Connection, message: dict[str, Any]) -> Any:
    """Change the settings. The webhook stays if it is left out, and is removed by an empty text."""
    gateway_of(hass)
    former = _settings(hass)
    given = {name: value for name, value in message.items() if name not in ("id", "type")}
    if CONF_WEBHOOK_URL not in given and CONF_WEBHOOK_URL in former:
        given[CONF_WEBHOOK_URL] = former[CONF_WEBHOOK_URL]
    try:
        settings = alert_settings(given)
    except ValueError:
        raise CommandError(ERR_INVALID_FORMAT, "Enter an HTTPS URL, or a URL in the local network.") from None
    if (entry := gateway_entry(hass)) is not None:
        hass.config_entries.async_update_entry(entry, options={**entry.options, CONF_ALERTS: settings})


@websocket_command({vol.Required("type"): "zeroconf_ai/alerts/test"})
@require_admin
@async_response
@answered
async def send_test(hass: HomeAssistant, _: Connection, __: dict[str, Any]) -> Any:
    """Send a test alert now; the result of each way in which alerts go, `error` None if it was delivered."""
    deliveries = await gateway_of(hass).alerts.send_test()
    return {"deliveries": [{"sender": one.sender, "error": one.error} for one in deliveries]}


def _settings(hass: HomeAssistant) -> dict[str, Any]:
    entry = gateway_entry(hass)
    return {} if entry is None else dict(entry.options.get(CONF_ALERTS, {}))
