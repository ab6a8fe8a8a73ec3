"""Whether an entity of this Home Assistant computes at home, by the manifest of its integration."""

from typing import Final

from homeassistant.components import conversation
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.loader import Integration, IntegrationNotFound, async_get_integration

_AT_HOME: Final = ("local_", "calculated")
"""The beginnings of those values of `iot_class` that need no cloud (developers.home-assistant.io, "Integration manifest")."""


async def leaves_home(hass: HomeAssistant, entity_id: str) -> bool:
    """Whether requests to an entity may leave the home. An unknown integration, or one that says nothing, counts as yes."""
    if entity_id == conversation.HOME_ASSISTANT_AGENT:
        return False
    entry = er.async_get(hass).async_get(entity_id)
    if entry is None:
        return True
    try:
        integration = await async_get_integration(hass, entry.platform)
    except IntegrationNotFound:
        return True
    return needs_cloud(integration)


def needs_cloud(integration: Integration) -> bool:
    """Whether an integration may send requests to a cloud service, by its manifest."""
    return not (integration.iot_class or "").startswith(_AT_HOME)
