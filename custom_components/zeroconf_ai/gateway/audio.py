"""Speech-to-text and text-to-speech for the gateway: Home Assistant's engines behind `core.server.audio.Audio`.

A model is an engine, named by its entity id (`stt.faster_whisper`, `tts.piper`) or legacy name. Without a model, Home Assistant's
default engine is used.
"""

from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing
from typing import Any, Final, override

from homeassistant.components import stt
from homeassistant.components.stt.const import DATA_COMPONENT as STT_ENTITIES, DATA_PROVIDERS as STT_LEGACY
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.entity import Entity
from homeassistant.loader import IntegrationNotLoaded, async_get_loaded_integration
from homeassistant.util import language as language_util

from ..const import DOMAIN
from ..core.protocol.audio_requests import Recording
from ..core.protocol.errors import InvalidRequestError, NotFoundError, UpstreamError, redact
from ..core.server.audio import Audio, AudioFormat, AudioModel, AudioTask, Speech, Transcript, Voice
from ..home_agents.home_only import needs_cloud
from .audio_convert import Pcm, decode

_TTS: Final = "tts"
_NAMED: Final = 20
"""Maximum number of voices or languages listed in an error."""
_PCM_RATE: Final = 24_000
"""The sample rate of OpenAI's API."""

_FORMATS: Final[dict[AudioFormat, tuple[str, str]]] = {
    AudioFormat.MP3: ("mp3", "audio/mpeg"),
    AudioFormat.OPUS: ("opus", "audio/ogg"),
    AudioFormat.AAC: ("adts", "audio/aac"),
    AudioFormat.FLAC: ("flac", "audio/flac"),
    AudioFormat.WAV: ("wav", "audio/wav"),
    AudioFormat.PCM: ("s16le", "audio/pcm"),
}
"""ffmpeg's name of each format, which Home Assistant's TTS uses, and its media type."""


class HomeAudio(Audio):
    """Uses the speech engines of this Home Assistant, including those added later."""

    def __init__(self, hass: HomeAssistant, home_only: Callable[[], bool] = lambda: False) -> None:
        """Used on Home Assistant's event loop. While `home_only` returns True, engines of cloud services are left out."""
        self._hass = hass
        self._home_only = home_only

    @override
    def models(self) -> Sequence[AudioModel]:
        transcribers = [
            self._model(engine_id, engine, AudioTask.TRANSCRIPTION) for engine_id, engine in self._stt_engines().items()
        ]
        speakers = [self._model(engine_id, engine, AudioTask.SPEECH) for engine_id, engine in self._tts_engines().items()]
        return [*transcribers, *speakers]

    @override
    def voices(self) -> Sequence[Voice]:
        return [
            Voice(voice.voice_id, voice.name, engine_id, language)
            for engine_id, engine in self._tts_engines().items()
            for language in engine.supported_languages or ()
            for voice in engine.async_get_supported_voices(language) or ()
        ]

    @override
    async def transcribe(self, recording: Recording, *, model: str | None = None, language: str | None = None) -> Transcript:
        engine_id, engine = _choose(self._stt_engines(), model, AudioTask.TRANSCRIPTION, home_only=self._home_only())
        spoken = self._language(engine_id, engine.supported_languages, language)
        wanted = _pcm_for(engine_id, engine)
        metadata = stt.SpeechMetadata(
            language=spoken,
            format=stt.AudioFormats.WAV,
            codec=stt.AudioCodecs.PCM,
            bit_rate=stt.AudioBitRates.BITRATE_16,
            sample_rate=stt.AudioSampleRates(wanted.rate),
            channel=stt.AudioChannels(wanted.channels),
        )
        async with decode(self._hass, recording, wanted) as sound:
            try:
                if isinstance(engine, stt.SpeechToTextEntity):
                    result = await engine.internal_async_process_audio_stream(metadata, sound.stream)
                else:
                    result = await engine.async_process_audio_stream(metadata, sound.stream)
            except HomeAssistantError as err:
                raise _failed(engine_id, err=err) from err
            sound.check()
            if result.result is not stt.SpeechResultState.SUCCESS or result.text is None:
                raise _failed(engine_id, "it did not understand the recording")
            return Transcript(result.text.strip(), spoken, sound.seconds)

    @override
    async def speak(
        self,
        text: str,
        *,
        model: str | None = None,
        voice: str | None = None,
        audio_format: AudioFormat = AudioFormat.MP3,
        speed: float = 1.0,
        language: str | None = None,
    ) -> Speech:
        engine_id, engine = _choose(self._tts_engines(), model, AudioTask.SPEECH, home_only=self._home_only())
        supported = engine.supported_options or ()
        extension, content_type = _FORMATS[audio_format]
        options: dict[str, Any] = {"preferred_format": extension}
        if audio_format is AudioFormat.PCM:
            options |= {"preferred_sample_rate": _PCM_RATE, "preferred_sample_channels": 1, "preferred_sample_bytes": 2}
        if speed != 1.0:
            if "speed" not in supported:
                raise InvalidRequestError(f"{engine_id} does not support another speed: omit 'speed'.", param="speed")
            options["speed"] = speed
        spoken = self._language(engine_id, engine.supported_languages or (), language, engine.default_language)
        if voice is not None:
            if "voice" not in supported:
                raise InvalidRequestError(f"{engine_id} has only one voice: omit 'voice' or use 'default'.", param="voice")
            spoken, options["voice"] = _voice(engine_id, engine, spoken, voice)
        return Speech(content_type, self._synthesize(engine_id, text, spoken, options))

    async def _synthesize(self, engine_id: str, text: str, language: str, options: dict[str, Any]) -> AsyncGenerator[bytes]:
        """Stream the generated audio. Raises UpstreamError."""
        from homeassistant.components import tts  # noqa: PLC0415

        try:
            stream = tts.async_create_stream(self._hass, engine_id, language, options)
        except HomeAssistantError as err:
            raise _failed(engine_id, err=err) from err
        stream.use_file_cache = False  # clients' texts must not be left on disk
        try:
            stream.async_set_message(text)
            async with aclosing(stream.async_stream_result()) as parts:
                async for part in parts:
                    if part:
                        yield part
        except HomeAssistantError as err:
            raise _failed(engine_id, err=err) from err
        except OSError as err:
            raise _failed(engine_id, f"ffmpeg, which converts the audio, cannot be run ({type(err).__name__})") from err
        finally:
            stream.delete()

    def _stt_engines(self) -> dict[str, stt.SpeechToTextEntity | stt.Provider]:
        """The speech-to-text engines, the default first."""
        if stt.DOMAIN not in self._hass.config.components:
            return {}
        entities = {entity.entity_id: entity for entity in self._hass.data[STT_ENTITIES].entities}
        legacy: dict[str, stt.Provider] = self._hass.data[STT_LEGACY]
        return _first(self._allowed({**entities, **legacy}), stt.async_default_engine(self._hass))

    def _tts_engines(self) -> dict[str, Any]:
        """The text-to-speech engines (`tts.TextToSpeechEntity | tts.Provider`), the default first."""
        if _TTS not in self._hass.config.components:
            return {}
        # Imported only if it is loaded: without it, its requirements may be missing.
        from homeassistant.components import tts  # noqa: PLC0415
        from homeassistant.components.tts.const import DATA_COMPONENT, DATA_TTS_MANAGER  # noqa: PLC0415

        entities = {entity.entity_id: entity for entity in self._hass.data[DATA_COMPONENT].entities}
        engines = self._allowed({**entities, **self._hass.data[DATA_TTS_MANAGER].providers})
        return _first(engines, tts.async_default_engine(self._hass))

    def _allowed[Engine](self, engines: dict[str, Engine]) -> dict[str, Engine]:
        """The engines without those of this integration, which requests reach without Home Assistant, and with their `Via`."""
        engines = {engine_id: engine for engine_id, engine in engines.items() if _integration(engine_id, engine) != DOMAIN}
        if not self._home_only():
            return engines
        return {engine_id: engine for engine_id, engine in engines.items() if not self._leaves_home(engine_id, engine)}

    def _model(self, engine_id: str, engine: Any, task: AudioTask) -> AudioModel:
        languages = tuple(engine.supported_languages or ())
        return AudioModel(engine_id, _name(engine, engine_id), task, languages, self._leaves_home(engine_id, engine))

    def _leaves_home(self, engine_id: str, engine: object) -> bool:
        try:
            return needs_cloud(async_get_loaded_integration(self._hass, _integration(engine_id, engine)))
        except IntegrationNotLoaded:
            return True

    def _language(self, engine_id: str, supported: Iterable[str], wanted: str | None, default: str | None = None) -> str:
        """The engine's tag for a language; without one, for the home's language, else the engine's default or first."""
        supported = list(supported)
        config = self._hass.config
        matching = language_util.matches(wanted or config.language, supported, country=config.country)
        if matching:
            return matching[0]
        if wanted is None and (default or supported):
            return default or supported[0]
        raise InvalidRequestError(f"{engine_id} does not support '{wanted}'. It supports {_some(supported)}.", param="language")


def _integration(engine_id: str, engine: object) -> str:
    """The domain of an engine's integration."""
    return engine.platform.platform_name if isinstance(engine, Entity) else engine_id


def _first[Engine](engines: dict[str, Engine], default: str | None) -> dict[str, Engine]:
    """Sort the default engine first."""
    return dict(sorted(engines.items(), key=lambda item: item[0] != default))


def _choose[Engine](engines: dict[str, Engine], model: str | None, task: AudioTask, *, home_only: bool) -> tuple[str, Engine]:
    """The requested engine, or the default. Raises NotFoundError."""
    engine_id = next(iter(engines), None) if model is None else model
    if engine_id is None or engine_id not in engines:
        reason = f"There is no engine {model} for {task}" if model else f"No engine for {task} is set up"
        hint = "Set one up in Home Assistant."
        if home_only:
            hint = "The home-only switch is on: engines of cloud services are not used."
        raise NotFoundError(f"{reason}. {hint}", code="model_not_found", param="model")
    return engine_id, engines[engine_id]


def _pcm_for(engine_id: str, engine: stt.SpeechToTextEntity | stt.Provider) -> Pcm:
    """The PCM format for an engine, preferably 16 kHz mono. Raises UpstreamError if it supports no 16-bit PCM."""
    usable = (
        stt.AudioFormats.WAV in engine.supported_formats
        and stt.AudioCodecs.PCM in engine.supported_codecs
        and stt.AudioBitRates.BITRATE_16 in engine.supported_bit_rates
    )
    rates = sorted(engine.supported_sample_rates, key=lambda rate: (rate != stt.AudioSampleRates.SAMPLERATE_16000, -rate))
    channels = sorted(engine.supported_channels)
    if not usable or not rates or not channels:
        raise _failed(engine_id, "it does not support 16-bit PCM")
    return Pcm(int(rates[0]), int(channels[0]))


def _voice(engine_id: str, engine: Any, language: str, wanted: str) -> tuple[str, str]:
    """(language, voice id) of a voice by its id or name, preferably of the given language. Raises InvalidRequestError."""
    listed: list[str] = []
    for tag in (language, *(engine.supported_languages or ())):
        for voice in engine.async_get_supported_voices(tag) or ():
            if wanted in (voice.voice_id, voice.name):
                return tag, voice.voice_id
            listed.append(voice.voice_id)
    if not listed:
        return language, wanted  # it does not list its voices
    raise InvalidRequestError(f"{engine_id} has no voice '{wanted}'. It has {_some(dict.fromkeys(listed))}.", param="voice")


def _name(engine: Any, engine_id: str) -> str:
    return engine.name if isinstance(engine.name, str) else engine_id


def _some(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")


def _failed(engine_id: str, why: str = "", *, err: Exception | None = None) -> UpstreamError:
    """The error of an engine. `why` is shown to the caller; the text of the exception `err` goes only to the log."""
    message = f"{engine_id} failed"
    details = redact(str(err))[:300] if err is not None else why
    return UpstreamError(f"{message}: {why}." if why else f"{message}.", log_text=f"{message}: {details or 'no details'}.")
