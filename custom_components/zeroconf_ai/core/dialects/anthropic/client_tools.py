"""Tools of Anthropic's clients → functions.

Source: Anthropic's SDK 2.14 (`tool_union_param.py`, `beta/beta_tool_union_param.py`) and its documentation of the tools.

- Tools that Anthropic has defined and that the client runs (bash, text editor, memory, computer) become functions with the
  documented parameters; Claude models get them as they are, because they were trained with them.
- Tools that Anthropic's servers run (web search, code execution, tool search, MCP servers and others) cannot run here: they are
  dropped, and the answer names them.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from ...protocol.values import mapping
from ..dropped_tools import dropped_names
from ..extras import TOOL_FIELDS, extra, selected
from ..turns import Part, function_tool, invalid, objects, text_of, unsupported

_TEXT, _COUNT, _FLAG = {"type": "string"}, {"type": "integer"}, {"type": "boolean"}
_POINT = {"type": "array", "items": _COUNT, "minItems": 2, "maxItems": 2}
_FILE = {
    "path": _TEXT,
    "file_text": {**_TEXT, "description": "create: the content of the new file."},
    "old_str": {**_TEXT, "description": "str_replace: the text to replace, which occurs exactly once."},
    "new_str": {**_TEXT, "description": "str_replace: the new text."},
    "insert_line": {**_COUNT, "description": "insert: the line after which the text is inserted; 0: at the beginning."},
    "insert_text": {**_TEXT, "description": "insert: the text."},
    "view_range": {**_POINT, "description": "view: first and last line; -1 as last line: to the end."},
}
_ACTIONS = (
    "screenshot", "left_click", "right_click", "middle_click", "double_click", "triple_click", "left_click_drag",
    "left_mouse_down", "left_mouse_up", "mouse_move", "cursor_position", "type", "key", "hold_key", "scroll", "wait", "zoom",
)  # fmt: skip


def _schema(required: str, words: tuple[str, ...], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {required: {"enum": list(words)}, **properties}, "required": [required]}


_CLIENT_RUN: Mapping[str, tuple[str, dict[str, Any]]] = {
    "bash_": (
        "Runs a command in a bash session that keeps its state.",
        {"type": "object", "properties": {"command": _TEXT, "restart": {**_FLAG, "description": "Restart the session instead."}}},
    ),
    "text_editor_": (
        "Views and edits text files.",
        _schema("command", ("view", "create", "str_replace", "insert"), **_FILE) | {"required": ["command", "path"]},
    ),
    "memory_": (
        "Views and edits files below /memories, which are kept between conversations.",
        _schema(
            "command",
            ("view", "create", "str_replace", "insert", "delete", "rename"),
            **_FILE,
            old_path={**_TEXT, "description": "rename: the present path."},
            new_path={**_TEXT, "description": "rename: the new path."},
        ),
    ),
    "computer_": (
        "Uses mouse and keyboard, and takes screenshots.",
        _schema(
            "action",
            _ACTIONS,
            coordinate={**_POINT, "description": "x and y in pixels."},
            start_coordinate={**_POINT, "description": "left_click_drag: where it begins."},
            text={**_TEXT, "description": "type: the text; key, hold_key: the keys, such as ctrl+s."},
            duration={"type": "number", "description": "hold_key, wait: seconds."},
            scroll_direction={"enum": ["up", "down", "left", "right"]},
            scroll_amount=_COUNT,
            region={"type": "array", "items": _COUNT, "description": "zoom: x0, y0, x1, y1."},
        ),
    ),
}
"""By the beginning of the type, before its date: description and parameters."""


def client_tools(request: Mapping[str, Any]) -> dict[str, Any]:
    """The chat's `tools`, `tool_choice` and `parallel_tool_calls`. Raises InvalidRequestError.

    A choice that requires a dropped tool is refused.
    """
    searches = any(str(tool.get("type")).startswith("tool_search_tool_") for _, tool in _tools(request))
    tools = [_function(tool, where, searches=searches) for where, tool in _tools(request) if not _is_dropped(tool)]
    choice = mapping(request.get("tool_choice"))
    kind, name = choice.get("type"), choice.get("name")
    dropped = [tool.get("name") for _, tool in _tools(request) if _is_dropped(tool)]
    if kind not in (None, "auto", "any", "tool", "none"):
        raise invalid("tool_choice.type", "auto, any, tool or none")
    if (kind == "tool" and isinstance(name, str) and name in dropped) or (kind == "any" and dropped and not tools):
        named = dropped_names([name]) if kind == "tool" else dropped_tools(request)
        raise unsupported("tool_choice", f"requires a tool that cannot run here: {', '.join(named)}")
    if not tools:
        return {}
    chat: dict[str, Any] = {"tools": tools}
    if kind == "any":
        chat["tool_choice"] = "required"
    elif kind == "none":
        chat["tool_choice"] = "none"
    elif kind == "tool":
        chat["tool_choice"] = {"type": "function", "function": {"name": text_of(choice, "name", "tool_choice")}}
    if choice.get("disable_parallel_tool_use") is True:
        chat["parallel_tool_calls"] = False
    return chat


def dropped_tools(request: Mapping[str, Any]) -> tuple[str, ...]:
    """The tools of the request that cannot run here, by type, and its MCP servers. Raises InvalidRequestError."""
    servers = (f"mcp:{server.get('name')}" for _, server in objects(request.get("mcp_servers") or [], "mcp_servers"))
    hosted = (
        f"mcp:{tool.get('mcp_server_name')}" if tool["type"] == "mcp_toolset" else tool["type"]
        for _, tool in _tools(request)
        if _is_dropped(tool)
    )
    return dropped_names((*hosted, *servers))


def is_client_run(tool: Mapping[str, Any]) -> bool:
    """Whether a tool is one that Anthropic has defined and that the client runs."""
    return _client_run(tool) is not None


def _tools(request: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for where, tool in objects(request.get("tools") or [], "tools"):
        if not isinstance(tool.get("type"), str | None):
            raise invalid(f"{where}.type", "a text")
        yield where, tool


def _client_run(tool: Mapping[str, Any]) -> tuple[str, dict[str, Any]] | None:
    kind = tool.get("type")
    if not isinstance(kind, str):
        return None
    start = kind.rstrip("0123456789")
    return _CLIENT_RUN.get(start) if start != kind else None


def _is_dropped(tool: Mapping[str, Any]) -> bool:
    return tool.get("type") not in (None, "custom") and _client_run(tool) is None


def _function(tool: Mapping[str, Any], where: str, *, searches: bool) -> Part:
    """`searches`: the request has a tool search, which is dropped, so that no tool may wait for being found."""
    mark = {"cache_control": tool["cache_control"]} if isinstance(tool.get("cache_control"), Mapping) else {}
    name = text_of(tool, "name", where)
    if (known := _client_run(tool)) is not None:
        description, parameters = known
        if width := tool.get("display_width_px"):
            description += f" The screen has {width} x {tool.get('display_height_px')} pixels."
        return function_tool(name, {"description": description}, parameters) | mark | extra(tool=dict(tool))
    schema = tool.get("input_schema")
    if not isinstance(schema, Mapping):
        raise invalid(f"{where}.input_schema", "an object")
    fields = selected(tool, TOOL_FIELDS if not searches else tuple(name for name in TOOL_FIELDS if name != "defer_loading"))
    return function_tool(name, tool, schema) | mark | extra(fields=fields)
