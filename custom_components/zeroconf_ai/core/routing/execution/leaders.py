"""The backend that answered last for a conversation, a device or a user: among equal backends, it leads next time.

A session keeps a conversation on its backend while caches are warm. Leaders are weaker and last longer: they decide only where
the strategy leaves a choice, so that a person mostly hears the same model.
"""

from collections import OrderedDict
from collections.abc import Iterable
import hashlib
import time
from typing import Final

from ...accounting.conversations.session_row import SessionRow
from ...protocol.request import Request
from .session_storage import SessionBackend

MAX_OF_A_KIND: Final = 1_000
"""Maximum conversations, devices and users each; the least recently used are deleted first."""
LEAD_SECONDS: Final = 30 * 86_400.0
_SAVE_SECONDS: Final = 3_600.0
"""Maximum age of the stored time of use, so that not every request causes a write."""
PREFIX: Final = "l"
_CONVERSATION, _DEVICE, _USER = f"{PREFIX}c:", f"{PREFIX}d:", f"{PREFIX}u:"


def lead_keys(request: Request, *, device_id: str | None, user_id: str | None) -> tuple[str, ...]:
    """The keys of a request, most specific first. They are digests, so that all keys have the same length."""
    named = ((_CONVERSATION, request.session), (_DEVICE, device_id), (_USER, user_id))
    return tuple(kind + hashlib.sha256(name.encode()).hexdigest()[:32] for kind, name in named if name)


class Leaders:
    """The latest backends, bounded in number and age."""

    def __init__(self) -> None:
        """Create an empty table that is in memory only until `load`."""
        self.backend: SessionBackend | None = None
        """Stores the changes."""
        self._rows: dict[str, OrderedDict[str, SessionRow]] = {kind: OrderedDict() for kind in (_CONVERSATION, _DEVICE, _USER)}

    def __len__(self) -> int:
        """The number of rows."""
        return sum(map(len, self._rows.values()))

    def load(self, rows: Iterable[SessionRow]) -> None:
        """Add stored rows, the least recently used first; rows of this run are newer and stay."""
        for row in rows:
            of_kind = self._rows.get(row.key[: len(_USER)])
            if of_kind is not None and row.key not in of_kind:
                of_kind[row.key] = row
                of_kind.move_to_end(row.key, last=False)
        for of_kind in self._rows.values():
            for key in sorted(of_kind, key=lambda key: of_kind[key].last_used):
                of_kind.move_to_end(key)
            self._trim(of_kind)

    def find(self, keys: Iterable[str]) -> str | None:
        """The id of the backend that answered last for the first known key; None if no key is known."""
        oldest = time.time() - LEAD_SECONDS
        for key in keys:
            row = self._rows[key[: len(_USER)]].get(key)
            if row is not None and row.last_used >= oldest:
                return row.backend_id
        return None

    def put(self, keys: Iterable[str], backend_id: str, model: str) -> None:
        """Record the backend that answered."""
        now = time.time()
        for key in keys:
            of_kind = self._rows[key[: len(_USER)]]
            former = of_kind.get(key)
            moved = former is None or former.backend_id != backend_id or now - former.last_used > _SAVE_SECONDS
            if moved:  # else keep the stored time: the first request after _SAVE_SECONDS is written
                row = of_kind[key] = SessionRow(key, backend_id, model, now)
                if self.backend is not None:
                    self.backend.put(row)
            of_kind.move_to_end(key)
            self._trim(of_kind)

    def _trim(self, of_kind: OrderedDict[str, SessionRow]) -> None:
        oldest = time.time() - LEAD_SECONDS
        while of_kind and (len(of_kind) > MAX_OF_A_KIND or next(iter(of_kind.values())).last_used < oldest):
            key, _ = of_kind.popitem(last=False)
            if self.backend is not None:
                self.backend.drop(key)
