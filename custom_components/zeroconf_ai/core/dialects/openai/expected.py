"""`Expected`: what the answer to a request may contain."""

from typing import NamedTuple, Self

from ...protocol.request import Kind, Request
from ...protocol.values import mapping


class Expected(NamedTuple):
    """What the answer to a request may contain."""

    kind: Kind = Kind.CHAT
    tools: frozenset[str] = frozenset()
    """Names of the offered functions."""
    legacy: bool = False
    """Whether they were offered as `functions`, in OpenAI's first API, so that a `function_call` is the answer."""

    @classmethod
    def by(cls, request: Request) -> Self:
        """What a request expects."""
        tools, functions = request.body.get("tools"), request.body.get("functions")
        if isinstance(tools, list) and tools:
            named = (mapping(mapping(tool).get("function")).get("name") for tool in tools)
            return cls(request.kind, frozenset(name for name in named if isinstance(name, str)))
        return cls(request.kind, legacy=isinstance(functions, list) and bool(functions))
