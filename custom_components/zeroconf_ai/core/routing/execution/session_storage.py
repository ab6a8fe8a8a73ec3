"""The interface of the storage for sessions and leaders, which survive restarts."""

from typing import Protocol

from ...accounting.conversations.session_row import SessionRow


class SessionBackend(Protocol):
    """Stores sessions across restarts."""

    async def load(self, limit: int) -> list[SessionRow]:
        """The most recently used sessions."""

    def put(self, row: SessionRow) -> None:
        """Save a session, without waiting."""

    def drop(self, key: str) -> None:
        """Delete a session, without waiting."""
