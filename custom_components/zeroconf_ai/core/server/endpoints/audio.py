"""`POST /v1/audio/transcriptions` and `/v1/audio/speech` in OpenAI's format, and the lists of engines and voices."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from ...dialects.openai.transcripts import transcript_chunks
from ...protocol.audio_length import measured
from ...protocol.audio_requests import MAX_FILE_BYTES, MAX_INPUT, Recording
from ...protocol.chunks import Chunk
from ...protocol.errors import (
    ApiError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    UnavailableError,
    UpstreamError,
)
from ...protocol.home_rule import HomeRule
from ...protocol.model_names import find_name
from ...protocol.request import parse_object
from ...protocol.usage import Usage
from ...routing.pool.model_index import may_use
from ...routing.records import LocalRun
from ...routing.selection.routing_errors import HOME_ONLY
from ..audio import Audio, AudioFormat, AudioModel, AudioTask, Transcript, own_model, own_voice
from ..dispatch import RequestContext
from ..forms import FormLimits, read_form
from ..gateway import Gateway
from ..subtitles import FORMATS as SUBTITLES
from .audio_of_backends import (
    STREAMED,
    TRANSCRIPT_FORMATS,
    SpeechResponse,
    abort,
    audio_models,
    listed_models,
    listed_voices,
    speak,
    stream_transcript,
    transcribe,
    transcript_response,
    wants_stream,
)

_FORM = FormLimits(
    MAX_FILE_BYTES,
    f"The recording is larger than {MAX_FILE_BYTES >> 20} MB, or another field is too large. Split the recording.",
)
_MAX_SPEECH_BODY_BYTES = 256 * 1024
_HOME_FORMATS = ("json", "text", "verbose_json", *SUBTITLES)
"""The formats of transcripts by the gateway's own engines, which do not tell speakers apart."""


async def transcriptions(gateway: Gateway, context: RequestContext) -> web.StreamResponse:
    """Transcribe a recording."""
    _check_offered(gateway)
    async with gateway.interruptible():
        form = await read_form(context, _FORM)
        wanted = form.fields.get("response_format") or "json"
        if wanted not in TRANSCRIPT_FORMATS:
            raise _invalid("response_format", "one of " + ", ".join(TRANSCRIPT_FORMATS))
        if form.file is None:
            raise _invalid("file", "the recording, as a file of the form")
        if not form.file.data:
            raise _invalid("file", "a recording that is not empty")
        recording = await asyncio.to_thread(measured, Recording(form.file.data, form.file.content_type, form.file.name))
        language = form.fields.get("language") or None
        asked = form.fields.get("model") or ""
        audio, model = _engine_here(gateway, context, AudioTask.TRANSCRIPTION, asked)
        if audio is None:
            return await transcribe(gateway, context, recording, form)
        if wanted not in _HOME_FORMATS:
            raise _invalid("response_format", "one of " + ", ".join(_HOME_FORMATS))
        async with gateway.engine.run_local(AudioTask.TRANSCRIPTION, context.caller, context.id, asked) as run:
            run.model = _engine(gateway, context, AudioTask.TRANSCRIPTION, model)
            run.usage = Usage(audio_seconds=recording.seconds or 0.0)
            transcript = await audio.transcribe(recording, model=_chosen(context, model, run.model), language=language)
            run.usage = Usage(audio_seconds=transcript.duration or recording.seconds or 0.0)
    return await _transcript(context, transcript, wanted, _headers(context, run), stream=wants_stream(form.fields))


async def _transcript(
    context: RequestContext, transcript: Transcript, wanted: str, headers: Mapping[str, str], *, stream: bool
) -> web.StreamResponse:
    """The answer of an engine of the home, in the format that the client wants. It is known as a whole."""
    body: dict[str, Any] = {"text": transcript.text}
    if wanted in ("verbose_json", *SUBTITLES):
        body |= {"task": "transcribe", "language": transcript.language, "duration": transcript.duration or 0.0, "segments": []}
    if transcript.duration is not None:
        body["usage"] = {"type": "duration", "seconds": transcript.duration}
    if stream and wanted in STREAMED:
        return await stream_transcript(context, _each(transcript_chunks(body)), headers)
    return transcript_response(context, body, wanted, headers, transcript.duration or 0.0)


async def _each(chunks: Iterable[Chunk]) -> AsyncIterator[Chunk]:
    for chunk in chunks:
        yield chunk


async def speech(gateway: Gateway, context: RequestContext) -> web.StreamResponse:
    """Synthesize speech. The audio is streamed as the engine generates it."""
    _check_offered(gateway)
    response: SpeechResponse | None = None
    try:
        async with gateway.interruptible():
            raw = await context.read(_MAX_SPEECH_BODY_BYTES)
            order = _SpeechRequest.parse(raw)
            audio, _ = _engine_here(gateway, context, AudioTask.SPEECH, order.asked)
            if audio is None:
                return await speak(gateway, context, raw)
            async with gateway.engine.run_local(AudioTask.SPEECH, context.caller, context.id, order.asked) as run:
                run.model = _engine(gateway, context, AudioTask.SPEECH, order.model)
                model, run.usage = _chosen(context, order.model, run.model), Usage(speech_characters=len(order.text))
                spoken = await audio.speak(
                    order.text, model=model, voice=order.voice, audio_format=order.audio_format, speed=order.speed
                )
                response = SpeechResponse(context, spoken.content_type, _headers(context, run), events=order.events)
                async with aclosing(spoken.stream) as parts:
                    async for part in parts:
                        await response.write(part)
                if not response.is_begun:
                    raise UpstreamError("The engine returned no audio.")
                return await response.end(run.usage)
    except ApiError as err:
        if response is None or not response.is_begun:
            raise
        abort(context, err)
        return await response.begun()


async def list_models(gateway: Gateway, context: RequestContext) -> web.StreamResponse:
    """List the speech-to-text and text-to-speech engines."""
    _check_offered(gateway)
    rule = context.caller.home_rule
    own = [engine for task in AudioTask for engine in _engines(gateway, task, rule)]
    models = [{"id": model.id, "name": model.name, "task": model.task, "languages": list(model.languages)} for model in own]
    return context.json({"models": [*models, *listed_models(gateway, rule)]})


async def list_voices(gateway: Gateway, context: RequestContext) -> web.StreamResponse:
    """List the voices; with `?model=` those of one engine. Raises NotFoundError for an unknown engine."""
    _check_offered(gateway)
    asked = context.http.query.get("model") or ""
    rule = context.caller.home_rule
    audio, model = _engine_here(gateway, context, AudioTask.SPEECH, asked)
    known = [engine.id for engine in _engines(gateway, AudioTask.SPEECH, rule)]
    if model is not None:
        others = [served.id for _, served in audio_models(gateway, AudioTask.SPEECH, rule)]
        named = find_name(known if audio is not None else others, model)
        if named is None:
            raise NotFoundError(f"There is no text-to-speech engine {model}.", code="model_not_found", param="model")
        model = named
    voices = [
        {"id": voice.id, "name": voice.name, "model": voice.model, "language": voice.language}
        for voice in (gateway.audio.voices() if gateway.audio is not None else ())
        if model in (None, voice.model) and voice.model in known
    ]
    return context.json({"voices": [*voices, *await listed_voices(gateway, model, rule)]})


def _check_offered(gateway: Gateway) -> None:
    """Raise NotFoundError if neither the gateway has engines nor a backend has models for speech."""
    if gateway.audio is None and not any(audio_models(gateway, task) for task in AudioTask):
        raise NotFoundError("No speech-to-text or text-to-speech engine is configured.", code="not_offered")


def _engines(gateway: Gateway, task: AudioTask, home_rule: HomeRule | None) -> list[AudioModel]:
    """The gateway's own engines for a task; without those of cloud services for a request that stays at home."""
    engines = () if gateway.audio is None else gateway.audio.models()
    return [engine for engine in engines if engine.task is task and not (engine.leaves_home and home_rule is not None)]


def _engine_here(gateway: Gateway, context: RequestContext, task: AudioTask, asked: str) -> tuple[Audio | None, str | None]:
    """The gateway's own engines if one of them answers a request, else None; and the model that the request names.

    The model is None for OpenAI's models, which clients send by default, unless a backend serves it. A backend answers if it
    serves the named model and no engine has that name, and without a name if the gateway has no engine for the task.
    """
    rule = context.caller.home_rule
    model, known = own_model(asked or None), [engine.id for engine in _engines(gateway, task, None)]
    if model is not None and find_name(known, model) is not None:
        return gateway.audio, model
    serving = audio_models(gateway, task)
    if asked and any(member.served.find(asked) is not None for member, _ in serving):
        return None, asked
    if not _engines(gateway, task, rule) and serving:
        return None, model
    return gateway.audio, model


def _chosen(context: RequestContext, named: str | None, engine_id: str) -> str | None:
    """The engine to ask for; None: the default engine, if the request may leave the home."""
    return engine_id if named is not None or context.caller.home_rule is not None else None


def _headers(context: RequestContext, run: LocalRun) -> dict[str, str]:
    """The headers with the id of the record and the caller's rate limits."""
    return {"X-Generation-ID": context.id, **run.headers}


def _engine(gateway: Gateway, context: RequestContext, task: AudioTask, model: str | None) -> str:
    """The id of the engine that a request names; without a name, the first for the task.

    Raises NotFoundError for an unknown engine, PermissionDeniedError for one that the key may not use, UnavailableError for a
    cloud service if the request stays at home.
    """
    rule = context.caller.home_rule
    known, every = ([engine.id for engine in _engines(gateway, task, kept)] for kept in (rule, None))
    if rule is not None:
        kept_out = (
            (bool(every) and not known)
            if model is None
            else (find_name(every, model) is not None and find_name(known, model) is None)
        )
        if kept_out:
            raise UnavailableError(
                f"{rule.sentence}, and {model or f'every engine for {task}'} is a cloud service.", code=HOME_ONLY
            )
    if not known:
        raise NotFoundError(f"No engine for {task} is set up in this home.", code="model_not_found", param="model")
    engine_id = known[0] if model is None else find_name(known, model)
    if engine_id is None:
        message = f"There is no engine {model} for {task}; there is {', '.join(known)}."
        raise NotFoundError(message, code="model_not_found", param="model")
    if not may_use(context.caller.models, engine_id):
        raise PermissionDeniedError(f"This key may not use {engine_id}.", code="model_not_allowed")
    return engine_id


def _invalid(param: str, wanted: str) -> InvalidRequestError:
    return InvalidRequestError(f"Invalid value for '{param}': it must be {wanted}.", param=param)


@dataclass(frozen=True, slots=True)
class _SpeechRequest:
    """A parsed request for speech."""

    text: str
    asked: str
    """The model as the client named it."""
    model: str | None
    voice: str | None
    audio_format: AudioFormat
    speed: float
    events: bool
    """Whether the client wants the audio in events."""

    @classmethod
    def parse(cls, raw: bytes) -> "_SpeechRequest":
        """Parse a body. Raises InvalidRequestError, which names the invalid parameter."""
        body = parse_object(raw)
        text = body.get("input")
        if not isinstance(text, str) or not text.strip() or len(text) > MAX_INPUT:
            raise _invalid("input", f"a text of at most {MAX_INPUT} characters that is not empty")
        model = body.get("model")
        if model is not None and not isinstance(model, str):
            raise _invalid("model", "a model's id, or left out")
        voice = body.get("voice")
        if isinstance(voice, dict):
            voice = voice.get("id")
        if voice is not None and not isinstance(voice, str):
            raise _invalid("voice", "a voice's name, an object with its id, or left out")
        wanted = body.get("response_format") or AudioFormat.MP3
        if not isinstance(wanted, str) or wanted not in AudioFormat:
            raise _invalid("response_format", "one of " + ", ".join(AudioFormat))
        speed = body.get("speed")
        if speed is None:
            speed = 1.0
        if isinstance(speed, bool) or not isinstance(speed, int | float) or not 0.25 <= speed <= 4:
            raise _invalid("speed", "a number from 0.25 to 4")
        if body.get("stream_format") not in (None, "audio", "sse"):
            raise _invalid("stream_format", "'audio' or 'sse'")
        return cls(
            text,
            model or "",
            own_model(model or None),
            own_voice(voice or None),
            AudioFormat(wanted),
            float(speed),
            body.get("stream_format") == "sse",
        )
