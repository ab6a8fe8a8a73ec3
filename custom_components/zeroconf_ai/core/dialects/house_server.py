"""The tools of the house in OpenAI's Responses: `{"type": "mcp", "server_label": "home"}`, and the items about their calls.

Source: OpenAI's SDK 3.52 (`responses/tool_param.py`, `response_output_item.py`, `response_input_item_param.py`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import uuid4

import orjson

from ..protocol.tool_calls import ToolCall
from ..protocol.values import NOTHING, mapping
from .turns import invalid

HOME = "home"
"""The label of the server that means the tools of the house."""
_ELSEWHERE = ("server_url", "connector_id", "tunnel_id")
"""Fields of a server that is not the house."""


@dataclass(frozen=True, slots=True)
class HouseServer:
    """What a request says of the tools of the house, and what the person has decided about calls that needed approval."""

    allowed: Any = None
    """A list of names, or a filter; None: all tools."""
    approval: Any = None
    """`never`, `always` or filters for both; None: always."""
    approved: list[ToolCall] = field(default_factory=list)
    denied: list[ToolCall] = field(default_factory=list)

    def offers(self, name: str, annotations: Mapping[str, bool]) -> bool:
        """Whether the model may call a tool."""
        return self.allowed is None or _matches(self.allowed, name, annotations)

    def needs_approval(self, name: str, annotations: Mapping[str, bool]) -> bool:
        """Whether a person must approve each call of a tool."""
        if isinstance(self.approval, str) or self.approval is None:
            return self.approval != "never"
        if self.approval.get("always") is not None and _matches(self.approval["always"], name, annotations):
            return True
        return not (self.approval.get("never") is not None and _matches(self.approval["never"], name, annotations))


class HouseCall(NamedTuple):
    """A call of a tool of the house in a conversation."""

    name: str
    arguments: str
    """JSON, as the model sent it."""
    output: str


def house_calls(items: object) -> tuple[HouseCall, ...]:
    """The calls of the house's tools in the items of a conversation, whether or not the request asks for these tools again."""
    listed = (mapping(item) for item in items if isinstance(item, Mapping)) if isinstance(items, list) else ()
    return tuple(
        HouseCall(str(item.get("name")), str(item.get("arguments")), str(item.get("output")))
        for item in listed
        if item.get("type") == "mcp_call" and item.get("server_label") == HOME
    )


def house_server(request: Mapping[str, Any]) -> tuple[HouseServer | None, Mapping[str, Any]]:
    """The tools of the house in a request whose `input` is the whole conversation, and the request without them.

    Raises InvalidRequestError for invalid fields.
    """
    given = request.get("tools")
    listed = given if isinstance(given, list) else []
    found = next((tool for tool in listed if _is_house(tool)), None)
    if found is None:
        return None, request
    approval, allowed = found.get("require_approval"), found.get("allowed_tools")
    if not (approval is None or approval in ("never", "always") or isinstance(approval, Mapping)):
        raise invalid("tools.require_approval", "never, always, or an object with filters")
    if not (allowed is None or isinstance(allowed, list | Mapping)):
        raise invalid("tools.allowed_tools", "a list of names, or an object")
    server = HouseServer(allowed, approval)
    items = request.get("input")
    conversation = items if isinstance(items, list) else []
    asked = {
        item["id"]: ToolCall(item["id"], item["name"], item["arguments"])
        for item in conversation
        if _is_item(item, "mcp_approval_request") and all(isinstance(item.get(key), str) for key in ("id", "name", "arguments"))
    }
    ran = {item.get("approval_request_id") for item in conversation if _is_item(item, "mcp_call")}
    for item in conversation:
        if _is_item(item, "message") and item.get("role") == "assistant":
            server.approved.clear()  # what was decided before is answered
            server.denied.clear()
        call = asked.get(str(item.get("approval_request_id"))) if _is_item(item, "mcp_approval_response") else None
        if call is not None and call.id not in ran:
            (server.approved if item.get("approve") is True else server.denied).append(call)
            ran.add(call.id)
    changes: dict[str, Any] = {"tools": [tool for tool in listed if not _is_house(tool)]}
    if isinstance(items, list):
        changes["input"] = [found for item in items for found in _known(item, asked)]
    return server, {**request, **changes}


def tools_item(tools: Iterable[tuple[str, str, Mapping[str, Any], Mapping[str, bool]]]) -> dict[str, Any]:
    """The item with the tools: name, description, schema and annotations of each."""
    listed = [
        {"name": name, "description": description, "input_schema": schema, "annotations": dict(annotations)}
        for name, description, schema, annotations in tools
    ]
    return {"type": "mcp_list_tools", "id": f"mcpl_{uuid4().hex}", "server_label": HOME, "tools": listed}


def call_item(call: ToolCall, text: str, *, failed: bool) -> dict[str, Any]:
    """The item of a call that was run. `text` is its result, or why it failed."""
    return {
        "type": "mcp_call",
        "id": f"mcp_{uuid4().hex}",
        "server_label": HOME,
        "name": call.name,
        "arguments": call.arguments or "{}",
        "approval_request_id": call.id if call.id.startswith("mcpr_") else None,
        "output": None if failed else text,
        "error": {"type": "mcp_tool_execution_error", "content": [{"type": "text", "text": text}]} if failed else None,
        "status": "failed" if failed else "completed",
    }


def approval_item(call: ToolCall) -> dict[str, Any]:
    """The item that asks a person to approve a call."""
    named = {"server_label": HOME, "name": call.name, "arguments": call.arguments or "{}"}
    return {"type": "mcp_approval_request", "id": f"mcpr_{uuid4().hex}", **named}


def _matches(wanted: Any, name: str, annotations: Mapping[str, bool]) -> bool:
    """Whether a list of names, or a filter by names and by `read_only`, means a tool."""
    if isinstance(wanted, list):
        return name in wanted
    names, read_only = mapping(wanted).get("tool_names"), mapping(wanted).get("read_only")
    if isinstance(names, list) and name not in names:
        return False
    return not isinstance(read_only, bool) or annotations.get("readOnlyHint", False) is read_only


def _is_house(tool: object) -> bool:
    found = mapping(tool) if isinstance(tool, Mapping) else NOTHING
    is_home = found.get("type") == "mcp" and found.get("server_label") == HOME
    return is_home and not any(found.get(name) for name in _ELSEWHERE)


def _is_item(item: object, kind: str) -> bool:
    return isinstance(item, Mapping) and item.get("type") == kind


def _known(item: Any, asked: Mapping[str, ToolCall]) -> list[Any]:
    """What the model gets of an item: a call of the house as a call of a function with its result."""
    found = mapping(item) if isinstance(item, Mapping) else NOTHING
    kind = found.get("type")
    if kind == "mcp_approval_response" and found.get("approval_request_id") in asked:
        return []
    if found.get("server_label") != HOME or kind not in ("mcp_approval_request", "mcp_call", "mcp_list_tools"):
        return [item]
    if kind != "mcp_call":
        return []
    output, error = found.get("output"), found.get("error")
    text = output if isinstance(output, str) else orjson.dumps(error).decode()
    call = {"call_id": found.get("id"), "name": found.get("name"), "arguments": found.get("arguments")}
    return [
        {"type": "function_call", **call},
        {"type": "function_call_output", "call_id": found.get("id"), "output": text},
    ]
