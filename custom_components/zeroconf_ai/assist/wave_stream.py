"""`WaveStream`: joins the WAV files of several sentences to one, while they arrive."""

import struct
from typing import Any, Final, NamedTuple

import audioop

_OPEN: Final = 0xFFFFFFFF
"""The size in the headers of a file whose length is not known yet."""
_MAX_HEAD: Final = 64 * 1024
_PCM: Final = (1, 0xFFFE)
"""Plain samples: WAVE_FORMAT_PCM, and WAVE_FORMAT_EXTENSIBLE, whose samples are mostly plain."""


class _Sound(NamedTuple):
    """Channels, samples per second and bytes per sample."""

    channels: int
    rate: int
    width: int


class WaveError(ValueError):
    """Data that is no WAV file with samples, or one that cannot follow the others."""


class WaveStream:
    """One WAV file, in the format of the first file. Others are converted to it: providers speak with different sample rates."""

    def __init__(self) -> None:
        """Empty."""
        self._sound: _Sound | None = None
        self._own: _Sound | None = None
        """The format of the file that is being read; None before its samples."""
        self._head = b""
        self._rest = b""
        self._state: Any = None

    def begin(self) -> None:
        """Another file follows."""
        self._own, self._head, self._rest, self._state = None, b"", b"", None

    def feed(self, data: bytes) -> bytes:
        """The next part of the joined file. Raises WaveError."""
        if self._own is None:
            self._head += data
            found = _read_head(self._head)
            if found is None:
                if len(self._head) > _MAX_HEAD:
                    raise WaveError("no samples")
                return b""
            self._own, start = found
            data, self._head = self._head[start:], b""
        head = b""
        if self._sound is None:
            self._sound, head = self._own, _write_head(self._own)
        return head + self._converted(data, self._own, self._sound)

    def _converted(self, data: bytes, own: _Sound, wanted: _Sound) -> bytes:
        data = self._rest + data
        whole = len(data) - len(data) % (own.width * own.channels)
        data, self._rest = data[:whole], data[whole:]
        if own == wanted or not data:
            return data
        if own.width != wanted.width:
            data = audioop.lin2lin(data, own.width, wanted.width)
        if (own.channels, wanted.channels) == (2, 1):
            data = audioop.tomono(data, wanted.width, 0.5, 0.5)
        elif (own.channels, wanted.channels) == (1, 2):
            data = audioop.tostereo(data, wanted.width, 1, 1)
        if own.rate != wanted.rate:
            data, self._state = audioop.ratecv(data, wanted.width, wanted.channels, own.rate, wanted.rate, self._state)
        return data


def _read_head(data: bytes) -> tuple[_Sound, int] | None:
    """The format of a WAV file and the position of its samples; None if more of it is needed. Raises WaveError."""
    if not b"RIFF".startswith(data[:4]) or (len(data) >= 12 and data[8:12] != b"WAVE"):
        raise WaveError("no WAV file")
    at, sound = 12, None
    while len(data) >= at + 8:
        kind, size = struct.unpack_from("<4sI", data, at)
        at += 8
        if kind == b"data":
            if sound is None:
                raise WaveError("samples without their format")
            return sound, at
        if len(data) < at + size:
            return None
        if kind == b"fmt ":
            if size < 16:
                raise WaveError("no format of samples")
            form, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", data, at)
            if form not in _PCM or channels not in (1, 2) or bits not in (16, 24, 32) or not 4_000 <= rate <= 192_000:
                raise WaveError("another format than plain samples")
            sound = _Sound(channels, rate, bits // 8)
        at += size + size % 2
    return None


def _write_head(sound: _Sound) -> bytes:
    frame = sound.channels * sound.width
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        *(b"RIFF", _OPEN, b"WAVE", b"fmt ", 16, 1, sound.channels, sound.rate, sound.rate * frame, frame, sound.width * 8),
        *(b"data", _OPEN),
    )
