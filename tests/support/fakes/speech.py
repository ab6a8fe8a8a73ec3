"""A server for speech with OpenAI's API: it knows the recordings that it can transcribe, and speaks tones."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
import hashlib
import io
import json
import math
import struct
from typing import Any, get_type_hints, override
import wave

from aiohttp import BodyPartReader, MultipartReader, StreamReader, web
from openai.types.audio import speech_create_params, transcription_create_params

from .server import FakeServer

WHISPER, KOKORO = "Systran/faster-whisper-small", "speaches-ai/Kokoro-82M"
RATE = 24_000
"""Samples of its speech per second."""
_OF_TRANSCRIPTS = frozenset(get_type_hints(transcription_create_params.TranscriptionCreateParamsNonStreaming))
_OF_SPEECH = frozenset(get_type_hints(speech_create_params.SpeechCreateParams))


def print_of(recording: bytes) -> str:
    """What a WAV file has in it, whatever its header. Raises wave.Error or EOFError for anything else."""
    with wave.open(io.BytesIO(recording)) as file:
        return hashlib.sha256(file.readframes(file.getnframes())).hexdigest()


def spoken(text: str, rate: int = RATE) -> bytes:
    """The WAV file that the fake says for a text: 10 ms of a tone per character."""
    samples = (round(8_000 * math.sin(2 * math.pi * 440 * n / rate)) for n in range(rate * len(text) // 100))
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))
    return made.getvalue()


@dataclass(frozen=True)
class Heard:
    """A transcription: the fields of its form, and the file."""

    fields: Mapping[str, str]
    name: str
    data: bytes


class FakeSpeechServer(FakeServer):
    """Transcribes the recordings of `known`, and speaks. Use as an asynchronous context manager."""

    def __init__(self, known: Mapping[str, str] | None = None, *, models: tuple[str, ...] = (WHISPER, KOKORO)) -> None:
        """`known`: text by `print_of` a recording."""
        self.known = dict(known or {})
        self.models: list[Any] | None = [{"id": model, "object": "model", "owned_by": "speaches"} for model in models]
        """None: it has no such path."""
        self.voices: Any = {"voices": ["af_heart", "bm_george"]}
        """The body of /v1/audio/voices, or the status of an error; None: it has no such path."""
        self.paths: Any = None
        """The paths in its /openapi.json; None: it has no such path."""
        self.received = []
        self.heard: list[Heard] = []
        self.said: list[dict[str, Any]] = []
        self.refusal: tuple[int, str] | None = None
        """Status and message of the answer to every request for audio; None: it works."""
        self.speech: Any = None
        """What it answers to a request for speech instead of a WAV file: bytes with their type, or an object."""
        self.rate = RATE
        self.usage: Any = None
        """The usage that it reports with a transcript instead of the duration; an empty object: none."""
        self.events: bytes | None = None
        """What it streams if a stream of a transcript is requested; None: it does not stream."""
        self.hold: asyncio.Event | None = None
        """Speech goes on after its first part when this is set."""
        self.broken = False
        """Whether the connection breaks after the first part of speech."""

    @override
    async def respond(self, request: web.Request) -> web.StreamResponse:
        match request.method, request.path:
            case "GET", "/openapi.json" if self.paths is not None:
                return web.json_response({"openapi": "3.1.0", "paths": self.paths})
            case "GET", "/v1/models" if self.models is not None:
                return web.json_response({"object": "list", "data": self.models})
            case "GET", "/v1/audio/voices" if self.voices is not None:
                return _error(self.voices, "no voices") if isinstance(self.voices, int) else web.json_response(self.voices)
            case "POST", "/v1/audio/transcriptions" if self.refusal is None:
                return await self._transcribe(request)
            case "POST", "/v1/audio/speech" if self.refusal is None:
                return await self._speak(request)
            case "POST", "/v1/audio/transcriptions" | "/v1/audio/speech":
                assert self.refusal is not None
                return _error(*self.refusal)
        return _error(404, "Not Found")

    async def _transcribe(self, request: web.Request) -> web.StreamResponse:
        fields, file = await _read_form(request)
        if unknown := {name.partition("[")[0] for name in fields} - _OF_TRANSCRIPTS:
            return _error(400, f"Unknown parameter: {min(unknown)}")
        if file is None:
            return _error(400, "file is missing")
        name, data = file
        self.heard.append(Heard(fields, name, data))
        try:
            text = self.known.get(print_of(data), "")
        except (wave.Error, EOFError) as err:
            return _error(400, f"The audio cannot be decoded: {err}")
        with wave.open(io.BytesIO(data)) as opened:
            seconds = opened.getnframes() / opened.getframerate()
        if fields.get("stream") == "true" and self.events is not None:
            return web.Response(body=self.events, content_type="text/event-stream")
        if fields.get("response_format") == "text":
            return web.Response(text=text)
        body: dict[str, Any] = {"text": text, "usage": {"type": "duration", "seconds": round(seconds)}}
        if self.usage is not None:
            body["usage"] = self.usage
        if fields.get("response_format") == "verbose_json":
            segment = {"id": 0, "start": 0.0, "end": seconds, "text": text}
            body |= {"task": "transcribe", "language": "english", "duration": seconds, "segments": [segment]}
        return web.json_response(body)

    async def _speak(self, request: web.Request) -> web.StreamResponse:
        body: dict[str, Any] = await request.json()
        if unknown := set(body) - _OF_SPEECH:
            return _error(400, f"Unknown parameter: {min(unknown)}")
        if missing := {"input", "model", "voice"} - set(body):
            return _error(422, f"Field required: {min(missing)}")
        self.said.append(body)
        if isinstance(self.speech, Mapping):
            return web.json_response(self.speech)
        kind, sound = self.speech or ("audio/wav", spoken(body["input"], self.rate))
        response = web.StreamResponse(headers={"Content-Type": kind})
        await response.prepare(request)
        if not sound:
            return response
        await response.write(sound[:100])
        if self.broken:
            assert request.transport is not None
            request.transport.abort()
            return response
        if self.hold is not None:
            await self.hold.wait()
        await response.write(sound[100:])
        return response


async def _read_form(request: web.Request) -> tuple[dict[str, str], tuple[str, bytes] | None]:
    """The fields of a form, and the name and the content of its file."""
    content = StreamReader(request.protocol, 2**25, loop=asyncio.get_running_loop())
    content.feed_data(await request.read())
    content.feed_eof()
    reader = MultipartReader(request.headers, content)
    fields: dict[str, str] = {}
    file: tuple[str, bytes] | None = None
    while isinstance(part := await reader.next(), BodyPartReader):
        data = bytes(await part.read())
        if part.name == "file":
            file = part.filename or "", data
        else:
            fields[part.name or ""] = data.decode()
    return fields, file


def _error(status: int, message: str) -> web.Response:
    body = json.dumps({"error": {"message": message, "type": "invalid_request_error", "code": None, "param": None}})
    return web.Response(status=status, text=body, content_type="application/json")
