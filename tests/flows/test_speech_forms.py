"""The forms of speech to text and text to speech: added, changed, and filled in wrongly."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from custom_components.zeroconf_ai.assist.speech_languages import LANGUAGES
from custom_components.zeroconf_ai.const import CONF_LANGUAGES, CONF_VOICES, SUBENTRY_STT, SUBENTRY_TTS
from homeassistant.config_entries import SOURCE_RECONFIGURE, SubentryFlowContext
from homeassistant.const import CONF_MODEL, CONF_NAME
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.setup import async_setup_component

from ..support.fakes.speech import KOKORO, WHISPER, FakeSpeechServer
from ..support.home_assistant.entries import set_up
from ..support.home_assistant.speech import speech_entry
from .test_agents import begin, model_options, only, submit

pytestmark = pytest.mark.usefixtures("checked_texts", "ready")

KINDS = [(SUBENTRY_STT, WHISPER, "Speech Speech to Text"), (SUBENTRY_TTS, KOKORO, "Speech Text to Speech")]


@pytest.fixture
async def server(socket_enabled: None) -> AsyncIterator[FakeSpeechServer]:
    """A server with a model of each kind."""
    async with FakeSpeechServer() as fake:
        yield fake


@pytest.mark.parametrize(("kind", "model", "title"), KINDS)
async def test_speech_form_adds_an_engine_with_a_model_of_its_kind(
    hass: HomeAssistant, server: FakeSpeechServer, kind: str, model: str, title: str
) -> None:
    entry = await set_up(hass, speech_entry(server))
    result = await begin(hass, entry, kind)
    assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "user")
    assert model_options(result) == ["auto", model]
    result = await submit(hass, result, {CONF_NAME: title, CONF_MODEL: model, CONF_LANGUAGES: list(LANGUAGES)})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert (only(entry, kind).title, dict(only(entry, kind).data)) == (
        title,
        {CONF_MODEL: model},
    )  # the languages are the default ones


@pytest.mark.parametrize(("kind", "model", "title"), KINDS)
async def test_speech_form_changes_an_engine_and_may_offer_any_provider(
    hass: HomeAssistant, server: FakeSpeechServer, kind: str, model: str, title: str
) -> None:
    entry = await set_up(hass, speech_entry(server))
    await submit(hass, await begin(hass, entry, kind), {CONF_NAME: title, CONF_MODEL: model})
    await hass.async_block_till_done()
    result = await _change(hass, entry, kind)
    assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "reconfigure")
    result = await submit(hass, result, {CONF_NAME: "Mine", CONF_MODEL: "auto", CONF_LANGUAGES: ["de-AT", "en"]})
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "reconfigure_successful")
    await hass.async_block_till_done()
    assert (only(entry, kind).title, dict(only(entry, kind).data)) == (
        "Mine",
        {CONF_MODEL: "auto", CONF_LANGUAGES: ["de-AT", "en"]},
    )
    state = hass.states.get(f"{kind}.speech_{'speech_to_text' if kind == SUBENTRY_STT else 'text_to_speech'}")
    assert state is not None


async def _change(hass: HomeAssistant, entry: Any, kind: str) -> Any:
    context = SubentryFlowContext(source=SOURCE_RECONFIGURE, subentry_id=only(entry, kind).subentry_id)
    return await hass.config_entries.subentries.async_init((entry.entry_id, kind), context=context)


@pytest.mark.parametrize(
    ("kind", "fields", "errors"),
    [
        (SUBENTRY_STT, {CONF_LANGUAGES: ["english language"]}, {CONF_LANGUAGES: "invalid_language"}),
        (SUBENTRY_STT, {CONF_LANGUAGES: ["e"]}, {CONF_LANGUAGES: "invalid_language"}),
        (SUBENTRY_TTS, {CONF_LANGUAGES: ["de_DE"]}, {CONF_LANGUAGES: "invalid_language"}),
        (SUBENTRY_TTS, {CONF_VOICES: [str(number) for number in range(201)]}, {CONF_VOICES: "too_many_voices"}),
        (SUBENTRY_TTS, {CONF_VOICES: ["x" * 257]}, {CONF_VOICES: "too_many_voices"}),
    ],
)
async def test_speech_form_filled_in_wrongly_says_where_and_can_be_corrected(
    hass: HomeAssistant, server: FakeSpeechServer, kind: str, fields: dict[str, Any], errors: dict[str, str]
) -> None:
    entry = await set_up(hass, speech_entry(server))
    result = await submit(hass, await begin(hass, entry, kind), {CONF_NAME: "Mine", CONF_MODEL: "auto", **fields})
    assert (result["type"], result["errors"]) == (FlowResultType.FORM, errors)
    result = await submit(hass, result, {CONF_NAME: "Mine", CONF_MODEL: "auto"})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert only(entry, kind).data == {CONF_MODEL: "auto"}


async def test_speech_form_is_offered_by_a_provider_that_is_gone_and_its_voices_cannot_be_asked(
    hass: HomeAssistant, server: FakeSpeechServer, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("homeassistant.components.tts._init_tts_cache_dir", lambda *_: str(tmp_path))
    assert await async_setup_component(hass, "tts", {})
    entry = await set_up(hass, speech_entry(server))
    await server.stop()
    result = await begin(hass, entry, SUBENTRY_TTS)
    fields = {CONF_NAME: "Mouth", CONF_MODEL: KOKORO, CONF_LANGUAGES: ["en"], CONF_VOICES: ["anna", "bert"]}
    result = await submit(hass, result, fields)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()
    engine = hass.data["tts"].get_entity("tts.mouth")
    assert [voice.voice_id for voice in engine.async_get_supported_voices("en")] == ["anna", "bert"]
    assert engine.supported_languages == ["en"]
