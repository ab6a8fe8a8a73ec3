"""Text to speech with the models of providers and of the gateway's backends, with failover."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Mapping
from contextlib import aclosing
from typing import Any, override

from sentence_stream import async_stream_to_sentences

from homeassistant.components.tts import ATTR_VOICE, TextToSpeechEntity, TTSAudioResponse, Voice
from homeassistant.components.tts.entity import TTSAudioRequest
from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .assist.wave_stream import WaveError, WaveStream
from .const import CONF_VOICES, DOMAIN, SIGNAL_PROVIDERS_CHANGED, SUBENTRY_TTS
from .core.protocol.audio_requests import MAX_INPUT
from .core.protocol.errors import ApiError, StreamBrokenError
from .core.protocol.models import AUTO
from .core.protocol.request import Kind, Request
from .errors import EMPTY_RESPONSE, to_home_assistant_error
from .runtime import ZeroconfAIConfigEntry
from .speech_entity import SpeechEntity, serves

PARALLEL_UPDATES = 0

_SPEED = "speed"
_INSTRUCTIONS = "instructions"
_FORMAT = "wav"
"""Parts of several files can be joined, and nearly all servers have it."""


async def async_setup_entry(
    hass: HomeAssistant, entry: ZeroconfAIConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """One entity for each subentry."""
    for subentry in entry.get_subentries_of_type(SUBENTRY_TTS):
        async_add_entities([ProviderTextToSpeech(entry, subentry)], config_subentry_id=subentry.subentry_id)


class ProviderTextToSpeech(SpeechEntity, TextToSpeechEntity):
    """Speaks with a provider's model, sentence by sentence while the text is still written. Each sentence may fail over."""

    _attr_translation_key = "tts"
    _kind = Kind.SPEECH

    def __init__(self, entry: ZeroconfAIConfigEntry, subentry: ConfigSubentry) -> None:
        """Its languages are the owner's, else the default ones."""
        super().__init__(entry, subentry)
        self._attr_supported_languages = self.languages
        self._attr_supported_options = [ATTR_VOICE, _SPEED, _INSTRUCTIONS]
        self._attr_default_language = "en" if "en" in self.languages else self.languages[0]
        self._listed: dict[str, str] = {}
        self._listing: asyncio.Task[None] | None = None

    @override
    async def async_added_to_hass(self) -> None:
        await super().async_added_to_hass()
        self.async_on_remove(async_dispatcher_connect(self.hass, SIGNAL_PROVIDERS_CHANGED, self._list_voices))
        self._list_voices()

    @callback
    @override
    def async_get_supported_voices(self, language: str) -> list[Voice] | None:
        """The owner's voices, else those that the providers list; None if none lists any. They speak several languages."""
        own: list[str] = self.subentry.data.get(CONF_VOICES) or []
        voices: Mapping[str, str] = {voice: voice for voice in own} or self._listed
        return [Voice(voice, name) for voice, name in voices.items()] or None

    @override
    async def async_stream_tts_audio(self, request: TTSAudioRequest) -> TTSAudioResponse:
        """Speak a text while it arrives. Raises HomeAssistantError if no provider answers the first sentence."""
        parts = self._speak(request.message_gen, request.options)
        try:
            extension, first = await anext(parts)
        except StopAsyncIteration:
            raise HomeAssistantError(translation_domain=DOMAIN, translation_key=EMPTY_RESPONSE) from None

        async def sound() -> AsyncGenerator[bytes]:
            async with aclosing(parts):
                yield first
                async for _, part in parts:
                    yield part

        return TTSAudioResponse(extension, sound())

    async def _speak(self, text: AsyncIterable[str], options: Mapping[str, Any]) -> AsyncGenerator[tuple[str, bytes]]:
        """The audio, each part with the file extension, which is always the same. Raises HomeAssistantError."""
        wave: WaveStream | None = None
        extension = ""
        try:
            async for sentence in _sentences(text):
                begun = False
                async with self.engine.run(self._request_for(sentence, options), self.caller) as reply:
                    async for part in reply.audio():
                        if not begun:
                            begun, own = True, _extension(part, reply.content_type)
                            if not extension:
                                extension, wave = own, WaveStream() if own == _FORMAT else None
                            if own != extension:
                                message = f"{reply.backend_name} speaks {own}, and the sentences before were {extension}"
                                raise StreamBrokenError(message)
                            if wave is not None:
                                wave.begin()
                        if joined := part if wave is None else wave.feed(part):
                            yield extension, joined
        except WaveError as err:
            broken = StreamBrokenError(f"The audio of the provider cannot be read: {err}")
            raise to_home_assistant_error(broken, self.entity_id) from err
        except ApiError as err:
            raise to_home_assistant_error(err, self.entity_id) from err

    def _request_for(self, sentence: str, options: Mapping[str, Any]) -> Request:
        own: list[str] = self.subentry.data.get(CONF_VOICES) or []
        given = {"voice": options.get(ATTR_VOICE) or next(iter(own), None), "speed": options.get(_SPEED)}
        given |= {"instructions": options.get(_INSTRUCTIONS), "input": sentence, "response_format": _FORMAT}
        return self.request({name: value for name, value in given.items() if value is not None})

    @callback
    def _list_voices(self) -> None:
        """List the voices of the providers again, in the background."""
        if self._listing is None or self._listing.done():
            self._listing = self.entry.async_create_background_task(
                self.hass, self._read_voices(), name=f"{DOMAIN} voices of {self.entity_id}"
            )

    async def _read_voices(self) -> None:
        found: dict[str, str] = {}
        for member in self.members:
            for model in member.models if member.online else ():
                if serves(model, self._kind) and self.model in (model.id, AUTO):
                    try:
                        voices = await member.backend.voices(model.id)
                    except ApiError:
                        continue
                    found = {**voices, **found}
        if found:
            self._listed = found


async def _sentences(text: AsyncIterable[str]) -> AsyncGenerator[str]:
    """The sentences of a text as soon as they are complete, in parts of at most `MAX_INPUT` characters."""
    async for sentence in async_stream_to_sentences(text):
        for at in range(0, len(sentence), MAX_INPUT):
            if any(character.isalnum() for character in sentence[at : at + MAX_INPUT]):
                yield sentence[at : at + MAX_INPUT]


_SIGNATURES = {b"RIFF": "wav", b"ID3": "mp3", b"OggS": "ogg", b"fLaC": "flac"}
_TYPES = {
    "audio/mpeg": "mp3",
    "audio/mp3": "mp3",
    "audio/ogg": "ogg",
    "audio/opus": "ogg",
    "audio/flac": "flac",
    "audio/aac": "aac",
}


def _extension(data: bytes, content_type: str) -> str:
    """The extension of audio by its first bytes, else by its type: many servers ignore the requested format."""
    found = next((extension for start, extension in _SIGNATURES.items() if data.startswith(start)), None)
    if found is None and data[:1] == b"\xff" and len(data) > 1 and data[1] & 0xE0 == 0xE0:
        found = "aac" if data[1] & 0xF6 == 0xF0 else "mp3"  # the layer is 0 in AAC's ADTS header
    return found or _TYPES.get(content_type, _FORMAT)
