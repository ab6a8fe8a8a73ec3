"""`KeyWatch`: reports API keys with unusual use in an hour, such as a stolen key or a program in a loop.

The use of an hour is counted in memory. What is usual is the mean of the seven days before today, from the daily sums, which are
read once an hour.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import override

from ..usage.generation import Generation, Recorder
from ..usage.ledger import Ledger
from ..usage.rollups import Group
from ..usage.summary import day_of
from .key_store import KeyStore

USUAL_DAYS = 7
HOUR = 3600.0
DEFAULT_FACTOR = 5
"""How many times the usual use is unusual."""
LEAST_REQUESTS = 30
LEAST_TOKENS = 30_000
"""Less than this in an hour is never reported: the mean of a key that is seldom used is close to 0."""


@dataclass(slots=True)
class HourlyUse:
    """Requests and tokens (prompt and completion) of a key in an hour, or their mean."""

    requests: float = 0
    tokens: float = 0


@dataclass(frozen=True, slots=True)
class UnusualUse:
    """A key whose use of this hour exceeds a multiple of the usual one."""

    key_id: str
    hour: float
    """When the hour began, in seconds since the epoch."""
    requests: int
    tokens: int
    """The use of the hour so far."""
    usual: HourlyUse
    """The mean of an hour of the seven days before today, or of the days since the key was created."""


class KeyWatch(Recorder):
    """Counts the use of keys, and reports a key at most once an hour. Used on one event loop."""

    def __init__(self, ledger: Ledger, keys: KeyStore) -> None:
        """Nothing is usual before `refresh`."""
        self._ledger = ledger
        self._keys = keys
        self._usual: dict[str, HourlyUse] = {}
        """Keys that were created before today."""
        self._hour = 0.0
        self._uses: dict[str, HourlyUse] = {}
        self._reported: set[str] = set()
        self._listeners: list[Callable[[UnusualUse], None]] = []
        self.factor: float = DEFAULT_FACTOR
        """How many times the usual use is unusual; 0: nothing is."""

    def listen(self, callback: Callable[[UnusualUse], None]) -> Callable[[], None]:
        """Call `callback` with each report; returns a function that unsubscribes."""
        self._listeners.append(callback)
        return lambda: self._listeners.remove(callback)

    async def load(self, now: float) -> None:
        """Continue the hour of `now` (seconds since the epoch) after a restart. Raises DatabaseError.

        Keys whose use is already unusual were reported before.
        """
        await self.refresh()
        self._begin(now // HOUR * HOUR)
        for key_id, requests, tokens in await self._ledger.key_uses(self._hour):
            use = self._uses[key_id] = HourlyUse(requests, tokens)
            if self._is_unusual(key_id, use):
                self._reported.add(key_id)

    async def refresh(self) -> None:
        """Read what is usual. Raises DatabaseError."""
        totals = self._ledger.totals
        today = totals.date
        rows = await self._ledger.usage(today - timedelta(days=USUAL_DAYS), today - timedelta(days=1), [Group.KEY])
        sums = {row.group[Group.KEY]: row.aggregate for row in rows}
        usual = {}
        for key in self._keys:
            days = min(USUAL_DAYS, (today - day_of(key.created, totals.zone)).days)
            if days < 1:
                continue
            known = sums.get(key.id)
            hours = 24.0 * days
            usual[key.id] = (
                HourlyUse()
                if known is None
                else HourlyUse(known.requests / hours, (known.prompt_tokens + known.completion_tokens) / hours)
            )
        self._usual = usual

    @override
    def record(self, generation: Generation) -> None:
        key_id = generation.key_id
        if key_id is None:
            return
        hour = generation.created // HOUR * HOUR
        if hour < self._hour:
            return
        if hour > self._hour:
            self._begin(hour)
        use = self._uses.setdefault(key_id, HourlyUse())
        use.requests += 1
        use.tokens += generation.usage.prompt_tokens + generation.usage.completion_tokens
        if key_id not in self._reported and self._is_unusual(key_id, use):
            self._reported.add(key_id)
            report = UnusualUse(key_id, hour, round(use.requests), round(use.tokens), self._usual[key_id])
            for listener in tuple(self._listeners):
                listener(report)

    def _begin(self, hour: float) -> None:
        self._hour = hour
        self._uses.clear()
        self._reported.clear()

    def _is_unusual(self, key_id: str, use: HourlyUse) -> bool:
        usual = self._usual.get(key_id)
        if not self.factor or usual is None:
            return False
        return (use.requests >= LEAST_REQUESTS and use.requests > self.factor * usual.requests) or (
            use.tokens >= LEAST_TOKENS and use.tokens > self.factor * usual.tokens
        )
