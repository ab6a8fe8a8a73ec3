"""The conversations of a client, in memory."""

from collections.abc import Mapping
from typing import Any, Protocol, override


class History(Protocol):
    """The questions and answers of sessions, by the sessions' names."""

    async def load(self, session: str) -> list[dict[str, Any]]:
        """The messages of a session, oldest first; empty for a new one."""

    async def add(self, session: str, question: str, answer: str, details: Mapping[str, Any]) -> None:
        """Add a question and its answer."""

    async def clear(self, session: str) -> None:
        """Forget a session."""

    async def close(self) -> None:
        """Close what keeps them."""


class MemoryHistory(History):
    """Sessions that end with the program."""

    def __init__(self) -> None:
        self._sessions: dict[str, list[dict[str, Any]]] = {}

    @override
    async def load(self, session: str) -> list[dict[str, Any]]:
        return list(self._sessions.get(session, ()))

    @override
    async def add(self, session: str, question: str, answer: str, details: Mapping[str, Any]) -> None:
        said = self._sessions.setdefault(session, [])
        said += ({"role": "user", "content": question}, {"role": "assistant", "content": answer})

    @override
    async def clear(self, session: str) -> None:
        self._sessions.pop(session, None)

    @override
    async def close(self) -> None:
        self._sessions.clear()
