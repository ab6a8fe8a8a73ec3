"""From whatever file a client records to the bare samples that Home Assistant's speech engines take.

A WAV file that fits is passed on as it is; all else goes through ffmpeg where Home Assistant has it. The file is a stranger's:
ffmpeg may read that one file alone, and as nothing that could name others (a playlist would make it fetch what it names).
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

from ..core.protocol.errors import InvalidRequestError
from ..core.server.audio import Recording

MAX_SECONDS: Final = 1800
"""A file of 25 MB may hold many hours; half an hour is more than any speech engine of a home takes at once."""
_SAMPLE_BYTES: Final = 2
_CHUNK_BYTES: Final = 4096
"""128 ms at 16 kHz: what Home Assistant's engines are fed with elsewhere."""
_DEMUXERS: Final = "wav,w64,mp3,ogg,flac,aac,mov,matroska,amr,caf,aiff,au"
"""Containers that hold sound and name no other files; `mov` is MP4 and M4A too, `matroska` WebM."""
_FFMPEG: Final = "ffmpeg"


@dataclass(frozen=True, slots=True)
class Pcm:
    """Signed 16 bit samples, little-endian."""

    rate: int
    channels: int

    @property
    def bytes_per_second(self) -> int:
        """Of all channels."""
        return self.rate * self.channels * _SAMPLE_BYTES


@dataclass(slots=True)
class Sound:
    """Samples on their way to an engine."""

    pcm: Pcm
    _source: Callable[[], AsyncIterator[bytes]]
    _size: int = 0
    _failure: list[str] = field(default_factory=list)

    @property
    def stream(self) -> AsyncGenerator[bytes]:
        """The samples; never raises, so that an engine in the middle of it is not confused. See `check`."""
        return self._counted()

    @property
    def seconds(self) -> float:
        """How much was read so far."""
        return round(self._size / self.pcm.bytes_per_second, 3)

    def fail(self, why: str) -> None:
        """Note that the recording is of no use."""
        self._failure.append(why)

    def check(self) -> None:
        """Raises InvalidRequestError for a recording that could not be read, or not to its end."""
        if self.seconds > MAX_SECONDS:
            self.fail(f"it is longer than {MAX_SECONDS // 60} minutes")
        if not self._size and not self._failure:
            self.fail("there is no sound in it")
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
    """The sound of a recording, good inside the block.

    Raises InvalidRequestError for a file that does not fit and cannot be converted either.
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
    """The samples of a WAV file that is as wanted already; None for every other file."""
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
    """Ffmpeg at work. Raises InvalidRequestError where it cannot be run."""
    reads = ["-protocol_whitelist", "file", "-format_whitelist", _DEMUXERS, "-i", f"file:{path}", "-vn", "-sn", "-dn"]
    writes = ["-t", str(MAX_SECONDS + 1), "-f", "s16le", "-ar", str(wanted.rate), "-ac", str(wanted.channels), "pipe:1"]
    command = [binary, "-nostdin", "-hide_banner", "-loglevel", "quiet", *reads, *writes]
    try:
        return await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL)
    except OSError:
        raise _not_converted(wanted) from None


def _converted(process: Process, wanted: Pcm) -> Sound:
    """What ffmpeg makes, as it makes it."""

    async def read() -> AsyncIterator[bytes]:
        assert process.stdout is not None
        while part := await process.stdout.read(_CHUNK_BYTES):
            yield part
        if await process.wait():
            sound.fail("it is no sound that ffmpeg can read. Send it as WAV, MP3, OGG, FLAC, M4A or WebM")

    sound = Sound(wanted, read)
    return sound


def _not_converted(wanted: Pcm) -> InvalidRequestError:
    kind = "mono" if wanted.channels == 1 else f"{wanted.channels} channels"
    needed = f"PCM, {wanted.rate} Hz, 16 bit, {kind}"
    message = f"This Home Assistant has no ffmpeg to convert the recording with. Send it as a WAV file: {needed}."
    return InvalidRequestError(message, param="file")


def _write(data: bytes) -> Path:
    with tempfile.NamedTemporaryFile(prefix="zeroconf_ai_", suffix=".audio", delete=False) as file:
        file.write(data)
        return Path(file.name)
