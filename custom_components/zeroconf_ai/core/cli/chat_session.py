"""Stored chats: a chat with a name continues in a later process."""

from collections.abc import Sequence
from typing import Self

from ..accounting.storage.database import DatabaseError
from ..client.file_history import FileHistory
from ..client.history import History
from ..protocol.errors import UnavailableError
from .state import chat_sessions_file
from .transcript import Turn


class ChatSession:
    """Keeps the questions and answers of one chat. Images, reasoning and the system prompt are not kept."""

    def __init__(self, history: History, name: str) -> None:
        """Made by `open`."""
        self._history = history
        self._name = name
        self._kept: list[Turn] = []

    @classmethod
    async def open(cls, name: str) -> Self:
        """Open the file of all chats. Raises UnavailableError."""
        try:
            return cls(await FileHistory.open(chat_sessions_file()), name)
        except DatabaseError as err:
            raise UnavailableError(str(err)) from None

    async def load(self) -> list[Turn]:
        """The stored questions and answers. Raises ApiError."""
        turns: list[Turn] = []
        for message in await self._history.load(self._name):
            if message["role"] == "user":
                turns.append(Turn(message["content"]))
            elif turns:
                turns[-1].answer = message["content"]
        self._kept = [turn for turn in turns if turn.answer]
        return [*self._kept]

    async def keep(self, turns: Sequence[Turn]) -> None:
        """Store these questions and answers instead of the stored ones. Raises ApiError."""
        if any(kept is not turn for kept, turn in zip(self._kept, turns, strict=False)) or len(turns) < len(self._kept):
            await self._history.clear(self._name)
            self._kept = []
        for turn in turns[len(self._kept) :]:
            await self._history.add(self._name, turn.question, turn.answer, {"provider": turn.provider, "model": turn.model})
            self._kept.append(turn)

    async def close(self) -> None:
        """Close the file."""
        await self._history.close()
