"""Speech to text with the models of providers and of the gateway's backends, with failover."""

from collections.abc import AsyncIterable
import logging
from typing import override

from homeassistant.components import stt
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import SUBENTRY_STT
from .core.protocol.audio_length import measured
from .core.protocol.audio_requests import MAX_FILE_BYTES, Recording, pcm_as_wav
from .core.protocol.errors import ApiError
from .core.protocol.request import Kind
from .errors import log_failure
from .runtime import ZeroconfAIConfigEntry
from .speech_entity import SpeechEntity

_LOGGER = logging.getLogger(__name__)

PARALLEL_UPDATES = 0

_HEADER_BYTES = 64


async def async_setup_entry(
    hass: HomeAssistant, entry: ZeroconfAIConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """One entity for each subentry."""
    for subentry in entry.get_subentries_of_type(SUBENTRY_STT):
        async_add_entities([ProviderSpeechToText(entry, subentry)], config_subentry_id=subentry.subentry_id)


class ProviderSpeechToText(SpeechEntity, stt.SpeechToTextEntity):
    """Transcribes with a provider's model. Recordings are sent as a whole: the API has no other way."""

    _attr_translation_key = "stt"
    _kind = Kind.TRANSCRIPTION

    @property
    @override
    def supported_languages(self) -> list[str]:
        return self.languages

    @property
    @override
    def supported_formats(self) -> list[stt.AudioFormats]:
        return [stt.AudioFormats.WAV, stt.AudioFormats.OGG]

    @property
    @override
    def supported_codecs(self) -> list[stt.AudioCodecs]:
        return [stt.AudioCodecs.PCM, stt.AudioCodecs.OPUS]

    @property
    @override
    def supported_bit_rates(self) -> list[stt.AudioBitRates]:
        return [stt.AudioBitRates.BITRATE_16]

    @property
    @override
    def supported_sample_rates(self) -> list[stt.AudioSampleRates]:
        """All: the servers convert."""
        return list(stt.AudioSampleRates)

    @property
    @override
    def supported_channels(self) -> list[stt.AudioChannels]:
        return list(stt.AudioChannels)

    @override
    async def async_process_audio_stream(self, metadata: stt.SpeechMetadata, stream: AsyncIterable[bytes]) -> stt.SpeechResult:
        """Transcribe speech. Samples without a header, as pipelines send them, get one."""
        failed = stt.SpeechResult(None, stt.SpeechResultState.ERROR)
        sound = bytearray()
        async for part in stream:
            sound += part
            if len(sound) > MAX_FILE_BYTES - _HEADER_BYTES:
                _LOGGER.warning("%s: the recording is longer than %s MB", self.entity_id, MAX_FILE_BYTES >> 20)
                return failed
        if not sound:
            return failed
        try:
            body = {"language": metadata.language.split("-")[0], "response_format": "json"}
            recording = _recording(metadata, sound)
            if recording.seconds is None:
                recording = await self.hass.async_add_executor_job(measured, recording)
            request = self.request(body, recording)
            async with self.engine.run(request, self.caller) as reply:
                text: str = reply.completion.data["text"].strip()
        except ApiError as err:
            log_failure(self.entity_id, err)
            return failed
        return stt.SpeechResult(text, stt.SpeechResultState.SUCCESS)


def _recording(metadata: stt.SpeechMetadata, sound: bytearray) -> Recording:
    """The sound as a file."""
    if metadata.format is stt.AudioFormats.OGG:
        return Recording(bytes(sound), "audio/ogg", "speech.ogg")
    if sound.startswith(b"RIFF"):
        return Recording(bytes(sound), "audio/wav", "speech.wav")
    return pcm_as_wav(sound, rate=int(metadata.sample_rate), channels=int(metadata.channel))
