"""`POST /v1/messages` and `/v1/messages/count_tokens`: Anthropic's Messages, for clients of its SDKs."""

from collections.abc import Awaitable

from aiohttp import web

from ...dialects.anthropic.client_request import stop_sequences, to_chat, wants_reasoning
from ...dialects.anthropic.client_response import MessagesWriter, error_body
from ...dialects.base import ParsedRequest
from ...protocol.request import Kind, Request, parse_object
from ..dispatch import ErrorFormat, RequestContext
from ..gateway import Gateway
from ..response_writer import answer

ANTHROPIC = ErrorFormat(error_body, ("X-Request-ID", "request-id"))


def messages(gateway: Gateway, context: RequestContext) -> Awaitable[web.StreamResponse]:
    """Handle a message, complete or as a stream."""
    return answer(gateway, context, _parse)


def _parse(context: RequestContext, raw: bytes) -> ParsedRequest:
    body = parse_object(raw)
    request = Request.parse(Kind.CHAT, to_chat(body), request_id=context.id, via=context.via)
    reasoning, stops = wants_reasoning(body), stop_sequences(body)
    return ParsedRequest(request, lambda model: MessagesWriter(model, context.id, reasoning=reasoning, stop_sequences=stops))


async def count_tokens(gateway: Gateway, context: RequestContext) -> web.Response:
    """Estimate the tokens of a prompt from its characters, without asking a backend: models count differently."""
    body = parse_object(await context.read(gateway.max_body_bytes))
    request = Request.parse(Kind.CHAT, to_chat(body))
    return context.json({"input_tokens": max(1, request.estimated_prompt_tokens)})
