"""Chat request → body of `POST /api/chat`.

Source: Ollama's `api/types.go` and `docs/api.md`. Parameters without a counterpart are dropped if that is harmless, and refused
if they would change the meaning of the answer. `tool_choice`, which Ollama ignores, is enforced by a schema (`_force_a_tool`).
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
from ..openai.message_forms import with_results_after_calls
from ..openai.text_completions import as_chat
from ..reasoning import text_of_reasoning

_REFUSED: Mapping[str, str] = {
    "functions": "are the old form of tools: send 'tools'",
    "function_call": "is the old form of tool_choice: send 'tool_choice'",
    "logit_bias": "is not supported by Ollama",
    "logprobs": "are not supported",
    "top_logprobs": "are not supported",
    "audio": "is not supported by Ollama",
    "web_search_options": "are not supported",
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
"""`think` by `reasoning_effort`. Models without levels treat each level as true."""


@dataclass(frozen=True, slots=True)
class UpstreamRequest:
    """A request in Ollama's format, and how to parse its answer."""

    body: dict[str, Any]
    forced_tool: bool = False
    """Whether the answer's text is a tool call as JSON: `{"name": …, "arguments": {…}}`."""
    one_call: bool = False
    """Whether tool calls after the first one are dropped."""


def translate(request: Request, images: Mapping[str, Image] | None = None) -> UpstreamRequest:
    """Translate the request, without num_ctx and keep_alive. Raises InvalidRequestError, which names the parameter."""
    body = request.body
    for param, why in _REFUSED.items():
        if body.get(param):
            raise InvalidRequestError(f"'{param}' {why}.", param=param)
    if (body.get("n") or 1) > 1:
        raise InvalidRequestError("Ollama gives one answer per request: 'n' must be 1.", param="n")
    if (body.get("modalities") or ["text"]) != ["text"]:
        raise InvalidRequestError("Ollama answers with text: 'modalities' must be [\"text\"].", param="modalities")
    result: dict[str, Any] = {
        "model": request.model,
        "messages": _messages(with_results_after_calls(body["messages"]), images or {}),
        "stream": request.stream,  # Ollama's default is true
    }
    if options := _options(body):
        result["options"] = options
    _add_format(result, body)
    _add_thinking(result, body)
    forced = _add_tools(result, body)
    return UpstreamRequest(result, forced, one_call=body.get("parallel_tool_calls") is False)


def translate_completion(request: Request) -> dict[str, Any]:
    """The body of `POST /api/generate` for a text completion. Raises InvalidRequestError, which names the parameter."""
    without_suffix = {name: value for name, value in request.body.items() if name != "suffix"}
    chat = as_chat(request.with_meta(body=without_suffix))
    result = translate(chat).body
    (message,) = result.pop("messages")
    result["prompt"] = message["content"]
    if suffix := request.body.get("suffix"):
        result["suffix"] = suffix
    if request.body.get("raw") is True:
        result["raw"] = True
    return result


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
    """Add `think`: the caller's own, else by `reasoning_effort`; otherwise the model's default applies."""
    own = body.get("think")
    effort = body.get("reasoning_effort") or mapping(body.get("reasoning")).get("effort")
    if isinstance(own, bool | str):
        result["think"] = own
    elif isinstance(effort, str) and effort in _THINK:
        result["think"] = _THINK[effort]


def _add_tools(result: dict[str, Any], body: Mapping[str, Any]) -> bool:
    """Add the tools that `tool_choice` allows; True if the model must call one."""
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
    """Restrict the answer to a tool call by a JSON schema, since Ollama has no tool_choice."""
    calls, described = [], []
    for tool in tools:
        function = tool["function"]
        schema = {"type": "object", "properties": {}} | dict(mapping(function.get("parameters")))
        properties = {"name": {"type": "string", "enum": [function["name"]]}, "arguments": schema}
        calls.append({"type": "object", "properties": properties, "required": ["name", "arguments"]})
        described.append({"name": function["name"], "description": function.get("description") or "", "parameters": schema})
    result["format"] = calls[0] if len(calls) == 1 else {"anyOf": calls}
    form = '{"name": ..., "arguments": {...}}'
    instruction = f"Answer only with a call of one of these functions, as JSON {form}:\n{orjson.dumps(described).decode()}"
    result["messages"] = [*result["messages"], {"role": "system", "content": instruction}]


def _messages(messages: Iterable[Mapping[str, Any]], images: Mapping[str, Image]) -> list[dict[str, Any]]:
    converted: list[dict[str, Any]] = []
    names: dict[str, str] = {}
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
            if reasoning := text_of_reasoning(message):
                result["thinking"] = reasoning
            if calls := _tool_calls(message.get("tool_calls"), names, where):
                result["tool_calls"] = calls
        elif role == "tool":
            call_id = message.get("tool_call_id")
            name = message.get("name")
            if isinstance(call_id, str):
                result["tool_call_id"] = call_id
                name = name or names.get(call_id)
            if isinstance(name, str) and name:
                result["tool_name"] = name
        converted.append(result)
    return converted


def _tool_calls(calls: object, names: dict[str, str], where: str) -> list[dict[str, Any]]:
    """The tool calls of an assistant message with their arguments as objects; adds each tool's name by call id to `names`."""
    converted: list[dict[str, Any]] = []
    for index, call in enumerate(calls if isinstance(calls, list) else ()):
        function = mapping(mapping(call).get("function"))
        param = f"{where}.tool_calls[{index}].function"
        name = function.get("name")
        if not isinstance(name, str) or not name:
            raise InvalidRequestError(f"{param} has no name.", param=f"{param}.name")
        given = function.get("arguments") or "{}"
        try:
            arguments = given if isinstance(given, Mapping) else json.loads(given)
        except (json.JSONDecodeError, TypeError):
            arguments = None
        if not isinstance(arguments, Mapping):
            raise InvalidRequestError(f"{param}.arguments must be a JSON object as text.", param=f"{param}.arguments")
        converted_call: dict[str, Any] = {"function": {"index": index, "name": name, "arguments": arguments}}
        if isinstance(call_id := call.get("id"), str) and call_id:
            names[call_id] = name
            converted_call["id"] = call_id
        converted.append(converted_call)
    return converted


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
                raise InvalidRequestError(f"{place}: Ollama supports only JPEG, PNG and WebP images.", param=place)
            pictures.append(image.data)
        else:
            raise InvalidRequestError(f"{place}: a part of type '{part['type']}' cannot be sent to Ollama.", param=place)
    return "\n".join(text for text in texts if text), pictures
