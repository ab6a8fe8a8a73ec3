"""`Member`: a backend in the pool with its current state."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
import math
import time

from ...accounting.prices.energy import EnergyMeter
from ...backends.base import Backend
from ...protocol.errors import ApiError, ClientCertificateError
from ...protocol.models import ModelInfo
from ...protocol.status import Health, ProviderState, ProviderStatus
from ..policy import Terms
from .circuit_breaker import Breaker
from .concurrency import ConcurrencyLimiter
from .model_index import ModelIndex
from .preparations import Preparations

LATENCIES = 60
"""Latencies kept of each backend: half an hour of checks every 30 s."""
SHARE_TURNS = 100
"""Selections after which a request counts a third in its backend's share, so that a backend that returns is not flooded."""

TRIAL_AFTER = 600.0
"""Seconds after the pause of a circuit breaker until a voice request may be the trial that closes it."""


@dataclass(slots=True)
class Wake:
    """How to wake a sleeping backend: what to run, and how many seconds a request waits for it."""

    run: Callable[[], Awaitable[None]]
    wait: float


@dataclass(eq=False, slots=True)
class Member:
    """A backend in the pool. Times are `time.monotonic()` seconds except `last_seen`, durations seconds."""

    backend: Backend
    terms: Terms = field(default_factory=Terms)
    enabled: bool = True
    priority_override: int | None = None
    wake: Wake | None = None
    state: ProviderState = ProviderState.HEALTHY
    known: bool = False
    """Whether it has answered or failed since it was added."""
    health: Health | None = None
    status: ProviderStatus | None = None
    models: tuple[ModelInfo, ...] = ()
    lists_models: bool = False
    """Whether its list of models has been read: an empty list then means that it serves none. Until then it may serve any."""
    latency: float | None = None
    latencies: deque[float] = field(default_factory=lambda: deque(maxlen=LATENCIES))
    """The latencies of the newest health checks, oldest first."""
    failures: int = 0
    refused_requests: int = 0
    """Requests rejected because of the API key since the last success."""
    last_error: str | None = None
    """With the wording of the system or the backend: for the owner only."""
    last_reason: str | None = None
    """The same as a standard reason, which contains the member's name."""
    wants_certificate: bool = False
    """Whether its last failure was about the client's certificate (TLS), and not about an API key."""
    last_seen: float | None = None
    """`time.time()` of its last success, for display."""
    leaves_home: bool | None = None
    """Whether requests to it leave the home although its placement is local; None before its first successful check."""
    active: int = 0
    resting_until: float = 0.0
    left_at: float = float("-inf")
    """When it last withdrew its advertisement."""
    offline_since: float = float("-inf")
    """When it last went offline."""
    last_used: int = 0
    """Number of its last selection; selections are numbered over all members."""
    share: float = 0.0
    """Recent requests divided by its weight, as of its last selection."""
    first_token_seconds: float | None = None
    """Running mean of the time to first token; None before the first stream."""
    preparations: Preparations = field(default_factory=Preparations)
    """What it prepares before it answers: waking up, and loading models."""
    month_cost: int = 0
    """Its known cost this month in nano-units, updated by the engine."""
    meter: EnergyMeter | None = None
    """Meters the electricity of its requests, if its owner has set that up."""
    usual_cost: float | None = None
    """Running mean of the metered cost of its requests in nano-units; None: unknown."""
    limiter: ConcurrencyLimiter = field(default_factory=ConcurrencyLimiter)
    breaker: Breaker = field(default_factory=Breaker)
    id: str = field(init=False)
    """The backend's id."""
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _served: ModelIndex | None = None

    def __post_init__(self) -> None:
        """Apply the known concurrency limit."""
        self.id = self.backend.info.id
        self.limiter.queue_length = self.terms.queue_length
        self.update_slots()

    def update_slots(self) -> None:
        """Update the concurrency limit: the owner's, else the one in the backend's status, else the backend's default."""
        reported = self.status.queue.max_concurrent if self.status is not None and self.status.queue is not None else None
        self.limiter.limit = self.terms.max_concurrent or reported or self.backend.max_concurrent

    @property
    def name(self) -> str:
        """The backend's display name."""
        return self.backend.info.name

    @property
    def priority(self) -> int:
        """The owner's priority, else the provider's own; lower is preferred."""
        return self.backend.info.priority if self.priority_override is None else self.priority_override

    @property
    def online(self) -> bool:
        """Whether requests can be sent to it."""
        return self.state in (ProviderState.HEALTHY, ProviderState.DEGRADED)

    @property
    def served(self) -> ModelIndex:
        """The index of its models."""
        found, info = self._served, self.backend.info
        if found is None or not found.arranges(info, self.models, self.terms):
            found = self._served = ModelIndex(info, self.models, self.terms)
        return found

    def is_warm(self, model: str) -> bool | None:
        """Whether a model is loaded, by the newest report or answer; None if the backend does not report it."""
        if self.preparations.is_loaded(model):
            return True
        found = self.served.find(model)
        reported = None if self.status is None else self.status.warm_models
        if reported and (model in reported or (found is not None and found.warm is not None)):
            return model in reported
        return None if found is None else found.warm

    def record_error(self, error: ApiError) -> None:
        """Record why it failed last."""
        self.last_error = error.log_text
        self.wants_certificate = isinstance(error, ClientCertificateError)
        self.last_reason = error.message if self.name in error.message else f"{self.name}: {error.message}"

    def record_use(self, turn: int) -> None:
        """Record a selection, by its number over all members."""
        self.share = self.share_at(turn) + 1 / max(1, self.terms.weight)
        self.last_used = turn

    def share_at(self, turn: int) -> float:
        """Its share of the requests as of a later selection: old requests fade."""
        return self.share * math.exp((self.last_used - turn) / SHARE_TURNS)

    def resting(self, now: float | None = None) -> bool:
        """Whether it must not get requests for now, after a 429 or 503."""
        return (time.monotonic() if now is None else now) < self.resting_until

    @property
    def sick(self) -> bool:
        """Whether it may fail to answer: its last check or request failed, it reports trouble, or it is skipped after failures.

        The circuit breaker no longer counts when its pause has been over for `TRIAL_AFTER` seconds: a request has to try it.
        A backend that sleeps is not sick: its owner wants it to be woken.
        """
        if self.wake is not None and self.state is ProviderState.OFFLINE:
            return False
        if self.failures or self.resting() or self.state is not ProviderState.HEALTHY:
            return True
        return bool(self.breaker.retry_at) and time.monotonic() - self.breaker.retry_at < TRIAL_AFTER

    async def wait_online(self, seconds: float) -> bool:
        """Wait until it is online, at most `seconds`; returns whether it is."""
        try:
            async with asyncio.timeout(seconds):
                while not self.online:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True
