"""The conversations of a client, in memory or in an SQLite file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, override

from ..accounting.conversations.conversation import Owner, Role
from ..accounting.store import AccountingStore
from ..protocol.errors import NotFoundError

_OWNER = Owner(user_id="client")
_SOURCE = "client"


class History(Protocol):
    """The questions and answers of sessions, by the sessions' names."""

    async def load(self, session: str) -> list[dict[str, Any]]:
        """The messages of a session, oldest first; empty for a new one."""

    async def add(self, session: str, question: str, answer: str, details: Mapping[str, Any]) -> None:
        """Add a question and its answer."""

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
    async def close(self) -> None:
        self._sessions.clear()


class FileHistory(History):
    """Sessions in an SQLite file."""

    def __init__(self, store: AccountingStore) -> None:
        """Made by `open`."""
        self._store = store

    @classmethod
    async def open(cls, file: Path) -> "FileHistory":
        """Open the file, creating it if missing. Raises DatabaseError."""
        return cls(await AccountingStore.open(file, keep_chats=None))

    @override
    async def load(self, session: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        after: str | None = None
        try:
            while True:
                page = await self._store.conversations.messages(_OWNER, session, after=after)
                found += [{"role": str(message.role), "content": message.content} for message in page.items]
                if (after := page.next) is None:
                    return found
        except NotFoundError:
            return []

    @override
    async def add(self, session: str, question: str, answer: str, details: Mapping[str, Any]) -> None:
        conversations = self._store.conversations
        try:
            await conversations.get(_OWNER, session)
        except NotFoundError:
            await conversations.create(_OWNER, conversation_id=session, source=_SOURCE)
        await conversations.append(_OWNER, session, Role.USER, question)
        await conversations.append(_OWNER, session, Role.ASSISTANT, answer, details=details)

    @override
    async def close(self) -> None:
        await self._store.close()
