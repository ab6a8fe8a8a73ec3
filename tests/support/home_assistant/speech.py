"""Speech for tests: entries of servers for speech, and sentences that are spoken and heard."""

from collections.abc import AsyncGenerator
import io
from typing import Any
import wave

from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.zeroconf_ai.const import CONF_BASE_URL, DOMAIN, SUBENTRY_STT, SUBENTRY_TTS
from homeassistant.components import stt, tts
from homeassistant.components.tts.entity import TTSAudioRequest
from homeassistant.config_entries import ConfigSubentryData
from homeassistant.const import CONF_MODEL
from homeassistant.core import HomeAssistant

from ..fakes.speech import FakeSpeechServer

EARS, MOUTH = "stt.ears", "tts.mouth"
PCM = stt.SpeechMetadata(
    language="en",
    format=stt.AudioFormats.WAV,
    codec=stt.AudioCodecs.PCM,
    bit_rate=stt.AudioBitRates.BITRATE_16,
    sample_rate=stt.AudioSampleRates.SAMPLERATE_16000,
    channel=stt.AudioChannels.CHANNEL_MONO,
)


def ears_data(title: str = "Ears", **data: Any) -> ConfigSubentryData:
    """Speech to text with any provider, unless `data` says otherwise."""
    return ConfigSubentryData(data={CONF_MODEL: "auto", **data}, subentry_type=SUBENTRY_STT, title=title, unique_id=None)


def mouth_data(title: str = "Mouth", **data: Any) -> ConfigSubentryData:
    """Text to speech with any provider, unless `data` says otherwise."""
    return ConfigSubentryData(data={CONF_MODEL: "auto", **data}, subentry_type=SUBENTRY_TTS, title=title, unique_id=None)


def speech_entry(server: FakeSpeechServer, *subentries: ConfigSubentryData, title: str = "Speech") -> MockConfigEntry:
    """A provider's entry, not yet added."""
    return MockConfigEntry(domain=DOMAIN, title=title, data={CONF_BASE_URL: server.base_url}, subentries_data=list(subentries))


async def hear(hass: HomeAssistant, *parts: bytes, metadata: stt.SpeechMetadata = PCM, entity_id: str = EARS) -> stt.SpeechResult:
    """What an engine understands of a sound."""

    async def sound() -> AsyncGenerator[bytes]:
        for part in parts:
            yield part

    engine = stt.async_get_speech_to_text_entity(hass, entity_id)
    assert engine is not None
    return await engine.internal_async_process_audio_stream(metadata, sound())


async def say(
    hass: HomeAssistant, *parts: str, options: dict[str, Any] | None = None, entity_id: str = MOUTH
) -> tuple[str, AsyncGenerator[bytes]]:
    """The extension and the stream of the audio of a text that arrives in parts."""

    async def text() -> AsyncGenerator[str]:
        for part in parts:
            yield part

    engine = hass.data[tts.const.DATA_COMPONENT].get_entity(entity_id)
    assert engine is not None
    spoken = await engine.internal_async_stream_tts_audio(TTSAudioRequest("en", options or {}, text()))
    return spoken.extension, spoken.data_gen


async def whole(stream: AsyncGenerator[bytes]) -> bytes:
    """A stream to its end."""
    return b"".join([part async for part in stream])


def seconds(sound: bytes) -> float:
    """The duration of a WAV stream, whose header has no length."""
    with wave.open(io.BytesIO(sound)) as file:
        return (len(sound) - 44) / file.getframerate() / file.getsampwidth() / file.getnchannels()
