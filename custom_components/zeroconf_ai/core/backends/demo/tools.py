"""Selects the tools that a sentence asks for, and their arguments."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
import re
from typing import Any, Self

from ...protocol.values import mapping
from .home import Device, area_and_domain, find, stems
from .schema import SchemaError, instance

_SWITCHES = {"on": "HassTurnOn", "off": "HassTurnOff"}
_LIVE = "GetLiveContext"
_ON = ("turn on", "switch on", "open", "lock", "activate", "enable", "press")
_OFF = ("turn off", "switch off", "close", "unlock", "deactivate", "disable")
_POLITE = re.compile(r"^(?:(?:please|can you|could you|would you|will you|hey|ok|okay|now|and|then)[\s,]+)*", re.IGNORECASE)
_SPLIT_VERB = re.compile(r"^(turn|switch)\s+(.+?)\s+(on|off)$", re.IGNORECASE)
_QUESTION = re.compile(
    r"^(?:(?:what(?:'s| is| are)|how (?:warm|cold|hot|bright|humid|full)(?: is| are)?|is|are|tell me|check|show me)\b)\s*(.+)$",
    re.IGNORECASE,
)
_OF_A_DEVICE = re.compile(
    r"\b(?:on|off|open|opened|closed|locked|unlocked|running|state|status|temperature|humidity|brightness|level|position|mode)\b",
    re.IGNORECASE,
)
_STATE_WORDS = re.compile(
    r"\s+(?:(?:turned|switched)\s+)?(?:on|off|open|opened|closed|locked|unlocked|running|right now|now|currently|doing)$",
    re.IGNORECASE,
)
_VERBS = frozenset(
    "add call cancel clean close create decrease delete increase lock mute open pause play press remove resume send set skip "
    "start stop turn unlock unmute unpause update write".split()
)
_STOP_WORDS = frozenset(
    "a an and are by can current do fetch find for get give hass how in is it list me my of or provides s show tell the this to "
    "tool use what when where which who why will with you".split()
)
_PREPOSITION = re.compile(r"\b(?:in|at|for|of|about|to|called|named)\s+", re.IGNORECASE)
_TAIL = re.compile(r"[\s,]*(?:\b(?:please|today|tomorrow|now|right now|at the moment)\b)?[\s.!?]*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool of a request."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def parse_all(cls, listed: object) -> list[Self]:
        """The functions among `tools`."""
        found = []
        for entry in listed if isinstance(listed, list) else ():
            function = mapping(mapping(entry).get("function"))
            if isinstance(name := function.get("name"), str) and name:
                found.append(cls(name, str(function.get("description") or ""), mapping(function.get("parameters"))))
        return found

    @property
    def short_name(self) -> str:
        """Its name without a namespace (`intent__HassTurnOn`)."""
        return self.name.rpartition("__")[2]

    @property
    def properties(self) -> Mapping[str, Any]:
        """The schemas of its parameters."""
        return mapping(self.parameters.get("properties"))

    @property
    def required(self) -> Sequence[str]:
        """Its required parameters."""
        listed = self.parameters.get("required")
        return [str(name) for name in listed] if isinstance(listed, list) else []


@dataclass(frozen=True, slots=True)
class Call:
    """A tool to call; `missing`: required parameters that the sentence does not name."""

    tool: Tool
    arguments: dict[str, Any]
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Clarification:
    """A question to the user: several devices match."""

    options: tuple[str, ...]


def calls_for(sentence: str, tools: Sequence[Tool], devices: Sequence[Device]) -> list[Call] | Clarification:
    """The calls that the sentence asks for, if any, or a clarification."""
    said = _TAIL.sub("", _POLITE.sub("", sentence.strip()))
    if (order := switch_order(said)) is not None:
        direction, target = order
        if (tool := _ending(tools, _SWITCHES[direction])) is not None:
            return _switch(tool, target, devices)
    if (live := _ending(tools, _LIVE)) is not None and (question := _QUESTION.match(said)):
        asked = _STATE_WORDS.sub("", question[1])
        if found := find(devices, asked):
            return [Call(live, _name_arguments(live, found[0]) if len(found) == 1 else {})]
        if not devices and _OF_A_DEVICE.search(said):
            return [Call(live, {})]
    others = [tool for tool in tools if not tool.name.endswith((*_SWITCHES.values(), _LIVE))]
    best = max(others, key=lambda tool: _score(tool, said), default=None)
    return [fill(best, said, devices)] if best is not None and _score(best, said) else []


def best_call(sentence: str, tools: Sequence[Tool], devices: Sequence[Device]) -> Call:
    """A call for `tool_choice: required`: of the best tool, with missing arguments made from its schema. Raises SchemaError."""
    found = calls_for(sentence, tools, devices)
    call = found[0] if isinstance(found, list) and found else fill(tools[0], sentence, devices)
    made_up = {name: instance(_rooted(call.tool, name), sentence, name) for name in call.missing}
    return Call(call.tool, call.arguments | made_up)


def switch_order(said: str) -> tuple[str, str] | None:
    """("on" or "off", target) if the sentence switches something. Opening and locking are "on", as in Home Assistant."""
    if split := _SPLIT_VERB.match(said):
        return split[3].lower(), split[2]
    for direction, verbs in (("on", _ON), ("off", _OFF)):
        for verb in verbs:
            if said.casefold().startswith(f"{verb} "):
                return direction, said[len(verb) :].strip()
    return None


def fill(tool: Tool, said: str, devices: Sequence[Device]) -> Call:
    """A call with the arguments that the sentence names."""
    arguments: dict[str, Any] = {}
    phrases = _phrases(said, tool)
    found = find(devices, said) or [device for phrase in phrases for device in find(devices, phrase)]
    if len(found) == 1 and "name" in tool.properties:
        arguments |= _name_arguments(tool, found[0])
    numbers = re.findall(r"(?<![\w.])-?\d+(?:\.\d+)?", said)
    for name, schema in tool.properties.items():
        wanted = name in tool.required
        if name in arguments or not isinstance(schema, Mapping):
            continue
        kinds = schema.get("type")
        listed = schema.get("enum")
        options = [option for option in listed if isinstance(option, str)] if isinstance(listed, list) else []
        if named := [option for option in options if stems(option) and stems(option) <= stems(said)]:
            arguments[name] = named[0]
        elif kinds in ("integer", "number"):
            if numbers and (wanted or stems(name.replace("_", " ")) & stems(said)):
                try:
                    arguments[name] = instance(_rooted(tool, name), numbers.pop(0), name)
                except SchemaError:
                    continue
        elif kinds == "string" and wanted and not options:
            if after := re.search(rf"\b{re.escape(name)}\s+(?:(?:is|of)\s+)?([\w-]+)", said, re.IGNORECASE):
                arguments[name] = after[1]
            elif phrases:
                arguments[name] = phrases.pop(0)
    return Call(tool, arguments, tuple(name for name in tool.required if name not in arguments))


def _ending(tools: Iterable[Tool], name: str) -> Tool | None:
    """The first tool whose name ends with `name`."""
    return next((tool for tool in tools if tool.name.endswith(name)), None)


def _switch(tool: Tool, target: str, devices: Sequence[Device]) -> list[Call] | Clarification:
    """A call for each target ("the desk lamp and the fan")."""
    matches = find(devices, target)
    targets = [target] if len(matches) == 1 else [part for part in re.split(r"\s*,\s*(?:and\s+)?|\s+and\s+", target) if part]
    calls = []
    for part in targets:
        found = find(devices, part)
        if len(found) == 1:
            calls.append(Call(tool, _name_arguments(tool, found[0])))
        elif place := area_and_domain(devices, part):
            area, domain = place
            calls.append(Call(tool, _only_known(tool, {"area": area, "domain": domain})))
        elif found:
            return Clarification(tuple(dict.fromkeys(device.name for device in found)))
        else:  # not in the prompt: Home Assistant reports whether it exists
            calls.append(Call(tool, _only_known(tool, {"name": re.sub(r"^(?:the|my|our)\s+", "", part, flags=re.IGNORECASE)})))
    return calls


def _name_arguments(tool: Tool, device: Device) -> dict[str, Any]:
    return _only_known(tool, {"name": device.name, "domain": device.domain})


def _only_known(tool: Tool, wanted: Mapping[str, str]) -> dict[str, Any]:
    """The arguments that the tool has, as lists where it expects lists."""
    arguments: dict[str, Any] = {}
    for name, value in wanted.items():
        schema = tool.properties.get(name)
        if isinstance(schema, Mapping) and value:
            arguments[name] = [value] if schema.get("type") == "array" else value
    return arguments


def _score(tool: Tool, said: str) -> int:
    """How well the sentence matches the tool's name, else the first sentence of its description; 0: no match."""
    words, spoken = _words(tool.short_name), stems(said) | frozenset(re.findall(r"\w+", said.casefold()))
    significant = words - _STOP_WORDS
    common = significant & spoken
    verbs = words & _VERBS
    if common and 2 * len(common) >= len(significant) and verbs <= spoken:
        return 10 * len(common)
    described = stems(re.split(r"[.:(]", tool.description, maxsplit=1)[0]) - _STOP_WORDS
    shared = described & stems(said)
    return len(shared) if len(shared) >= 2 and (described & _VERBS) <= spoken else 0


def _words(name: str) -> frozenset[str]:
    parts = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)
    return stems(" ".join(parts))


def _phrases(said: str, tool: Tool) -> list[str]:
    """Candidates for a text parameter: quoted words, else words after prepositions, else the remaining words."""
    if quoted := [a or b for a, b in re.findall(r'"([^"]+)"|“([^”]+)”', said)]:
        return quoted
    parts = _PREPOSITION.split(_TAIL.sub("", said))
    phrases = [text for part in parts[1:] if (text := re.sub(r"^(?:the|a|an)\s+", "", _TAIL.sub("", part), flags=re.IGNORECASE))]
    if phrases:
        return phrases
    own = _words(tool.short_name) | _STOP_WORDS | _VERBS
    left = [word for word in re.findall(r"[\w'-]+", said) if not stems(word) <= own]
    return [" ".join(left)] if left else []


def _rooted(tool: Tool, name: str) -> Mapping[str, Any]:
    """The schema of one parameter, with the definitions of the tool's schema."""
    schema = mapping(tool.properties.get(name))
    definitions: Iterable[str] = ("$defs", "definitions")
    return {**{key: tool.parameters[key] for key in definitions if key in tool.parameters}, **schema}
