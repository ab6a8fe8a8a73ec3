"""Input items of OpenAI's Responses API → messages of a chat.

Source: OpenAI's SDK 3.52 (`response_input_item_param.py`).
"""

from collections.abc import Mapping
from typing import Any

import orjson

from ...protocol.data_urls import is_data_url
from ...protocol.values import mapping
from ..openai.client_tools import custom_arguments, namespaced
from ..reasoning import TEXT, join_reasoning, unpack
from ..turns import Part, Turns, function_call, image_part, invalid, objects, text_of, text_part, unsupported

_ROLES = ("user", "assistant", "system", "developer")
TOOL_ITEMS = ("additional_tools", "tool_search_output")
"""Items with definitions of tools."""
_LEFT_OUT = frozenset(
    {
        "code_interpreter_call", "compaction_trigger", "computer_call", "computer_call_output", "file_search_call",
        "image_generation_call", "mcp_approval_request", "mcp_approval_response", "mcp_call", "mcp_list_tools", "program",
        "program_output", "tool_search_call", "web_search_call", *TOOL_ITEMS,
    }
)  # fmt: skip
"""Traces of tools that OpenAI's servers ran, which say nothing that the answer after them does not say."""
_COMMANDS: Mapping[str, str] = {"local_shell_call": "action", "shell_call": "action", "apply_patch_call": "operation"}
"""Calls of built-in tools that the client ran: the field with their arguments."""


def add_items(turns: Turns, items: object, param: str) -> None:
    """Add the items to the conversation. Raises InvalidRequestError, which names the invalid or unsupported item."""
    reasoning: dict[str, Any] = {}  # of the next assistant message
    for where, item in objects(items, param):
        kind = item.get("type") or "message"
        match kind:
            case "message":
                _add_message(turns, item, where, reasoning)
                reasoning = {}
            case "function_call" | "custom_tool_call" | "local_shell_call" | "shell_call" | "apply_patch_call":
                turns.add_assistant([], [_call(item, kind, where)], **reasoning)
                reasoning = {}
            case "function_call_output" | "custom_tool_call_output":
                turns.add_tool_result(text_of(item, "call_id", where), _parts(item.get("output"), f"{where}.output"))
            case "local_shell_call_output" | "shell_call_output" | "apply_patch_call_output":
                turns.add_tool_result(_call_id(item, where), [text_part(_command_output(item))])
            case "reasoning":
                join_reasoning(reasoning, _reasoning(item, where))
            case str() if kind in _LEFT_OUT:
                pass
            case _:
                raise unsupported(f"{where}.type", f"is {kind!r}, which is not supported")


def tools_in(items: object) -> list[Any]:
    """The definitions of tools that items contain, besides the request's `tools`."""
    given = items if isinstance(items, list) else []
    found = [item.get("tools") for item in given if isinstance(item, Mapping) and item.get("type") in TOOL_ITEMS]
    return [tool for tools in found if isinstance(tools, list) for tool in tools]


def _call(item: Mapping[str, Any], kind: str, where: str) -> Part:
    if argument := _COMMANDS.get(kind):
        return function_call(
            _call_id(item, where), kind.removesuffix("_call"), orjson.dumps(mapping(item.get(argument))).decode()
        )
    name = namespaced(item.get("namespace"), text_of(item, "name", where))
    if kind == "custom_tool_call":
        return function_call(text_of(item, "call_id", where), name, custom_arguments(text_of(item, "input", where)))
    arguments = item.get("arguments")
    if isinstance(arguments, Mapping):
        arguments = orjson.dumps(arguments).decode()
    elif arguments is not None and not isinstance(arguments, str):
        raise invalid(f"{where}.arguments", "a text")
    return function_call(text_of(item, "call_id", where), name, arguments or "{}")


def _call_id(item: Mapping[str, Any], where: str) -> str:
    """The id of a built-in tool's call: `call_id`, else `id`, as the result of a local shell names it."""
    return text_of(item, "call_id" if item.get("call_id") is not None else "id", where)


def _command_output(item: Mapping[str, Any]) -> str:
    output = item.get("output") or item.get("status")
    return output if isinstance(output, str) else orjson.dumps(output).decode()


def _reasoning(item: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    """The reasoning of an item: what this gateway packed, else its content, else its summary."""
    if packed := unpack(item.get("encrypted_content")):
        return packed
    for name in ("content", "summary"):
        parts = objects(item.get(name) or [], f"{where}.{name}")
        if text := "\n\n".join(filter(None, (text_of(part, "text", place) for place, part in parts))):
            return {TEXT: text}
    return {}


def _add_message(turns: Turns, item: Mapping[str, Any], where: str, reasoning: Mapping[str, Any]) -> None:
    role = item.get("role")
    if role not in _ROLES:
        raise invalid(f"{where}.role", "one of " + ", ".join(_ROLES))
    parts = _parts(item.get("content"), f"{where}.content")
    if role == "assistant":
        turns.add_assistant(parts, **reasoning)
    else:
        turns.add_message("user" if role == "user" else "system", parts)


def _parts(content: object, where: str) -> list[Part]:
    if content is None:
        return []
    if isinstance(content, str):
        return [text_part(content)]
    return [_part(part, place) for place, part in objects(content, where)]


def _part(part: Mapping[str, Any], where: str) -> Part:
    match part.get("type"):
        case "input_text" | "output_text" | "text":
            return text_part(text_of(part, "text", where))
        case "refusal":
            return text_part(text_of(part, "refusal", where))
        case "input_image" if isinstance(url := part.get("image_url"), str):
            return image_part(url, part.get("detail"))
        case "input_file" if isinstance(data := part.get("file_data"), str):
            named = part.get("filename")
            data = data if is_data_url(data) else f"data:application/pdf;base64,{data}"
            name = named if isinstance(named, str) and named else "document.pdf"
            return {"type": "file", "file": {"filename": name, "file_data": data}}
        case "input_image" | "input_file":
            raise unsupported(where, "must contain the image (image_url) or the file (file_data): files are not stored")
        case "input_audio":
            return {"type": "input_audio", "input_audio": part.get("input_audio")}
        case other:
            raise unsupported(f"{where}.type", f"is {other!r}, which is not supported")
