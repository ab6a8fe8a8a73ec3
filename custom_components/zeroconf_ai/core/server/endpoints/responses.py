"""`POST /v1/responses`: OpenAI's Responses. The responses of the last minutes may be continued; nothing is stored on disk."""

from collections.abc import Awaitable
from functools import partial

from aiohttp import web

from ...dialects.base import ParsedRequest
from ...dialects.responses.client_request import to_chat
from ...dialects.responses.client_response import ResponsesWriter
from ...protocol.request import Kind, Request, parse_object
from ..dispatch import RequestContext
from ..gateway import Gateway
from ..recent_responses import owner_of
from ..response_writer import answer


def responses(gateway: Gateway, context: RequestContext) -> Awaitable[web.StreamResponse]:
    """Handle a response, complete or as a stream."""
    return answer(gateway, context, partial(_parse, gateway))


def _parse(gateway: Gateway, context: RequestContext, raw: bytes) -> ParsedRequest:
    body = parse_object(raw)
    recent, owner = gateway.recent_responses, owner_of(context.caller)
    conversation = recent.resolve(owner, body)
    chat, tools = to_chat({**body, "input": conversation})
    request = Request.parse(Kind.CHAT, chat, request_id=context.id, via=context.via)
    keep = None if body.get("store") is False else partial(recent.put, owner, conversation)
    return ParsedRequest(request, lambda model: ResponsesWriter(body, model, tools, keep), tools.dropped)
