"""`POST /v1/chat/completions`, `/v1/completions` and `/v1/embeddings`, streaming and not."""

from collections.abc import Awaitable
from functools import partial

from aiohttp import web

from ...dialects.base import ParsedRequest
from ...dialects.openai.client_response import OpenAIWriter
from ...protocol.request import Kind, Request
from ..dispatch import RequestContext
from ..gateway import Gateway
from ..response_writer import answer


def chat(gateway: Gateway, context: RequestContext) -> Awaitable[web.StreamResponse]:
    """Handle OpenAI's chat completions."""
    return answer(gateway, context, _parse_chat)


def completions(gateway: Gateway, context: RequestContext) -> Awaitable[web.StreamResponse]:
    """Handle OpenAI's text completions."""
    return answer(gateway, context, _parse_completion)


def embeddings(gateway: Gateway, context: RequestContext) -> Awaitable[web.StreamResponse]:
    """Handle OpenAI's embeddings, which are not streamed."""
    return answer(gateway, context, _parse_embeddings)


def _parse(kind: Kind, context: RequestContext, raw: bytes) -> ParsedRequest:
    request = Request.parse(kind, raw, request_id=context.id, via=context.via)
    return ParsedRequest(request, OpenAIWriter(request).for_model)


_parse_chat, _parse_completion, _parse_embeddings = (
    partial(_parse, kind) for kind in (Kind.CHAT, Kind.COMPLETION, Kind.EMBEDDINGS)
)
