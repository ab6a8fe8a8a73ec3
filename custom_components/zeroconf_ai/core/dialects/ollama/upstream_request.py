"""One chat request → the body of `POST /api/chat`.

Rules: Ollama's `api/types.go` and `docs/api.md`. What has no counterpart is dropped where that is harmless, and refused by its
name where it would change what the answer means. `tool_choice`, which Ollama ignores, is kept by other means (`_force_a_tool`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from ...protocol import json
from ...protocol.errors import InvalidRequestError
from ...protocol.request import Request
from ...protocol.values import mapping
from ..images import Image, image_from_data_url, image_url

_REFUSED: Mapping[str, str] = {
    "functions": "are the old form of tools: send 'tools'",
    "function_call": "is the old form of tool_choice: send 'tool_choice'",
    "logit_bias": "is not offered by Ollama",
    "logprobs": "are not offered here",
    "top_logprobs": "are not offered here",
    "audio": "is not offered by Ollama",
    "web_search_options": "are not offered here",
}

_OPTIONS: Mapping[str, str] = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "min_p": "min_p",
    "seed": "seed",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
    "repetition_penalty": "repeat_penalty",
    "repeat_penalty": "repeat_penalty",
}

_THINK: Mapping[str, bool | str] = {
    "none": False,
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "high",
    "ultra": "high",
    "max": "high",
}
"""By `reasoning_effort`. Models without levels take each of them for yes."""


@dataclass(frozen=True, slots=True)
class UpstreamRequest:
    """A request in Ollama's words, and how its answer is to be read."""

    body: dict[str, Any]
    forced_tool: bool = False
    """The answer's text is a tool call as JSON: `{"name": …, "arguments": {…}}`."""
    one_call: bool = False
    """Only the first of several tool calls counts."""


def translate(request: Request, images: Mapping[str, Image] | None = None) -> UpstreamRequest:
    """The body, without num_ctx and keep_alive. Raises InvalidRequestError naming the parameter that cannot be followed."""
    body = request.body
    for param, why in _REFUSED.items():
        if body.get(param):
            raise InvalidRequestError(f"'{param}' {why}.", param=param)
    if (body.get("n") or 1) > 1:
        raise InvalidRequestError("Ollama gives one answer to one request: 'n' must be 1.", param="n")
    if (body.get("modalities") or ["text"]) != ["text"]:
        raise InvalidRequestError("Ollama answers in text: 'modalities' must be [\"text\"].", param="modalities")
    result: dict[str, Any] = {
        "model": request.model,
        "messages": _messages(body["messages"], images or {}),
        "stream": request.stream,  # Ollama streams unless it is told not to
    }
    if options := _options(body):
        result["options"] = options
    _add_format(result, body)
    _add_thinking(result, body)
    forced = _add_tools(result, body)
    return UpstreamRequest(result, forced, one_call=body.get("parallel_tool_calls") is False)


def _options(body: Mapping[str, Any]) -> dict[str, Any]:
    options = dict(mapping(body.get("options")))
    options |= {name: body[param] for param, name in _OPTIONS.items() if body.get(param) is not None}
    if limit := body.get("max_completion_tokens") or body.get("max_tokens"):
        options["num_predict"] = limit
    stop = body.get("stop")
    if sequences := [item for item in (stop if isinstance(stop, list) else [stop]) if isinstance(item, str) and item]:
        options["stop"] = sequences
    return options


def _add_format(result: dict[str, Any], body: Mapping[str, Any]) -> None:
    wanted = mapping(body.get("response_format"))
    kind = wanted.get("type", "text")
    if kind == "json_object":
        result["format"] = "json"
    elif kind == "json_schema":
        schema = mapping(wanted.get("json_schema")).get("schema")
        if not isinstance(schema, Mapping):
            raise InvalidRequestError("'response_format' has no json_schema.schema.", param="response_format")
        result["format"] = schema
    elif kind != "text":
        raise InvalidRequestError(
            "Invalid value for 'response_format': its type must be text, json_object or json_schema.", param="response_format"
        )


def _add_thinking(result: dict[str, Any], body: Mapping[str, Any]) -> None:
    """Ollama's own `think` where the caller speaks it, else by `reasoning_effort`; else the model's own way."""
    own = body.get("think")
    effort = body.get("reasoning_effort") or mapping(body.get("reasoning")).get("effort")
    if isinstance(own, bool | str):
        result["think"] = own
    elif isinstance(effort, str) and effort in _THINK:
        result["think"] = _THINK[effort]


def _add_tools(result: dict[str, Any], body: Mapping[str, Any]) -> bool:
    """Add the tools as far as `tool_choice` lets the model see them; True where it must call one."""
    tools = body.get("tools") or []
    choice = body.get("tool_choice")
    if not tools or choice == "none":
        return False
    for index, tool in enumerate(tools):
        name = mapping(tool.get("function")).get("name")
        if tool.get("type", "function") != "function" or not isinstance(name, str) or not name:
            raise InvalidRequestError(f"tools[{index}] must be a function with a name.", param=f"tools[{index}]")
    if choice is None or choice == "auto":
        result["tools"] = tools
        return False
    if choice == "required":
        _force_a_tool(result, tools)
        return True
    wanted = mapping(mapping(choice).get("function")).get("name")
    chosen = [tool for tool in tools if tool["function"]["name"] == wanted]
    if not chosen:
        raise InvalidRequestError(
            "Invalid value for 'tool_choice': it must be auto, none, required or one of the tools.", param="tool_choice"
        )
    _force_a_tool(result, chosen)
    return True


def _force_a_tool(result: dict[str, Any], tools: Iterable[Mapping[str, Any]]) -> None:
    """Let the model write nothing but a call: Ollama knows no tool_choice, but holds a model to a JSON schema."""
    calls, told = [], []
    for tool in tools:
        function = tool["function"]
        schema = {"type": "object", "properties": {}} | dict(mapping(function.get("parameters")))
        properties = {"name": {"type": "string", "enum": [function["name"]]}, "arguments": schema}
        calls.append({"type": "object", "properties": properties, "required": ["name", "arguments"]})
        told.append({"name": function["name"], "description": function.get("description") or "", "parameters": schema})
    result["format"] = calls[0] if len(calls) == 1 else {"anyOf": calls}
    form = '{"name": ..., "arguments": {...}}'
    instruction = f"Answer only with a call of one of these functions, as JSON {form}:\n{orjson.dumps(told).decode()}"
    result["messages"] = [*result["messages"], {"role": "system", "content": instruction}]


def _messages(messages: Iterable[Mapping[str, Any]], images: Mapping[str, Image]) -> list[dict[str, Any]]:
    turned: list[dict[str, Any]] = []
    names: dict[object, str] = {}
    for index, message in enumerate(messages):
        where = f"messages[{index}]"
        role = message["role"]
        if role == "function":
            raise InvalidRequestError(f"{where}: 'function' messages are not supported, use tools.", param=f"{where}.role")
        text, pictures = _content(message.get("content"), images, f"{where}.content")
        result: dict[str, Any] = {"role": "system" if role == "developer" else role, "content": text}
        if pictures:
            result["images"] = pictures
        if role == "assistant":
            thought = message.get("reasoning_content") or message.get("reasoning")
            if isinstance(thought, str) and thought:
                result["thinking"] = thought
            if calls := _tool_calls(message.get("tool_calls"), names, where):
                result["tool_calls"] = calls
        elif role == "tool":
            call_id = message.get("tool_call_id")
            if isinstance(call_id, str):
                result["tool_call_id"] = call_id
            name = message.get("name") or names.get(call_id)
            if isinstance(name, str) and name:
                result["tool_name"] = name
        turned.append(result)
    return turned


def _tool_calls(calls: object, names: dict[object, str], where: str) -> list[dict[str, Any]]:
    """An assistant's calls with their arguments as objects; `names` takes down who is meant by each id."""
    turned: list[dict[str, Any]] = []
    for index, call in enumerate(calls if isinstance(calls, list) else ()):
        function = mapping(mapping(call).get("function"))
        param = f"{where}.tool_calls[{index}].function"
        name = function.get("name")
        if not isinstance(name, str) or not name:
            raise InvalidRequestError(f"{param} has no name.", param=f"{param}.name")
        given = function.get("arguments") or "{}"
        try:
            arguments = given if isinstance(given, Mapping) else json.loads(given)
        except json.JSONDecodeError, TypeError:
            arguments = None
        if not isinstance(arguments, Mapping):
            raise InvalidRequestError(f"{param}.arguments must be a JSON object as text.", param=f"{param}.arguments")
        turned_call: dict[str, Any] = {"function": {"index": index, "name": name, "arguments": arguments}}
        if isinstance(call_id := call.get("id"), str) and call_id:
            names[call_id] = name
            turned_call["id"] = call_id
        turned.append(turned_call)
    return turned


def _content(content: object, images: Mapping[str, Image], where: str) -> tuple[str, list[str]]:
    """(text, images as base64)."""
    if isinstance(content, str):
        return content, []
    texts: list[str] = []
    pictures: list[str] = []
    for position, part in enumerate(content if isinstance(content, list) else ()):
        place = f"{where}[{position}]"
        if part["type"] in ("text", "refusal"):
            texts.append(str(part.get("text") or part.get("refusal") or ""))
        elif part["type"] == "image_url":
            url = image_url(part, place)
            image = images.get(url) or image_from_data_url(url, place)
            if image.media_type == "image/gif":
                raise InvalidRequestError(f"{place}: Ollama reads JPEG, PNG and WebP images.", param=place)
            pictures.append(image.data)
        else:
            raise InvalidRequestError(f"{place}: a part of type '{part['type']}' cannot be sent to Ollama.", param=place)
    return "\n".join(text for text in texts if text), pictures
