"""The hosted tools of a request of Anthropic's Messages API, and the request that is passed on to a backend with this API.

Source: Anthropic's SDK 2.11 (`beta/message_create_params.py`, `beta_tool_union_param.py`,
`beta_request_mcp_server_url_definition_param.py`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ...protocol.hosted_tools import CONTAINERS, FILES, HostedDialect, HostedTools, check_reference, check_references
from ...protocol.values import mapping
from ..extras import known_betas
from ..reasoning import UNSIGNED, unpack
from ..turns import objects
from .client_tools import dropped_tools, is_client_run

_KINDS: Mapping[str, str] = {
    "web_search_": "web_search",
    "web_fetch_": "web_fetch",
    "code_execution_": "code_execution",
    "mcp_toolset": "mcp",
}
"""The type of hosted tool by the beginning of a tool's type, before its date."""
LIMITED = ("web_search", "web_fetch")
"""The tools whose calls `max_uses` limits."""
_PASSED = (
    "system",
    "temperature",
    "top_p",
    "top_k",
    "stop_sequences",
    "thinking",
    "tool_choice",
    "output_config",
    "cache_control",
)
"""Parameters that are passed on as they are. `model`, `stream` and `max_tokens` are those of the chat."""
_BETAS = ("code-execution-", "web-fetch-", "web-search-", "mcp-client-", "fine-grained-tool-streaming-", "interleaved-thinking-")
"""The beginnings of names of betas that are passed on."""


def kind_of(tool: Mapping[str, Any]) -> str | None:
    """The type of hosted tool; None for a tool that a key cannot be granted, and for one that the client runs."""
    kind = tool.get("type")
    return _KINDS.get(kind.rstrip("0123456789")) if isinstance(kind, str) else None


def hosted_tools(
    request: Mapping[str, Any], granted: Sequence[str], betas: Iterable[str] = ()
) -> tuple[HostedTools | None, Mapping[str, Any]]:
    """The granted hosted tools of a request, and the request without them. `betas`: the values of its `anthropic-beta` headers.

    Raises PermissionDeniedError for options that name what is not granted, InvalidRequestError for invalid tools.
    """
    tools = list(objects(request.get("tools") or [], "tools"))
    servers = list(objects(request.get("mcp_servers") or [], "mcp_servers"))
    found = {where for where, tool in tools if kind_of(tool) in granted}
    uses_mcp = bool(servers) and "mcp" in granted
    if not found and not uses_mcp:
        return None, request
    for where, options in (*((where, tool) for where, tool in tools if where in found), *(servers if uses_mcp else ())):
        check_references(options, granted, where)
    _check_messages(request, granted)
    hosted = [tool for where, tool in tools if where in found]
    searched = any(str(tool.get("type")).startswith("tool_search_tool_") for _, tool in tools)
    kept = [
        _without_wait(tool) if searched else tool
        for where, tool in tools
        if where in found or tool.get("type") in (None, "custom") or is_client_run(tool)
    ]
    body: dict[str, Any] = {name: request[name] for name in _PASSED if request.get(name) is not None}
    body |= {"messages": list(_messages(request)), "tools": kept}
    rest: dict[str, Any] = {**request, "tools": [tool for where, tool in tools if where not in found]}
    if uses_mcp:
        body["mcp_servers"] = [server for _, server in servers]
        del rest["mcp_servers"]
    if request.get("container") and "code_execution" in granted:
        check_reference(CONTAINERS, granted, "container")
        body["container"] = rest.pop("container")
    if required := _is_required(mapping(request.get("tool_choice")), hosted, kept):
        del rest["tool_choice"]
    kinds = [kind for tool in hosted if (kind := kind_of(tool))] + (["mcp"] if uses_mcp else [])
    own = request.get("betas")
    named = [name for name in known_betas([*betas, *(own if isinstance(own, list) else ())]) if name.startswith(_BETAS)]
    left_out = dropped_tools(rest)
    return HostedTools(
        HostedDialect.MESSAGES,
        {kind: kind for kind in kinds},
        tuple(name for name in dropped_tools(request) if name not in left_out),
        body,
        {"anthropic-beta": ",".join(named)} if named else {},
        required=required,
        most_calls=_most_uses(hosted),
    ), rest


def _check_messages(request: Mapping[str, Any], granted: Sequence[str]) -> None:
    """Raise PermissionDeniedError if a block of the user names a file that is not granted."""
    for where, message in objects(request.get("messages") or [], "messages"):
        if message.get("role") == "user" and isinstance(message.get("content"), list):
            for place, block in objects(message["content"], f"{where}.content"):
                if block.get("file_id") or mapping(block.get("source")).get("file_id"):
                    check_reference(FILES, granted, place)


def _messages(request: Mapping[str, Any]) -> Iterator[Any]:
    """The messages without reasoning of others, which Anthropic cannot verify."""
    for message in request.get("messages") or ():
        content = mapping(message).get("content")
        if mapping(message).get("role") == "assistant" and isinstance(content, list):
            message = {**message, "content": [block for block in content if not _is_foreign(mapping(block))]}
        yield message


def _is_foreign(block: Mapping[str, Any]) -> bool:
    if block.get("type") == "thinking":
        return block.get("signature") in (None, "", UNSIGNED)
    return block.get("type") == "redacted_thinking" and bool(unpack(block.get("data")))


def _without_wait(tool: Mapping[str, Any]) -> Mapping[str, Any]:
    """A tool that need not be found first: the search of tools was left out."""
    return {name: value for name, value in tool.items() if name != "defer_loading"}


def _is_required(choice: Mapping[str, Any], hosted: Sequence[Mapping[str, Any]], kept: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a choice requires one of the hosted tools."""
    if choice.get("type") == "any":
        return len(hosted) == len(kept)
    return choice.get("type") == "tool" and any(tool.get("name") == choice.get("name") for tool in hosted)


def _most_uses(hosted: Sequence[Mapping[str, Any]]) -> int | None:
    """The largest limit of calls of the tools; None if one has none."""
    limits = [tool.get("max_uses") for tool in hosted if kind_of(tool) in LIMITED]
    known = [limit for limit in limits if isinstance(limit, int) and not isinstance(limit, bool) and limit > 0]
    return max(known) if known and len(known) == len(limits) else None
