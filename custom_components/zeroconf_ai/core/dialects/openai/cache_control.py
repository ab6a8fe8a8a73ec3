"""Removal of Anthropic's `cache_control` from requests, for servers that may refuse unknown fields."""

from collections.abc import Mapping
from typing import Any

from ...protocol.request import Kind, Request

FIELD = "cache_control"


def without_cache_marks(request: Request) -> Request:
    """A copy without `cache_control`. Text parts are joined if nothing else separates them, as most servers expect."""
    if request.kind is not Kind.CHAT:
        return request
    body = request.body
    changes: dict[str, Any] = {}
    messages = [_unmarked(message) for message in body["messages"]]
    if any(new is not old for new, old in zip(messages, body["messages"], strict=True)):
        changes["messages"] = messages
    tools = body.get("tools") or []
    if any(FIELD in tool for tool in tools):
        changes["tools"] = [_without(tool) for tool in tools]
    if FIELD in body:
        changes[FIELD] = None
    return request.with_body(**changes) if changes else request


def _unmarked(message: Mapping[str, Any]) -> Mapping[str, Any]:
    """The message without `cache_control`; the same object if it has none."""
    content, calls = message.get("content"), message.get("tool_calls")
    changes: dict[str, Any] = {}
    if isinstance(content, list) and any(FIELD in part for part in content):
        changes["content"] = _content(content, "" if message["role"] == "assistant" else "\n\n")
    if isinstance(calls, list) and any(isinstance(call, Mapping) and FIELD in call for call in calls):
        changes["tool_calls"] = [_without(call) if isinstance(call, Mapping) else call for call in calls]
    return _without(message) | changes if changes or FIELD in message else message


def _content(parts: list[Mapping[str, Any]], between: str) -> str | list[Mapping[str, Any]]:
    if all(part["type"] == "text" and isinstance(part.get("text"), str) for part in parts):
        return between.join(part["text"] for part in parts)
    return [_without(part) for part in parts]


def _without(marked: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in marked.items() if key != FIELD}
