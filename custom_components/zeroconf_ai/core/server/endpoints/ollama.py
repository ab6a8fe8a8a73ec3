"""Ollama's native API, for clients that support no other. Only on a separate port: on Home Assistant's, `/api` is its own."""

from collections.abc import Mapping
from functools import partial
import time
from typing import Any

from aiohttp import web

from ...dialects.base import ParsedRequest
from ...dialects.ollama.client_request import (
    chat_to_chat,
    embed_to_embeddings,
    generate_to_chat,
    generate_to_completion,
    is_completion,
    wants_reasoning,
)
from ...dialects.ollama.client_response import EmbeddingsWriter, OllamaWriter, chat_fields, error_body, generate_fields, now
from ...dialects.ollama.generate_context import make_context
from ...dialects.ollama.keep_alive import keep_alive_seconds, parse_keep_alive
from ...protocol.models import AUTO
from ...protocol.request import Kind, Request, parse_object
from ..dispatch import ErrorFormat, RequestContext
from ..gateway import Gateway
from ..response_writer import answer
from .ollama_models import named_model

OLLAMA = ErrorFormat(error_body)


async def chat(gateway: Gateway, context: RequestContext) -> web.StreamResponse:
    """`POST /api/chat`."""
    started = time.monotonic()
    raw = await context.read(gateway.max_body_bytes)
    body = parse_object(raw)
    if not body.get("messages"):
        return _loaded(gateway, context, body, chat_fields("", "", []))

    def parse(_: RequestContext, __: bytes) -> ParsedRequest:
        request = Request.parse(Kind.CHAT, chat_to_chat(body), request_id=context.id, via=context.via)
        reasoning = wants_reasoning(body)
        return ParsedRequest(request, lambda model: OllamaWriter(model, chat_fields, reasoning=reasoning, started=started))

    return await answer(gateway, context, parse, raw=raw)


async def generate(gateway: Gateway, context: RequestContext) -> web.StreamResponse:
    """`POST /api/generate`: a chat of one message, or a text completion."""
    started = time.monotonic()
    raw = await context.read(gateway.max_body_bytes)
    body = parse_object(raw)
    if not body.get("prompt"):
        return _loaded(gateway, context, body, generate_fields("", "", []))

    def parse(_: RequestContext, __: bytes) -> ParsedRequest:
        kind, translated = Kind.CHAT, generate_to_chat
        if is_completion(body):
            kind, translated = Kind.COMPLETION, generate_to_completion
        request = Request.parse(kind, translated(body), request_id=context.id, via=context.via)
        messages = request.body.get("messages")
        make = partial(
            OllamaWriter,
            fields=generate_fields,
            reasoning=wants_reasoning(body),
            started=started,
            more=None if messages is None else lambda text: {"context": make_context(messages, text)},
        )
        return ParsedRequest(request, make)

    return await answer(gateway, context, parse, raw=raw)


async def embed(gateway: Gateway, context: RequestContext) -> web.StreamResponse:
    """`POST /api/embed`."""
    return await _embed(gateway, context, "input")


async def embeddings(gateway: Gateway, context: RequestContext) -> web.StreamResponse:
    """`POST /api/embeddings`, which embeds one text."""
    return await _embed(gateway, context, "prompt")


async def _embed(gateway: Gateway, context: RequestContext, param: str) -> web.StreamResponse:
    started = time.monotonic()
    raw = await context.read(gateway.max_body_bytes)
    body = parse_object(raw)
    legacy = param == "prompt"
    if not body.get(param):
        parse_keep_alive(body.get("keep_alive"))
        model = _model(gateway, context, body)
        return context.json({"embedding": []} if legacy else {"model": model, "embeddings": []})

    def parse(_: RequestContext, __: bytes) -> ParsedRequest:
        request = Request.parse(Kind.EMBEDDINGS, embed_to_embeddings(body, param), request_id=context.id, via=context.via)
        return ParsedRequest(request, partial(EmbeddingsWriter, legacy=legacy, started=started))

    return await answer(gateway, context, parse, raw=raw)


def _loaded(gateway: Gateway, context: RequestContext, body: Mapping[str, Any], fields: Mapping[str, Any]) -> web.Response:
    """The answer to a request without a prompt, which loads or unloads a model: the backends do that themselves.

    Raises InvalidRequestError for an invalid `keep_alive`, NotFoundError for an unknown model.
    """
    keep_alive = parse_keep_alive(body.get("keep_alive"))
    reason = "unload" if keep_alive_seconds(keep_alive) == 0 else "load"
    head = {"model": _model(gateway, context, body), "created_at": now()}
    return context.json(head | dict(fields) | {"done": True, "done_reason": reason})


def _model(gateway: Gateway, context: RequestContext, body: Mapping[str, Any]) -> str:
    """The name in the request. Raises NotFoundError if it means no model; without a name it is `auto`."""
    name = body.get("model")
    if name is None:
        return AUTO
    named_model(gateway, context, name)
    return str(name)
