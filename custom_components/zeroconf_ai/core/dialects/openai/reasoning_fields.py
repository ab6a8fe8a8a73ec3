"""Removal of earlier answers' reasoning from requests, for servers that refuse the fields."""

from collections.abc import Mapping, Set as AbstractSet
from typing import Any

from ...protocol.request import Kind, Request
from ..reasoning import CALL_FIELD, FIELDS, TEXT, text_of_reasoning

_NAMES = frozenset({TEXT, "reasoning"})


def with_both_names(request: Request) -> Request:
    """A copy whose messages have their reasoning under both names in use: servers read one, not always the one that they send."""
    if request.kind is not Kind.CHAT or not _NAMES & reasoning_fields(request):
        return request
    messages = [
        {**message, **dict.fromkeys(_NAMES, text)} if (text := text_of_reasoning(message)) else message
        for message in request.body["messages"]
    ]
    return request.with_body(messages=messages)


def reasoning_fields(request: Request) -> frozenset[str]:
    """The fields with reasoning that the messages of a chat and their tool calls have."""
    if request.kind is not Kind.CHAT:
        return frozenset()
    messages = request.body["messages"]
    found = FIELDS & {name for message in messages for name in message}
    return found | {CALL_FIELD} if any(CALL_FIELD in call for message in messages for call in _calls(message)) else found


def without_reasoning(request: Request, fields: AbstractSet[str]) -> Request:
    """A copy whose messages and tool calls do not have these fields; the same request if none has."""
    if not fields & reasoning_fields(request):
        return request
    messages = [
        {name: value for name, value in message.items() if name not in fields} if fields & message.keys() else message
        for message in request.body["messages"]
    ]
    if CALL_FIELD in fields:
        messages = [_without_call_field(message) for message in messages]
    return request.with_body(messages=messages)


def _calls(message: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    calls = message.get("tool_calls")
    return [call for call in calls if isinstance(call, Mapping)] if isinstance(calls, list) else []


def _without_call_field(message: Mapping[str, Any]) -> Mapping[str, Any]:
    calls = _calls(message)
    if not any(CALL_FIELD in call for call in calls):
        return message
    return {**message, "tool_calls": [{name: value for name, value in call.items() if name != CALL_FIELD} for call in calls]}
