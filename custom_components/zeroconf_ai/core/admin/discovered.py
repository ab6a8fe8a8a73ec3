"""The providers that are discovered on the network, and what may be added."""

from collections.abc import Iterable
from typing import TypedDict

from ..config.backend_types import BACKEND_TYPES
from ..engine import Engine
from ..lan.providers import Provider
from ..lan.trust import Trust
from ..protocol.record import Auth, Placement
from ..protocol.status import ProviderState

LIMIT = 64
"""Discovered providers in an answer."""
MODELS = 8
"""Models of a discovered provider in an answer."""

NEW, SET_UP, IGNORED, CHANGED, UNANSWERED = "new", "set_up", "ignored", "changed", "unanswered"
"""What a discovered provider is: `CHANGED` has the name of a confirmed provider and another identity."""


class DiscoveredProvider(TypedDict):
    """A discovered provider, as it advertises itself. `last_seen`: seconds since the epoch."""

    id: str
    name: str
    base_url: str
    kind: str
    """What it says that it is, such as "ollama"."""
    state: str
    needs_key: bool
    needs_certificate: bool
    """Whether it accepts only clients that have enrolled."""
    cost: str
    local: bool
    models: list[str]
    models_total: int
    last_seen: float
    flow_id: str | None
    """The flow of Home Assistant that adds it, if one waits."""


class BackendKind(TypedDict):
    """A type of backend that people add. `cloud`: it is a service on the internet."""

    name: str
    title: str
    cloud: bool


class Discovered(TypedDict):
    """`kinds`: what else can be added; empty where a file does. `gateway`: the entry of Home Assistant's gateway."""

    providers: list[DiscoveredProvider]
    kinds: list[BackendKind]
    gateway: str | None


def describe_discovered(provider: Provider, state: str, flow_id: str | None = None) -> DiscoveredProvider:
    """A provider with the state that its home gives it."""
    record = provider.record
    enrolls = record.auth is Auth.MTLS
    return {
        "id": provider.id,
        "name": record.name,
        "base_url": provider.base_url,
        "kind": record.provider,
        "state": state,
        "needs_key": not enrolls and (record.auth is not Auth.NONE or provider.state is ProviderState.UNAUTHORIZED),
        "needs_certificate": enrolls,
        "cost": record.cost.value,
        "local": record.placement is Placement.LOCAL,
        "models": list(record.models[:MODELS]),
        "models_total": len(record.models),
        "last_seen": provider.last_seen,
        "flow_id": flow_id,
    }


def served_state(provider: Provider, engine: Engine) -> str:
    """The state of a provider for a server without Home Assistant."""
    if provider.trust is Trust.CHANGED:
        return CHANGED
    urls = provider.record.base_urls()
    if f"lan:{provider.id}" in engine.pool or any(member.backend.address in urls for member in engine.pool):
        return SET_UP
    return UNANSWERED if provider.state is ProviderState.OFFLINE else NEW


def backend_kinds() -> list[BackendKind]:
    """The types of backends that people add."""
    return [
        {"name": declared.name, "title": declared.title, "cloud": declared.info("", "").placement is Placement.CLOUD}
        for declared in BACKEND_TYPES.values()
        if declared.in_forms
    ]


def in_order(providers: Iterable[DiscoveredProvider]) -> list[DiscoveredProvider]:
    """What can be added comes first; at most `LIMIT`."""
    return sorted(providers, key=lambda one: (one["state"] not in (NEW, CHANGED), one["name"].casefold()))[:LIMIT]
