"""Creates an assistant in Assist for a new provider's first conversation agent, so that it can be used without set-up.

Also tells whether the answer in a conversation is spoken.

The assistant prefers handling commands locally, the default of Home Assistant's dialog for new assistants. The preferred
assistant is not changed, and a deleted assistant is not created again.
"""

from collections.abc import Iterable, Mapping
import logging
from typing import Any

from homeassistant.components import conversation
from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.util import language as language_util, slugify

from ..const import CONF_ANY_ASSISTANT, CONF_ASSISTANT, DOMAIN, SUBENTRY_CONVERSATION, SUBENTRY_STT, SUBENTRY_TTS
from .speech_languages import LANGUAGES

_LOGGER = logging.getLogger(__name__)

# Assist is imported only if it is loaded: without it, its requirements may be missing.
ASSIST = "assist_pipeline"


async def async_add_assistant(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Create the assistant of an entry that never had one, with engines for speech of providers, else the default ones."""
    agent = next(iter(entry.get_subentries_of_type(SUBENTRY_CONVERSATION)), None)
    if agent is None or CONF_ASSISTANT in entry.data or ASSIST not in hass.config.components:
        return
    entity_id = er.async_get(hass).async_get_entity_id(conversation.DOMAIN, DOMAIN, agent.subentry_id)
    if entity_id is None or (assistant := await _make_assistant(hass, entry, entry.title, entity_id)) is None:
        return
    hass.config_entries.async_update_entry(entry, data={**entry.data, CONF_ASSISTANT: assistant})


async def async_add_any_assistant(
    hass: HomeAssistant, entry: ConfigEntry, agent: ConfigSubentry, engines: Iterable[ConfigSubentry] = ()
) -> None:
    """Add an agent that may use any provider to an entry, and such engines for speech; create the agent's assistant."""
    entity_id = _add_subentry(hass, entry, agent, conversation.DOMAIN)
    added = {engine.subentry_type: _add_subentry(hass, entry, engine, engine.subentry_type) for engine in engines}
    if ASSIST in hass.config.components and (assistant := await _make_assistant(hass, entry, agent.title, entity_id)) is not None:
        await _use_engines(hass, assistant, added)
        hass.config_entries.async_update_entry(entry, data={**entry.data, CONF_ANY_ASSISTANT: assistant})


def _add_subentry(hass: HomeAssistant, entry: ConfigEntry, subentry: ConfigSubentry, domain: str) -> str:
    """Add a subentry. The entity gets the returned id when the entry is reloaded, which the new subentry causes."""
    hass.config_entries.async_add_subentry(entry, subentry)
    entity = er.async_get(hass).async_get_or_create(
        domain, DOMAIN, subentry.subentry_id, config_entry=entry, config_subentry_id=subentry.subentry_id,
        suggested_object_id=slugify(subentry.title),
    )  # fmt: skip
    return entity.entity_id


async def _use_engines(hass: HomeAssistant, assistant: str, engines: Mapping[str, str]) -> None:
    """Let an assistant use engines for speech, by their kind, that are not loaded yet and speak the default languages."""
    from homeassistant.components.assist_pipeline import async_update_pipeline  # noqa: PLC0415
    from homeassistant.components.assist_pipeline.pipeline import async_get_pipeline  # noqa: PLC0415

    spoken = language_util.matches(hass.config.language, LANGUAGES, country=hass.config.country)
    if engines and spoken:
        changes: dict[str, Any] = {}
        for kind, entity_id in engines.items():  # the kinds are named as the assistant's fields
            changes |= {f"{kind}_engine": entity_id, f"{kind}_language": spoken[0]}
        if SUBENTRY_TTS in engines:
            changes["tts_voice"] = None
        await async_update_pipeline(hass, async_get_pipeline(hass, assistant), **changes)


async def _make_assistant(hass: HomeAssistant, entry: ConfigEntry, name: str, entity_id: str) -> str | None:
    """Create an assistant for an agent of an entry; its id, or None if the engines for speech do not support the language.

    The engines are those of the entry, else of another provider, else Home Assistant's default ones.
    """
    from homeassistant.components import stt, tts  # noqa: PLC0415
    from homeassistant.components.assist_pipeline import async_create_default_pipeline, async_update_pipeline  # noqa: PLC0415

    stt_engine = _speech_engine(hass, entry, SUBENTRY_STT) or stt.async_default_engine(hass)
    tts_engine = _speech_engine(hass, entry, SUBENTRY_TTS) or tts.async_default_engine(hass)
    # The signature requires both, but assistants without a speech engine store None.
    pipeline = await async_create_default_pipeline(hass, stt_engine, tts_engine, name)  # type: ignore[arg-type]
    if pipeline is None:
        _LOGGER.debug("No assistant for %s: the default engines do not support this Home Assistant's language", name)
        return None
    await async_update_pipeline(hass, pipeline, conversation_engine=entity_id, prefer_local_intents=True)
    return pipeline.id


def _speech_engine(hass: HomeAssistant, entry: ConfigEntry, kind: str) -> str | None:
    """The loaded speech-to-text or text-to-speech entity of an entry, else of another entry; None if no such entity is loaded."""
    registry = er.async_get(hass)
    for other in sorted(hass.config_entries.async_entries(DOMAIN), key=lambda other: other is not entry):
        for subentry in other.get_subentries_of_type(kind):
            entity_id = registry.async_get_entity_id(kind, DOMAIN, subentry.subentry_id)
            if entity_id is not None and hass.states.get(entity_id) is not None:
                return entity_id
    return None


async def async_remove_assistant(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Delete the assistants of a removed entry; the preferred assistant stays and gets Home Assistant's own agent."""
    if ASSIST not in hass.config.components:
        return
    from homeassistant.components.assist_pipeline import async_update_pipeline  # noqa: PLC0415
    from homeassistant.components.assist_pipeline.pipeline import KEY_ASSIST_PIPELINE, PipelinePreferred  # noqa: PLC0415

    store = hass.data[KEY_ASSIST_PIPELINE].pipeline_store
    for key in (CONF_ASSISTANT, CONF_ANY_ASSISTANT):
        pipeline = store.data.get(entry.data.get(key, ""))
        if pipeline is None:
            continue
        try:
            await store.async_delete_item(pipeline.id)
        except PipelinePreferred:
            await async_update_pipeline(hass, pipeline, conversation_engine=conversation.HOME_ASSISTANT_AGENT)


@callback
def is_spoken(hass: HomeAssistant, conversation_id: str) -> bool:
    """Whether the pipeline that is answering in a conversation speaks the answer."""
    if ASSIST not in hass.config.components:
        return False
    from homeassistant.components.assist_pipeline import PipelineEventType  # noqa: PLC0415
    from homeassistant.components.assist_pipeline.pipeline import KEY_ASSIST_PIPELINE  # noqa: PLC0415

    for runs in hass.data[KEY_ASSIST_PIPELINE].pipeline_debug.values():
        for run in runs.values():
            started = next((event.data or {} for event in run.events if event.type is PipelineEventType.RUN_START), {})
            if started.get("conversation_id") == conversation_id and "tts_output" in started:
                if all(event.type is not PipelineEventType.RUN_END for event in run.events):
                    return True
    return False
