"""Complete answers of OpenAI-compatible servers → OpenAI's."""

from collections.abc import Mapping
from typing import Any

from ...protocol.request import Kind
from ...protocol.thinking import with_reasoning_cut
from ...protocol.tool_calls import listed_calls, new_call_id, parse_delta, whole_arguments
from .call_repair import extra_fields
from .expected import Expected
from .finish_reasons import finish_reason


def repaired_completion(data: dict[str, Any], expected: Expected) -> dict[str, Any]:
    """A complete answer with OpenAI's tool calls and finish reasons; the same object if it is valid."""
    choices = data.get("choices")
    if not isinstance(choices, list) or expected.kind is not Kind.CHAT:
        return data
    repaired = [_repaired_choice(choice, position, expected) for position, choice in enumerate(choices)]
    return data if are_unchanged(repaired, choices) else data | {"choices": repaired}


def _repaired_choice(choice: Any, position: int, expected: Expected) -> Any:
    if not isinstance(choice, dict):
        return choice
    message = choice.get("message")
    if not isinstance(message, dict):
        if isinstance(delta := choice.get("delta"), dict):  # a whole answer in the format of a stream
            message, choice = delta, {name: value for name, value in choice.items() if name != "delta"} | {"message": delta}
        elif isinstance(text := choice.get("text"), str):
            message = {"role": "assistant", "content": text}
            choice = {name: value for name, value in choice.items() if name != "text"} | {"message": message}
        else:
            return choice
    changes: dict[str, Any] = {}
    if (cut := with_reasoning_cut(message)) is not message:
        message = dict(cut)
        changes["message"] = message
    called = bool(message.get("tool_calls"))
    if not expected.legacy:
        given = listed_calls(message)
        truncated = finish_reason(choice.get("finish_reason"), called=False, legacy=False) == "length"
        calls = [call if "custom" in call else _whole_call(call, at, cut=truncated) for at, call in enumerate(given)]
        calls = _with_own_ids([call for call in calls if "custom" in call or call["function"]["name"]])
        called = bool(calls)
        if "function_call" in message or ((given or message.get("tool_calls")) and calls != message.get("tool_calls")):
            new = {name: value for name, value in message.items() if name not in ("tool_calls", "function_call")}
            if calls:
                new["tool_calls"] = calls
            changes["message"] = new
    finish = finish_reason(choice.get("finish_reason"), called=called, legacy=expected.legacy)
    if finish != choice.get("finish_reason"):
        changes["finish_reason"] = finish or "stop"
    if not isinstance(choice.get("index"), int):
        changes["index"] = position
    return choice | changes if changes else choice


def _whole_call(call: Mapping[str, Any], position: int, *, cut: bool) -> dict[str, Any]:
    piece = parse_delta(call, position)
    extra = extra_fields(call)
    function = extra.pop("function", {})
    if "index" in call:
        extra["index"] = piece.index
    named = {"id": piece.id or new_call_id(), "type": "function"}
    arguments = piece.arguments if cut else whole_arguments(piece.arguments)
    return {**named, **extra, "function": {"name": piece.name or "", "arguments": arguments, **function}}


def _with_own_ids(calls: list[Any]) -> list[Any]:
    """The calls, each with an id of its own."""
    used: set[object] = set()
    found = []
    for call in calls:
        if call.get("id") in used:
            call = call | {"id": new_call_id()}
        used.add(call.get("id"))
        found.append(call)
    return found


def are_unchanged(new: list[Any], old: list[Any]) -> bool:
    """Whether the values are the same objects."""
    return len(new) == len(old) and all(one is other for one, other in zip(new, old, strict=True))
