"""Google's Gemini API below `/v1beta` and `/v1/models/`, for clients of its SDKs."""

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from ...dialects.base import ParsedRequest
from ...dialects.gemini.client_request import to_chat, to_embeddings, wants_thoughts
from ...dialects.gemini.client_response import EmbeddingsWriter, GeminiArrayWriter, GeminiWriter, error_body
from ...dialects.gemini.options import value_of
from ...dialects.hosted_chat import hosted_chat
from ...dialects.turns import invalid
from ...protocol.models import ModelInfo
from ...protocol.record import Capability
from ...protocol.request import Kind, Request, parse_object
from ...protocol.values import mapping
from ..dispatch import ErrorFormat, RequestContext
from ..gateway import Gateway
from ..response_writer import answer
from .models import find_model, listed

GEMINI = ErrorFormat(error_body)
PREFIX = "/v1beta"
_PAGE = 1000
"""The largest page of models, which is also the page of clients that do not ask for a size."""


def generate_content(gateway: Gateway, context: RequestContext) -> Awaitable[web.StreamResponse]:
    """Handle `:generateContent`."""
    return answer(gateway, context, _parser(stream=False))


def stream_generate_content(gateway: Gateway, context: RequestContext) -> Awaitable[web.StreamResponse]:
    """Handle `:streamGenerateContent`: Server-Sent Events with `alt=sse`, else a JSON array."""
    return answer(gateway, context, _parser(stream=True))


def embed_content(gateway: Gateway, context: RequestContext) -> Awaitable[web.StreamResponse]:
    """Handle `:embedContent`: one vector."""
    return answer(gateway, context, _embeddings_parser(batch=False))


def batch_embed_contents(gateway: Gateway, context: RequestContext) -> Awaitable[web.StreamResponse]:
    """Handle `:batchEmbedContents`: a vector for each request."""
    return answer(gateway, context, _embeddings_parser(batch=True))


async def count_tokens(gateway: Gateway, context: RequestContext) -> web.Response:
    """Estimate the tokens of a prompt from its characters, without asking a backend: models count differently."""
    body = parse_object(await context.read(gateway.max_body_bytes))
    asked = value_of(body, "generateContentRequest")
    request = Request.parse(Kind.CHAT, to_chat(body if asked is None else mapping(asked), _model(context), stream=False))
    return context.json({"totalTokens": max(1, request.estimated_prompt_tokens)})


async def list_models(gateway: Gateway, context: RequestContext) -> web.Response:
    """The models, in pages if the client asks for a size. Raises InvalidRequestError for another token or size."""
    query = context.http.query
    begin, size = _number(query.get("pageToken") or "0", "pageToken"), _number(query.get("pageSize") or str(_PAGE), "pageSize")
    found = listed(gateway.engine, context.caller.models, context.caller.home_rule)
    end = begin + min(size or _PAGE, _PAGE)
    page = {"models": [_described(model) for model in found[begin:end]]}
    return context.json(page | ({"nextPageToken": str(end)} if end < len(found) else {}))


async def get_model(gateway: Gateway, context: RequestContext) -> web.Response:
    """One model. Raises NotFoundError, which names similar models."""
    caller = context.caller
    return context.json(_described(find_model(gateway.engine, _model(context), caller.models, caller.home_rule)))


def _parser(*, stream: bool) -> Callable[[RequestContext, bytes], ParsedRequest]:
    def parse(context: RequestContext, raw: bytes) -> ParsedRequest:
        body = parse_object(raw)
        chat, hosted, dropped = hosted_chat(to_chat(body, _model(context), stream=stream), context.caller.hosted_tools)
        request = Request.parse(Kind.CHAT, chat, request_id=context.id, via=context.via, hosted=hosted)
        kind = GeminiArrayWriter if stream and context.http.query.get("alt") != "sse" else GeminiWriter
        thoughts = wants_thoughts(body)
        return ParsedRequest(request, lambda model: kind(model, context.id, thoughts=thoughts), dropped)

    return parse


def _embeddings_parser(*, batch: bool) -> Callable[[RequestContext, bytes], ParsedRequest]:
    def parse(context: RequestContext, raw: bytes) -> ParsedRequest:
        body = to_embeddings(parse_object(raw), _model(context), batch=batch)
        request = Request.parse(Kind.EMBEDDINGS, body, request_id=context.id, via=context.via)
        return ParsedRequest(request, lambda model: EmbeddingsWriter(model, context.id, batch=batch))

    return parse


def _model(context: RequestContext) -> str:
    """The model in the path, which clients may name with Google's prefix twice."""
    return context.variables["model"].removeprefix("models/")


def _number(text: str, param: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise invalid(param, "a whole number")
    return int(text)


def _described(listed_model: dict[str, Any]) -> dict[str, Any]:
    """A model of `/v1/models` in Google's format."""
    model = ModelInfo.parse(listed_model) or ModelInfo(str(listed_model["id"]))
    can = model.abilities
    methods = ["generateContent", "countTokens"] if Capability.COMPLETION in can else []
    methods += ["embedContent", "batchEmbedContents"] if Capability.EMBEDDINGS in can else []
    limits = {"inputTokenLimit": model.context_window, "outputTokenLimit": model.max_output_tokens}
    return {
        "name": f"models/{model.id}",
        "version": "",
        "displayName": model.id,
        "description": f"Served by {listed_model.get('provider')}",
        "supportedGenerationMethods": methods,
    } | {name: limit for name, limit in limits.items() if limit}
