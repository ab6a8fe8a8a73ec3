"""`ProviderWatch`: notices providers that stop answering for a minute, and that answer again."""

import asyncio
from collections.abc import Callable

from ..routing.pool.member import Member
from ..routing.pool.pool import Pool
from .alert import Alert, provider_alert

GRACE = 60.0
"""Seconds without an answer until an alert: a restart is shorter."""
_TOGETHER = 5.0
"""Providers that went offline within so many seconds are in one alert, as when the network is down."""


class ProviderWatch:
    """Watches the pool from `start` to `close`. Only providers that answered since the start are reported, and no agents."""

    def __init__(self, pool: Pool, notify: Callable[[Alert], object], grace: float = GRACE) -> None:
        """`notify` is called with each alert."""
        self._pool = pool
        self._notify = notify
        self._grace = grace
        self._seen: set[str] = set()
        """Ids of the providers that answered."""
        self._down: dict[str, float] = {}
        """Since when each provider does not answer, on the clock of the event loop; the oldest first."""
        self._reported: set[str] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._unsubscribe: Callable[[], None] | None = None

    def start(self) -> None:
        """Begin to watch."""
        self._unsubscribe = self._pool.listen(lambda _: self._look())
        self._look()

    def close(self) -> None:
        """Watch no longer. May be called twice."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        now, up = asyncio.get_running_loop().time(), []
        members = {member.id: member for member in self._pool if not member.backend.info.agent}
        for backend_id, member in members.items():
            if member.online:
                self._seen.add(backend_id)
                self._down.pop(backend_id, None)
                if backend_id in self._reported:
                    self._reported.discard(backend_id)
                    up.append(member)
            elif member.enabled and backend_id in self._seen and backend_id not in self._reported:
                self._down.setdefault(backend_id, now)
        for gone in (self._seen | self._reported | self._down.keys()) - members.keys():
            self._seen.discard(gone)
            self._reported.discard(gone)
            self._down.pop(gone, None)
        if up:
            self._notify(provider_alert(_described(up), up=True))
        self._schedule()

    def _schedule(self) -> None:
        if self._timer is None and self._down:
            self._timer = asyncio.get_running_loop().call_at(min(self._down.values()) + self._grace, self._report)

    def _report(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        due = []
        if self._down and min(self._down.values()) + self._grace <= now:
            due = [backend_id for backend_id, since in self._down.items() if since + self._grace <= now + _TOGETHER]
        members = [member for backend_id in due if (member := self._pool.get(backend_id)) is not None and member.enabled]
        for backend_id in due:
            del self._down[backend_id]
        if members:
            self._reported.update(member.id for member in members)
            self._notify(provider_alert(_described(members), up=False))
        self._schedule()


def _described(members: list[Member]) -> list[tuple[str, str, str | None]]:
    return [(member.id, member.name, member.last_reason) for member in members]
