"""Ollama's `/api/chat` and `/api/generate` → chat or text completions; `/api/embed` and `/api/embeddings` → embeddings.

Source: Ollama's `docs/api.md`, `api/types.go`. Answers are streamed by default; tool calls may have no ids; images are base64
without a data URL. Options of the machine that runs the model (`num_ctx`, `num_gpu`, …) are ignored: the backend decides.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from ...protocol.data_urls import is_data_url
from ...protocol.values import finite_number
from ..turns import Part, Turns, image_part, invalid, objects, text_of, text_part, unsupported
from .generate_context import read_context
from .keep_alive import parse_keep_alive
from .open_calls import OpenCalls

_NUMBERS = ("temperature", "top_p", "top_k", "min_p", "seed", "presence_penalty", "frequency_penalty", "repeat_penalty")
_WHOLE = frozenset({"top_k", "seed", "num_predict"})
_LEVELS = ("low", "medium", "high", "max")
_THINK_WORDS = {"": None, "true": True, "false": False, "none": False, "minimal": "low", **{level: level for level in _LEVELS}}


def chat_to_chat(request: Mapping[str, Any]) -> dict[str, Any]:
    """Translate a request of `/api/chat`. Raises InvalidRequestError, which names the invalid parameter."""
    turns = Turns()
    calls = OpenCalls()
    for where, message in objects(request.get("messages"), "messages"):
        role = message.get("role")
        text = text_of(message, "content", where) if message.get("content") is not None else ""
        parts = [*([text_part(text)] if text else []), *_images(message, where)]
        if role in ("system", "developer", "user"):
            calls.abandon(turns)
            turns.add_message("user" if role == "user" else "system", parts or [text_part("")])
        elif role == "assistant":
            thinking = message.get("thinking")
            fields = {"reasoning_content": thinking} if isinstance(thinking, str) and thinking else {}
            turns.add_assistant(parts, calls.made(message, where, turns), **fields)
        elif role == "tool":
            calls.answer(message, parts or [text_part("")], turns)
        else:
            raise invalid(f"{where}.role", "system, user, assistant or tool")
    calls.finish(turns)
    chat = _common(request) | {"messages": turns.messages()}
    if tools := request.get("tools"):
        chat["tools"] = tools
    return chat


def generate_to_chat(request: Mapping[str, Any]) -> dict[str, Any]:
    """Translate a request of `/api/generate` to a chat, which continues that of its `context`.

    A `template` is ignored: the backend applies the model's own. Raises InvalidRequestError, which names the invalid parameter.
    """
    turns = Turns()
    earlier = read_context(request.get("context"))
    if request.get("system"):
        earlier = [message for message in earlier if message["role"] != "system"]
        turns.add_message("system", [text_part(text_of(request, "system", ""))])
    for message in earlier:
        add = turns.add_assistant if message["role"] == "assistant" else partial(turns.add_message, message["role"])
        add([text_part(message["content"])])
    turns.add_message("user", [text_part(text_of(request, "prompt", "")), *_images(request, "")])
    return _common(request) | {"messages": turns.messages()}


def is_completion(request: Mapping[str, Any]) -> bool:
    """Whether a request of `/api/generate` is for a text completion: with text after the gap, or without a template (`raw`)."""
    return bool(request.get("suffix")) or request.get("raw") is True


def generate_to_completion(request: Mapping[str, Any]) -> dict[str, Any]:
    """Translate a request of `/api/generate` to a text completion. Raises InvalidRequestError for the invalid parameter."""
    if request.get("images"):
        raise unsupported("images", "cannot be sent with 'raw' or 'suffix'")
    completion = _common(request) | {"prompt": text_of(request, "prompt", "")}
    if request.get("suffix"):
        completion["suffix"] = text_of(request, "suffix", "")
    if request.get("raw") is True:
        completion["raw"] = True
    return completion


def embed_to_embeddings(request: Mapping[str, Any], param: str) -> dict[str, Any]:
    """Translate a request of `/api/embed` (`param` is `input`) or `/api/embeddings` (`prompt`).

    Raises InvalidRequestError, which names the invalid parameter.
    """
    texts = request.get(param)
    if not (isinstance(texts, str) or (isinstance(texts, list) and all(isinstance(text, str) for text in texts))):
        raise invalid(param, "a text or a list of texts")
    body: dict[str, Any] = {"model": request.get("model"), "input": texts}
    if (dimensions := request.get("dimensions")) is not None:
        if not isinstance(dimensions, int) or isinstance(dimensions, bool) or dimensions < 1:
            raise invalid("dimensions", "a whole number of at least 1")
        body["dimensions"] = dimensions
    if (keep_alive := parse_keep_alive(request.get("keep_alive"))) is not None:
        body["keep_alive"] = keep_alive
    return body


def wants_reasoning(request: Mapping[str, Any]) -> bool:
    """Whether the answer is to include reasoning."""
    return request.get("think") is not False


def _common(request: Mapping[str, Any]) -> dict[str, Any]:
    stream = request.get("stream")
    chat: dict[str, Any] = {"model": request.get("model"), "stream": True if stream is None else stream}
    options = request.get("options") or {}
    if not isinstance(options, Mapping):
        raise invalid("options", "an object")
    chat |= {name: value for name in _NUMBERS if (value := _number(options, name)) is not None}
    if stop := _stop(options.get("stop")):
        chat["stop"] = stop
    limit = _number(options, "num_predict")
    if limit is not None and limit > 0:  # other values mean no limit
        chat["max_tokens"] = limit
    if (keep_alive := parse_keep_alive(request.get("keep_alive"))) is not None:
        chat["keep_alive"] = keep_alive
    _add_format(chat, request.get("format"))
    _add_thinking(chat, request.get("think"))
    return chat


def _number(options: Mapping[str, Any], name: str) -> float | None:
    """An option, which may be a text with a number. Raises InvalidRequestError for anything else."""
    given = options.get(name)
    if given is None or given == "":
        return None
    number = finite_number(given)
    if number is None:
        raise invalid(f"options.{name}", "a number")
    return int(number) if number.is_integer() or name in _WHOLE else number


def _stop(stop: object) -> list[str]:
    if isinstance(stop, str):
        stop = [stop]
    if stop is not None and not (isinstance(stop, list) and all(isinstance(text, str) for text in stop)):
        raise invalid("options.stop", "a text or a list of texts")
    return [text for text in stop or () if text]


def _add_format(chat: dict[str, Any], wanted: object) -> None:
    if not wanted:
        return
    if isinstance(wanted, str) and wanted.casefold() == "json":
        chat["response_format"] = {"type": "json_object"}
    elif isinstance(wanted, Mapping):
        chat["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", "schema": wanted}}
    else:
        raise invalid("format", "json, or a JSON schema")


def _add_thinking(chat: dict[str, Any], think: object) -> None:
    """Add `think` for Ollama and `reasoning_effort` for all others.

    `think: false` sets no effort, because models without reasoning refuse the parameter.
    """
    if isinstance(think, str):
        think = _THINK_WORDS.get(think.strip().casefold(), think)
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
    if is_data_url(image) or image.lower().startswith(("http://", "https://")):
        return image
    return f"data:image/jpeg;base64,{image}"  # the type is corrected by the content
