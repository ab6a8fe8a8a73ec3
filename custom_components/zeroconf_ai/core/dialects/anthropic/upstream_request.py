"""Chat request → body of `POST /v1/messages`.

Source: Anthropic's Messages API (SDK 2.11, `message_create_params.py`, `thinking_config_*.py`, `output_config_param.py`) and its
documentation of thinking, tool use and API versions. Parameters without a counterpart are dropped if that is harmless, and
refused if they would change the meaning of the answer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...protocol.errors import InvalidRequestError
from ...protocol.request import Request
from ...protocol.values import mapping
from ..extras import PARAMETERS, TOOL_FIELDS, extras_of, known_betas, selected
from ..images import Image
from ..parameter_schemas import alternatives, plain_parameters
from .client_tools import is_client_run
from .model_traits import DEFAULT_MAX_TOKENS, EFFORTS, Traits
from .upstream_messages import Block, split

CONSERVATIVE_VERSION = "2023-06-01"
"""The API version that all models and proxies support."""
FIRST_VERSION_WITHOUT_SAMPLING = "2026-10-21"

JSON_TOOL = "json_answer"
"""The tool whose input is the answer, for models without structured output."""

SAMPLING = ("temperature", "top_p", "top_k")
MOST_TOKENS_UNSTREAMED = 21_333
"""Ten minutes at 128,000 tokens per hour: above this limit Anthropic's SDK requires a stream."""
_LEAST_BUDGET = 1024
_BUDGETS = {"minimal": 1024, "low": 2048, "medium": 8192, "high": 16_384, "xhigh": 32_768, "max": 65_536}

_REFUSED: Mapping[str, str] = {
    "functions": "are the old form of tools: send 'tools'",
    "function_call": "is the old form of tool_choice: send 'tool_choice'",
    "logit_bias": "is not supported by Claude models",
    "logprobs": "are not supported by Claude models",
    "top_logprobs": "are not supported by Claude models",
    "audio": "is not supported by Claude models",
    "web_search_options": "are not supported",
}


@dataclass(frozen=True, slots=True)
class UpstreamRequest:
    """A request in Anthropic's format."""

    body: dict[str, Any]
    json_tool: bool = False
    """Whether the answer is the input of `JSON_TOOL`."""
    betas: tuple[str, ...] = ()
    """The client's betas, for the header `anthropic-beta`."""


def translate(request: Request, traits: Traits, version: str, images: Mapping[str, Image] | None = None) -> UpstreamRequest:
    """Translate the request. Raises InvalidRequestError, which names the unsupported parameter."""
    body = request.body
    _refuse(body)
    system, turns = split(body["messages"], images or {}, signed_only=traits.signs)
    if not turns:
        raise InvalidRequestError("The messages have no content.", param="messages")
    result: dict[str, Any] = {
        "model": request.model,
        "max_tokens": max_tokens(body, traits, stream=request.stream),
        "messages": turns,
    }
    if request.stream:
        result["stream"] = True
    if system:
        result["system"] = system if len(system) > 1 or "cache_control" in system[0] else system[0]["text"]
    if isinstance(mark := body.get("cache_control"), Mapping):
        result["cache_control"] = mark
    result |= selected(extras_of(body), PARAMETERS)
    if stop := _stop(body.get("stop")):
        result["stop_sequences"] = stop
    _add_tools(result, body)
    json_tool = _add_format(result, body, traits)
    _add_thinking(result, body, traits)
    thinks = mapping(result.get("thinking")).get("type") in ("enabled", "adaptive")  # not allowed with a temperature
    if traits.sampling and version < FIRST_VERSION_WITHOUT_SAMPLING and not thinks:
        _add_sampling(result, body)
    return UpstreamRequest(result, json_tool, _betas(body))


def _betas(body: Mapping[str, Any]) -> tuple[str, ...]:
    betas = extras_of(body).get("betas")
    return tuple(known_betas(betas)) if isinstance(betas, list) else ()


def _refuse(body: Mapping[str, Any]) -> None:
    for param, why in _REFUSED.items():
        if body.get(param):
            raise InvalidRequestError(f"'{param}' {why}.", param=param)
    if (body.get("n") or 1) > 1:
        raise InvalidRequestError("Claude models give one answer per request: 'n' must be 1.", param="n")
    modalities = body.get("modalities") or ["text"]
    if modalities != ["text"]:
        raise InvalidRequestError("Claude models answer with text: 'modalities' must be [\"text\"].", param="modalities")


def max_tokens(body: Mapping[str, Any], traits: Traits, *, stream: bool) -> int:
    """The answer's limit, which the API requires. A limit above the model's maximum is lowered to it."""
    wanted = body.get("max_completion_tokens") or body.get("max_tokens")
    most = traits.max_tokens
    if wanted:
        return min(wanted, most) if most else int(wanted)
    if most is None:
        return DEFAULT_MAX_TOKENS
    return most if stream else min(most, MOST_TOKENS_UNSTREAMED)


def _stop(stop: object) -> list[str]:
    """The stop sequences without blank ones, which the API refuses."""
    given = stop if isinstance(stop, list) else [stop]
    return [sequence for sequence in given if isinstance(sequence, str) and sequence.strip()]


def _add_sampling(result: dict[str, Any], body: Mapping[str, Any]) -> None:
    """Add the sampling parameters. The maximum temperature is 1; newer models refuse top_p together with a temperature."""
    temperature, top_p, top_k = body.get("temperature"), body.get("top_p"), body.get("top_k")
    if temperature is not None:
        result["temperature"] = min(temperature, 1)
    elif top_p is not None:
        result["top_p"] = top_p
    if isinstance(top_k, int) and top_k > 0:
        result["top_k"] = top_k


def _add_tools(result: dict[str, Any], body: Mapping[str, Any]) -> None:
    tools = body.get("tools")
    if not tools:
        return
    result["tools"] = [_tool(tool, f"tools[{index}]") for index, tool in enumerate(tools)]
    choice = _tool_choice(body.get("tool_choice"))
    if body.get("parallel_tool_calls") is False and choice["type"] != "none":
        choice["disable_parallel_tool_use"] = True
    if choice != {"type": "auto"}:
        result["tool_choice"] = choice


def _tool(tool: Mapping[str, Any], where: str) -> Block:
    extras = extras_of(tool)
    if is_client_run(given := mapping(extras.get("tool"))):
        return dict(given)
    function = mapping(tool.get("function"))
    name = function.get("name")
    if tool.get("type", "function") != "function" or not isinstance(name, str) or not name:
        raise InvalidRequestError(f"{where} must be a function with a name.", param=where)
    given_schema = {"type": "object", **mapping(function.get("parameters"))}
    converted: Block = {"name": name, "input_schema": (schema := plain_parameters(given_schema))}
    about = (function.get("description"), alternatives(given_schema))
    if description := " ".join(text for text in about if isinstance(text, str) and text):
        converted["description"] = description
    if function.get("strict") is True and schema.keys() >= given_schema.keys():  # nothing was given up
        converted["strict"] = True
    if isinstance(tool.get("cache_control"), Mapping):
        converted["cache_control"] = tool["cache_control"]
    return converted | selected(mapping(extras.get("fields")), TOOL_FIELDS)


def _tool_choice(choice: object) -> Block:
    if choice is None or choice == "auto":
        return {"type": "auto"}
    if choice in ("none", "required"):
        return {"type": "none" if choice == "none" else "any"}
    name = mapping(mapping(choice).get("function")).get("name")
    if not isinstance(name, str) or not name:
        raise InvalidRequestError(
            "Invalid value for 'tool_choice': it must be auto, none, required or a function.", param="tool_choice"
        )
    return {"type": "tool", "name": name}


def _add_format(result: dict[str, Any], body: Mapping[str, Any], traits: Traits) -> bool:
    """Add `response_format`: as structured output if the model supports it, else as a required tool; True for the tool."""
    wanted = mapping(body.get("response_format"))
    kind = wanted.get("type", "text")
    if kind == "text":
        return False
    if kind == "json_schema":
        schema = mapping(wanted.get("json_schema")).get("schema")
        if not isinstance(schema, Mapping):
            raise InvalidRequestError("'response_format' has no json_schema.schema.", param="response_format")
        if traits.structured:
            result["output_config"] = {"format": {"type": "json_schema", "schema": schema}}
            return False
    elif kind == "json_object":
        schema = {"type": "object", "additionalProperties": True}
    else:
        raise InvalidRequestError(
            "Invalid value for 'response_format': its type must be text, json_object or json_schema.", param="response_format"
        )
    choice = mapping(result.get("tool_choice"))
    if choice.get("type") in ("any", "tool"):
        return False  # the caller requires a tool call, so there is no text to format
    others = result.get("tools", []) if choice.get("type") != "none" else []
    about = ("Gives the final answer. Its input is the answer; there is no other text.", alternatives(schema))
    answer = {"name": JSON_TOOL, "description": " ".join(filter(None, about)), "input_schema": plain_parameters(schema)}
    result["tools"] = [*others, answer]
    result["tool_choice"] = {"type": "any"} if others else {"type": "tool", "name": JSON_TOOL}
    return True


def _add_thinking(result: dict[str, Any], body: Mapping[str, Any], traits: Traits) -> None:
    """Add thinking: the caller's `thinking` in Anthropic's format, else by `reasoning_effort`."""
    own, effort = body.get("thinking"), body.get("reasoning_effort") or mapping(body.get("reasoning")).get("effort")
    if isinstance(own, Mapping):
        result["thinking"] = dict(own)
    elif effort == "none":
        if traits.may_disable and (traits.adaptive or traits.manual):
            result["thinking"] = {"type": "disabled"}
    elif isinstance(effort, str) and effort in _BUDGETS:
        if traits.efforts:
            result.setdefault("output_config", {})["effort"] = _nearest(effort, traits.efforts)
        if traits.adaptive:
            result["thinking"] = {"type": "adaptive", "display": "summarized"}
        elif traits.manual:
            _add_budget(result, _BUDGETS[effort], traits, stated="max_tokens" in body or "max_completion_tokens" in body)
    manual = mapping(result.get("thinking")).get("type") == "enabled"
    if manual and (_forces_a_tool(result) or _lacks_thinking(result["messages"])):
        del result["thinking"]  # the API refuses both combinations; the required tool and the conversation are more important


def _add_budget(result: dict[str, Any], budget: int, traits: Traits, *, stated: bool) -> None:
    """Add a thinking budget. It is part of max_tokens, so it raises a default limit and is limited by a stated one."""
    if not stated:
        result["max_tokens"] = min(max(result["max_tokens"], budget * 2), traits.max_tokens or budget * 2)
    budget = min(budget, result["max_tokens"] // 2)
    if budget >= _LEAST_BUDGET:
        result["thinking"] = {"type": "enabled", "budget_tokens": budget}


def _nearest(effort: str, known: tuple[str, ...]) -> str:
    place = EFFORTS.index("low" if effort == "minimal" else effort)
    return min(known, key=lambda level: (abs(EFFORTS.index(level) - place), EFFORTS.index(level)))


def _forces_a_tool(result: Mapping[str, Any]) -> bool:
    return mapping(result.get("tool_choice")).get("type") in ("any", "tool")


def _lacks_thinking(turns: list[Block]) -> bool:
    """Whether the assistant turn before the last tool results has no thinking."""
    if len(turns) < 2 or turns[-1]["content"][0]["type"] != "tool_result":
        return False
    return turns[-2]["content"][0]["type"] not in ("thinking", "redacted_thinking")
