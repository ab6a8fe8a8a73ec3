"""What a conversation consists of, as plain data: for the store, and for the page."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

from ...protocol.models import AUTO
from ..images import ShownImage

TEXT_LIMIT = 32_000
"""Characters of a person's message."""
ANSWER_LIMIT = 200_000
"""Characters of an answer; a longer one is stopped there. Its reasoning has the same limit, beyond which it is not kept."""
TOOL_TEXT_LIMIT = 4000
"""Characters kept of a tool's result."""
TOOL_LIMIT = 100
"""Tool calls that are kept of an answer."""
ENTITY_LIMIT = 20
"""Entities that are kept of a tool call."""

type Outcome = Literal["ok", "error", "stopped"]


@dataclass(frozen=True, slots=True)
class Choice:
    """Who is asked. `backend_id`: None for any provider; `model`: an id, or `auto`; `tools`: whether it may control the home."""

    backend_id: str | None = None
    model: str = AUTO
    tools: bool = True

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return {"backend_id": self.backend_id, "model": self.model, "tools": self.tools}

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> "Choice":
        """The choice of stored data; what is missing or of another type is Auto."""
        backend_id, model = data.get("backend_id"), data.get("model")
        return cls(
            backend_id if isinstance(backend_id, str) else None,
            model if isinstance(model, str) and model else AUTO,
            data.get("tools") is not False,
        )


class ToolData(TypedDict):
    """A tool call. `result` is None until it has ended; `entities` are the ids of those that it touched."""

    id: str
    name: str
    arguments: str
    """JSON."""
    result: str | None
    error: bool
    entities: list[str]


class AttemptData(TypedDict):
    """An attempt that failed before another provider answered."""

    backend: str
    model: str
    reason: str


class Details(TypedDict, total=False):
    """What is known of an answer. Times are milliseconds; tokens and costs are those of all its requests together."""

    thinking: str
    tools: list[ToolData]
    backend_id: str
    backend: str
    model: str
    tokens_prompt: int
    tokens_completion: int
    estimated: bool
    """Whether the tokens are an estimate."""
    tokens_per_second: float | None
    first_token_ms: float | None
    duration_ms: float
    cost: dict[str, float] | None
    """In whole units by currency; None if a cost is unknown."""
    attempts: list[AttemptData]
    generation_ids: list[str]
    outcome: Outcome
    error: str
    """One sentence, if there is no complete answer."""
    home_rule: str
    """The `HomeRule` that keeps the conversation at home from this answer on."""
    replaced: bool
    """Whether it was asked for again: the model does not see this answer any more."""
    choice: dict[str, Any]
    """The `Choice` of a person's message."""
    origin: str
    """In a notice: the provider that answered before."""
    target: str
    """In a notice: the provider that answers from here on."""


class MessageData(TypedDict):
    """A message. `role`: user, assistant, or notice. `images`: what `<img>` needs. `created`: seconds since the epoch."""

    id: str
    role: str
    content: str
    created: float
    images: list[ShownImage]
    details: Details


class ConversationData(TypedDict):
    """A conversation in the list."""

    id: str
    title: str
    created: float
    last_used: float
    running: bool
