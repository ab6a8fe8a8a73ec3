"""One chat request → the body of `POST /v1/messages`.

Rules: Anthropic's Messages API (SDK 2.11, `message_create_params.py`, `thinking_config_*.py`, `output_config_param.py`) and its
pages on thinking, tool use and API versions. What has no counterpart there is dropped where that is harmless, and refused by its
name where it would change what the answer means.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...protocol.errors import InvalidRequestError
from ...protocol.request import Request
from ...protocol.values import mapping
from ..images import Image
from .model_traits import DEFAULT_MAX_TOKENS, EFFORTS, Traits
from .upstream_messages import Block, split

CONSERVATIVE_VERSION = "2023-06-01"
"""What every model and every proxy of Anthropic's API still answers to."""
FIRST_VERSION_WITHOUT_SAMPLING = "2026-10-21"

JSON_TOOL = "json_answer"
"""The tool whose input is the answer, where a model has no structured output of its own."""

SAMPLING = ("temperature", "top_p", "top_k")
MOST_TOKENS_UNSTREAMED = 21_333
"""Ten minutes at the 128,000 tokens an hour that Anthropic's SDK reckons with; above it, it insists on a stream."""
_LEAST_BUDGET = 1024
_BUDGETS = {"minimal": 1024, "low": 2048, "medium": 8192, "high": 16_384, "xhigh": 32_768, "max": 65_536}

_REFUSED: Mapping[str, str] = {
    "functions": "are the old form of tools: send 'tools'",
    "function_call": "is the old form of tool_choice: send 'tool_choice'",
    "logit_bias": "is not offered by Claude models",
    "logprobs": "are not offered by Claude models",
    "top_logprobs": "are not offered by Claude models",
    "audio": "is not offered by Claude models",
    "web_search_options": "are not offered here",
}


@dataclass(frozen=True, slots=True)
class UpstreamRequest:
    """A request in Anthropic's words."""

    body: dict[str, Any]
    json_tool: bool = False
    """The answer comes as the input of `JSON_TOOL`."""


def translate(request: Request, traits: Traits, version: str, images: Mapping[str, Image] | None = None) -> UpstreamRequest:
    """The body. Raises InvalidRequestError naming the parameter that cannot be followed."""
    body = request.body
    _refuse(body)
    system, turns = split(body["messages"], images or {})
    if not turns:
        raise InvalidRequestError("The messages hold nothing to answer.", param="messages")
    result: dict[str, Any] = {
        "model": request.model,
        "max_tokens": _max_tokens(body, traits, stream=request.stream),
        "messages": turns,
    }
    if request.stream:
        result["stream"] = True
    if system:
        result["system"] = system if len(system) > 1 or "cache_control" in system[0] else system[0]["text"]
    if isinstance(mark := body.get("cache_control"), Mapping):
        result["cache_control"] = mark
    if stop := _stop(body.get("stop")):
        result["stop_sequences"] = stop
    _add_tools(result, body)
    json_tool = _add_format(result, body, traits)
    _add_thinking(result, body, traits)
    thinks = mapping(result.get("thinking")).get("type") in ("enabled", "adaptive")  # refused beside a temperature
    if traits.sampling and version < FIRST_VERSION_WITHOUT_SAMPLING and not thinks:
        _add_sampling(result, body)
    return UpstreamRequest(result, json_tool)


def _refuse(body: Mapping[str, Any]) -> None:
    for param, why in _REFUSED.items():
        if body.get(param):
            raise InvalidRequestError(f"'{param}' {why}.", param=param)
    if (body.get("n") or 1) > 1:
        raise InvalidRequestError("A Claude model gives one answer to one request: 'n' must be 1.", param="n")
    modalities = body.get("modalities") or ["text"]
    if modalities != ["text"]:
        raise InvalidRequestError("A Claude model answers in text: 'modalities' must be [\"text\"].", param="modalities")


def _max_tokens(body: Mapping[str, Any], traits: Traits, *, stream: bool) -> int:
    """Required upstream. A limit above what the model can say is never reached, so it may as well be lowered."""
    wanted = body.get("max_completion_tokens") or body.get("max_tokens")
    most = traits.max_tokens
    if wanted:
        return min(wanted, most) if most else int(wanted)
    if most is None:
        return DEFAULT_MAX_TOKENS
    return most if stream else min(most, MOST_TOKENS_UNSTREAMED)


def _stop(stop: object) -> list[str]:
    """The stop sequences; blank ones are refused upstream, and would stop nothing that matters."""
    given = stop if isinstance(stop, list) else [stop]
    return [sequence for sequence in given if isinstance(sequence, str) and sequence.strip()]


def _add_sampling(result: dict[str, Any], body: Mapping[str, Any]) -> None:
    """Anthropic's temperature ends at 1. Where both are named, newer models take only one: the temperature."""
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
    function = mapping(tool.get("function"))
    name = function.get("name")
    if tool.get("type", "function") != "function" or not isinstance(name, str) or not name:
        raise InvalidRequestError(f"{where} must be a function with a name.", param=where)
    schema = {"type": "object", "properties": {}} | dict(mapping(function.get("parameters")))
    turned: Block = {"name": name, "input_schema": schema}
    if isinstance(description := function.get("description"), str) and description:
        turned["description"] = description
    if function.get("strict") is True:
        turned["strict"] = True
    if isinstance(tool.get("cache_control"), Mapping):
        turned["cache_control"] = tool["cache_control"]
    return turned


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
    """`response_format`: the model's own structured output where it has one, else a tool that it must call; True for that."""
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
        return False  # the caller makes it call a tool: there is no text to be formatted
    others = result.get("tools", []) if choice.get("type") != "none" else []
    description = "Gives the final answer. Its input is the answer, and nothing is said besides."
    result["tools"] = [*others, {"name": JSON_TOOL, "description": description, "input_schema": dict(schema)}]
    result["tool_choice"] = {"type": "any"} if others else {"type": "tool", "name": JSON_TOOL}
    return True


def _add_thinking(result: dict[str, Any], body: Mapping[str, Any], traits: Traits) -> None:
    """`reasoning_effort`, or Anthropic's own `thinking` where the caller speaks it."""
    own, effort = body.get("thinking"), body.get("reasoning_effort") or mapping(body.get("reasoning")).get("effort")
    if isinstance(own, Mapping):
        result["thinking"] = dict(own)
    elif effort == "none":
        if traits.may_disable and (traits.adaptive or traits.manual):
            result["thinking"] = {"type": "disabled"}
    elif effort in _BUDGETS:
        if traits.efforts:
            result.setdefault("output_config", {})["effort"] = _nearest(effort, traits.efforts)
        if traits.adaptive:
            result["thinking"] = {"type": "adaptive", "display": "summarized"}
        elif traits.manual:
            _add_budget(result, _BUDGETS[effort], traits, stated="max_tokens" in body or "max_completion_tokens" in body)
    manual = mapping(result.get("thinking")).get("type") == "enabled"
    if manual and (_forces_a_tool(result) or _misses_thoughts(result["messages"])):
        del result["thinking"]  # refused beside either; how much is thought matters less than what was asked for


def _add_budget(result: dict[str, Any], budget: int, traits: Traits, *, stated: bool) -> None:
    """Thinking counts against max_tokens, so a default makes room for it and a stated limit bounds it."""
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


def _misses_thoughts(turns: list[Block]) -> bool:
    """Whether the turn that is going on (the model called tools and waits for their results) lacks its thoughts."""
    if len(turns) < 2 or turns[-1]["content"][0]["type"] != "tool_result":
        return False
    return turns[-2]["content"][0]["type"] not in ("thinking", "redacted_thinking")
