"""Ears and a voice for the gateway: what turns speech into text and text into speech, whoever does it."""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase


class AudioFormat(StrEnum):
    """OpenAI's names of what speech can come as. `pcm` is 24 kHz, 16 bit, mono, little-endian, without a header."""

    MP3 = "mp3"
    OPUS = "opus"
    AAC = "aac"
    FLAC = "flac"
    WAV = "wav"
    PCM = "pcm"


class AudioTask(StrEnum):
    """What an engine does."""

    TRANSCRIPTION = "transcription"
    SPEECH = "speech"


@dataclass(frozen=True, slots=True)
class AudioModel:
    """An engine that does one of the two."""

    id: str
    name: str
    task: AudioTask
    languages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice of an engine. `language` is a tag such as `de-DE`."""

    id: str
    name: str
    model: str
    language: str


@dataclass(frozen=True, slots=True)
class Recording:
    """A file with speech in it. What the client calls it may be wrong."""

    data: bytes = field(repr=False)
    content_type: str = ""
    filename: str = ""


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was understood, in which language, of how many seconds; None where nobody measured."""

    text: str = field(repr=False)
    language: str
    duration: float | None = None


@dataclass(frozen=True, slots=True)
class Speech:
    """Speech as it comes."""

    content_type: str
    stream: AsyncGenerator[bytes]
    """Raises an ApiError where it cannot be made; closing it ends the work."""


class Audio(ABC):
    """Listens and speaks."""

    @abstractmethod
    def models(self) -> Sequence[AudioModel]:
        """The engines that are there, those first that are taken where a client names none."""

    @abstractmethod
    def voices(self) -> Sequence[Voice]:
        """The voices of all engines that tell."""

    @abstractmethod
    async def transcribe(self, recording: Recording, *, model: str | None = None, language: str | None = None) -> Transcript:
        """Listen. None is the default engine, and the home's language.

        Raises NotFoundError for an engine that is not there, InvalidRequestError for a language or a recording that it cannot
        take, UpstreamError where it fails.
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
        """Speak. None is the default engine, its default voice, and the home's language. Raises as `transcribe` does."""


_OPENAI_MODELS = ("auto", "whisper-*", "tts-*", "gpt-*transcribe*", "gpt-*tts*")
_OPENAI_VOICES = frozenset("alloy ash ballad cedar coral echo fable marin nova onyx sage shimmer verse".split())


def own_model(name: str | None) -> str | None:
    """The engine that a client means; None for OpenAI's own models, which clients name without being asked."""
    return None if name is None or any(fnmatchcase(name, pattern) for pattern in _OPENAI_MODELS) else name


def own_voice(name: str | None) -> str | None:
    """The voice that a client means; None for OpenAI's own and for `default`."""
    return None if name is None or name in _OPENAI_VOICES or name == "default" else name
