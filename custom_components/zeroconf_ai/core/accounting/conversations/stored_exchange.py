"""One stored prompt and its answer."""

from dataclasses import dataclass

BODY_LIMIT = 64 * 1024
"""Characters kept of a request, and of its answer."""


@dataclass(frozen=True, slots=True)
class StoredExchange:
    """One request and its answer. `created` is seconds since the epoch."""

    generation_id: str
    created: float
    source: str
    request: str
    response: str
    conversation_id: str | None = None
    username: str | None = None
    """Home Assistant's name of the user."""
    display_name: str | None = None
    """The display name of the conversation's device or user."""
    key_id: str | None = None
    user_id: str | None = None
