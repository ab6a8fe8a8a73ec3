"""Assist for tests: a light that is exposed to it, and runs of the pipeline of a provider's assistant."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any, override

from custom_components.zeroconf_ai.const import CONF_ASSISTANT
from homeassistant.components import assist_pipeline, conversation, stt, tts
from homeassistant.components.assist_pipeline.models import PipelineStage
from homeassistant.components.assist_pipeline.pipeline import PipelineInput, PipelineRun, async_get_pipeline
from homeassistant.components.homeassistant.exposed_entities import async_expose_entity
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import Context, HomeAssistant, ServiceCall
from homeassistant.helpers import chat_session

from .audio import Ears, Mouth, tone

LIGHT = "light.kitchen"


class PlainMouth(Mouth):
    """A text-to-speech engine without streaming input."""

    @override
    def async_supports_streaming_input(self) -> bool:
        return False

    @override
    async def async_get_tts_audio(self, message: str, language: str, options: dict[str, Any]) -> tts.TtsAudioType:
        self.asked.append((message, language, options))
        return "wav", tone()


@dataclass(slots=True)
class Kitchen:
    """A light and the calls of its actions."""

    hass: HomeAssistant
    calls: list[ServiceCall] = field(default_factory=list)

    @property
    def state(self) -> str:
        """`on` or `off`."""
        state = self.hass.states.get(LIGHT)
        assert state is not None
        return state.state


def make_kitchen(hass: HomeAssistant, name: str) -> Kitchen:
    """A light that is on and exposed to Assist."""
    kitchen = Kitchen(hass)

    async def switch(call: ServiceCall) -> None:
        kitchen.calls.append(call)
        hass.states.async_set(LIGHT, call.service.removeprefix("turn_"), {"friendly_name": name})

    hass.states.async_set(LIGHT, "on", {"friendly_name": name})
    for service in ("turn_on", "turn_off"):
        hass.services.async_register("light", service, switch)
    async_expose_entity(hass, conversation.DOMAIN, LIGHT, True)
    return kitchen


@dataclass(slots=True)
class Run:
    """The events of one run of a pipeline."""

    events: list[assist_pipeline.PipelineEvent] = field(default_factory=list)

    def data(self, kind: assist_pipeline.PipelineEventType) -> dict[str, Any]:
        """The data of the last event of a type."""
        return next(event.data or {} for event in reversed(self.events) if event.type is kind)

    @property
    def response(self) -> dict[str, Any]:
        """The intent's response."""
        response: dict[str, Any] = self.data(assist_pipeline.PipelineEventType.INTENT_END)["intent_output"]["response"]
        return response

    @property
    def speech(self) -> str:
        """The spoken text."""
        speech: str = self.response["speech"]["plain"]["speech"]
        return speech

    @property
    def failed(self) -> bool:
        """Whether the response is an error."""
        return self.response["response_type"] == "error"


async def by_text(hass: HomeAssistant, entry: ConfigEntry, words: str, conversation_id: str | None = None) -> Run:
    """Run the assistant of an entry with a text."""
    run = Run()
    with chat_session.async_get_chat_session(hass, conversation_id) as session:
        begun = PipelineInput(
            session=session,
            intent_input=words,
            run=PipelineRun(
                hass,
                context=Context(),
                pipeline=async_get_pipeline(hass, entry.data[CONF_ASSISTANT]),
                start_stage=PipelineStage.INTENT,
                end_stage=PipelineStage.INTENT,
                event_callback=run.events.append,
            ),
        )
        await begun.execute(validate=True)
    return run


async def by_voice(hass: HomeAssistant, entry: ConfigEntry, ears: Ears, words: str) -> Run:
    """Run the assistant of an entry with speech, and read its spoken answer to the end."""
    run = Run()
    ears.result = stt.SpeechResult(words, stt.SpeechResultState.SUCCESS)

    async def sound() -> AsyncGenerator[bytes]:
        yield tone()

    await assist_pipeline.async_pipeline_from_audio_stream(
        hass,
        context=Context(),
        event_callback=run.events.append,
        stt_metadata=stt.SpeechMetadata(
            language="",
            format=stt.AudioFormats.WAV,
            codec=stt.AudioCodecs.PCM,
            bit_rate=stt.AudioBitRates.BITRATE_16,
            sample_rate=stt.AudioSampleRates.SAMPLERATE_16000,
            channel=stt.AudioChannels.CHANNEL_MONO,
        ),
        stt_stream=sound(),
        pipeline_id=entry.data[CONF_ASSISTANT],
        audio_settings=assist_pipeline.AudioSettings(is_vad_enabled=False),
    )
    token = run.data(assist_pipeline.PipelineEventType.TTS_END)["tts_output"]["token"]
    stream = tts.async_get_stream(hass, token)
    assert stream is not None
    assert b"".join([part async for part in stream.async_stream_result()])
    return run
