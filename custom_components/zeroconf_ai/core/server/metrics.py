"""Prometheus metrics `local_ai_*`: counters of finished requests, and gauges of the backends' current state.

The number of label values is limited. Labels name the backends and models that answered, never those that clients requested.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import cast, override

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ..accounting.budget import Budget, Scope
from ..accounting.budgets.budget_store import BudgetState
from ..accounting.periods import Period
from ..accounting.usage.generation import Generation, Outcome, Recorder
from ..protocol.status import ProviderState
from ..protocol.values import NANO
from ..routing.pool.concurrency import ConcurrencyLimiter
from ..routing.pool.events import EventKind, RoutingEvent
from ..routing.pool.member import Member
from ..routing.pool.pool import Pool

CONTENT_TYPE = CONTENT_TYPE_LATEST
OTHER = "other"
"""The label of requests without an answer, and of names beyond _MAX_NAMES."""
NONE = "none"
_PREFIX = "local_ai"
_MAX_NAMES = 200
"""Maximum number of models, and of backends, with labels of their own: each is a time series in the owner's database."""
_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
_SPEEDS = (1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 640.0)
"""Tokens per second: from a small machine's processor to a fast cloud."""
_CODES = frozenset(
    {
        "budget_exceeded",
        "budgets_lost",
        "content_policy_violation",
        "context_length_exceeded",
        "database_unavailable",
        "invalid_api_key",
        "loop_detected",
        "model_not_allowed",
        "model_not_found",
        "no_provider",
        "provider_capacity_exceeded",
        "provider_error",
        "provider_timeout",
        "rate_limit_exceeded",
    }
)
"""Error codes with labels of their own: upstreams can send any code."""
_HEALTH = {ProviderState.HEALTHY: 1.0, ProviderState.DEGRADED: 0.5}


class Metrics(Recorder):
    """The metrics of one gateway, in a registry of their own."""

    def __init__(self, pool: Pool, limiter: ConcurrencyLimiter | None = None) -> None:
        """`pool` and `limiter` are read with every `render`. `close` removes the listener from the pool."""
        self._registry = CollectorRegistry()
        self._known: dict[tuple[object, ...], Counter | Histogram] = {}
        self._models: set[str] = set()
        self._providers: set[str] = set()
        labels = ("endpoint", "model", "provider")
        self._requests = self._counter("requests", "Requests by outcome.", (*labels, "status"))
        self._duration = self._histogram("request_duration_seconds", "From a request's arrival to the end of its answer.", labels)
        self._first_token = self._histogram("time_to_first_token_seconds", "From a request's arrival to the first token.", labels)
        speed = "Speed of an answer: from its first token if it is streamed, else from the request's arrival."
        self._speed = self._histogram("output_tokens_per_second", speed, labels[1:], _SPEEDS)
        self._errors = self._counter("errors", "Requests that ended in an error, by its code.", ("code",))
        classes = "Tokens by type. Prompt tokens include cached ones, completion tokens include reasoning ones."
        self._tokens = self._counter("tokens", classes, (*labels[1:], "type"))
        self._heard = self._counter("audio_seconds", "Seconds of recordings that were transcribed.", labels[1:])
        self._spoken = self._counter("speech_characters", "Characters of texts that were spoken.", labels[1:])
        self._cost = self._counter("cost", "Known costs, in units of the providers' currency.", labels[1:])
        failover = ("from_provider", "to_provider")
        self._failovers = self._counter("provider_failover", "Requests sent to another provider after a failure.", failover)
        self._pool = pool
        self._state = _StateCollector(pool, limiter)
        self._registry.register(self._state)
        self.close: Callable[[], None] = pool.listen(self._on_event)
        """Removes the listener from the pool."""

    def watch_budgets(self, budgets: Callable[[], Iterable[BudgetState]]) -> None:
        """Add the gauges of these budgets. `budgets` is called with every `render`."""
        self._state.budgets = budgets

    def add(self, collector: Collector) -> None:
        """Also show the metrics of a collector."""
        self._registry.register(collector)

    @override
    def record(self, generation: Generation) -> None:
        model = self._model(generation)
        provider = _bounded(self._providers, generation.backend_name)
        kind = generation.kind
        self._series(self._requests, kind, model, provider, generation.outcome.value).inc()
        self._series(self._duration, kind, model, provider).observe(generation.duration)
        if generation.first_token is not None:
            self._series(self._first_token, kind, model, provider).observe(generation.first_token)
        if (speed := _speed(generation)) is not None:
            self._series(self._speed, model, provider).observe(speed)
        if generation.outcome is Outcome.ERROR:
            self._series(self._errors, generation.error_code if generation.error_code in _CODES else OTHER).inc()
        usage = generation.usage
        for name, count in (
            ("prompt", usage.prompt_tokens),
            ("completion", usage.completion_tokens),
            ("cached", usage.cached_tokens),
            ("reasoning", usage.reasoning_tokens),
        ):
            if count:
                self._series(self._tokens, model, provider, name).inc(count)
        for counter, amount in ((self._heard, usage.audio_seconds), (self._spoken, usage.speech_characters)):
            if amount:
                self._series(counter, model, provider).inc(amount)
        if generation.cost:
            self._series(self._cost, model, provider).inc(generation.cost / NANO)

    def render(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self._registry)

    def _series[T: Counter | Histogram](self, metric: T, *labels: str | None) -> T:
        """The result of `metric.labels`, cached: that call validates and locks. The number of label values bounds the cache."""
        key = (metric, labels)
        if (found := self._known.get(key)) is None:
            found = self._known[key] = metric.labels(*labels)
        return cast(T, found)

    def _counter(self, name: str, what: str, labels: Iterable[str]) -> Counter:
        return Counter(name, what, labels, namespace=_PREFIX, registry=self._registry)

    def _histogram(self, name: str, what: str, labels: Iterable[str], buckets: Sequence[float] = _SECONDS) -> Histogram:
        return Histogram(name, what, labels, namespace=_PREFIX, registry=self._registry, buckets=buckets)

    def _model(self, generation: Generation) -> str:
        """The model's label: OTHER for a name that has not answered yet, because clients can send any name."""
        name = generation.model
        if generation.outcome is Outcome.OK or name in self._models:
            return _bounded(self._models, name)
        return OTHER if name else NONE

    def _on_event(self, event: RoutingEvent | None) -> None:
        if event is not None and event.kind is EventKind.FAILOVER:
            self._failovers.labels(self._provider(event.backend_id), self._provider(event.to)).inc()

    def _provider(self, backend_id: str | None) -> str:
        member = self._pool.get(backend_id) if backend_id is not None else None
        return _bounded(self._providers, member.name if member is not None else None)


class _StateCollector(Collector):
    """The current state of backends, queue and budgets."""

    def __init__(self, pool: Pool, limiter: ConcurrencyLimiter | None) -> None:
        self._pool = pool
        self._limiter = limiter
        self.budgets: Callable[[], Iterable[BudgetState]] = tuple

    @override
    def collect(self) -> Iterator[Metric]:
        yield from self._backends()
        if self._limiter is not None:
            yield GaugeMetricFamily(f"{_PREFIX}_queue_depth", "Requests waiting at the gateway.", value=self._limiter.waiting)
        yield from self._budgets()

    def _backends(self) -> Iterator[Metric]:
        active = _gauge("provider_active_requests", "Requests of this gateway that a provider is processing.")
        depth = _gauge("provider_queue_depth", "Requests waiting for a provider.")
        health = _gauge("provider_health", "1: healthy, 0.5: degraded, 0: offline, disabled or API key rejected.")
        latency = _gauge("provider_latency_seconds", "Duration of a provider's health check.")
        named: dict[str, list[Member]] = {}
        for member in self._pool:
            named.setdefault(member.name, []).append(member)
        for name, members in islice(named.items(), _MAX_NAMES):  # members of one name share a series: labels must be unique
            active.add_metric((name,), sum(member.active for member in members))
            depth.add_metric((name,), sum(member.limiter.waiting for member in members))
            health.add_metric((name,), max(_health(member) for member in members))
            known = [member.latency for member in members if member.latency is not None]
            if known:
                latency.add_metric((name,), min(known))
        yield from (active, depth, health, latency)

    def _budgets(self) -> Iterator[Metric]:
        """Budgets of keys and users are private: of each scope and period, only the highest ratio is shown."""
        labels = ("scope", "provider", "period")
        used = _gauge("budget_used_ratio", "Spent share of a budget (1: all). For keys and users, the highest.", labels)
        left = _gauge("budget_left", "Remaining amount of a budget of the household or of a provider.", labels)
        ratios: dict[tuple[str, str, str], float] = {}
        amounts: dict[tuple[str, str, str], float] = {}
        for budget, spent in self._spent():
            member = self._pool.get(budget.subject) if budget.scope is Scope.BACKEND else None
            key = (budget.scope.value, NONE if member is None else member.name, budget.period.value)
            if (budget.scope is Scope.BACKEND and member is None) or (key not in ratios and len(ratios) >= _MAX_NAMES):
                continue
            ratios[key] = max(spent / budget.amount if budget.amount else 1.0, ratios.get(key, 0.0))
            if budget.scope in (Scope.HOUSEHOLD, Scope.BACKEND):
                amount = max(0, budget.amount - spent) / NANO
                amounts[key] = min(amount, amounts.get(key, amount))
        for family, values in ((used, ratios), (left, amounts)):
            for key, value in values.items():
                family.add_metric(key, value)
            yield family

    def _spent(self) -> Iterator[tuple[Budget, int]]:
        """All budgets, including the backends' monthly limits, and the amount spent of each."""
        for state in self.budgets():
            yield state.budget, state.spent
        for member in self._pool:
            if (limit := member.terms.monthly_limit) is not None:
                yield Budget(f"limit:{member.id}", Scope.BACKEND, member.id, limit, Period.MONTH), member.month_cost


def _health(member: Member) -> float:
    return _HEALTH.get(member.state, 0.0) if member.enabled else 0.0


def _speed(generation: Generation) -> float | None:
    """Tokens per second of a complete answer; None if it cannot be calculated."""
    tokens, seconds = generation.usage.completion_tokens, generation.duration
    if generation.stream and generation.first_token is not None:
        tokens, seconds = tokens - 1, seconds - generation.first_token
    if generation.outcome is not Outcome.OK or tokens <= 0 or seconds <= 0:
        return None
    return tokens / seconds


def _gauge(name: str, what: str, labels: Sequence[str] = ("provider",)) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"{_PREFIX}_{name}", what, labels=labels)


def _bounded(names: set[str], name: str | None) -> str:
    """`name`, or OTHER if `names` is full."""
    if name is None:
        return NONE
    if name not in names:
        if len(names) >= _MAX_NAMES:
            return OTHER
        names.add(name)
    return name
