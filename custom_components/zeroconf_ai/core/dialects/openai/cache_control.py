"""Removal of `cache_control` and `anthropic`, which only Anthropic's API knows, for servers that may refuse unknown fields."""

from collections.abc import Mapping
from typing import Any

from ...protocol.request import Kind, Request
from ..extras import NAME as EXTRAS

FIELD = "cache_control"
_BOTH = frozenset({FIELD, EXTRAS})


def without_cache_marks(request: Request) -> Request:
    """A copy without both fields. Text parts are joined if nothing else separates them, as most servers expect."""
    return _without_fields(request, _BOTH)


def without_extras(request: Request) -> Request:
    """A copy without `anthropic`, for servers that accept `cache_control`."""
    return _without_fields(request, frozenset({EXTRAS}))


def _without_fields(request: Request, fields: frozenset[str]) -> Request:
    if request.kind is not Kind.CHAT:
        return request
    body = request.body
    changes: dict[str, Any] = {}
    messages = [_unmarked(message, fields) for message in body["messages"]]
    if any(new is not old for new, old in zip(messages, body["messages"], strict=True)):
        changes["messages"] = messages
    tools = body.get("tools") or []
    if any(fields & tool.keys() for tool in tools):
        changes["tools"] = [_without(tool, fields) for tool in tools]
    changes |= dict.fromkeys(fields & body.keys())
    return request.with_body(**changes) if changes else request


def _unmarked(message: Mapping[str, Any], fields: frozenset[str]) -> Mapping[str, Any]:
    """The message without the fields; the same object if it has none of them."""
    content, calls = message.get("content"), message.get("tool_calls")
    changes: dict[str, Any] = {}
    if isinstance(content, list) and any(fields & part.keys() for part in content):
        changes["content"] = _content(content, fields, "" if message["role"] == "assistant" else "\n\n")
    if isinstance(calls, list) and any(isinstance(call, Mapping) and fields & call.keys() for call in calls):
        changes["tool_calls"] = [_without(call, fields) if isinstance(call, Mapping) else call for call in calls]
    return _without(message, fields) | changes if changes or fields & message.keys() else message


def _content(parts: list[Mapping[str, Any]], fields: frozenset[str], between: str) -> str | list[Mapping[str, Any]]:
    kept = _BOTH - fields
    if all(part["type"] == "text" and isinstance(part.get("text"), str) and not kept & part.keys() for part in parts):
        return between.join(part["text"] for part in parts)
    return [_without(part, fields) for part in parts]


def _without(marked: Mapping[str, Any], fields: frozenset[str]) -> dict[str, Any]:
    return {key: value for key, value in marked.items() if key not in fields}
