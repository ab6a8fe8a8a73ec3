"""Text to speech with the models of providers and of the gateway's backends, with failover."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any, NamedTuple, override

from sentence_stream import async_stream_to_sentences

from homeassistant.components.tts import ATTR_VOICE, TextToSpeechEntity, TTSAudioResponse, Voice
from homeassistant.components.tts.entity import TTSAudioRequest
from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.event import async_track_state_change_event

from .assist.sentence_speech import CONTENT_TYPE, engine_of, is_available, speak_sentence
from .assist.wave_stream import WaveError, WaveStream
from .const import CONF_SPOKEN_BY, CONF_VOICES, DOMAIN, SIGNAL_PROVIDERS_CHANGED, SUBENTRY_TTS
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


class _Said(NamedTuple):
    """A sentence that is spoken: its audio, and the name of who speaks."""

    parts: AsyncIterator[bytes]
    content_type: str
    by: str


class ProviderTextToSpeech(SpeechEntity, TextToSpeechEntity):
    """Speaks with a provider's model, sentence by sentence while the text is still written. Each sentence may fail over.

    Or with another engine of Home Assistant, which then speaks sentence by sentence too, also if it takes no stream of text.
    """

    _attr_translation_key = "tts"
    _kind = Kind.SPEECH

    def __init__(self, entry: ZeroconfAIConfigEntry, subentry: ConfigSubentry) -> None:
        """Its languages are the owner's, else the default ones."""
        super().__init__(entry, subentry)
        self._attr_supported_languages = self.languages
        self._attr_supported_options = [ATTR_VOICE, _SPEED, _INSTRUCTIONS]
        self._attr_default_language = "en" if "en" in self.languages else self.languages[0]
        self._spoken_by: str | None = subentry.data.get(CONF_SPOKEN_BY)
        self._listed: dict[str, str] = {}
        self._listing: asyncio.Task[None] | None = None

    @override
    async def async_added_to_hass(self) -> None:
        await super().async_added_to_hass()
        if self._spoken_by is None:
            self.async_on_remove(async_dispatcher_connect(self.hass, SIGNAL_PROVIDERS_CHANGED, self._list_voices))
            self._list_voices()
            return
        self.async_on_remove(async_track_state_change_event(self.hass, self._spoken_by, self._on_engine_changed))

    @callback
    def _on_engine_changed(self, _: Event[EventStateChangedData]) -> None:
        self.async_write_ha_state()

    @property
    @override
    def available(self) -> bool:
        return super().available if self._spoken_by is None else is_available(self.hass, self._spoken_by)

    @property
    @override
    def supported_languages(self) -> list[str]:
        """Those of the other engine, if one speaks and is loaded."""
        engine = None if self._spoken_by is None else engine_of(self.hass, self._spoken_by)
        return self._attr_supported_languages if engine is None else list(engine.supported_languages)

    @property
    @override
    def default_language(self) -> str:
        engine = None if self._spoken_by is None else engine_of(self.hass, self._spoken_by)
        return self._attr_default_language if engine is None else engine.default_language

    @callback
    @override
    def async_get_supported_voices(self, language: str) -> list[Voice] | None:
        """The owner's voices, else those that the providers list; None if none lists any. They speak several languages."""
        if self._spoken_by is not None:
            engine = engine_of(self.hass, self._spoken_by)
            return None if engine is None else engine.async_get_supported_voices(language)
        own: list[str] = self.subentry.data.get(CONF_VOICES) or []
        voices: Mapping[str, str] = {voice: voice for voice in own} or self._listed
        return [Voice(voice, name) for voice, name in voices.items()] or None

    @override
    async def async_stream_tts_audio(self, request: TTSAudioRequest) -> TTSAudioResponse:
        """Speak a text while it arrives. Raises HomeAssistantError if no provider answers the first sentence."""
        parts = self._speak(request)
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

    @asynccontextmanager
    async def _said(self, sentence: str, request: TTSAudioRequest) -> AsyncIterator[_Said]:
        """Have a sentence spoken. Raises ApiError, or HomeAssistantError of the other engine."""
        if self._spoken_by is not None:
            other = speak_sentence(self.hass, self._spoken_by, sentence, request.language, request.options)
            async with aclosing(other) as parts:
                yield _Said(parts, CONTENT_TYPE, self._spoken_by)
            return
        async with self.engine.run(self._request_for(sentence, request.options), self.caller) as reply:
            yield _Said(reply.audio(), reply.content_type, reply.backend_name)

    async def _speak(self, request: TTSAudioRequest) -> AsyncGenerator[tuple[str, bytes]]:
        """The audio, each part with the file extension, which is always the same. Raises HomeAssistantError."""
        wave: WaveStream | None = None
        extension = ""
        try:
            async for sentence in _sentences(request.message_gen):
                begun = False
                async with self._said(sentence, request) as said:
                    async for part in said.parts:
                        if not begun:
                            begun, own = True, _extension(part, said.content_type)
                            if not extension:
                                extension, wave = own, WaveStream() if own == _FORMAT else None
                            if own != extension:
                                message = f"{said.by} speaks {own}, and the sentences before were {extension}"
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
