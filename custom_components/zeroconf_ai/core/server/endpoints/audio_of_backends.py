"""Transcripts and speech of the engine's backends, with failover, and the lists of their models and voices."""

from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
import logging
from typing import Any

from aiohttp import web

from ...protocol.audio_requests import Recording
from ...protocol.errors import ApiError, InvalidRequestError
from ...protocol.home_rule import HomeRule
from ...protocol.models import AUTO, ModelInfo
from ...protocol.request import Kind, Request, parse_object
from ...routing.execution.reply import Reply
from ...routing.pool.member import Member
from ..audio import AudioTask, own_model
from ..dispatch import RequestContext, header_text
from ..gateway import Gateway

_LOGGER = logging.getLogger(__name__)

_TEXT_FIELDS = ("language", "prompt")


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


async def transcribe(
    gateway: Gateway, context: RequestContext, recording: Recording, fields: Mapping[str, str]
) -> web.StreamResponse:
    """Transcribe a recording with the best backend. Raises an ApiError."""
    wanted = fields.get("response_format") or "json"
    body: dict[str, Any] = {name: fields[name] for name in _TEXT_FIELDS if fields.get(name)}
    body["model"] = model_for_backends(gateway, AudioTask.TRANSCRIPTION, fields.get("model") or "")
    body["response_format"] = "verbose_json" if wanted == "verbose_json" else "json"
    if temperature := fields.get("temperature"):
        try:
            body["temperature"] = float(temperature)
        except ValueError:
            raise InvalidRequestError("Invalid value for 'temperature': it must be a number.", param="temperature") from None
    if wanted == "verbose_json" and (granularity := fields.get("timestamp_granularities[]")):
        body["timestamp_granularities"] = [granularity]
    request = Request.parse(Kind.TRANSCRIPTION, body, request_id=context.id, via=context.via, recording=recording)
    async with gateway.engine.run(request, context.caller) as reply:
        headers = _headers(context, reply)
        if wanted == "text":
            text = f"{reply.completion.data['text'].strip()}\n"
            return web.Response(text=text, content_type="text/plain", charset="utf-8", headers=context.headers | headers)
        return context.json(reply.completion.data, headers=headers)


async def speak(gateway: Gateway, context: RequestContext, raw: bytes) -> web.StreamResponse:
    """Stream the speech of the best backend. Raises an ApiError before the first audio."""
    given = {name: value for name, value in parse_object(raw).items() if name not in ("stream", "stream_format")}
    if isinstance(voice := given.get("voice"), dict):
        given["voice"] = voice.get("id")
    given["model"] = model_for_backends(gateway, AudioTask.SPEECH, given.get("model") or "")
    request = Request.parse(Kind.SPEECH, given, request_id=context.id, via=context.via)
    async with gateway.engine.run(request, context.caller) as reply:
        response = web.StreamResponse(headers=context.headers | _headers(context, reply))
        response.content_type = reply.content_type
        await response.prepare(context.http)
        try:
            async for part in reply.audio():
                await response.write(part)
            await response.write_eof()
        except ApiError as err:
            abort(context, err)
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


async def listed_voices(gateway: Gateway, named: str | None, home_rule: HomeRule | None) -> AsyncIterator[dict[str, Any]]:
    """The voices of backends for `/v1/audio/voices`: of the model `named`, or of all. A backend that fails has none."""
    for member, model in audio_models(gateway, AudioTask.SPEECH, home_rule):
        if named is None or member.served.find(named) is model:
            with suppress(ApiError):
                for voice, name in (await member.backend.voices(model.id)).items():
                    yield {"id": voice, "name": name, "model": model.id, "language": ""}


def _headers(context: RequestContext, reply: Reply) -> dict[str, str]:
    return {
        "X-ZeroconfAI-Provider": header_text(reply.backend_name),
        "X-ZeroconfAI-Model": header_text(reply.model),
        "X-ZeroconfAI-Attempts": str(len(reply.attempts)),
        "X-Generation-ID": context.id,
        **reply.headers,
    }
