"""`POST /v1/responses`: OpenAI's Responses. Nothing is stored: each request holds the whole conversation."""

from collections.abc import Awaitable

from aiohttp import web

from ...dialects.base import ParsedRequest
from ...dialects.responses.client_request import to_chat
from ...dialects.responses.client_response import ResponsesWriter
from ...protocol.request import Kind, Request, parse_object
from ..dispatch import RequestContext
from ..gateway import Gateway
from ..response_writer import answer


def responses(gateway: Gateway, context: RequestContext) -> Awaitable[web.StreamResponse]:
    """Handle a response, complete or as a stream."""
    return answer(gateway, context, _parse)


def _parse(context: RequestContext, raw: bytes) -> ParsedRequest:
    body = parse_object(raw)
    request = Request.parse(Kind.CHAT, to_chat(body), request_id=context.id, via=context.via)
    return ParsedRequest(request, lambda model: ResponsesWriter(body, model))
