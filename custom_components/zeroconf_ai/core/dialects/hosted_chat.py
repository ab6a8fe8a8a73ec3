"""The hosted tools within a chat: `web_search_options`, and Google's tools in `extra_body.google.tools`."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..protocol.hosted_tools import HostedDialect, HostedTools, check_references
from ..protocol.values import mapping
from .dropped_tools import dropped_names

SEARCH_OPTIONS = "web_search_options"
"""The parameter that lets OpenAI's search models, Perplexity and others search."""
_GOOGLE: Mapping[str, str] = {
    "googlesearch": "web_search",
    "googlesearchretrieval": "web_search",
    "urlcontext": "web_fetch",
    "codeexecution": "code_execution",
    "filesearch": "file_search",
    "computeruse": "computer_use",
}
"""The type of hosted tool by Google's name of it, in lower case and without underscores (ai.google.dev/api/caching, "Tool")."""


class HostedChat(NamedTuple):
    """A chat with only those hosted tools that are granted."""

    body: Mapping[str, Any]
    hosted: HostedTools | None
    dropped: tuple[str, ...]
    """The names of the hosted tools that are not granted."""


def hosted_chat(given: Mapping[str, Any], granted: Sequence[str]) -> HostedChat:
    """The chat without hosted tools that are not granted. Raises PermissionDeniedError for options that are not granted."""
    extra, search = given.get("extra_body"), given.get(SEARCH_OPTIONS) is not None
    google = mapping(mapping(extra).get("google"))
    if not search and not google.get("tools"):
        return HostedChat(given, None, ())
    body: dict[str, Any] = dict(given)
    dropped: list[str] = []
    hosted: HostedTools | None = None
    if search and "web_search" in granted:
        tools = {"web_search": "web_search"}
        hosted = HostedTools(HostedDialect.CHAT, tools, (SEARCH_OPTIONS,), always_called=True)
    elif search:
        del body[SEARCH_OPTIONS]
        dropped.append(SEARCH_OPTIONS)
    if google.get("tools"):
        kept, left_out = _google_tools(google["tools"], granted)
        dropped += left_out
        kinds = [kind for tool in kept for name in tool if (kind := _kind(name))]
        if kinds:
            names = dropped_names(name for tool in kept for name in tool)
            hosted = HostedTools(HostedDialect.GEMINI, {kind: kind for kind in kinds}, names)
        options = {**google, "tools": kept}
        extra = {**mapping(extra), "google": {name: value for name, value in options.items() if value}}
        body["extra_body"] = {name: value for name, value in extra.items() if value}
        if not body["extra_body"]:
            del body["extra_body"]
    return HostedChat(body, hosted, dropped_names(dropped))


def _google_tools(tools: object, granted: Sequence[str]) -> tuple[list[Mapping[str, Any]], list[str]]:
    """(tools that are granted, names of the others)."""
    kept: list[Mapping[str, Any]] = []
    left_out: list[str] = []
    for index, tool in enumerate(tools if isinstance(tools, list) else ()):
        named = {name: options for name, options in mapping(tool).items() if _kind(name) in granted}
        check_references(named, granted, f"tools[{index}]")
        left_out += [name for name in mapping(tool) if name not in named]
        if named:
            kept.append(named)
    return kept, left_out


def _kind(name: str) -> str | None:
    return _GOOGLE.get(name.replace("_", "").lower())
