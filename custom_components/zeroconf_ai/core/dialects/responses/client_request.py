"""Request of OpenAI's Responses API → body of a chat completion.

Source: OpenAI's SDK 3.52 (`response_create_params.py`). Parameters that do not change the meaning of the answer are dropped:
`access_programs`, `client_metadata`, `context_management`, `include`, `max_tool_calls` (of tools that OpenAI runs), `metadata`,
`prompt_cache_options`, `prompt_cache_retention`, `safety_identifier`, `service_tier`, `store`, `stream_options`, `top_logprobs`,
`truncation` and `user`. Parameters that would change it are refused.
"""

from collections.abc import Mapping
from typing import Any

from ...protocol.request import LIMIT, is_limit
from ...protocol.values import mapping
from ..openai.client_tools import ClientTools, client_tools
from ..turns import Turns, invalid, text_of, text_part, unsupported
from .input_items import add_items, tools_in

_PASSED = ("model", "temperature", "top_p", "stream", "parallel_tool_calls", "prompt_cache_key")
_REFUSED: Mapping[str, str] = {
    "conversation": "is not supported: conversations are not stored; send the whole conversation in 'input'",
    "prompt": "is not supported: prompt templates are not stored; send 'instructions' and 'input'",
    "background": "is not supported: request a stream, or wait for the answer",
}


def to_chat(request: Mapping[str, Any]) -> tuple[dict[str, Any], ClientTools]:
    """The chat and its tools. `input` must contain the whole conversation.

    Raises InvalidRequestError, which names the invalid or unsupported parameter.
    """
    for param, why in _REFUSED.items():
        if request.get(param):
            raise unsupported(param, why)
    if mapping(request.get("moderation")).get("policy"):
        raise unsupported("moderation.policy", "is not supported: answers are not moderated")
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
        add_items(turns, given, "input")
    chat["messages"] = turns.messages()
    if not chat["messages"]:
        raise invalid("input", "a text, or a list with at least one message")
    tools = _add_tools(chat, request)
    _add_text(chat, mapping(request.get("text")))
    if effort := mapping(request.get("reasoning")).get("effort"):
        chat["reasoning_effort"] = effort
    return chat, tools


def _add_tools(chat: dict[str, Any], request: Mapping[str, Any]) -> ClientTools:
    given = request.get("tools") or []
    if not isinstance(given, list):
        raise invalid("tools", "a list of objects")
    tools = client_tools(given + tools_in(request.get("input")), request.get("tool_choice"))
    if tools.functions:
        chat["tools"] = tools.functions
        if tools.choice is not None:
            chat["tool_choice"] = tools.choice
    return tools


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
