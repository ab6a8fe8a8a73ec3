"""`POST /v1/messages` and `/v1/messages/count_tokens`: Anthropic's Messages, for clients of its SDKs."""

from collections.abc import Awaitable

from aiohttp import web

from ...dialects.anthropic.client_request import stop_sequences, to_chat, wants_reasoning
from ...dialects.anthropic.client_response import MessagesWriter, error_body
from ...dialects.anthropic.client_tools import dropped_tools
from ...dialects.anthropic.hosted_tools import hosted_tools
from ...dialects.anthropic.native_response import NativeMessagesWriter
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
    betas = context.http.headers.getall("anthropic-beta", ())
    hosted, rest = hosted_tools(body, context.caller.hosted_tools, betas)
    request = Request.parse(Kind.CHAT, to_chat(rest, betas), request_id=context.id, via=context.via, hosted=hosted)
    reasoning, stops = wants_reasoning(body), stop_sequences(body)

    def writer(model: str) -> MessagesWriter:
        return MessagesWriter(model, context.id, reasoning=reasoning, stop_sequences=stops)

    return ParsedRequest(request, writer, dropped_tools(rest), lambda _: NativeMessagesWriter(context.id))


async def count_tokens(gateway: Gateway, context: RequestContext) -> web.Response:
    """Estimate the tokens of a prompt from the length of its texts, without asking a backend: models count differently."""
    body = parse_object(await context.read(gateway.max_body_bytes))
    request = Request.parse(Kind.CHAT, to_chat(body))
    return context.json({"input_tokens": max(1, request.estimated_prompt_tokens)})
