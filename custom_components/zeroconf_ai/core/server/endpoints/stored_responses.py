"""`GET` and `DELETE /v1/responses/{id}`, and the items of its request: of the last minutes, or stored."""

from collections.abc import Mapping
import hashlib
from typing import Any

from aiohttp import web
import orjson

from ...accounting.conversations.conversation import Owner
from ...accounting.conversations.response_store import RecalledResponse
from ...accounting.storage.database import DatabaseError
from ...protocol.errors import InvalidRequestError, NotFoundError, UnavailableError
from ...routing.caller import Caller
from ..dispatch import RequestContext
from ..gateway import Gateway
from ..recent_responses import owner_of
from .images import owner_of as owner_of_ids

_MAX_LIMIT = 100
_DEFAULT_LIMIT = 20


def stored_owner(gateway: Gateway, caller: Caller) -> Owner | None:
    """Who owns the stored responses of a caller; None if they are not stored, as those without API key and user."""
    if gateway.responses is None or not gateway.responses.keep:
        return None
    return owner_of_ids(caller.key_id, caller.user_id)


async def get_response(gateway: Gateway, context: RequestContext) -> web.Response:
    """One response, as its client got it. Raises NotFoundError if it is unknown or another caller's."""
    response_id = context.variables["response"]
    recent = gateway.recent_responses.response(owner_of(context.caller), response_id)
    return context.json(recent if recent is not None else orjson.dumps((await _stored(gateway, context)).response))


async def delete_response(gateway: Gateway, context: RequestContext) -> web.Response:
    """Delete one response. Raises NotFoundError if it is unknown or another caller's."""
    response_id = context.variables["response"]
    deleted = gateway.recent_responses.drop(owner_of(context.caller), response_id)
    owner = stored_owner(gateway, context.caller)
    if owner is not None and gateway.responses is not None:
        try:
            deleted |= await gateway.responses.delete(owner, response_id)
        except DatabaseError as err:
            raise UnavailableError(str(err), code="database_failed") from err
    if not deleted:
        raise _unknown()
    return context.json({"id": response_id, "object": "response", "deleted": True})


async def list_input_items(gateway: Gateway, context: RequestContext) -> web.Response:
    """The items that a response answers, newest first unless `order=asc`: of its request and of the conversation before it.

    `limit` (20, at most 100), `after` (the id of an item). Raises NotFoundError, InvalidRequestError.
    """
    response_id, query = context.variables["response"], context.http.query
    order = query.get("order", "desc")
    if order not in ("asc", "desc"):
        raise InvalidRequestError("'order' must be asc or desc.", param="order")
    limit = query.get("limit", str(_DEFAULT_LIMIT))
    if not (limit.isascii() and limit.isdecimal() and len(limit) <= 3 and 1 <= int(limit) <= _MAX_LIMIT):
        raise InvalidRequestError(f"'limit' must be a whole number from 1 to {_MAX_LIMIT}.", param="limit")
    asked = gateway.recent_responses.asked(owner_of(context.caller), response_id)
    if asked is None:
        asked = (await _stored(gateway, context)).asked
    items = [_listed(response_id, index, item) for index, item in enumerate(asked) if isinstance(item, Mapping)]
    if order == "desc":
        items.reverse()
    if (after := query.get("after")) is not None:
        place = next((place for place, item in enumerate(items) if item["id"] == after), None)
        if place is None:
            raise InvalidRequestError("'after' must be the id of an item of this list.", param="after")
        items = items[place + 1 :]
    shown = items[: int(limit)]
    return context.json(
        {
            "object": "list",
            "data": shown,
            "first_id": shown[0]["id"] if shown else None,
            "last_id": shown[-1]["id"] if shown else None,
            "has_more": len(items) > len(shown),
        }
    )


def _listed(response_id: str, index: int, item: Mapping[str, Any]) -> dict[str, Any]:
    """An item as OpenAI lists it: with id, type and parts, which requests may leave out."""
    kind = item.get("type") or "message"
    listed = {**item, "type": kind}
    if not isinstance(item.get("id"), str):
        made = hashlib.sha256(f"{response_id}/{index}".encode(errors="replace")).hexdigest()[:32]
        listed["id"] = f"{'msg' if kind == 'message' else 'item'}_{made}"
    if kind == "message" and isinstance(text := item.get("content"), str):
        is_answer = item.get("role") == "assistant"
        part = {"type": "output_text", "text": text, "annotations": []} if is_answer else {"type": "input_text", "text": text}
        listed["content"] = [part]
    if kind == "message":
        listed.setdefault("status", "completed")
    return listed


async def _stored(gateway: Gateway, context: RequestContext) -> RecalledResponse:
    """The stored response. Raises NotFoundError if it is unknown or another caller's."""
    owner = stored_owner(gateway, context.caller)
    if owner is None or gateway.responses is None:
        raise _unknown()
    try:
        found = await gateway.responses.get(owner, context.variables["response"])
    except DatabaseError as err:
        raise UnavailableError(str(err), code="database_failed") from err
    if found is None:
        raise _unknown()
    return found


def _unknown() -> NotFoundError:
    return NotFoundError("There is no such response, or it is not kept any more.", code="response_not_found", param="response_id")
