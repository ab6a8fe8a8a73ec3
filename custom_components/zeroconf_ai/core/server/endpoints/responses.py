"""`POST /v1/responses`: OpenAI's Responses. The responses of the last minutes may be continued, and those that are stored."""

from functools import partial
import time
from typing import Any

from aiohttp import web

from ...accounting.conversations.response_store import StoredResponse
from ...accounting.storage.database import DatabaseError
from ...dialects.base import ParsedRequest
from ...dialects.house_server import house_calls, house_server
from ...dialects.responses.client_request import to_chat
from ...dialects.responses.client_response import ResponsesWriter
from ...dialects.responses.hosted_tools import hosted_tools
from ...dialects.responses.native_response import NativeResponsesWriter
from ...protocol.errors import UnavailableError
from ...protocol.request import Kind, Request, parse_object
from ..dispatch import RequestContext
from ..gateway import Gateway
from ..recent_responses import owner_of
from ..response_writer import answer
from .stored_responses import stored_owner

_REFERENCES = (b'"previous_response_id"', b'"item_reference"', b'"id"')
"""One of them is in every request that refers to an earlier response."""
_LOOK_UPS = 16
"""Responses that are read for one request; the first one mostly contains all items that are referred to."""


async def responses(gateway: Gateway, context: RequestContext) -> web.StreamResponse:
    """Handle a response, complete or as a stream."""
    raw: bytes | None = None
    if gateway.responses is not None and gateway.responses.keep:
        async with gateway.interruptible():
            raw = await context.read(gateway.max_body_bytes)
            if any(name in raw for name in _REFERENCES):
                await _recall(gateway, context, raw)
    return await answer(gateway, context, partial(_parse, gateway), raw=raw)


def _parse(gateway: Gateway, context: RequestContext, raw: bytes) -> ParsedRequest:
    body = parse_object(raw)
    recent, owner = gateway.recent_responses, owner_of(context.caller)
    conversation = recent.resolve(owner, body)
    house, rest = house_server({**body, "input": conversation})
    hosted, rest = hosted_tools(rest, context.caller.hosted_tools)
    chat, tools = to_chat(rest)
    request = Request.parse(Kind.CHAT, chat, request_id=context.id, via=context.via, hosted=hosted)
    stored = stored_owner(gateway, context.caller) if body.get("store") is not False else None

    def keep(response: Any, output: list[dict[str, Any]]) -> None:
        recent.put(owner, conversation, response, output)
        if stored is not None and gateway.responses is not None:
            given = body.get("input")
            new = len(given) if isinstance(given, list) else 0 if given is None else 1
            caller = context.caller
            gateway.responses.put(
                StoredResponse(
                    response["id"],
                    stored,
                    time.time(),
                    response,
                    conversation,
                    output,
                    previous=body.get("previous_response_id"),
                    new_from=len(conversation) - new,
                    source=caller.source,
                    username=caller.username,
                    display_name=caller.name or None,
                )
            )

    kept = None if body.get("store") is False else keep
    is_stored = stored is not None
    return ParsedRequest(
        request,
        lambda model: ResponsesWriter(body, model, tools, kept, stored=is_stored),
        tools.dropped,
        lambda model: NativeResponsesWriter(body, model, kept, stored=is_stored),
        house,
        house_calls(conversation),
    )


async def _recall(gateway: Gateway, context: RequestContext, raw: bytes) -> None:
    """Put the stored responses that a request refers to among the recent ones. Raises UnavailableError."""
    stored = stored_owner(gateway, context.caller)
    if stored is None or gateway.responses is None:
        return
    body, owner = parse_object(raw), owner_of(context.caller)
    for _ in range(_LOOK_UPS):
        previous, items = gateway.recent_responses.missing(owner, body)
        try:
            if previous is not None:
                found = await gateway.responses.get(stored, previous)
            elif items:
                found = await gateway.responses.find(stored, items[0])
            else:
                return
        except DatabaseError as err:
            raise UnavailableError(str(err), code="database_failed") from err
        if found is None:
            return  # the request is refused, and says what is unknown
        gateway.recent_responses.put(owner, found.asked, found.response, found.output)
