"""Removal of earlier answers' reasoning from requests, for servers that refuse the fields."""

from collections.abc import Set as AbstractSet

from ...protocol.request import Kind, Request
from ..reasoning import FIELDS, TEXT, text_of_reasoning

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
    """The fields with reasoning that the messages of a chat have."""
    if request.kind is not Kind.CHAT:
        return frozenset()
    return FIELDS & {name for message in request.body["messages"] for name in message}


def without_reasoning(request: Request, fields: AbstractSet[str]) -> Request:
    """A copy whose messages do not have these fields; the same request if none has."""
    if not fields & reasoning_fields(request):
        return request
    messages = [
        {name: value for name, value in message.items() if name not in fields} if fields & message.keys() else message
        for message in request.body["messages"]
    ]
    return request.with_body(messages=messages)
