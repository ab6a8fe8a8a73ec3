"""A client's chat completion in the internal format: its tools as functions.

Accepts what clients send in the wild: hosted and custom tools, and tools in the form of OpenAI's Responses (Cursor).
"""

from collections.abc import Mapping
from typing import Any

from ...protocol.values import mapping
from ..turns import function_call
from .client_tools import ClientTools, client_tools, custom_arguments


def to_chat(request: Mapping[str, Any]) -> tuple[Mapping[str, Any], ClientTools]:
    """The body and its tools. Raises InvalidRequestError, which names the invalid or unsupported parameter."""
    changes: dict[str, Any] = {}
    given, choice = request.get("tools"), request.get("tool_choice")
    tools = ClientTools()
    if isinstance(given, list) and given:
        tools = client_tools(given, choice)
        changes = {"tools": tools.functions, "tool_choice": tools.choice}
    messages = request.get("messages")
    if isinstance(messages, list) and any(map(_has_custom_call, messages)):
        changes["messages"] = [_converted(message) if _has_custom_call(message) else message for message in messages]
    return ({**request, **changes} if changes else request), tools


def _has_custom_call(message: object) -> bool:
    calls = message.get("tool_calls") if isinstance(message, dict) else None
    return isinstance(calls, list) and any(mapping(call).get("type") == "custom" for call in calls)


def _converted(message: Mapping[str, Any]) -> dict[str, Any]:
    """An assistant message with its calls of custom tools as calls of functions."""
    return {**message, "tool_calls": [_converted_call(mapping(call)) for call in message["tool_calls"]]}


def _converted_call(call: Mapping[str, Any]) -> Mapping[str, Any]:
    custom = mapping(call.get("custom"))
    name, text, call_id = custom.get("name"), custom.get("input"), call.get("id")
    if call.get("type") != "custom" or not (isinstance(name, str) and isinstance(text, str) and isinstance(call_id, str)):
        return call
    return function_call(call_id, name, custom_arguments(text))
