"""Removal of parameters that request nothing: clients send them by default, and strict servers refuse them.

Examples: null for each optional parameter (LangChain, LiteLLM), `max_tokens: -1` for no limit (LM Studio, llama.cpp), `tools: []`
("[] is too short" at OpenAI), `stream_options` without `stream` and `tool_choice` without `tools` (each a 400 at OpenAI).
"""

from collections.abc import Callable, Mapping
from typing import Any

_LIMITS = ("max_tokens", "max_completion_tokens")
_NEUTRAL: Mapping[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("tools", "functions", "logit_bias", "metadata", "reasoning", "stream_options"), lambda value: not value),
    **dict.fromkeys(("user", "reasoning_effort"), lambda value: value == ""),
    **dict.fromkeys(("n", "best_of"), lambda value: value == 1),
    **dict.fromkeys(_LIMITS, lambda value: value < 1),
    "modalities": lambda value: value == ["text"],
    "response_format": lambda value: value in ({}, {"type": "text"}),
    "top_logprobs": lambda value: value == 0,
}
"""By parameter: whether a valid value is the default, or means nothing."""
_NEEDED: Mapping[str, str] = {
    "tool_choice": "tools",
    "parallel_tool_calls": "tools",
    "function_call": "functions",
    "stream_options": "stream",
}
"""Parameters that apply only together with another."""


def without_neutral(body: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a valid body without the parameters, and fields of messages, that request nothing."""
    given = {name: value for name, value in body.items() if value is not None}
    found = {name: value for name, value in given.items() if name not in _NEUTRAL or not _NEUTRAL[name](value)}
    if "stop" in found and not (stop := _stop(found["stop"])):
        del found["stop"]
    elif "stop" in found:
        found["stop"] = stop
    for name, other in _NEEDED.items():
        if name in found and not found.get(other):
            del found[name]
    for name in _LIMITS:
        if isinstance(limit := found.get(name), float):
            found[name] = int(limit)
    if isinstance(messages := found.get("messages"), list) and not all(map(_is_tidy, messages)):
        found["messages"] = [message if _is_tidy(message) else _tidied(message) for message in messages]
    return found


def _stop(stop: Any) -> Any:
    """The stop sequences without empty texts, which vLLM and Anthropic refuse."""
    return [text for text in stop if text != ""] if isinstance(stop, list) else stop


def _is_tidy(message: Any) -> bool:
    return not isinstance(message, dict) or (None not in message.values() and message.get("tool_calls") != [])


def _tidied(message: dict[str, Any]) -> dict[str, Any]:
    """The message without null fields, as OpenAI's SDK dumps an answer. Null content stays."""
    return {
        name: value
        for name, value in message.items()
        if name == "content" or (value is not None and not (name == "tool_calls" and value == []))
    }
