"""What Prometheus is told: counters of every request that the engine ended, and the state of the backends when it asks.

Names of the `local_ai_*` family. Labels are bounded and come from what answered, never from what was asked for.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import override

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ..accounting.generation import Generation, Outcome, Recorder
from ..protocol.status import ProviderState
from ..protocol.values import NANO
from ..routing.events import EventKind, RoutingEvent
from ..routing.pool import Member, Pool

CONTENT_TYPE = CONTENT_TYPE_LATEST
OTHER = "other"
"""The label of what is not told apart: no answer, or one name too many."""
NONE = "none"
_PREFIX = "local_ai"
_MOST_NAMES = 200
"""Of models and of backends that are told apart: each is a time series in the owner's database."""
_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
_HEALTH = {ProviderState.HEALTHY: 1.0, ProviderState.DEGRADED: 0.5}


class Metrics(Recorder):
    """One gateway's numbers, in a registry of their own."""

    def __init__(self, pool: Pool) -> None:
        """`pool` is looked at whenever the numbers are asked for. `close` ends the listening to it."""
        self._registry = CollectorRegistry()
        self._models: set[str] = set()
        self._providers: set[str] = set()
        asked = ("endpoint", "model", "provider")
        self._requests = self._counter("requests", "Requests by how they ended.", (*asked, "status"))
        self._duration = self._histogram("request_duration_seconds", "From a request's arrival to the end of its answer.", asked)
        self._first_token = self._histogram("time_to_first_token_seconds", "From a request's arrival to the first token.", asked)
        classes = "Tokens by type; cached ones are prompt's too, reasoning ones completion's."
        self._tokens = self._counter("tokens", classes, (*asked[1:], "type"))
        self._cost = self._counter("cost", "Money, in units of the providers' currency, as far as it is known.", asked[1:])
        failover = ("from_provider", "to_provider")
        self._failovers = self._counter("provider_failover", "Requests that went on to another provider.", failover)
        self._pool = pool
        self._registry.register(_PoolCollector(pool))
        self.close: Callable[[], None] = pool.listen(self._happened)
        """Stop listening."""

    @override
    def record(self, generation: Generation) -> None:
        model = self._model(generation)
        provider = _bounded(self._providers, generation.backend_name)
        kind = generation.kind
        self._requests.labels(kind, model, provider, generation.outcome.value).inc()
        self._duration.labels(kind, model, provider).observe(generation.duration)
        if generation.first_token is not None:
            self._first_token.labels(kind, model, provider).observe(generation.first_token)
        usage = generation.usage
        for name, count in (
            ("prompt", usage.prompt_tokens),
            ("completion", usage.completion_tokens),
            ("cached", usage.cached_tokens),
            ("reasoning", usage.reasoning_tokens),
        ):
            if count:
                self._tokens.labels(model, provider, name).inc(count)
        if generation.cost:
            self._cost.labels(model, provider).inc(generation.cost / NANO)

    def render(self) -> bytes:
        """The text that Prometheus reads."""
        return generate_latest(self._registry)

    def _counter(self, name: str, what: str, labels: Iterable[str]) -> Counter:
        return Counter(name, what, labels, namespace=_PREFIX, registry=self._registry)

    def _histogram(self, name: str, what: str, labels: Iterable[str]) -> Histogram:
        return Histogram(name, what, labels, namespace=_PREFIX, registry=self._registry, buckets=_SECONDS)

    def _model(self, generation: Generation) -> str:
        """The model's label. A name that has never answered is somebody's own invention until it does."""
        name = generation.model
        if generation.outcome is Outcome.OK or name in self._models:
            return _bounded(self._models, name)
        return OTHER if name else NONE

    def _happened(self, event: RoutingEvent | None) -> None:
        if event is not None and event.kind is EventKind.FAILOVER:
            self._failovers.labels(self._provider(event.backend_id), self._provider(event.to)).inc()

    def _provider(self, backend_id: str | None) -> str:
        member = self._pool.get(backend_id) if backend_id is not None else None
        return _bounded(self._providers, member.name if member is not None else None)


class _PoolCollector(Collector):
    """The backends as they are right now."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @override
    def collect(self) -> Iterator[Metric]:
        active = _gauge("provider_active_requests", "Requests that a provider is answering for this gateway.")
        depth = _gauge("provider_queue_depth", "Requests that wait for their turn at a provider.")
        health = _gauge("provider_health", "1: well, 0.5: slow or unwell, 0: offline, or its key is refused.")
        latency = _gauge("provider_latency_seconds", "How long a provider's health check took.")
        named: dict[str, list[Member]] = {}
        for member in self._pool:
            named.setdefault(member.name, []).append(member)
        for name, members in islice(named.items(), _MOST_NAMES):  # those of one name are one: its labels must not come twice
            active.add_metric((name,), sum(member.active for member in members))
            depth.add_metric((name,), sum(member.slots.waiting for member in members))
            health.add_metric((name,), max(_health(member) for member in members))
            known = [member.latency for member in members if member.latency is not None]
            if known:
                latency.add_metric((name,), min(known))
        yield from (active, depth, health, latency)


def _health(member: Member) -> float:
    return _HEALTH.get(member.state, 0.0) if member.enabled else 0.0


def _gauge(name: str, what: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"{_PREFIX}_{name}", what, labels=("provider",))


def _bounded(names: set[str], name: str | None) -> str:
    """`name`, if it is among the first so many."""
    if name is None:
        return NONE
    if name not in names:
        if len(names) >= _MOST_NAMES:
            return OTHER
        names.add(name)
    return name
