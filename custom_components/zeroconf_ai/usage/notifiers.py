"""The ways in which alerts reach people in Home Assistant: notify entities, notify actions, notifications, a webhook."""

from collections.abc import Mapping
from typing import Any, override

import voluptuous as vol

from homeassistant.components import persistent_notification
from homeassistant.components.notify.const import DOMAIN as NOTIFY_DOMAIN, SERVICE_PERSISTENT_NOTIFICATION, SERVICE_SEND_MESSAGE
from homeassistant.const import ATTR_ENTITY_ID
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.aiohttp_client import async_get_clientsession

from ..const import DOMAIN
from ..core.alerts.alert import Alert
from ..core.alerts.dispatcher import AlertError, Sender
from ..core.alerts.webhook import Webhook
from ..markdown import escape

CONF_NOTIFY_ENTITIES = "notify_entities"
CONF_NOTIFY_ACTIONS = "notify_actions"
"""Notify actions without an entity, such as `mobile_app_phone`."""
CONF_WEBHOOK_URL = "webhook_url"

NO_TARGET = frozenset({SERVICE_SEND_MESSAGE, "notify"})
"""Notify actions that need a target, which an alert does not have."""


def senders_of(hass: HomeAssistant, alerts: Mapping[str, Any]) -> list[Sender]:
    """The senders of the gateway's options for alerts."""
    found: list[Sender] = [NotifyEntity(hass, entity) for entity in alerts.get(CONF_NOTIFY_ENTITIES, ())]
    found += [NotifyAction(hass, action) for action in alerts.get(CONF_NOTIFY_ACTIONS, ())]
    if url := alerts.get(CONF_WEBHOOK_URL):
        found.append(Webhook(async_get_clientsession(hass), url))
    return found


def notify_actions(hass: HomeAssistant) -> list[str]:
    """The notify actions that need no target."""
    return sorted(name for name in hass.services.async_services_for_domain(NOTIFY_DOMAIN) if name not in NO_TARGET)


class NotifyEntity(Sender):
    """A notify entity."""

    def __init__(self, hass: HomeAssistant, entity_id: str) -> None:
        """`entity_id` such as `notify.phone`."""
        self._hass = hass
        self._entity_id = entity_id

    @property
    @override
    def name(self) -> str:
        return self._entity_id

    @override
    async def send(self, alert: Alert) -> None:
        data = {ATTR_ENTITY_ID: self._entity_id, "title": alert.title, "message": alert.text()}
        await _call(self._hass, SERVICE_SEND_MESSAGE, data)


class NotifyAction(Sender):
    """A notify action, such as `mobile_app_phone`."""

    def __init__(self, hass: HomeAssistant, action: str) -> None:
        """`action` with or without `notify.`."""
        self._hass = hass
        self._action = action.removeprefix(f"{NOTIFY_DOMAIN}.")

    @property
    @override
    def name(self) -> str:
        return f"{NOTIFY_DOMAIN}.{self._action}"

    @override
    async def send(self, alert: Alert) -> None:
        # Home Assistant renders persistent notifications as Markdown.
        message = alert.text(escape) if self._action == SERVICE_PERSISTENT_NOTIFICATION else alert.text()
        await _call(self._hass, self._action, {"title": alert.title, "message": message})


class PersistentNotification(Sender):
    """A notification in Home Assistant. A later one of the same topic replaces it."""

    def __init__(self, hass: HomeAssistant) -> None:
        """It needs no settings."""
        self._hass = hass

    @property
    @override
    def name(self) -> str:
        return "Home Assistant"

    @override
    async def send(self, alert: Alert) -> None:
        persistent_notification.async_create(self._hass, alert.text(escape), alert.title, f"{DOMAIN}_{alert.topic}")


async def _call(hass: HomeAssistant, action: str, data: dict[str, Any]) -> None:
    try:
        await hass.services.async_call(NOTIFY_DOMAIN, action, data, blocking=True)
    except (HomeAssistantError, vol.Invalid) as err:
        raise AlertError(str(err)) from err
