"""Prometheus metrics of a connector's links, beside those of its requests."""

from collections.abc import Iterable, Iterator
from typing import override

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from .connector import Connector

_PREFIX = "local_ai_relay"


class LinkCollector(Collector):
    """The state of the links, labelled by the names of the houses. A connector has few houses."""

    def __init__(self, connectors: Iterable[Connector]) -> None:
        """`connectors` are read with every scrape."""
        self._connectors = connectors

    @override
    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily(f"{_PREFIX}_link_up", "1: a link to the house takes requests, 0: not.", labels=("house",))
        streams = GaugeMetricFamily(f"{_PREFIX}_requests", "Requests of the house that run.", labels=("house",))
        attempts = CounterMetricFamily(f"{_PREFIX}_attempts", "Attempts to open a link to the house.", labels=("house",))
        found: dict[str, Connector] = {}
        for connector in self._connectors:  # two houses of one name share no series: labels must be unique
            name = connector.house.name
            found[name if name not in found else f"{name} ({connector.house.id})"] = connector
        for name, connector in found.items():
            up.add_metric((name,), float(connector.is_open))
            streams.add_metric((name,), connector.streams)
            attempts.add_metric((name,), connector.attempts)
        yield from (up, streams, attempts)
