"""Ollama's `/api/chat` and `/api/generate` → chat completions.

Source: Ollama's `docs/api.md`, `api/types.go`. Answers are streamed by default; tool calls may have no ids; images are base64
without a data URL. Options of the machine that runs the model (`num_ctx`, `num_gpu`, …) are ignored: the backend decides.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from ...protocol.data_urls import is_data_url
from ..turns import Part, Turns, function_call, image_part, invalid, objects, text_of, text_part, unsupported

_OPTIONS: Mapping[str, str] = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "min_p": "min_p",
    "seed": "seed",
    "stop": "stop",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
    "repeat_penalty": "repeat_penalty",
}
_LEVELS = ("low", "medium", "high", "max")


def chat_to_chat(request: Mapping[str, Any]) -> dict[str, Any]:
    """Translate a request of `/api/chat`. Raises InvalidRequestError, which names the invalid parameter."""
    turns = Turns()
    pending: list[tuple[str, str]] = []
    calls = 0
    for where, message in objects(request.get("messages"), "messages"):
        role = message.get("role")
        text = text_of(message, "content", where) if message.get("content") is not None else ""
        parts = [*([text_part(text)] if text else []), *_images(message, where)]
        if role in ("system", "user"):
            turns.add_message(role, parts or [text_part("")])
        elif role == "assistant":
            made = _calls(message, where, calls)
            calls += len(made)
            pending += [(call["id"], call["function"]["name"]) for call in made]
            thinking = message.get("thinking")
            fields = {"reasoning_content": thinking} if isinstance(thinking, str) and thinking else {}
            turns.add_assistant(parts, made, **fields)
        elif role == "tool":
            turns.add_tool_result(_answered(message, pending, where), parts or [text_part("")])
        else:
            raise invalid(f"{where}.role", "system, user, assistant or tool")
    chat = _common(request) | {"messages": turns.messages()}
    if tools := request.get("tools"):
        chat["tools"] = tools
    return chat


def generate_to_chat(request: Mapping[str, Any]) -> dict[str, Any]:
    """Translate a request of `/api/generate` to a chat. Raises InvalidRequestError, which names the invalid parameter."""
    for param in ("suffix", "raw"):
        if request.get(param):
            raise unsupported(param, "is not supported: the prompt is sent as a chat message")
    turns = Turns()
    if request.get("system"):
        turns.add_message("system", [text_part(text_of(request, "system", ""))])
    turns.add_message("user", [text_part(text_of(request, "prompt", "")), *_images(request, "")])
    return _common(request) | {"messages": turns.messages()}


def wants_reasoning(request: Mapping[str, Any]) -> bool:
    """Whether the answer is to include reasoning."""
    return request.get("think") is not False


def _common(request: Mapping[str, Any]) -> dict[str, Any]:
    stream = request.get("stream")
    chat: dict[str, Any] = {"model": request.get("model"), "stream": True if stream is None else stream}
    options = request.get("options") or {}
    if not isinstance(options, Mapping):
        raise invalid("options", "an object")
    chat |= {param: options[name] for name, param in _OPTIONS.items() if options.get(name) is not None}
    limit = options.get("num_predict")
    if isinstance(limit, int) and limit > 0:  # other values mean no limit
        chat["max_tokens"] = limit
    if (keep_alive := request.get("keep_alive")) is not None:
        chat["keep_alive"] = keep_alive
    _add_format(chat, request.get("format"))
    _add_thinking(chat, request.get("think"))
    return chat


def _add_format(chat: dict[str, Any], wanted: object) -> None:
    if not wanted:
        return
    if wanted == "json":
        chat["response_format"] = {"type": "json_object"}
    elif isinstance(wanted, Mapping):
        chat["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", "schema": wanted}}
    else:
        raise invalid("format", "json, or a JSON schema")


def _add_thinking(chat: dict[str, Any], think: object) -> None:
    """Add `think` for Ollama and `reasoning_effort` for all others.

    `think: false` sets no effort, because models without reasoning refuse the parameter.
    """
    if think is None:
        return
    if not (isinstance(think, bool) or think in _LEVELS):
        raise invalid("think", "true, false, low, medium, high or max")
    chat["think"] = think
    if think is not False:
        chat["reasoning_effort"] = "medium" if think is True else "high" if think == "max" else think


def _images(holder: Mapping[str, Any], where: str) -> list[Part]:
    images = holder.get("images") or []
    param = f"{where}.images" if where else "images"
    if not isinstance(images, list) or not all(isinstance(image, str) and image for image in images):
        raise invalid(param, "a list of images as base64")
    return [image_part(_data_url(image)) for image in images]


def _data_url(image: str) -> str:
    return image if is_data_url(image) else f"data:image/jpeg;base64,{image}"  # the type is corrected by the content


def _calls(message: Mapping[str, Any], where: str, count: int) -> list[Part]:
    """The tool calls of an assistant message; those without an id get one from their number in the chat."""
    made: list[Part] = []
    listed = message.get("tool_calls") or []
    for place, call in objects(listed, f"{where}.tool_calls"):
        function = call.get("function")
        if not isinstance(function, Mapping):
            raise invalid(f"{place}.function", "an object with name and arguments")
        given = call.get("id")
        call_id = given if isinstance(given, str) and given else f"call_{count + len(made)}"
        arguments = function.get("arguments")
        text = arguments if isinstance(arguments, str) else orjson.dumps(arguments or {}).decode()
        made.append(function_call(call_id, text_of(function, "name", f"{place}.function"), text))
    return made


def _answered(message: Mapping[str, Any], pending: list[tuple[str, str]], where: str) -> str:
    """The id of the call that a tool message answers: by id, else the first pending one by name, else the first pending one."""
    given = message.get("tool_call_id")
    name = message.get("tool_name") or message.get("name")
    for wanted in (lambda call: call[0] == given, lambda call: call[1] == name, lambda _: not given and not name):
        found = next((call for call in pending if wanted(call)), None)
        if found is not None:
            pending.remove(found)
            return found[0]
    raise invalid(where, "the result of a tool that was called before")
