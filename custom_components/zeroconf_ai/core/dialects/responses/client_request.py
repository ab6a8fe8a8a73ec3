"""Request of OpenAI's Responses API → body of a chat completion.

Source: OpenAI's SDK 3.52 (`response_create_params.py`, `response_input_item_param.py`). Responses are not stored, so `store` has
no effect, and parameters that need storage are refused. Parameters that do not change the meaning of the answer (metadata, cache
keys, service tiers, `include`) are dropped.
"""

from collections.abc import Mapping
from typing import Any

from ...protocol.data_urls import is_data_url
from ...protocol.request import LIMIT, is_limit
from ...protocol.values import mapping
from ..reasoning import TEXT, join_reasoning, unpack
from ..turns import Part, Turns, function_call, function_tool, image_part, invalid, objects, text_of, text_part, unsupported

_PASSED = ("model", "temperature", "top_p", "stream", "parallel_tool_calls")
_REFUSED: Mapping[str, str] = {
    "previous_response_id": "is not supported: responses are not stored; send the whole conversation in 'input'",
    "conversation": "is not supported: conversations are not stored; send the whole conversation in 'input'",
    "prompt": "is not supported: prompt templates are not stored; send 'instructions' and 'input'",
    "background": "is not supported: request a stream, or wait for the answer",
}
_ROLES = ("user", "assistant", "system", "developer")


def to_chat(request: Mapping[str, Any]) -> dict[str, Any]:
    """Translate the request. Raises InvalidRequestError, which names the invalid or unsupported parameter."""
    for param, why in _REFUSED.items():
        if request.get(param):
            raise unsupported(param, why)
    chat = {name: request[name] for name in _PASSED if request.get(name) is not None}
    if (most := request.get("max_output_tokens")) is not None:
        if not is_limit(most):
            raise invalid("max_output_tokens", LIMIT)
        chat["max_tokens"] = most
    turns = Turns()
    if request.get("instructions"):
        turns.add_message("system", [text_part(text_of(request, "instructions", ""))])
    if isinstance(given := request.get("input"), str):
        turns.add_message("user", [text_part(given)])
    else:
        _add_items(turns, given, "input")
    chat["messages"] = turns.messages()
    if not chat["messages"]:
        raise invalid("input", "a text, or a list with at least one message")
    _add_tools(chat, request)
    _add_text(chat, mapping(request.get("text")))
    if effort := mapping(request.get("reasoning")).get("effort"):
        chat["reasoning_effort"] = effort
    return chat


def _add_items(turns: Turns, items: object, param: str) -> None:
    reasoning: dict[str, Any] = {}  # of the next assistant message
    for where, item in objects(items, param):
        match item.get("type", "message"):
            case "message":
                _add_message(turns, item, where, reasoning)
                reasoning = {}
            case "function_call":
                name, call_id = text_of(item, "name", where), text_of(item, "call_id", where)
                turns.add_assistant([], [function_call(call_id, name, text_of(item, "arguments", where))], **reasoning)
                reasoning = {}
            case "function_call_output":
                turns.add_tool_result(text_of(item, "call_id", where), _parts(item.get("output"), f"{where}.output"))
            case "reasoning":
                join_reasoning(reasoning, _reasoning(item, where))
            case other:
                raise unsupported(f"{where}.type", f"is {other!r}, which is not supported")


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


def _add_tools(chat: dict[str, Any], request: Mapping[str, Any]) -> None:
    tools = []
    for where, tool in objects(request.get("tools") or [], "tools"):
        if tool.get("type") != "function":
            raise unsupported(f"{where}.type", f"is {tool.get('type')!r}, which is not supported: only functions are")
        tools.append(function_tool(text_of(tool, "name", where), tool, tool.get("parameters")))
    choice = request.get("tool_choice")
    if not tools:
        chat.pop("parallel_tool_calls", None)  # OpenAI refuses it without tools
        return
    chat["tools"] = tools
    if isinstance(choice, Mapping):
        if choice.get("type") != "function":
            raise unsupported("tool_choice.type", f"is {choice.get('type')!r}, which is not supported: only functions are")
        chat["tool_choice"] = {"type": "function", "function": {"name": text_of(choice, "name", "tool_choice")}}
    elif choice not in (None, "auto", "none", "required"):
        raise invalid("tool_choice", "auto, none, required or a function")
    elif choice is not None:
        chat["tool_choice"] = choice


def _add_text(chat: dict[str, Any], text: Mapping[str, Any]) -> None:
    if (verbosity := text.get("verbosity")) is not None:
        chat["verbosity"] = verbosity
    wanted = mapping(text.get("format"))
    match wanted.get("type"):
        case None | "text":
            pass
        case "json_object":
            chat["response_format"] = {"type": "json_object"}
        case "json_schema":
            if not isinstance(wanted.get("schema"), Mapping):
                raise invalid("text.format.schema", "an object")
            named = ("name", "description", "schema", "strict")
            described = {name: wanted[name] for name in named if wanted.get(name) is not None}
            chat["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", **described}}
        case _:
            raise invalid("text.format.type", "text, json_object or json_schema")
