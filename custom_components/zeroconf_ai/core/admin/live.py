"""The live state: providers with their load, running requests, costs of today and of this month."""

import asyncio
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any, TypedDict, override

from ..accounting.usage.generation import Generation, Recorder
from ..accounting.usage.totals import Subject, Totals
from ..engine import Engine
from ..protocol.values import NANO
from ..routing.accounting import Accounting
from ..routing.pool.member import Member
from ..routing.running import RunningRequest
from ..routing.selection.strategies import leaves_home
from .names import Names

INTERVAL = 0.5
"""Seconds between two messages of a feed."""
_DELAY = 0.05
"""Seconds from a change to the message, so that what follows from it is in the same message."""
RUNNING_LIMIT = 100
"""Running requests in a message."""
MODEL_LIMIT = 200
"""Models of a provider in a message."""
PREPARATION_LIMIT = 4
"""Preparations of a provider in a message."""

type Money = Mapping[str, float]
"""Amounts by currency (ISO 4217)."""


class LiveModel(TypedDict):
    """A model of a provider. `warm`: whether it is loaded; None if the provider does not report it."""

    id: str
    warm: bool | None
    context_window: int | None
    capabilities: list[str] | None


class LivePreparation(TypedDict):
    """A backend wakes up, or loads a model. `started`: seconds since the epoch; `usual`: seconds, None if never measured."""

    kind: str
    """"waking" or "loading"."""
    model: str | None
    started: float
    usual: float | None


class LiveMember(TypedDict):
    """A provider, a backend of the gateway, or an agent of the home. Latencies are in milliseconds."""

    id: str
    name: str
    kind: str
    """"agent" or "backend"."""
    local: bool
    """Whether its answers are computed at home."""
    cost: str
    """"free", "metered", "subscription" or "unknown"."""
    state: str
    """"healthy", "degraded", "offline" or "unauthorized"; "resting" after a rejection because of too many requests."""
    known: bool
    """False until its first check."""
    reason: str | None
    """Why it failed last, if it is not healthy."""
    enabled: bool
    priority: int
    running: int
    limit: int | None
    """Parallel requests; None: unlimited."""
    waiting: int
    preparations: list[LivePreparation]
    """What it prepares before it answers, at most `PREPARATION_LIMIT`."""
    latency_ms: float | None
    latencies_ms: list[float]
    last_seen: float | None
    """Seconds since the epoch."""
    cost_today: Money
    cost_month: Money
    requests_today: int
    models: list[LiveModel]
    models_total: int


class LiveRequest(TypedDict):
    """A running request, without its content. `started`: seconds since the epoch."""

    id: str
    who: str
    source: str
    kind: str
    requested_model: str
    model: str | None
    backend_id: str | None
    backend_name: str | None
    started: float


class LiveFailover(TypedDict):
    """A failover: the request went from one backend to the next. `when`: seconds since the epoch."""

    when: float
    backend: str
    to: str
    reason: str


class LiveAnswer(TypedDict):
    """The backend and model of the last answer."""

    backend: str
    model: str


class Live(TypedDict):
    """The live state."""

    members: list[LiveMember]
    running: list[LiveRequest]
    running_total: int
    waiting: int
    """Requests that wait for a permit, of the engine or of a backend."""
    requests_today: int
    cost_today: Money
    cost_month: Money
    home_only: bool
    """Whether no request leaves the home."""
    last_answer: LiveAnswer | None
    last_failover: LiveFailover | None


def live(engine: Engine, totals: Totals | None, names: Names) -> Live:
    """The current state. `totals`: None while nothing is recorded, then costs and requests are 0."""
    pool, running = engine.pool, list(engine.running)
    household = None if totals is None else totals.household
    return {
        "members": [_member(member, totals) for member in pool],
        "running": [_running(engine, request, names) for request in running[:RUNNING_LIMIT]],
        "running_total": len(running),
        "waiting": engine.limiter.waiting + sum(member.limiter.waiting for member in pool),
        "requests_today": 0 if household is None else household.today.requests,
        "cost_today": {} if household is None else money_of(household.today.costs),
        "cost_month": {} if household is None else money_of(household.month.costs),
        "home_only": engine.home_only,
        "last_answer": _last_answer(engine),
        "last_failover": _last_failover(engine),
    }


class LiveFeed[State]:
    """Sends a state after changes of the pool, at most once in `INTERVAL` seconds, from `start` to `close`.

    `attach` before `start` makes it follow the recorded requests too.
    """

    def __init__(self, engine: Engine, state: Callable[[], State], send: Callable[[State], None]) -> None:
        """`state` returns what `send` gets."""
        self._engine = engine
        self._state = state
        self._send = send
        self._sent: State | None = None
        self._last = float("-inf")
        self._timer: asyncio.TimerHandle | None = None
        self._unsubscribe: list[Callable[[], None]] = []

    async def attach(self) -> None:
        """Follow the recorded requests: each changes costs and counts."""
        self._unsubscribe.append(await self._engine.attach(Accounting(_Changes(self))))

    def start(self) -> None:
        """Send the current state, and follow the changes."""
        pool = self._engine.pool
        self._unsubscribe += [pool.listen(lambda _: self.changed()), pool.listen_load(self.changed)]
        self._fire()

    def close(self) -> None:
        """Send nothing more. Safe to call twice."""
        for unsubscribe in self._unsubscribe:
            unsubscribe()
        self._unsubscribe = []
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def changed(self) -> None:
        """Something changed: send the state soon."""
        if self._timer is None and self._unsubscribe:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(max(loop.time() + _DELAY, self._last + INTERVAL), self._fire)

    def _fire(self) -> None:
        self._timer = None
        self._last = asyncio.get_running_loop().time()
        state = self._state()
        if state != self._sent:
            self._sent = state
            self._send(state)


class _Changes(Recorder):
    """Tells a feed of each recorded request."""

    def __init__(self, feed: LiveFeed[Any]) -> None:
        self._feed = feed

    @override
    def record(self, generation: Generation) -> None:
        self._feed.changed()


def money_of(costs: Mapping[str, int]) -> dict[str, float]:
    """Nano-units by currency as whole units."""
    return {currency: cost / NANO for currency, cost in sorted(costs.items())}


def state_of(member: Member) -> str:
    """The state of a provider as it is shown: see `LiveMember.state`."""
    return "resting" if member.online and member.resting() else member.state.value


def _member(member: Member, totals: Totals | None) -> LiveMember:
    info, used = member.backend.info, None if totals is None else totals.of(Subject.BACKEND, member.id)
    resting = member.online and member.resting()
    return {
        "id": member.id,
        "name": member.name,
        "kind": "agent" if info.agent else "backend",
        "local": not leaves_home(member),
        "cost": info.cost.value,
        "state": state_of(member),
        "known": member.known,
        "reason": member.last_reason if resting or not member.online else None,
        "enabled": member.enabled,
        "priority": member.priority,
        "running": member.active,
        "limit": member.limiter.limit,
        "waiting": member.limiter.waiting,
        "preparations": [
            {"kind": one.kind.value, "model": one.model, "started": one.started, "usual": one.usual}
            for one in islice(member.preparations, PREPARATION_LIMIT)
        ],
        "latency_ms": None if member.latency is None else _milliseconds(member.latency),
        "latencies_ms": [_milliseconds(latency) for latency in member.latencies],
        "last_seen": member.last_seen,
        "cost_today": {} if used is None else money_of(used.today.costs),
        "cost_month": {} if used is None else money_of(used.month.costs),
        "requests_today": 0 if used is None else used.today.requests,
        "models": [
            {
                "id": model.id,
                "warm": member.is_warm(model.id),
                "context_window": model.context_window,
                "capabilities": None if model.capabilities is None else sorted(model.capabilities),
            }
            for model in member.models[:MODEL_LIMIT]
        ],
        "models_total": len(member.models),
    }


def _running(engine: Engine, running: RunningRequest, names: Names) -> LiveRequest:
    caller = running.caller
    member = None if running.backend_id is None else engine.pool.get(running.backend_id)
    return {
        "id": running.request.request_id or "",
        "who": names.of(key_id=caller.key_id, user_id=caller.user_id, fallback=caller.name, address=caller.address),
        "source": caller.source.value,
        "kind": running.request.kind.value,
        "requested_model": running.request.model,
        "model": running.model,
        "backend_id": running.backend_id,
        "backend_name": None if member is None else member.name,
        "started": running.started,
    }


def _last_answer(engine: Engine) -> LiveAnswer | None:
    if engine.last_answer is None:
        return None
    backend_id, model = engine.last_answer
    member = engine.pool.get(backend_id)
    return None if member is None else {"backend": member.name, "model": model}


def _last_failover(engine: Engine) -> LiveFailover | None:
    if engine.pool.last_failover is None:
        return None
    when, event = engine.pool.last_failover
    return {"when": when, "backend": _name(engine, event.backend_id), "to": _name(engine, event.to or ""), "reason": event.reason}


def _name(engine: Engine, backend_id: str) -> str:
    member = engine.pool.get(backend_id)
    return backend_id if member is None else member.name


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 1)
