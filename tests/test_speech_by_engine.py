"""Text to speech that another engine of Home Assistant speaks, sentence by sentence, although it takes no stream of text."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, override

import pytest

from homeassistant.components import tts
from homeassistant.components.tts.const import DATA_COMPONENT
from homeassistant.components.tts.entity import TTSAudioRequest
from homeassistant.config_entries import SOURCE_USER
from homeassistant.const import STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.setup import async_setup_component

from .support.fakes.provider import FakeProvider
from .support.fakes.speech import spoken
from .support.home_assistant.entries import make_entry, set_up
from .support.home_assistant.speech import MOUTH, mouth_data, say, seconds, whole

ENGINE = "tts.old_engine"


class OldEngine(tts.TextToSpeechEntity):
    """An engine that takes complete texts."""

    entity_id = ENGINE
    _attr_name = "Old engine"
    _attr_default_language = "de"
    refuses = False

    def __init__(self) -> None:
        """Nothing was said yet."""
        self._attr_supported_languages = ["de", "en"]
        self._attr_supported_options = [tts.ATTR_VOICE, tts.ATTR_PREFERRED_FORMAT]
        self.said: list[tuple[str, str, dict[str, Any]]] = []

    @override
    async def async_get_tts_audio(self, message: str, language: str, options: dict[str, Any]) -> tts.TtsAudioType:
        self.said.append((message, language, options))
        return (None, None) if self.refuses else ("wav", spoken(message, 16_000))

    @override
    def async_get_supported_voices(self, language: str) -> list[tts.Voice] | None:
        return [tts.Voice("anna", "Anna")]


@pytest.fixture
async def engine(
    hass: HomeAssistant, ready: None, provider: FakeProvider, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> OldEngine:
    """The engine, and text to speech that it speaks."""
    monkeypatch.setattr("homeassistant.components.tts._init_tts_cache_dir", lambda *_: str(tmp_path))
    assert await async_setup_component(hass, "tts", {})
    engine = OldEngine()
    await hass.data[DATA_COMPONENT].async_add_entities([engine])
    assert not engine.async_supports_streaming_input()
    await set_up(hass, make_entry(provider, subentries=[mouth_data(spoken_by=ENGINE)]))
    return engine


async def test_engine_without_streaming_begins_with_the_first_sentence(hass: HomeAssistant, engine: OldEngine) -> None:
    written = asyncio.Event()

    async def text() -> AsyncGenerator[str]:
        yield "It is"
        yield " on. The light"
        await written.wait()
        yield " is bright."

    mouth = hass.data[DATA_COMPONENT].get_entity(MOUTH)
    assert mouth is not None
    assert mouth.async_supports_streaming_input()
    request = TTSAudioRequest("en", {tts.ATTR_VOICE: "anna", "speed": 2}, text())
    answer = await mouth.internal_async_stream_tts_audio(request)
    first = await anext(answer.data_gen)
    assert [(said, language) for said, language, _ in engine.said] == [("It is on.", "en")]
    written.set()
    sound = first + await whole(answer.data_gen)
    assert answer.extension == "wav"
    assert [said for said, _, _ in engine.said] == ["It is on.", "The light is bright."]
    assert engine.said[0][2][tts.ATTR_VOICE] == "anna"
    assert "speed" not in engine.said[0][2]  # the engine does not have it
    assert seconds(sound) == pytest.approx((9 + 20) / 100, abs=0.01)


async def test_engine_that_speaks_gives_its_languages_voices_and_state(hass: HomeAssistant, engine: OldEngine) -> None:
    mouth = hass.data[DATA_COMPONENT].get_entity(MOUTH)
    assert mouth is not None
    assert (mouth.supported_languages, mouth.default_language) == (["de", "en"], "de")
    assert mouth.async_get_supported_voices("de") == [tts.Voice("anna", "Anna")]
    for available in (False, True):
        engine._attr_available = available
        engine.async_write_ha_state()
        await hass.async_block_till_done()
        state = hass.states.get(MOUTH)
        assert state is not None
        assert (state.state != STATE_UNAVAILABLE) is available


async def test_engine_that_says_nothing_is_an_error(hass: HomeAssistant, engine: OldEngine) -> None:
    engine.refuses = True
    with pytest.raises(HomeAssistantError):
        await say(hass, "It is on.")


async def test_engine_is_chosen_in_the_form_and_is_none_of_this_integration(hass: HomeAssistant, engine: OldEngine) -> None:
    (entry,) = hass.config_entries.async_entries("zeroconf_ai")
    flow = await hass.config_entries.subentries.async_init((entry.entry_id, "tts"), context={"source": SOURCE_USER})
    assert flow["data_schema"] is not None
    (field,) = (value for key, value in flow["data_schema"].schema.items() if key == "spoken_by")
    assert field.config["exclude_entities"] == [MOUTH]
    made = await hass.config_entries.subentries.async_configure(
        flow["flow_id"], {"name": "Second", "model": "auto", "spoken_by": ENGINE}
    )
    assert (made["type"], made["data"]["spoken_by"]) == ("create_entry", ENGINE)
