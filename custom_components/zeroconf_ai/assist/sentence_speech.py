"""Speech of another text-to-speech engine of Home Assistant, one sentence at a time.

Home Assistant gives engines that take no stream the complete answer only. With this, they begin with its first sentence.
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, Final

from homeassistant.components import tts
from homeassistant.components.tts.const import DATA_COMPONENT
from homeassistant.const import STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant, callback

FORMAT: Final = "wav"
"""Home Assistant converts the engine's audio to it, if it has another: WAV files can be joined."""
CONTENT_TYPE: Final = "audio/wav"


@callback
def engine_of(hass: HomeAssistant, entity_id: str) -> tts.TextToSpeechEntity | None:
    """The engine; None while it is not loaded."""
    component = hass.data.get(DATA_COMPONENT)
    return None if component is None else component.get_entity(entity_id)


@callback
def is_available(hass: HomeAssistant, entity_id: str) -> bool:
    """Whether the engine can speak now."""
    state = hass.states.get(entity_id)
    return state is not None and state.state != STATE_UNAVAILABLE


async def speak_sentence(
    hass: HomeAssistant, entity_id: str, sentence: str, language: str, options: Mapping[str, Any]
) -> AsyncGenerator[bytes]:
    """The sentence as a WAV file, in parts. Options that the engine does not support are left out. Raises HomeAssistantError."""
    engine = engine_of(hass, entity_id)
    supported = () if engine is None else engine.supported_options or ()
    wanted = {name: value for name, value in options.items() if name in supported}
    stream = tts.async_create_stream(hass, entity_id, language, {**wanted, tts.ATTR_PREFERRED_FORMAT: FORMAT})
    stream.use_file_cache = False  # an answer must not be left on disk
    try:
        stream.async_set_message(sentence)
        async with aclosing(stream.async_stream_result()) as parts:
            async for part in parts:
                if part:
                    yield part
    finally:
        stream.delete()
