"""Speech-to-text and text-to-speech engines that record their requests."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable
import io
import math
import struct
from typing import Any, override
import wave

from homeassistant.components import stt, tts
from homeassistant.components.tts.entity import TTSAudioRequest


class Ears(stt.SpeechToTextEntity):
    """A speech-to-text engine that records the audio."""

    _attr_name = "Ears"
    _attr_unique_id = "ears"

    def __init__(self) -> None:
        self.heard: list[tuple[stt.SpeechMetadata, bytes]] = []
        self.result: stt.SpeechResult | Exception = stt.SpeechResult(" Turn on the light. ", stt.SpeechResultState.SUCCESS)
        self.formats = [stt.AudioFormats.WAV]
        self.rates = [stt.AudioSampleRates.SAMPLERATE_16000]

    @property
    @override
    def supported_languages(self) -> list[str]:
        return ["de-DE", "en-US"]

    @property
    @override
    def supported_formats(self) -> list[stt.AudioFormats]:
        return self.formats

    @property
    @override
    def supported_codecs(self) -> list[stt.AudioCodecs]:
        return [stt.AudioCodecs.PCM]

    @property
    @override
    def supported_bit_rates(self) -> list[stt.AudioBitRates]:
        return [stt.AudioBitRates.BITRATE_16]

    @property
    @override
    def supported_sample_rates(self) -> list[stt.AudioSampleRates]:
        return self.rates

    @property
    @override
    def supported_channels(self) -> list[stt.AudioChannels]:
        return [stt.AudioChannels.CHANNEL_MONO]

    @override
    async def async_process_audio_stream(self, metadata: stt.SpeechMetadata, stream: AsyncIterable[bytes]) -> stt.SpeechResult:
        self.heard.append((metadata, b"".join([part async for part in stream])))
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


class Mouth(tts.TextToSpeechEntity):
    """A text-to-speech engine that answers every text with the same second of a tone."""

    _attr_name = "Mouth"
    _attr_unique_id = "mouth"
    _attr_supported_languages = ["de-DE", "en-US"]  # noqa: RUF012
    _attr_default_language = "en-US"
    _attr_supported_options = ["voice"]  # noqa: RUF012

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, Any]]] = []
        self.failure: Exception | None = None
        self.go_on: asyncio.Event | None = None

    @override
    def async_get_supported_voices(self, language: str) -> list[tts.Voice] | None:
        return {"en-US": [tts.Voice("amy", "Amy")], "de-DE": [tts.Voice("eva_k", "Eva")]}[language]

    @override
    async def async_stream_tts_audio(self, request: TTSAudioRequest) -> tts.TTSAudioResponse:
        text = "".join([part async for part in request.message_gen])
        self.asked.append((text, request.language, request.options))
        if self.failure is not None:
            raise self.failure
        return tts.TTSAudioResponse("wav", self._sound())

    async def _sound(self) -> AsyncGenerator[bytes]:
        sound = tone(22_050)
        yield sound[:8_000]
        if self.go_on is not None:
            await self.go_on.wait()
        yield sound[8_000:]


def tone(rate: int = 16_000, channels: int = 1, seconds: float = 1.0) -> bytes:
    """A WAV file with a tone."""
    samples = (round(8_000 * math.sin(2 * math.pi * 440 * n / rate)) for n in range(int(rate * seconds)))
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(b"".join(struct.pack("<h", sample) * channels for sample in samples))
    return made.getvalue()
