"""The conversations of a client in an SQLite file. Loads the database's library, which takes a second."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, override

from ..accounting.conversations.conversation import Owner, Role
from ..accounting.store import AccountingStore
from ..protocol.errors import NotFoundError
from .history import History

_OWNER = Owner(user_id="client")
_SOURCE = "client"


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
    async def clear(self, session: str) -> None:
        with suppress(NotFoundError):
            await self._store.conversations.delete(_OWNER, session)

    @override
    async def close(self) -> None:
        await self._store.close()
