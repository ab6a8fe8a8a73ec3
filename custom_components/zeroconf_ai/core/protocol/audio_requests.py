"""Requests for transcripts and speech (`/v1/audio/transcriptions`, `/v1/audio/speech`): their valid values and their length."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
import math
import struct
from typing import Any, Final

MAX_FILE_BYTES: Final = 25 * 1024 * 1024
"""OpenAI's limit for a recording."""
MAX_INPUT: Final = 4096
"""Characters: OpenAI's limit for the text of a speech request."""
FORMATS: Final = ("mp3", "opus", "aac", "flac", "wav", "pcm")
"""OpenAI's names of the formats of speech."""
_LEAST_BYTES_PER_SECOND: Final = 750
"""The lowest bit rate of speech in use: Opus at 6 kbit/s (RFC 6716, section 2.1.1)."""
_SLOWEST_SPEECH: Final = 5
"""Characters per second of slow speech at normal speed; 15 are usual."""
_TOKENS_PER_SECOND: Final = 21
"""Tokens of a second of audio: gpt-4o-mini-tts costs $12 per million and $0.015 per minute (OpenAI, "Pricing"), which is 20.8."""
_WAV_HEADER: Final = struct.Struct("<4sI4s4sIHHIIHH4sI")


@dataclass(frozen=True, slots=True)
class Recording:
    """An audio file with speech. The name and the type given by the client may be wrong."""

    data: bytes = field(repr=False)
    content_type: str = ""
    filename: str = ""
    seconds: float | None = None
    """The duration; None: unknown, or not measured (`audio_length.measured`)."""

    @property
    def most_seconds(self) -> int:
        """The maximum duration in whole seconds: the measured one, else by the lowest bit rate of speech."""
        return math.ceil(len(self.data) / _LEAST_BYTES_PER_SECOND if self.seconds is None else self.seconds)


def pcm_as_wav(samples: bytes | bytearray, *, rate: int, channels: int = 1, width: int = 2) -> Recording:
    """A recording in the WAV format. `rate`: samples per second; `width`: bytes per sample; `samples` are little-endian."""
    size, frame = len(samples), channels * width
    header = _WAV_HEADER.pack(
        b"RIFF", size + 36, b"WAVE", b"fmt ", 16, 1, channels, rate, rate * frame, frame, width * 8, b"data", size
    )
    return Recording(header + samples, "audio/wav", "speech.wav", size / (rate * frame))


def _is_number(value: object, low: float, high: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


LISTS: Final = (
    "timestamp_granularities", "include", "languages", "keywords", "known_speaker_names", "known_speaker_references",
)  # fmt: skip
"""The parameters of transcripts that are lists."""
MOST_ITEMS: Final = 32
"""The maximum length of each of these lists."""


def _is_text(value: object, most: int) -> bool:
    return isinstance(value, str) and 0 < len(value) <= most and not value.isspace()


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and len(value) <= MOST_ITEMS and all(isinstance(item, str) for item in value)


SPEECH_RULES: Final[Mapping[str, tuple[Callable[[object], bool], str]]] = {
    "voice": (lambda value: _is_text(value, 256), "a voice's name, or left out"),
    "response_format": (lambda value: value in FORMATS, "one of " + ", ".join(FORMATS)),
    "speed": (lambda value: _is_number(value, 0.25, 4), "a number from 0.25 to 4"),
    "instructions": (
        lambda value: isinstance(value, str) and len(value) <= MAX_INPUT,
        f"a text of at most {MAX_INPUT} characters",
    ),
}
"""By parameter: whether a value is valid, and the description of the valid values."""
TRANSCRIPTION_RULES: Final[Mapping[str, tuple[Callable[[object], bool], str]]] = {
    "language": (lambda value: _is_text(value, 35), "a language's tag such as en, or left out"),
    "prompt": (lambda value: isinstance(value, str) and len(value) <= MAX_INPUT, f"a text of at most {MAX_INPUT} characters"),
    "response_format": (lambda value: value in ("json", "verbose_json", "diarized_json"), "json, verbose_json or diarized_json"),
    "stream": (lambda value: isinstance(value, bool), "true or false"),
    "temperature": (lambda value: _is_number(value, 0, 1), "a number from 0 to 1"),
    **dict.fromkeys(LISTS, (_are_texts, f"a list of at most {MOST_ITEMS} texts")),
}
"""The same for transcripts."""
INPUT: Final = (lambda value: _is_text(value, MAX_INPUT), f"a text of at most {MAX_INPUT} characters that is not empty")
"""The rule of the parameter `input`."""


def speech_tokens(body: Mapping[str, Any]) -> int:
    """The maximum tokens of the audio of a speech request."""
    return math.ceil(len(body["input"]) / _SLOWEST_SPEECH / (body.get("speed") or 1) * _TOKENS_PER_SECOND)


def recording_tokens(recording: Recording) -> int:
    """The maximum tokens of a recording, which are also those of its transcript: speech has at most one token in 50 ms."""
    return recording.most_seconds * _TOKENS_PER_SECOND
