"""Tools that a provider's servers run themselves (hosted tools), and what a key must be granted to use them.

A request with hosted tools is passed on in its own dialect, and only to a backend of that dialect.
"""

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from .errors import InvalidRequestError, PermissionDeniedError
from .values import NOTHING


class HostedDialect(StrEnum):
    """The API in whose form a request with hosted tools is passed on."""

    RESPONSES = "responses"
    CHAT = "chat"
    MESSAGES = "messages"
    GEMINI = "gemini"


HOSTED_TOOLS = ("web_search", "web_fetch", "code_execution", "file_search", "image_generation", "computer_use", "mcp")
"""The types of hosted tools that a key can be granted, whatever a dialect calls them."""
FILES, VECTOR_STORES, CONTAINERS = "files", "vector_stores", "containers"
SERVER_URL, AUTHORIZATION = "server_url", "authorization"
REFERENCES = (FILES, VECTOR_STORES, CONTAINERS, SERVER_URL, AUTHORIZATION)
"""What the options of hosted tools may name only if the key is granted it.

The ids of files, vector stores and containers belong to the owner's account at the provider. To the server of `server_url` the
provider sends what the model wants to; `authorization` stands for credentials and headers, which the provider sends to it.
"""
GRANTS = (*HOSTED_TOOLS, *REFERENCES)
"""All values of a key's `hosted_tools`."""
_REFERENCE_OF: Mapping[str, str] = {
    **dict.fromkeys(("file_id", "file_ids"), FILES),
    **dict.fromkeys(
        (
            "vector_store_id", "vector_store_ids", "file_search_store_names", "fileSearchStoreNames", "collection_ids",
            "vertex_ai_search", "vertexAiSearch",
        ),
        VECTOR_STORES,
    ),
    **dict.fromkeys(("container", "container_id", "skills", "skill_id"), CONTAINERS),
    **dict.fromkeys(("server_url", "connector_id", "tunnel_id", "url"), SERVER_URL),
    **dict.fromkeys(("authorization", "authorization_token", "headers", "api_key", "auth_config", "authConfig"), AUTHORIZATION),
}  # fmt: skip
"""The reference that an option is, by the option's name at OpenAI, Anthropic, Google and xAI."""


@dataclass(frozen=True, slots=True)
class HostedTools:
    """The granted hosted tools of one request, and the request in its own dialect."""

    dialect: HostedDialect
    tools: Mapping[str, str] = NOTHING
    """By type of hosted tool, the name under which its calls are priced."""
    names: tuple[str, ...] = ()
    """The tools as the answer names them if they are left out."""
    body: Mapping[str, Any] = field(default=NOTHING, repr=False)
    """The request in its own dialect, without tools that are not granted; empty if the chat itself contains them."""
    headers: Mapping[str, str] = field(default=NOTHING, repr=False)
    """Headers that select versions of the dialect."""
    required: bool = False
    """Whether the request requires one of them, so that only a backend of this dialect can answer it."""
    most_calls: int | None = None
    """The maximum number of calls that the request allows; None: unlimited."""
    always_called: bool = False
    """Whether each answer costs at least one call, although providers do not report it."""


def check_references(value: object, granted: Container[str], where: str) -> None:
    """Raise PermissionDeniedError if the options of a hosted tool contain a reference that is not granted."""
    for path, reference in _references(value, where):
        check_reference(reference, granted, path)


def check_reference(reference: str, granted: Container[str], path: str) -> None:
    """Raise PermissionDeniedError, which names `path`, if a reference is not granted."""
    if reference not in granted:
        raise PermissionDeniedError(
            f"This key may not use {path}: it is not granted '{reference}' among its hosted tools.",
            code="hosted_tool_not_allowed",
            param=path,
        )


def checked_grants(grants: Iterable[str]) -> tuple[str, ...]:
    """The grants in the order of GRANTS, each once. Raises InvalidRequestError for an unknown one."""
    wanted = set(grants)
    if unknown := wanted - set(GRANTS):
        named = ", ".join(sorted(map(str, unknown)))
        raise InvalidRequestError(f"Unknown hosted tools: {named}. Known are {', '.join(GRANTS)}.", param="hosted_tools")
    return tuple(grant for grant in GRANTS if grant in wanted)


def _references(value: object, where: str) -> Iterator[tuple[str, str]]:
    """(path, reference) of each option with a reference. The depth of JSON is bounded where it is parsed."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _references(item, f"{where}[{index}]")
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            path = f"{where}.{name}"
            if inner in (None, "", [], {}):
                continue
            reference = _REFERENCE_OF.get(name)
            # An object `container` only describes a new one; what it names is among its own options.
            if reference is not None and not (name == "container" and isinstance(inner, Mapping)):
                yield path, reference
            else:
                yield from _references(inner, path)
