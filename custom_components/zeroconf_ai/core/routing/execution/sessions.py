"""The backend and model of each session: its next request goes there again, where caches are warm."""

from collections import OrderedDict
from collections.abc import Mapping
import hashlib
import time
from typing import Any

import orjson

from ...accounting.conversations.session_row import SessionRow
from ...protocol.request import Request
from ...protocol.values import mapping
from .leaders import PREFIX, Leaders
from .session_storage import SessionBackend

MAX_SESSIONS = 10_000
IDLE_SECONDS = 86_400.0
"""Seconds after which an unused session is forgotten."""
_SAVE_SECONDS = 300.0
"""Maximum age of the stored time of use, so that not every request causes a write."""
_BY_CONTENT = "c:"
_BY_NAME = "n:"
_READ = 4096
"""Characters of a message by which conversations are distinguished."""
_NAMES = ("session_id", "conversation_id", "conversation", "prompt_cache_key")
"""Fields in which clients name their conversation, in the body or in its `metadata`."""


class Sessions:
    """The most recently used sessions, bounded in number and age."""

    def __init__(self) -> None:
        """Empty, and in memory only until `open`."""
        self._rows: OrderedDict[str, SessionRow] = OrderedDict()
        self._saved: dict[str, float] = {}
        self._backend: SessionBackend | None = None
        self.leaders = Leaders()
        """The leaders, which are stored with the sessions."""

    def __len__(self) -> int:
        """The number of sessions."""
        return len(self._rows)

    async def open(self, backend: SessionBackend) -> None:
        """Load the stored sessions, and store changes from now on."""
        rows = await backend.load(MAX_SESSIONS)
        self.store_in(backend)
        self.leaders.load(row for row in rows if row.key.startswith(PREFIX))
        for row in sorted(rows, key=lambda row: row.last_used):
            if row.key not in self._rows and not row.key.startswith(PREFIX):
                self._rows[row.key] = row
                self._saved[row.key] = row.last_used
        self._trim()

    def store_in(self, backend: SessionBackend | None) -> None:
        """Store changes there from now on (None: nowhere). Known sessions are kept."""
        self._backend = self.leaders.backend = backend

    def find(self, request: Request) -> SessionRow | None:
        """The request's session, or None for a new one.

        A session that is identified by its content continues only if the chat contains an answer: two chats that begin with
        the same message are different sessions.
        """
        key = request.session
        if key is None or (key.startswith(_BY_CONTENT) and not _goes_on(request)):
            return None
        row = self._rows.get(key)
        if row is not None and time.time() - row.last_used > IDLE_SECONDS:
            self._forget(key)
            return None
        return row

    def put(self, key: str, backend_id: str, model: str) -> None:
        """Record the backend and model of a session."""
        former, now = self._rows.get(key), time.time()
        row = self._rows[key] = SessionRow(key, backend_id, model, now)
        self._rows.move_to_end(key)
        moved = former is None or (former.backend_id, former.model) != (backend_id, model)
        if moved or now - self._saved.get(key, 0.0) > _SAVE_SECONDS:
            self._saved[key] = now
            if self._backend is not None:
                self._backend.put(row)
        self._trim()

    def _trim(self) -> None:
        oldest = time.time() - IDLE_SECONDS
        while self._rows and (len(self._rows) > MAX_SESSIONS or next(iter(self._rows.values())).last_used < oldest):
            self._forget(next(iter(self._rows)))

    def _forget(self, key: str) -> None:
        del self._rows[key]
        self._saved.pop(key, None)
        if self._backend is not None:
            self._backend.drop(key)


def session_key(header: str | None, body: Mapping[str, Any], key_id: str | None) -> str | None:
    """The key of a chat's session: from the header `X-Session-ID`, a name in its body, or its first messages.

    A digest, so that it does not reveal the content; it includes the API key, so that two keys never share a session. None
    without messages.
    """
    if name := header or _named(body):
        return _BY_NAME + _digest(key_id, name.encode(errors="replace")[:_READ])
    messages = body.get("messages")
    if not isinstance(messages, list):
        return None
    parts = []
    for message in messages:
        if not isinstance(message, Mapping):
            return None
        content = message.get("content")
        parts.append(content[:_READ].encode(errors="replace") if isinstance(content, str) else orjson.dumps(content)[:_READ])
        if message.get("role") == "user":
            break
    return _BY_CONTENT + _digest(key_id, *parts)


def _named(body: Mapping[str, Any]) -> str | None:
    for holder in (body, mapping(body.get("metadata"))):
        for name in _NAMES:
            if (value := holder.get(name)) is None:
                continue
            if isinstance(value, Mapping):  # OpenAI's Responses: {"conversation": {"id": …}}
                value = value.get("id")
            if isinstance(value, str) and value:
                return value
    return None


def _digest(key_id: str | None, *parts: bytes) -> str:
    found = hashlib.sha256((key_id or "").encode())
    for part in parts:
        found.update(len(part).to_bytes(4))
        found.update(part)
    return found.hexdigest()[:32]


def _goes_on(request: Request) -> bool:
    return any(message.get("role") == "assistant" for message in request.body.get("messages", ()))
