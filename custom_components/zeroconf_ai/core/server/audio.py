"""The interface of speech-to-text and text-to-speech engines of the gateway."""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase

from ..protocol.audio_requests import Recording
from ..protocol.model_names import name_key, spellings


class AudioFormat(StrEnum):
    """OpenAI's names of audio formats. `pcm` is 24 kHz, 16 bit, mono, little-endian, without a header."""

    MP3 = "mp3"
    OPUS = "opus"
    AAC = "aac"
    FLAC = "flac"
    WAV = "wav"
    PCM = "pcm"


class AudioTask(StrEnum):
    """The task of an engine."""

    TRANSCRIPTION = "transcription"
    SPEECH = "speech"


@dataclass(frozen=True, slots=True)
class AudioModel:
    """An engine for one of the tasks."""

    id: str
    name: str
    task: AudioTask
    languages: tuple[str, ...] = ()
    leaves_home: bool = False
    """Whether it is a cloud service, or may use one."""


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice of an engine. `language` is a tag such as `de-DE`."""

    id: str
    name: str
    model: str
    language: str


@dataclass(frozen=True, slots=True)
class Transcript:
    """The text, its language and the seconds of audio; None: unknown."""

    text: str = field(repr=False)
    language: str
    duration: float | None = None


@dataclass(frozen=True, slots=True)
class Speech:
    """Speech as a stream of audio."""

    content_type: str
    stream: AsyncGenerator[bytes]
    """The audio. Raises an ApiError on failure; closing it cancels the work."""


class Audio(ABC):
    """Transcribes and synthesizes speech."""

    @abstractmethod
    def models(self) -> Sequence[AudioModel]:
        """The available engines, the default ones first."""

    @abstractmethod
    def voices(self) -> Sequence[Voice]:
        """The voices of all engines that list theirs."""

    @abstractmethod
    async def transcribe(self, recording: Recording, *, model: str | None = None, language: str | None = None) -> Transcript:
        """Transcribe speech. None: the default engine, and the home's language.

        Raises NotFoundError for an unknown engine, InvalidRequestError for a language or a recording that the engine does not
        support, UpstreamError if the engine fails.
        """

    @abstractmethod
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
        """Synthesize speech. None: the default engine, its default voice, the home's language. Raises as `transcribe` does."""


_OPENAI_MODELS = ("auto", "whisper-*", "tts-*", "gpt-*transcribe*", "gpt-*tts*")
_OPENAI_VOICES = frozenset("alloy ash ballad cedar coral echo fable marin nova onyx sage shimmer verse".split())


def own_model(name: str | None) -> str | None:
    """The engine that a client names; None for OpenAI's models, which clients send by default."""
    named = () if name is None else tuple(map(name_key, spellings(name)))
    return None if any(fnmatchcase(key, pattern) for key in named for pattern in _OPENAI_MODELS) else name


def own_voice(name: str | None) -> str | None:
    """The voice that a client names; None for OpenAI's voices and for `default`."""
    return None if name is None or name in _OPENAI_VOICES or name == "default" else name
