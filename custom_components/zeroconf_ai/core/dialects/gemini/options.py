"""Options that only Google's API has: `extra_body.google` of a chat request, as with Google's OpenAI-compatible API.

Source: ai.google.dev/gemini-api/docs/openai ("extra_body"). Google's parser accepts each name in camelCase and in snake_case.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
import re
from typing import Any

from ...protocol.values import mapping
from ..dropped_tools import dropped_names

REQUEST = ("safetySettings", "cachedContent", "serviceTier")
"""Fields of a request."""
GENERATION = ("thinkingConfig", "mediaResolution", "imageConfig")
"""Fields of `generationConfig`."""
_WORD = re.compile(r"(?<!^)(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class GoogleOptions:
    """Options of one request, by the API's names."""

    request: dict[str, Any] = field(default_factory=dict)
    generation: dict[str, Any] = field(default_factory=dict)
    tools: list[Mapping[str, Any]] = field(default_factory=list)
    """Tools that Google runs, such as `{"googleSearch": {}}`."""

    def unpriced(self) -> "GoogleOptions":
        """The options that cost nothing beyond tokens."""
        kept = {name: value for name, value in self.request.items() if name == "safetySettings"}
        return GoogleOptions(kept, {name: value for name, value in self.generation.items() if name != "imageConfig"})

    def to_chat(self) -> dict[str, Any]:
        """The options as parameters of a chat request; empty without options."""
        google = self.request | self.generation | ({"tools": self.tools} if self.tools else {})
        return {"extra_body": {"google": google}} if google else {}


def google_options(body: Mapping[str, Any]) -> GoogleOptions:
    """The options in a chat request. Others than those in REQUEST, GENERATION and `tools` are ignored."""
    google = mapping(mapping(body.get("extra_body")).get("google"))
    if not google:
        return GoogleOptions()
    tools = google.get("tools")
    return GoogleOptions(
        {name: value for name in REQUEST if (value := value_of(google, name)) is not None},
        {name: value for name in GENERATION if (value := value_of(google, name)) is not None},
        [tool for tool in tools if isinstance(tool, Mapping)] if isinstance(tools, list) else [],
    )


def hosted_names(body: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the tools in a chat request that Google runs."""
    return dropped_names(name for tool in google_options(body).tools for name in tool)


def value_of(holder: Mapping[str, Any], name: str) -> Any:
    """A value by its name in camelCase or in snake_case, since Google's parser accepts both; None if it is missing."""
    value = holder.get(name)
    return holder.get(_WORD.sub("_", name).lower()) if value is None else value
