"""The hosted tools of a request of OpenAI's Responses, and the request that is passed on to a backend with this API.

Source: OpenAI's SDK 3.52 (`responses/tool_param.py`, `response_create_params.py`, `response_input_item_param.py`), and for types
of other servers docs.x.ai ("Tools"), console.groq.com/docs ("Tool use") and openrouter.ai/docs ("Server tools").
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...protocol.hosted_tools import HostedDialect, HostedTools, check_references
from ...protocol.values import mapping
from ..openai.client_tools import can_run, dropped_name
from ..reasoning import unpack
from ..turns import objects
from .input_items import TOOL_ITEMS

_KINDS: Mapping[str, str] = {
    "web_search": "web_search",
    "web_search_preview": "web_search",
    "x_search": "web_search",
    "browser_search": "web_search",
    "openrouter:web_search": "web_search",
    "openrouter:web_fetch": "web_fetch",
    "file_search": "file_search",
    "collections_search": "file_search",
    "code_interpreter": "code_execution",
    "code_execution": "code_execution",
    "image_generation": "image_generation",
    "computer": "computer_use",
    "computer_use": "computer_use",
    "computer_use_preview": "computer_use",
    "mcp": "mcp",
}
"""The type of hosted tool by a tool's type, without the date at its end."""
_PASSED = (
    "instructions", "temperature", "top_p", "parallel_tool_calls", "prompt_cache_key", "text", "reasoning", "tool_choice",
    "max_tool_calls", "truncation",
)  # fmt: skip
"""Parameters that are passed on as they are. `model`, `stream` and the limit of tokens are those of the chat."""
_INCLUDE = frozenset(
    {
        "web_search_call.results", "web_search_call.action.sources", "file_search_call.results", "code_interpreter_call.outputs",
        "computer_call_output.output.image_url", "reasoning.encrypted_content",
    }
)  # fmt: skip
_USERS_ITEMS = ("computer_call_output", "mcp_approval_response")
"""Items of hosted tools that the client writes. Others repeat what the provider wrote, with ids of its own."""


def kind_of(tool: Mapping[str, Any]) -> str | None:
    """The type of hosted tool; None for a tool that a key cannot be granted, and for one that the client runs."""
    kind = tool.get("type")
    if not isinstance(kind, str):
        return None
    start, _, dated = kind.rpartition("_20")
    return _KINDS.get(kind) or (_KINDS.get(start) if dated else None)


def hosted_tools(request: Mapping[str, Any], granted: Sequence[str]) -> tuple[HostedTools | None, dict[str, Any]]:
    """The granted hosted tools of a request whose `input` is the whole conversation, and the request without them.

    Raises PermissionDeniedError for options that name what is not granted, InvalidRequestError for invalid tools.
    """
    rest = dict(request)
    items = request.get("input")
    tools = list(_tools(request))
    found = {where: kind for where, tool in tools if (kind := kind_of(tool)) in granted and kind is not None}
    if not found:
        return None, rest
    for where, tool in tools:
        if where in found:
            check_references({name: value for name, value in tool.items() if name != "filters"}, granted, where)
    if isinstance(items, list):
        for where, item in objects(items, "input"):
            if item.get("type") in _USERS_ITEMS:
                check_references(item, granted, where)
    kept = [tool for where, tool in tools if where in found or can_run(tool)]
    hosted = [tool for where, tool in tools if where in found]
    rest["tools"] = [tool for where, tool in tools if where not in found]
    if isinstance(items, list):
        rest["input"] = [item for item in items if mapping(item).get("type") not in TOOL_ITEMS]
    if required := _is_required(request.get("tool_choice"), hosted, kept):
        del rest["tool_choice"]
    most = request.get("max_tool_calls")
    body = {name: request[name] for name in _PASSED if request.get(name) is not None}
    body |= {"input": _input(items), "tools": kept, "store": False}
    include = request.get("include")
    if isinstance(include, list) and (known := [name for name in include if isinstance(name, str) and name in _INCLUDE]):
        body["include"] = known
    return HostedTools(
        HostedDialect.RESPONSES,
        {found[where]: _price_name(found[where], tool) for where, tool in tools if where in found},
        tuple(dropped_name(tool) for tool in hosted),
        body,
        required=required,
        most_calls=most if isinstance(most, int) and not isinstance(most, bool) and most >= 0 else None,
    ), rest


def _tools(request: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(place, tool) of the tools of the request, and of those that items of its input define."""
    yield from objects(request.get("tools") or [], "tools")
    items = request.get("input")
    for where, item in objects(items, "input") if isinstance(items, list) else ():
        if item.get("type") in TOOL_ITEMS and isinstance(item.get("tools"), list):
            yield from objects(item["tools"], f"{where}.tools")


def _is_required(choice: object, hosted: Sequence[Mapping[str, Any]], kept: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a choice requires one of the hosted tools."""
    if choice in ("required", "any"):
        return len(hosted) == len(kept)
    kind = mapping(choice).get("type")
    if kind == "allowed_tools":
        allowed = mapping(mapping(choice).get("allowed_tools")) or mapping(choice)
        listed = allowed.get("tools")
        named = [kind_of(mapping(tool)) for tool in listed] if isinstance(listed, list) else []
        return allowed.get("mode") == "required" and bool(named) and all(name is not None for name in named)
    wanted = kind_of(mapping(choice))
    return wanted is not None and any(kind_of(tool) == wanted for tool in hosted)


def _price_name(kind: str, tool: Mapping[str, Any]) -> str:
    """The name of a tool's price: some cost more with an option."""
    if kind == "web_search" and "preview" in tool["type"]:
        return "web_search_preview"
    if kind == "code_execution" and isinstance(limit := mapping(tool.get("container")).get("memory_limit"), str):
        return kind if limit == "1g" else f"{kind}_{limit}"
    return kind


def _input(items: object) -> Any:
    """The input for a provider that stores nothing: without definitions of tools, and without reasoning of others."""
    if not isinstance(items, list):
        return items
    kept: list[Any] = []
    for item in items:
        kind = mapping(item).get("type")
        if kind in TOOL_ITEMS or kind == "item_reference":
            continue
        if kind == "reasoning":
            packed = item.get("encrypted_content")
            if not isinstance(packed, str) or not packed or unpack(packed):
                continue
        kept.append(item)
    return kept
