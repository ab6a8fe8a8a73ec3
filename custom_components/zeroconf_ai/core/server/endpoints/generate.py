"""`POST /v1/chat/completions`, `/v1/completions`, `/v1/embeddings` and `/v1/images/generations`, streaming and not."""

from collections.abc import Awaitable, Mapping
from functools import partial
from typing import Any

from aiohttp import web

from ...dialects.base import ParsedRequest
from ...dialects.hosted_chat import hosted_chat
from ...dialects.openai.client_request import to_chat
from ...dialects.openai.client_response import OpenAIWriter
from ...dialects.openai.custom_calls import CustomCallsWriter
from ...dialects.responses.client_request import to_chat as responses_to_chat
from ...protocol.request import Kind, Request, parse_object
from ..dispatch import RequestContext
from ..gateway import Gateway
from ..response_writer import answer

_ALSO_IN_CHAT = frozenset(
    {"max_tokens", "max_completion_tokens", "reasoning_effort", "response_format", "stop", "stream_options"}
)
"""Parameters of a chat completion that are also read from a body of Responses."""


def chat(gateway: Gateway, context: RequestContext) -> Awaitable[web.StreamResponse]:
    """Handle OpenAI's chat completions."""
    return answer(gateway, context, _parse_chat)


def completions(gateway: Gateway, context: RequestContext) -> Awaitable[web.StreamResponse]:
    """Handle OpenAI's text completions."""
    return answer(gateway, context, _parse_completion)


def embeddings(gateway: Gateway, context: RequestContext) -> Awaitable[web.StreamResponse]:
    """Handle OpenAI's embeddings, which are not streamed."""
    return answer(gateway, context, _parse_embeddings)


def image_generations(gateway: Gateway, context: RequestContext) -> Awaitable[web.StreamResponse]:
    """Handle OpenAI's generation of images, which is not streamed."""
    return answer(gateway, context, _parse_images)


def _parse_chat(context: RequestContext, raw: bytes) -> ParsedRequest:
    given = parse_object(raw)
    if "messages" not in given and "input" in given:  # Cursor sends a body of Responses, and expects a chat completion
        chat, tools = responses_to_chat(given)
        body: Mapping[str, Any] = {**{name: given[name] for name in _ALSO_IN_CHAT & given.keys()}, **chat}
    else:
        body, tools = to_chat(given)
    found = hosted_chat(body, context.caller.hosted_tools)
    request = Request.of_object(Kind.CHAT, found.body, request_id=context.id, via=context.via, hosted=found.hosted)
    writer = CustomCallsWriter(request, tools) if tools.has_custom else OpenAIWriter(request)
    return ParsedRequest(request, writer.for_model, (*tools.dropped, *found.dropped))


def _parse(kind: Kind, context: RequestContext, raw: bytes) -> ParsedRequest:
    request = Request.parse(kind, raw, request_id=context.id, via=context.via)
    return ParsedRequest(request, OpenAIWriter(request).for_model)


_parse_completion, _parse_embeddings, _parse_images = (
    partial(_parse, kind) for kind in (Kind.COMPLETION, Kind.EMBEDDINGS, Kind.IMAGES)
)
