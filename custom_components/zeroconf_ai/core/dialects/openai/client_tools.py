"""Tools of clients of OpenAI's APIs → functions, which all backends know, and calls of them → the client's kind of call.

Source: OpenAI's SDK 3.52 (`responses/tool_param.py`, `chat_completion_tool_union_param.py`, `tool_choice_allowed_param.py`).

- A custom tool, whose input is free text, becomes a function with one text, `input`.
- The functions of a namespace become functions of their own, named `namespace__name`.
- Tools that OpenAI's servers run (web search, code interpreter, MCP servers and others) cannot run here: they are dropped, and
  the answer names them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
import hashlib
from typing import Any, NamedTuple

import orjson

from ...protocol import json
from ...protocol.errors import InvalidRequestError
from ...protocol.values import NOTHING, clean, mapping
from ..dropped_tools import dropped_names
from ..turns import Part, function_tool, invalid, objects, text_of, unsupported

INPUT = "input"
"""The parameter of the function that stands for a custom tool."""
_INPUT_SCHEMA = {
    "type": "object",
    "properties": {INPUT: {"type": "string", "description": "The complete input as text."}},
    "required": [INPUT],
    "additionalProperties": False,
}
_MAX_NAME = 64
"""Characters of a function's name at OpenAI and Anthropic."""
_DIGEST = 8
_MODES: Mapping[str | None, str | None] = {None: None, "auto": "auto", "none": "none", "required": "required", "any": "required"}
"""`tool_choice` by its value or type in the wild: `any` is Anthropic's and Mistral's name of `required`."""


class Origin(NamedTuple):
    """The client's tool that a function stands for."""

    name: str
    namespace: str | None = None
    custom: bool = False


@dataclass(frozen=True, slots=True)
class ClientTools:
    """The tools of a request as functions."""

    functions: list[Mapping[str, Any]] = field(default_factory=list)
    choice: Any = None
    """`tool_choice` for the functions; None: the default."""
    origins: Mapping[str, Origin] = NOTHING
    """By name of the function: the custom tools and the functions of namespaces."""
    dropped: tuple[str, ...] = ()
    """The tools that cannot run here, by type."""

    @property
    def has_custom(self) -> bool:
        """Whether some tools are custom tools."""
        return any(origin.custom for origin in self.origins.values())

    def origin(self, function: str) -> Origin:
        """The client's tool that a function stands for."""
        return self.origins.get(function) or Origin(function)


def client_tools(tools: object, choice: object) -> ClientTools:
    """Translate `tools` and `tool_choice`, in the form of chat completions or of Responses.

    Raises InvalidRequestError for invalid tools and for a choice that requires a tool that cannot run here.
    """
    if not tools:
        return ClientTools()  # a choice without tools means nothing
    functions: list[Mapping[str, Any]] = []
    origins: dict[str, Origin] = {}
    dropped: list[str] = []
    for where, tool in objects(tools, "tools"):
        match tool.get("type", "function"):
            case "function" if isinstance(tool.get("function"), Mapping):
                functions.append(tool)  # the form of chat completions, which backends expect
            case "function" | "custom":
                functions.append(_function(tool, where, origins))
            case "namespace":
                functions += _unfolded(tool, where, origins)
            case str():
                dropped.append(dropped_name(tool))
            case _:
                raise invalid(f"{where}.type", "a text")
    return _chosen(ClientTools(functions, None, origins, dropped_names(dropped)), choice)


def dropped_name(tool: Mapping[str, Any]) -> str:
    """The name of a hosted tool in the answer: its type, and for a tool of an MCP server the server's label."""
    label = tool.get("server_label")
    return f"{tool['type']}:{label}" if isinstance(label, str) and label else str(tool["type"])


def can_run(tool: Mapping[str, Any]) -> bool:
    """Whether a client's tool is one that the client runs: a function, a custom tool or a namespace of them."""
    return tool.get("type", "function") in ("function", "custom", "namespace")


def namespaced(namespace: object, name: str) -> str:
    """The name of the function that stands for a namespace's function; a name that is too long ends in a digest."""
    if not isinstance(namespace, str) or not namespace:
        return name
    joined = f"{namespace.removesuffix('__')}__{name}"
    if len(joined) <= _MAX_NAME:
        return joined
    digest = hashlib.sha256(joined.encode(errors="replace")).hexdigest()[:_DIGEST]
    return f"{joined[: _MAX_NAME - _DIGEST - 1]}_{digest}"


def custom_arguments(text: str) -> str:
    """The arguments of the function that stands for a custom tool, as JSON."""
    return orjson.dumps({INPUT: text}).decode()


def custom_input(arguments: str) -> str:
    """The input of a custom tool in the arguments of its function: `input`, else the only text, else all of it."""
    try:
        parsed = mapping(json.loads(arguments))
    except json.JSONDecodeError:
        return arguments
    texts = [parsed[INPUT]] if INPUT in parsed else list(parsed.values())
    return texts[0] if len(texts) == 1 and isinstance(texts[0], str) else arguments


def _function(tool: Mapping[str, Any], where: str, origins: dict[str, Origin], namespace: str | None = None) -> Part:
    custom = tool.get("type") == "custom"
    if isinstance(inner := tool.get("custom"), Mapping):  # the form of chat completions
        tool, where = inner, f"{where}.custom"
    name = text_of(tool, "name", where)
    function = namespaced(namespace, name)
    if custom or namespace is not None:
        origins[function] = Origin(name, namespace, custom)
    if not custom:
        return function_tool(function, tool, tool.get("parameters") or tool.get("input_schema"))
    return function_tool(function, {"description": _custom_description(tool)}, _INPUT_SCHEMA)


def _custom_description(tool: Mapping[str, Any]) -> str:
    """The description of a custom tool, with the grammar of its input, which only OpenAI's servers enforce."""
    described = tool.get("description")
    texts = [described] if isinstance(described, str) and described else []
    wanted = mapping(tool.get("format"))
    grammar = mapping(wanted.get("grammar")) or wanted
    if isinstance(definition := grammar.get("definition"), str):
        texts.append(f"'{INPUT}' must match this {clean(grammar.get('syntax', ''), 16)} grammar:\n{definition}")
    return "\n\n".join(texts)


def _unfolded(tool: Mapping[str, Any], where: str, origins: dict[str, Origin]) -> Iterator[Part]:
    """The functions of a namespace. The first one's description contains the namespace's."""
    namespace, about = text_of(tool, "name", where), tool.get("description")
    for position, (place, inner) in enumerate(objects(tool.get("tools") or [], f"{where}.tools")):
        if inner.get("type", "function") not in ("function", "custom"):
            raise invalid(f"{place}.type", "function or custom")
        converted = _function(inner, place, origins, namespace)
        if position == 0 and isinstance(about, str) and about:
            function = converted["function"]
            function["description"] = "\n\n".join(filter(None, (function.get("description"), about)))
        yield converted


def _chosen(tools: ClientTools, choice: object) -> ClientTools:
    """`tools` with the choice."""
    kind = choice.get("type", "function") if isinstance(choice, Mapping) else choice
    if kind is None or (isinstance(kind, str) and kind in _MODES):
        mode = _MODES.get(kind)
        if mode == "required" and not tools.functions:
            raise _nothing_to_choose(tools)
        return replace(tools, choice=mode if tools.functions else None)
    if not isinstance(choice, Mapping):
        raise invalid("tool_choice", "auto, none, required or a function")
    if kind == "allowed_tools":
        return _allowed(tools, mapping(choice.get("allowed_tools")) or choice)
    if kind not in ("function", "custom", "tool"):
        raise unsupported("tool_choice.type", f"is {kind!r}, which is not supported: only functions and custom tools can run")
    if not tools.functions:
        raise _nothing_to_choose(tools)
    return replace(tools, choice={"type": "function", "function": {"name": _chosen_name(choice, "tool_choice")}})


def _allowed(tools: ClientTools, allowed: Mapping[str, Any]) -> ClientTools:
    """`tools` without those that a choice of type `allowed_tools` does not list."""
    if (mode := allowed.get("mode", "auto")) not in ("auto", "required"):
        raise invalid("tool_choice.mode", "auto or required")
    names: set[str] = set()
    namespaces: set[object] = set()
    for where, tool in objects(allowed.get("tools"), "tool_choice.tools"):
        if tool.get("type") == "namespace":
            namespaces.add(text_of(tool, "name", where))
        elif tool.get("type", "function") in ("function", "custom"):
            names.add(_chosen_name(tool, where))
    functions = [
        tool
        for tool in tools.functions
        if isinstance(name := tool["function"].get("name"), str)
        and (name in names or tools.origin(name).namespace in namespaces - {None})
    ]
    if not functions and mode == "required":
        raise _nothing_to_choose(tools)
    return replace(tools, functions=functions, choice="required" if mode == "required" else None)


def _chosen_name(choice: Mapping[str, Any], where: str) -> str:
    """The name of the function that a choice names, in the form of chat completions or of Responses."""
    for kind in ("function", "custom"):
        if isinstance(inner := choice.get(kind), Mapping):
            return text_of(inner, "name", f"{where}.{kind}")
    return namespaced(choice.get("namespace"), text_of(choice, "name", where))


def _nothing_to_choose(tools: ClientTools) -> InvalidRequestError:
    named = f": {', '.join(tools.dropped)} cannot run here" if tools.dropped else ""
    return unsupported("tool_choice", f"requires a tool, but none is left{named}")
