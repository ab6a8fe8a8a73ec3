"""Finish reasons of other APIs → OpenAI's."""

from collections.abc import Mapping

_FINISH: Mapping[str, str] = {
    "completed": "stop",
    "complete": "stop",
    "end": "stop",
    "end_turn": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "stop_sequence": "stop",
    "max_length": "length",
    "max_output_tokens": "length",
    "max_tokens": "length",
    "safety": "content_filter",
    "function_call": "tool_calls",
    "tool_call": "tool_calls",
    "tool_use": "tool_calls",
}
"""OpenAI's finish reason for those of other APIs, in lower case."""
_KNOWN = frozenset({"stop", "length", "content_filter", "tool_calls"})


def finish_reason(reason: object, *, called: bool, legacy: bool) -> str | None:
    """OpenAI's finish reason for one of a server; None for none yet. `called`: whether the model has called a tool."""
    if not isinstance(reason, str) or not reason:
        return None
    if legacy and reason == "function_call":
        return reason
    named = reason.lower()
    finish = _FINISH.get(named, named if named in _KNOWN else reason)
    if legacy:
        return finish
    if called:
        return "tool_calls" if finish == "stop" else finish
    return "stop" if finish == "tool_calls" else finish
