"""Transcripts and speech of servers with OpenAI's API: the form with a recording, and the answer with audio."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, override

import aiohttp

from ..dialects.openai.transcripts import TranscriptTranslator
from ..protocol import json
from ..protocol.chunks import Chunk
from ..protocol.errors import ApiError, StreamBrokenError
from ..protocol.reported_errors import contains_error, reported_error
from ..protocol.request import Request
from ..protocol.values import clean, mapping
from .answer_errors import connection_lost, stalled_error
from .base import SpeechAnswer, WrappedAnswer
from .bodies import read_limited
from .deadline_reader import DeadlineReader
from .http_answer import Source, TranslatedStream

MAX_SPEECH_BYTES = 64 * 1024 * 1024
"""Maximum size of one answer: the longest text, spoken slowly, as WAV with 24 kHz has 40 MB."""
MAX_VOICES = 5_000
_MAX_ERROR_BYTES = 64 * 1024


def form_of(request: Request) -> aiohttp.FormData:
    """The form (multipart/form-data) of a request for a transcript, for one attempt. The request has a recording."""
    form = aiohttp.FormData()
    for name, value in request.body.items():
        for item in value if isinstance(value, list) else (value,):
            form.add_field(f"{name}[]" if isinstance(value, list) else name, _field(item))
    if (recording := request.recording) is not None:
        form.add_field(
            "file",
            recording.data,
            filename=recording.filename or "speech.wav",
            content_type=recording.content_type or "application/octet-stream",
        )
    return form


def _field(value: object) -> str:
    return value if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)


class TranscriptStream(TranslatedStream):
    """An open response with the events of a transcript."""

    def __init__(self, upstream: Source, response: aiohttp.ClientResponse, deadline: float) -> None:
        """The arguments are those of `HttpAnswer`."""
        super().__init__(upstream, response, deadline, TranscriptTranslator(upstream.name, upstream.secrets))

    @override
    async def completion(self) -> Chunk:
        raise StreamBrokenError(f"{self._upstream.name} answered with a stream")


class HttpSpeechAnswer(SpeechAnswer):
    """An open response with audio."""

    def __init__(self, upstream: Source, response: aiohttp.ClientResponse, deadline: float) -> None:
        """`deadline`: the loop's time by which the first audio must have arrived."""
        self._upstream = upstream
        self._response = response
        self._reader = DeadlineReader(response.content, deadline)
        self.headers = response.headers
        self.content_type = response.content_type

    @override
    async def parts(self) -> AsyncIterator[bytes]:
        name, size = self._upstream.name, 0
        if self.content_type.startswith("text/") or "json" in self.content_type:
            raise await self._error()
        loop = asyncio.get_running_loop()
        while True:
            try:
                data = await self._reader.read()
            except TimeoutError:
                raise stalled_error(name, begun=size > 0) from None
            except (aiohttp.ClientError, OSError) as err:
                raise connection_lost(name, err) from None
            if not data:
                return
            size += len(data)
            if size > MAX_SPEECH_BYTES:
                raise StreamBrokenError(f"{name} sent more than {MAX_SPEECH_BYTES >> 20} MB of audio")
            yield data
            self._reader.deadline = loop.time() + self._upstream.timeouts.between_tokens

    async def _error(self) -> ApiError:
        """The error in an answer that is a text, else an error that says so."""
        try:
            async with asyncio.timeout(self._upstream.timeouts.probe):
                found = json.loads(await read_limited(self._response, _MAX_ERROR_BYTES, cut=True))
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
            found = None
        if isinstance(found, dict) and contains_error(found):
            return self._upstream.error(reported_error(self._upstream.name, found, self._upstream.secrets))
        return StreamBrokenError(f"{self._upstream.name} answered with a text instead of audio")

    @override
    async def close(self) -> None:
        self._reader.close()
        self._response.close()


class TranscriptAnswer(WrappedAnswer):
    """An answer with a transcript: an object with `text`, also from servers that always send plain text."""

    @override
    async def completion(self) -> Chunk:
        completion = await self._answer.completion()
        text = completion.raw.decode(errors="replace").strip()
        return completion if completion.data or not text or text[0] in "{[<" else Chunk.of({"text": text})


def parse_voices(body: object) -> dict[str, str]:
    """The names of voices by id, from a list of voices in one of the known formats; empty for anything else.

    Kokoro-FastAPI lists texts under `voices`, or objects with `id` and `name`; speaches objects under `data` or alone with
    `voice_id` or `id`, AllTalk and openai-edge-tts objects with `name`; this program's gateway objects with `id`, `name`.
    """
    listed = body
    if isinstance(body, Mapping):
        listed = next((body[name] for name in ("voices", "data") if isinstance(body.get(name), list | dict)), None)
    if isinstance(listed, Mapping):
        listed = [{"id": voice, **mapping(about)} for voice, about in listed.items()]
    found: dict[str, str] = {}
    for entry in listed[:MAX_VOICES] if isinstance(listed, list) else ():
        voice, name = (entry, entry) if isinstance(entry, str) else _voice(mapping(entry))
        if voice := clean(voice):
            found.setdefault(voice, clean(name) or voice)
    return found


def _voice(entry: Mapping[str, Any]) -> tuple[str, str]:
    """Id and name of a voice; empty texts without an id."""
    names = [value for key in ("id", "voice_id", "voice", "name") if isinstance(value := entry.get(key), str) and value]
    shown = entry.get("display_name") or entry.get("name")
    return (names[0], shown if isinstance(shown, str) else names[0]) if names else ("", "")
