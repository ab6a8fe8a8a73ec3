"""Transcripts and speech of the engine's backends, with failover, and the lists of their models and voices."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import suppress
import logging
from typing import Any

from aiohttp import web
import orjson

from ...protocol import sse
from ...protocol.audio_requests import LISTS, Recording
from ...protocol.chunks import Chunk, NativeChunk
from ...protocol.errors import ApiError, InvalidRequestError
from ...protocol.home_rule import HomeRule
from ...protocol.models import AUTO, ModelInfo
from ...protocol.request import Kind, Request, parse_object
from ...protocol.usage import Usage
from ...routing.execution.reply import Reply
from ...routing.pool.member import Member
from ..audio import AudioTask, own_model
from ..dispatch import RequestContext, header_text
from ..forms import Form
from ..gateway import Gateway
from ..subtitles import FORMATS as SUBTITLES, subtitles

_LOGGER = logging.getLogger(__name__)

_TEXT_FIELDS = ("language", "prompt", "chunking_strategy")
_CHUNKING = "chunking_strategy["
"""The fields of an object in a form, as OpenAI's SDK writes them."""
TRANSCRIPT_FORMATS = ("json", "text", "verbose_json", "diarized_json", *SUBTITLES)
STREAMED = ("json", "text", "diarized_json")
"""The formats of transcripts that may be streamed. With the others `stream` is ignored, as OpenAI's whisper-1 does."""


def audio_models(gateway: Gateway, task: AudioTask, home_rule: HomeRule | None = None) -> list[tuple[Member, ModelInfo]]:
    """The models of usable backends for a task. `home_rule`: why the requests in question stay at home, or None."""
    return [
        (member, model)
        for member, model in gateway.engine.models(home_rule)
        if (model.speaks if task is AudioTask.SPEECH else model.transcribes)
    ]


def model_for_backends(gateway: Gateway, task: AudioTask, asked: str) -> str:
    """The model to request: the one that the client names, `auto` for one of OpenAI's that no backend serves."""
    if own_model(asked or None) is not None or any(member.served.find(asked) for member, _ in audio_models(gateway, task)):
        return asked
    return AUTO


async def transcribe(gateway: Gateway, context: RequestContext, recording: Recording, form: Form) -> web.StreamResponse:
    """Transcribe a recording with the best backend. Raises an ApiError."""
    fields = form.fields
    wanted = fields.get("response_format") or "json"
    body: dict[str, Any] = {name: fields[name] for name in _TEXT_FIELDS if fields.get(name)}
    body |= {name: value for name, value in fields.items() if name.startswith(_CHUNKING)}
    body |= {name: form.lists[name] for name in LISTS if form.lists.get(name)}
    body["model"] = model_for_backends(gateway, AudioTask.TRANSCRIPTION, fields.get("model") or "")
    body["response_format"] = "json" if wanted == "text" else "verbose_json" if wanted in SUBTITLES else wanted
    if temperature := fields.get("temperature"):
        try:
            body["temperature"] = float(temperature)
        except ValueError:
            raise InvalidRequestError("Invalid value for 'temperature': it must be a number.", param="temperature") from None
    if body["response_format"] != "verbose_json":
        body.pop("timestamp_granularities", None)
    if wanted in STREAMED and wants_stream(fields):
        body["stream"] = True
    request = Request.parse(Kind.TRANSCRIPTION, body, request_id=context.id, via=context.via, recording=recording)
    async with gateway.engine.run(request, context.caller) as reply:
        headers = _headers(context, reply)
        if request.stream:
            return await stream_transcript(context, reply.chunks(), headers)
        return transcript_response(context, reply.completion.data, wanted, headers, recording.seconds or 0.0)


def wants_stream(fields: Mapping[str, str]) -> bool:
    """Whether a form asks for a stream."""
    return fields.get("stream", "").casefold() in ("true", "1")


def transcript_response(
    context: RequestContext, data: Mapping[str, Any], wanted: str, headers: Mapping[str, str], seconds: float
) -> web.Response:
    """A complete transcript in the format that the client wants. `seconds`: the duration of the recording; 0: unknown."""
    if wanted not in ("text", *SUBTITLES):
        return context.json(dict(data), headers=dict(headers))
    text = subtitles(data, wanted, seconds) if wanted in SUBTITLES else f"{data['text'].strip()}\n"
    return web.Response(text=text, content_type="text/plain", charset="utf-8", headers={**context.headers, **headers})


async def stream_transcript(
    context: RequestContext, chunks: AsyncIterator[Chunk], headers: Mapping[str, str]
) -> web.StreamResponse:
    """Send the events of a transcript as they come. An error after the first one is an event, too."""
    response = web.StreamResponse(headers={**context.headers, **headers, "Cache-Control": "no-cache"})
    response.content_type = "text/event-stream"
    await response.prepare(context.http)
    try:
        async for chunk in chunks:
            if isinstance(chunk, NativeChunk):
                await response.write(sse.encode(orjson.dumps(chunk.native)))
    except ApiError as err:
        _LOGGER.warning("The transcript of request %s broke off: %s", context.id, err.log_text)
        await response.write(sse.encode(orjson.dumps(err.to_json())))
    await response.write_eof()
    return response


async def speak(gateway: Gateway, context: RequestContext, raw: bytes) -> web.StreamResponse:
    """Stream the speech of the best backend. Raises an ApiError before the first audio."""
    asked = parse_object(raw)
    given = {name: value for name, value in asked.items() if name not in ("stream", "stream_format")}
    if isinstance(voice := given.get("voice"), dict):
        given["voice"] = voice.get("id")
    given["model"] = model_for_backends(gateway, AudioTask.SPEECH, given.get("model") or "")
    request = Request.parse(Kind.SPEECH, given, request_id=context.id, via=context.via)
    async with gateway.engine.run(request, context.caller) as reply:
        sent = SpeechResponse(context, reply.content_type, _headers(context, reply), events=asked.get("stream_format") == "sse")
        try:
            async for part in reply.audio():
                await sent.write(part)
            return await sent.end(reply.used)
        except ApiError as err:
            abort(context, err)
        return await sent.begun()


class SpeechResponse:
    """A response with speech: its audio, or OpenAI's events with it (`stream_format: sse`)."""

    def __init__(self, context: RequestContext, content_type: str, headers: Mapping[str, str], *, events: bool) -> None:
        """Nothing is sent before the first part. `events`: the client wants events."""
        self._context = context
        self._events = events
        self._response = web.StreamResponse(headers={**context.headers, **headers})
        self._response.content_type = "text/event-stream" if events else content_type
        self.is_begun = False

    async def begun(self) -> web.StreamResponse:
        """The response, whose headers are sent."""
        if not self.is_begun:
            self.is_begun = True
            await self._response.prepare(self._context.http)
        return self._response

    async def write(self, part: bytes) -> None:
        """Send audio."""
        response = await self.begun()
        if self._events:
            part = sse.encode(orjson.dumps({"type": "speech.audio.delta", "audio": b64encode(part).decode()}))
        await response.write(part)

    async def end(self, used: Usage) -> web.StreamResponse:
        """Complete the response."""
        response = await self.begun()
        if self._events:
            counts = {
                "input_tokens": used.prompt_tokens,
                "output_tokens": used.completion_tokens,
                "total_tokens": used.total_tokens,
            }
            await response.write(sse.encode(orjson.dumps({"type": "speech.audio.done", "usage": counts})))
        await response.write_eof()
        return response


def abort(context: RequestContext, err: ApiError) -> None:
    """Close the connection of a started audio stream, so that its client sees that it is incomplete."""
    _LOGGER.warning("The speech of request %s broke off: %s", context.id, err.log_text)
    if context.http.transport is not None:
        context.http.transport.abort()


def listed_models(gateway: Gateway, home_rule: HomeRule | None) -> list[dict[str, Any]]:
    """The models of backends for `/v1/audio/models`, each once for each task."""
    found = {
        (model.id, task): {"id": model.id, "name": model.id, "task": task, "languages": []}
        for task in AudioTask
        for _, model in reversed(audio_models(gateway, task, home_rule))
    }
    return list(reversed(found.values()))


async def listed_voices(gateway: Gateway, named: str | None, home_rule: HomeRule | None) -> list[dict[str, Any]]:
    """The voices of backends for `/v1/audio/voices`: of the model `named`, or of all.

    All backends are asked at the same time. The list has no voices of a backend that cannot be asked.
    """
    asked: dict[Member, list[ModelInfo]] = {}
    for member, model in audio_models(gateway, AudioTask.SPEECH, home_rule):
        if named is None or member.served.find(named) is model:
            asked.setdefault(member, []).append(model)
    found = await asyncio.gather(*(_voices_of(member, models) for member, models in asked.items()))
    return [voice for voices in found for voice in voices]


async def _voices_of(member: Member, models: Iterable[ModelInfo]) -> list[dict[str, Any]]:
    """The voices of one backend's models, up to the first that cannot be listed."""
    found: list[dict[str, Any]] = []
    with suppress(ApiError):
        for model in models:
            listed = await member.backend.voices(model.id)
            found += [{"id": voice, "name": name, "model": model.id, "language": ""} for voice, name in listed.items()]
    return found


def _headers(context: RequestContext, reply: Reply) -> dict[str, str]:
    return {
        "X-ZeroconfAI-Provider": header_text(reply.backend_name),
        "X-ZeroconfAI-Model": header_text(reply.model),
        "X-ZeroconfAI-Attempts": str(len(reply.attempts)),
        "X-Generation-ID": context.id,
        **reply.headers,
    }
