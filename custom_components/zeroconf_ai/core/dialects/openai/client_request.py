"""A client's chat completion in the internal format: its tools as functions, its content as parts of chat completions.

Accepts what clients send in the wild: hosted and custom tools, and tools and parts in the form of OpenAI's Responses (Cursor).
"""

from collections.abc import Mapping
from typing import Any

from ...protocol.values import mapping
from ..turns import function_call, image_part, text_part
from .client_tools import ClientTools, client_tools, custom_arguments

_PARTS = ("input_text", "output_text", "input_image", "input_file")
"""Types of parts of Responses."""


def to_chat(request: Mapping[str, Any]) -> tuple[Mapping[str, Any], ClientTools]:
    """The body and its tools. Raises InvalidRequestError, which names the invalid or unsupported parameter."""
    changes: dict[str, Any] = {}
    given, choice = request.get("tools"), request.get("tool_choice")
    tools = ClientTools()
    if isinstance(given, list) and given:
        tools = client_tools(given, choice)
        changes = {"tools": tools.functions, "tool_choice": tools.choice}
    messages = request.get("messages")
    if isinstance(messages, list) and any(map(_is_foreign, messages)):
        changes["messages"] = [_converted(message) if _is_foreign(message) else message for message in messages]
    return ({**request, **changes} if changes else request), tools


def _is_foreign(message: object) -> bool:
    """Whether a message has calls of custom tools, or parts in the form of Responses."""
    if not isinstance(message, dict):
        return False
    calls, content = message.get("tool_calls"), message.get("content")
    return (isinstance(calls, list) and any(mapping(call).get("type") == "custom" for call in calls)) or (
        isinstance(content, list) and any(mapping(part).get("type") in _PARTS for part in content)
    )


def _converted(message: Mapping[str, Any]) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if isinstance(calls := message.get("tool_calls"), list):
        changes["tool_calls"] = [_converted_call(mapping(call)) for call in calls]
    if isinstance(content := message.get("content"), list):
        changes["content"] = [_converted_part(part) for part in content]
    return {**message, **changes}


def _converted_part(part: Any) -> Any:
    """A part in the form of chat completions; one with unexpected fields is left to the validation."""
    kind = mapping(part).get("type")
    if kind in ("input_text", "output_text") and isinstance(text := part.get("text"), str):
        return text_part(text)
    if kind == "input_image" and isinstance(url := part.get("image_url"), str):
        return image_part(url, part.get("detail"))
    if kind == "input_file" and isinstance(data := part.get("file_data"), str):
        return {"type": "file", "file": {"filename": part.get("filename") or "document.pdf", "file_data": data}}
    return part


def _converted_call(call: Mapping[str, Any]) -> Mapping[str, Any]:
    custom = mapping(call.get("custom"))
    name, text, call_id = custom.get("name"), custom.get("input"), call.get("id")
    if call.get("type") != "custom" or not (isinstance(name, str) and isinstance(text, str) and isinstance(call_id, str)):
        return call
    return function_call(call_id, name, custom_arguments(text))
