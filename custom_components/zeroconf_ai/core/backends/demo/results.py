"""Describes tool results, including errors, in sentences."""

from collections.abc import Mapping, Sequence
import re
from typing import Any

import orjson

from ...protocol import json
from ...protocol.values import clean, mapping
from .home import read_devices, text_of
from .tools import switch_order

_MAX_CHARACTERS = 300
_DONE = {
    "turn on": "turned on", "switch on": "switched on", "open": "opened", "lock": "locked", "activate": "activated",
    "enable": "enabled", "press": "pressed", "turn off": "turned off", "switch off": "switched off", "close": "closed",
    "unlock": "unlocked", "deactivate": "deactivated", "disable": "disabled",
}  # fmt: skip
_YES_NO = re.compile(r"\b(?:is|are)\b.+\b(on|off|open|closed|locked|unlocked)\b[ .!?]*$", re.IGNORECASE)


def describe(asked: str, calls: Sequence[Mapping[str, Any]], results: Sequence[Mapping[str, Any]]) -> str:
    """Sentences about `results`, the tool messages for the assistant's `calls`; `asked`: the user's message."""
    by_id = {call.get("id"): mapping(call.get("function")) for call in calls}
    sentences = [_describe_one(asked, by_id.get(result.get("tool_call_id"), {}), text_of(result)) for result in results]
    return " ".join(dict.fromkeys(sentences))


def _describe_one(asked: str, function: Mapping[str, Any], text: str) -> str:
    name = str(function.get("name") or "the tool").rpartition("__")[2]
    arguments = _loads(str(function.get("arguments") or "{}"))
    target = str(mapping(arguments).get("name") or mapping(arguments).get("area") or "")
    answer = _loads(text)
    if isinstance(answer, Mapping) and set(answer) == {"data", "error"}:
        # The wrapper of Home Assistant's tool results: {"data": …, "error": false}
        failed, answer = bool(answer.get("error")), answer["data"]
    else:
        failed = False
    if (reason := _failure(answer)) is not None or failed:
        return _describe_failure(name, target, reason or "it gave no reason")
    if name.endswith(("HassTurnOn", "HassTurnOff")):
        return _describe_switched(asked, name, target, answer)
    result = mapping(answer).get("result", answer)
    if isinstance(result, str) and (devices := read_devices(result + "\n")):
        sentences = [f"{device.name} is {device.state_with_unit}." for device in devices[:5] if device.state]
        more = f" And {len(devices) - 5} more." if len(devices) > 5 else ""
        return _yes_or_no(asked, devices[0].state if len(devices) == 1 else "") + " ".join(sentences) + more
    return f"{name} answered: {_short(result)}"


def _failure(answer: object) -> str | None:
    """The reason in a tool's result for its failure; None if it succeeded."""
    if not isinstance(answer, Mapping):
        return None
    if error := answer.get("error"):
        text = answer.get("error_text")
        if "MatchFailed" in f"{error}{text}":
            return "nothing of that name was found"
        return _short(text or (mapping(error).get("message") or error))
    outcome = mapping(answer.get("data"))
    if answer.get("success") is False or answer.get("response_type") == "error":
        speech = mapping(mapping(answer.get("speech")).get("plain")).get("speech")
        return _short(speech or answer.get("message") or "it gave no reason")
    if outcome.get("failed") and not outcome.get("success"):
        return "it did not reach " + ", ".join(_names(outcome["failed"]))
    return None


def _describe_failure(name: str, target: str, reason: str) -> str:
    about = f" for {target}" if target else ""
    return f"That failed{about}: {name} says: {reason.rstrip('.')}."


def _describe_switched(asked: str, name: str, target: str, answer: object) -> str:
    direction = "on" if name.endswith("On") else "off"
    fitting = [verb for verb in _DONE if (switch_order(f"{verb} it") or ("", ""))[0] == direction]
    verb = next((verb for verb in fitting if re.search(_spread(verb), asked, re.IGNORECASE)), f"turn {direction}")
    switched = _names(mapping(mapping(answer).get("data")).get("success"))
    what = " and ".join(switched) or target
    return f"I {_DONE[verb]} {what}." if what else "It is done."


def _spread(verb: str) -> str:
    """A pattern for the verb with other words between its parts ("turn the light on")."""
    return r"\b" + r"\b.*\b".join(verb.split()) + r"\b"


def _names(listed: object) -> list[str]:
    """The names of the entities in an intent's response; of areas only if there are no entities."""
    entries = [entry for entry in listed if isinstance(entry, Mapping)] if isinstance(listed, list) else []
    entities = [entry for entry in entries if entry.get("type") == "entity"] or entries
    return [clean(entry["name"], 80) for entry in entities if entry.get("name")]


def _yes_or_no(asked: str, state: str) -> str:
    question = _YES_NO.search(asked)
    if question is None or not state:
        return ""
    return "Yes, " if question[1].lower() == state.lower() else "No, "


def _loads(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _short(value: object) -> str:
    if isinstance(value, Mapping) and value and all(isinstance(part, str | int | float) for part in value.values()):
        text = ", ".join(f"{key} {part}" for key, part in value.items())
    else:
        text = value if isinstance(value, str) else orjson.dumps(value, default=str).decode()
    return text if len(text) <= _MAX_CHARACTERS else text[: _MAX_CHARACTERS - 1] + "…"
