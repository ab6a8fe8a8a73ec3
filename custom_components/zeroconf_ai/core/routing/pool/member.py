"""`Member`: a backend in the pool with its current state."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
import math
import time

from ...accounting.prices.energy import EnergyMeter
from ...backends.base import Backend
from ...protocol.models import ModelInfo
from ...protocol.status import Health, ProviderState, ProviderStatus
from ..policy import Terms
from .circuit_breaker import Breaker
from .concurrency import ConcurrencyLimiter
from .model_index import ModelIndex

SHARE_TURNS = 100
"""After so many turns a request counts for a third in its backend's share: one that was away long is not swamped."""


@dataclass(slots=True)
class Wake:
    """How to wake a backend that sleeps: what to run, and how many seconds a request waits for it to come up."""

    run: Callable[[], Awaitable[None]]
    wait: float


@dataclass(eq=False, slots=True)
class Member:
    """One backend in the pool. Times are `time.time()` seconds, latency is seconds."""

    backend: Backend
    terms: Terms = field(default_factory=Terms)
    enabled: bool = True
    priority_override: int | None = None
    wake: Wake | None = None
    state: ProviderState = ProviderState.HEALTHY
    known: bool = False
    """Whether it was heard of since it was added."""
    health: Health | None = None
    status: ProviderStatus | None = None
    models: tuple[ModelInfo, ...] = ()
    latency: float | None = None
    failures: int = 0
    refused_requests: int = 0
    """Requests that were refused for its key since it answered one."""
    last_error: str | None = None
    """With the system's or the backend's own words: for its owner."""
    last_reason: str | None = None
    """The same in a standard reason, without them."""
    last_seen: float | None = None
    active: int = 0
    resting_until: float = 0.0
    left_at: float = float("-inf")
    """`time.monotonic()` of its last goodbye."""
    offline_since: float = float("-inf")
    """`time.monotonic()` of the last time that it went offline."""
    last_used: int = 0
    """Number of the turn in which it was asked last."""
    share: float = 0.0
    """Requests of late divided by its weight, as of that turn."""
    first_token_seconds: float | None = None
    """From sending a request to the first token of its stream, on the average of late; None before the first."""
    month_cost: int = 0
    """Nano-units of money that it has cost this month, as far as is known; kept true by whoever keeps the books."""
    meter: EnergyMeter | None = None
    usual_cost: float | None = None
    """What its requests cost lately by the meter, as a running mean in nano-units; None: not known yet."""
    """What its requests cost in electricity, where its owner measures it."""
    limiter: ConcurrencyLimiter = field(default_factory=ConcurrencyLimiter)
    breaker: Breaker = field(default_factory=Breaker)
    id: str = field(init=False)
    """The backend's."""
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _served: ModelIndex | None = None

    def __post_init__(self) -> None:
        """As many places as are known to be there."""
        self.id = self.backend.info.id
        self.limiter.queue_length = self.terms.queue_length
        self.update_slots()

    def update_slots(self) -> None:
        """As many places as the owner says, else as many as the backend itself says, now or in general."""
        told = self.status.queue.max_concurrent if self.status is not None and self.status.queue is not None else None
        self.limiter.limit = self.terms.max_concurrent or told or self.backend.max_concurrent

    @property
    def name(self) -> str:
        """The backend's name, for people."""
        return self.backend.info.name

    @property
    def priority(self) -> int:
        """Lower is preferred: the owner's number, else the provider's own."""
        return self.backend.info.priority if self.priority_override is None else self.priority_override

    @property
    def online(self) -> bool:
        """Whether it can be asked."""
        return self.state in (ProviderState.HEALTHY, ProviderState.DEGRADED)

    @property
    def served(self) -> ModelIndex:
        """Its models, arranged for being looked up."""
        found, info = self._served, self.backend.info
        if found is None or not found.arranges(info, self.models, self.terms):
            found = self._served = ModelIndex(info, self.models, self.terms)
        return found

    def record_use(self, turn: int) -> None:
        """It is asked now; turns are numbered over all members."""
        self.share = self.share_at(turn) + 1 / max(1, self.terms.weight)
        self.last_used = turn

    def share_at(self, turn: int) -> float:
        """Its share of the requests as it counts in a later turn: what is long ago fades."""
        return self.share * math.exp((self.last_used - turn) / SHARE_TURNS)

    def resting(self, now: float | None = None) -> bool:
        """Whether it asked to be left alone for now."""
        return (time.time() if now is None else now) < self.resting_until

    async def wait_online(self, seconds: float) -> bool:
        """Wait until it is online, at most so long."""
        try:
            async with asyncio.timeout(seconds):
                while not self.online:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True
