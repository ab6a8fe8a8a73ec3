"""A new provider's first agent gets an assistant of its own in Assist, so that it can be talked to without any set-up.

It tries Home Assistant's own sentences first, as the dialog for a new assistant suggests: what they can do is done at once, and
without any model. The preferred assistant stays what it is, and one that the owner deletes is not made again.
"""

import logging

from homeassistant.components import conversation
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er

from ..const import CONF_ASSISTANT, DOMAIN, SUBENTRY_CONVERSATION

_LOGGER = logging.getLogger(__name__)

# Assist is imported where it is loaded already: a Home Assistant without it lacks what it needs to be imported.
ASSIST = "assist_pipeline"


async def async_add_assistant(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Make the assistant of an entry that never had one, with the default ears and voice of this Home Assistant."""
    agent = next(iter(entry.get_subentries_of_type(SUBENTRY_CONVERSATION)), None)
    if agent is None or CONF_ASSISTANT in entry.data or ASSIST not in hass.config.components:
        return
    from homeassistant.components import stt, tts  # noqa: PLC0415
    from homeassistant.components.assist_pipeline import async_create_default_pipeline, async_update_pipeline  # noqa: PLC0415

    entity_id = er.async_get(hass).async_get_entity_id(conversation.DOMAIN, DOMAIN, agent.subentry_id)
    if entity_id is None:
        return
    ears, voice = stt.async_default_engine(hass), tts.async_default_engine(hass)
    # The signature wants both; without an engine there is nothing to name, and None is what an assistant then stores.
    pipeline = await async_create_default_pipeline(hass, ears, voice, entry.title)  # type: ignore[arg-type]
    if pipeline is None:
        _LOGGER.debug("No assistant for %s: the default engines do not speak this Home Assistant's language", entry.title)
        return
    await async_update_pipeline(hass, pipeline, conversation_engine=entity_id, prefer_local_intents=True)
    hass.config_entries.async_update_entry(entry, data={**entry.data, CONF_ASSISTANT: pipeline.id})


async def async_remove_assistant(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Take the assistant of a removed entry away; the preferred one goes on with Home Assistant's own agent."""
    pipeline_id = entry.data.get(CONF_ASSISTANT)
    if pipeline_id is None or ASSIST not in hass.config.components:
        return
    from homeassistant.components.assist_pipeline import async_update_pipeline  # noqa: PLC0415
    from homeassistant.components.assist_pipeline.pipeline import KEY_ASSIST_PIPELINE, PipelinePreferred  # noqa: PLC0415

    store = hass.data[KEY_ASSIST_PIPELINE].pipeline_store
    pipeline = store.data.get(pipeline_id)
    if pipeline is None:
        return
    try:
        await store.async_delete_item(pipeline_id)
    except PipelinePreferred:
        await async_update_pipeline(hass, pipeline, conversation_engine=conversation.HOME_ASSISTANT_AGENT)
