"""Conversion of clients' audio files to the PCM samples that Home Assistant's speech engines accept.

A WAV file in the right format is passed on unchanged; others are converted with ffmpeg if Home Assistant has it. Files are
untrusted: ffmpeg may read only this file, and only formats that cannot refer to other files (unlike playlists).
"""

import asyncio
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
import io
from pathlib import Path
import tempfile
from typing import Final
import wave

from homeassistant.core import HomeAssistant

from ..core.protocol.audio_requests import Recording
from ..core.protocol.errors import InvalidRequestError

MAX_SECONDS: Final = 1800
"""A file of 25 MB may contain many hours; speech engines at home do not accept more than half an hour at once."""
_SAMPLE_BYTES: Final = 2
_CHUNK_BYTES: Final = 4096
"""128 ms at 16 kHz mono, the chunk size of Home Assistant's own pipelines."""
_DEMUXERS: Final = "wav,w64,mp3,ogg,flac,aac,mov,matroska,amr,caf,aiff,au"
"""Audio containers that cannot refer to other files; `mov` includes MP4 and M4A, `matroska` WebM."""
_FFMPEG: Final = "ffmpeg"


@dataclass(frozen=True, slots=True)
class Pcm:
    """Format of signed 16-bit samples, little-endian."""

    rate: int
    channels: int

    @property
    def bytes_per_second(self) -> int:
        """Bytes per second of all channels."""
        return self.rate * self.channels * _SAMPLE_BYTES


@dataclass(slots=True)
class Sound:
    """A stream of samples for an engine."""

    pcm: Pcm
    _source: Callable[[], AsyncIterator[bytes]]
    _size: int = 0
    _failure: list[str] = field(default_factory=list)

    @property
    def stream(self) -> AsyncGenerator[bytes]:
        """The samples. Raises no errors, since engines may not expect them; see `check`."""
        return self._counted()

    @property
    def seconds(self) -> float:
        """Duration in seconds of the samples read so far."""
        return round(self._size / self.pcm.bytes_per_second, 3)

    def fail(self, why: str) -> None:
        """Record why the recording cannot be used."""
        self._failure.append(why)

    def check(self) -> None:
        """Raises InvalidRequestError for a recording that could not be read completely."""
        if self.seconds > MAX_SECONDS:
            self.fail(f"it is longer than {MAX_SECONDS // 60} minutes")
        if not self._size and not self._failure:
            self.fail("it contains no audio")
        if self._failure:
            raise InvalidRequestError(f"The recording cannot be used: {self._failure[0]}.", param="file")

    async def _counted(self) -> AsyncGenerator[bytes]:
        async for part in self._source():
            self._size += len(part)
            if self.seconds > MAX_SECONDS:
                return
            yield part


@asynccontextmanager
async def decode(hass: HomeAssistant, recording: Recording, wanted: Pcm) -> AsyncIterator[Sound]:
    """The samples of a recording, valid inside the block.

    Raises InvalidRequestError for a file in another format that cannot be converted.
    """
    if (samples := _samples(recording.data, wanted)) is not None:

        async def cut() -> AsyncIterator[bytes]:
            for begin in range(0, len(samples), _CHUNK_BYTES):
                yield samples[begin : begin + _CHUNK_BYTES]

        yield Sound(wanted, cut)
        return
    path = await hass.async_add_executor_job(_write, recording.data)
    try:
        process = await _convert(_binary(hass, wanted), path, wanted)
        try:
            yield _converted(process, wanted)
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
            await process.wait()
    finally:
        await asyncio.shield(hass.async_add_executor_job(path.unlink, True))


def _samples(data: bytes, wanted: Pcm) -> bytes | None:
    """The samples of a WAV file in the wanted format; None for any other file."""
    if data[:4] != b"RIFF":
        return None
    try:
        with wave.open(io.BytesIO(data)) as file:
            found = (file.getframerate(), file.getnchannels(), file.getsampwidth())
            return file.readframes(file.getnframes()) if found == (wanted.rate, wanted.channels, _SAMPLE_BYTES) else None
    except wave.Error, EOFError:
        return None


def _binary(hass: HomeAssistant, wanted: Pcm) -> str:
    if _FFMPEG not in hass.config.components:
        raise _not_converted(wanted)
    from homeassistant.components.ffmpeg import get_ffmpeg_manager  # noqa: PLC0415

    return get_ffmpeg_manager(hass).binary


async def _convert(binary: str, path: Path, wanted: Pcm) -> Process:
    """Start ffmpeg. Raises InvalidRequestError if it cannot be run."""
    reads = ["-protocol_whitelist", "file", "-format_whitelist", _DEMUXERS, "-i", f"file:{path}", "-vn", "-sn", "-dn"]
    writes = ["-t", str(MAX_SECONDS + 1), "-f", "s16le", "-ar", str(wanted.rate), "-ac", str(wanted.channels), "pipe:1"]
    command = [binary, "-nostdin", "-hide_banner", "-loglevel", "quiet", *reads, *writes]
    try:
        return await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL)
    except OSError:
        raise _not_converted(wanted) from None


def _converted(process: Process, wanted: Pcm) -> Sound:
    """The output of ffmpeg as a stream."""

    async def read() -> AsyncIterator[bytes]:
        assert process.stdout is not None
        while part := await process.stdout.read(_CHUNK_BYTES):
            yield part
        if await process.wait():
            sound.fail("ffmpeg cannot read it. Send it as WAV, MP3, OGG, FLAC, M4A or WebM")

    sound = Sound(wanted, read)
    return sound


def _not_converted(wanted: Pcm) -> InvalidRequestError:
    kind = "mono" if wanted.channels == 1 else f"{wanted.channels} channels"
    needed = f"PCM, {wanted.rate} Hz, 16 bit, {kind}"
    message = f"This Home Assistant has no ffmpeg to convert the recording. Send it as a WAV file: {needed}."
    return InvalidRequestError(message, param="file")


def _write(data: bytes) -> Path:
    with tempfile.NamedTemporaryFile(prefix="zeroconf_ai_", suffix=".audio", delete=False) as file:
        file.write(data)
        return Path(file.name)
