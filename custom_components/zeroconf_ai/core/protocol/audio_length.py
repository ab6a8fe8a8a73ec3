"""The duration of an audio file: exact for WAV, by the library mutagen for other formats where it is installed."""

from dataclasses import replace
from io import BytesIO
import logging
import struct
from typing import Final

from .audio_requests import Recording

_LOGGER = logging.getLogger(__name__)

_CHUNK: Final = struct.Struct("<4sI")
_FORMAT: Final = struct.Struct("<HHIIHH")
_UNCOMPRESSED: Final = (1, 3, 6, 7, 0xFFFE)
"""PCM, floating point, A-law, µ-law and WAVE_FORMAT_EXTENSIBLE (RFC 2361; Microsoft, "WAVEFORMATEXTENSIBLE structure")."""
_MOST_CHUNKS: Final = 64
_MOST_BYTES_PER_SECOND: Final = 600_000
"""FLAC with 96 kHz, 24 bit and 2 channels, uncompressed. A file that states a shorter duration than its size allows is wrong."""
_LONGEST: Final = 24 * 3600.0


def measured(recording: Recording) -> Recording:
    """The recording with its duration, as far as it can be told. Takes milliseconds; a large MP3 without a header longer."""
    return recording if recording.seconds is not None else replace(recording, seconds=_seconds(recording.data))


def _seconds(data: bytes) -> float | None:
    is_wave = data[:4] in (b"RIFF", b"RF64") and data[8:12] == b"WAVE"
    found = _wave_seconds(data) if is_wave else _tagged_seconds(data)
    if found is None or not len(data) / _MOST_BYTES_PER_SECOND <= found <= _LONGEST:
        return None
    return found


def _wave_seconds(data: bytes) -> float | None:
    """By the size of the samples and their format; programs that stream write no valid size."""
    at, bytes_per_second = 12, 0
    for _ in range(_MOST_CHUNKS):
        if at + _CHUNK.size > len(data):
            return None
        name, size = _CHUNK.unpack_from(data, at)
        at += _CHUNK.size
        if name == b"fmt " and at + _FORMAT.size <= len(data):
            tag, _, rate, bytes_per_second, frame, _ = _FORMAT.unpack_from(data, at)
            if tag in _UNCOMPRESSED:
                bytes_per_second = rate * frame  # decoders do not read the field, so it may have any value
        elif name == b"data":
            left = len(data) - at
            return min(size or left, left) / bytes_per_second if bytes_per_second and left else None
        at += size + size % 2
    return None


def _tagged_seconds(data: bytes) -> float | None:
    try:
        import mutagen  # noqa: PLC0415 - not installed everywhere
    except ImportError:
        return None
    try:
        found = mutagen.File(BytesIO(data))
        seconds = None if found is None or found.info is None else float(found.info.length)
    except Exception as err:  # noqa: BLE001 - files of clients; the library raises more than its own errors
        _LOGGER.debug("The duration of a recording cannot be read: %s", type(err).__name__)
        return None
    return seconds
