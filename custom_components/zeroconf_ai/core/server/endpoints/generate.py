"""`POST /v1/chat/completions`, `/v1/completions` and `/v1/embeddings`, streaming and not."""

from collections.abc import Awaitable
from functools import partial

from aiohttp import web

from ...dialects.base import ParsedRequest
from ...dialects.openai.client_request import to_chat
from ...dialects.openai.client_response import OpenAIWriter
from ...dialects.openai.custom_calls import CustomCallsWriter
from ...protocol.request import Kind, Request, parse_object
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


def _parse_chat(context: RequestContext, raw: bytes) -> ParsedRequest:
    body, tools = to_chat(parse_object(raw))
    request = Request.of_object(Kind.CHAT, body, request_id=context.id, via=context.via)
    writer = CustomCallsWriter(request, tools) if tools.has_custom else OpenAIWriter(request)
    return ParsedRequest(request, writer.for_model, tools.dropped)


def _parse(kind: Kind, context: RequestContext, raw: bytes) -> ParsedRequest:
    request = Request.parse(kind, raw, request_id=context.id, via=context.via)
    return ParsedRequest(request, OpenAIWriter(request).for_model)


_parse_completion, _parse_embeddings = (partial(_parse, kind) for kind in (Kind.COMPLETION, Kind.EMBEDDINGS))
