"""Coordinators of the gateway and its backends. They only listen; `GatewayMembers` checks the backends' health."""

from collections.abc import Callable, Iterator
from typing import override

from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.const import CONF_TYPE
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr

from ..const import CONF_ENABLED, CONF_PRIORITY, DOMAIN, SUBENTRY_BACKEND, SUBENTRY_HOME_AGENT
from ..core.accounting.usage.generation import Generation, Outcome, Recorder
from ..core.config.backend_types import type_title
from ..core.protocol.status import ProviderState
from ..core.routing.pool.events import EventKind, RoutingEvent
from ..core.server.gateway import Gateway
from ..pool_coordinator import MemberCoordinator, PoolCoordinator

RUNNING = "running"
DEGRADED = "degraded"
NO_BACKEND = "no_backend"
"""No backend answers. `unavailable`, the protocol's value, has another meaning in Home Assistant."""
OFF = "off"
GATEWAY_STATES = (RUNNING, DEGRADED, NO_BACKEND, OFF)


class Counts(Recorder):
    """Counts failovers and keeps the last answered request since the gateway's start. Usage trackers count the rest."""

    def __init__(self, changed: Callable[[], None]) -> None:
        """`changed` is called after each recorded request."""
        self._changed = changed
        self.failovers = 0
        self.last: Generation | None = None
        """The last answered request."""

    @override
    def record(self, generation: Generation) -> None:
        if generation.outcome is Outcome.OK:
            self.last = generation
        self._changed()


class GatewayCoordinator(PoolCoordinator):
    """The coordinator of the gateway's own entities."""

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry, gateway: Gateway) -> None:
        """`gateway` is the server shared by Home Assistant's port and the separate port."""
        super().__init__(hass, entry, entry.title)
        self.gateway = gateway
        self.counts = Counts(self.note)

    @callback
    @override
    def start(self) -> None:
        super().start()
        self._engine.limiter.changed = self.note

    @callback
    @override
    def close(self) -> None:
        self._engine.limiter.changed = None
        super().close()

    @property
    def state(self) -> str:
        """One of GATEWAY_STATES: degraded if an enabled backend is not healthy."""
        if not self.gateway.enabled:
            return OFF
        states = {member.state for member in self._engine.pool if member.enabled}
        if self.gateway.draining or not states & {ProviderState.HEALTHY, ProviderState.DEGRADED}:
            return NO_BACKEND
        return RUNNING if states == {ProviderState.HEALTHY} else DEGRADED

    @property
    def active(self) -> int:
        """Number of requests that are running or wait for a backend."""
        return self._engine.limiter.active

    @property
    def waiting(self) -> int:
        """Number of requests in the queues of the gateway and its backends."""
        return self._engine.limiter.waiting + sum(member.limiter.waiting for member in self._engine.pool)

    @callback
    @override
    def _on_pool(self, event: RoutingEvent | None) -> None:
        if event is not None and event.kind is EventKind.FAILOVER:
            self.counts.failovers += 1
        self.note()


class BackendCoordinator(MemberCoordinator):
    """Follows a backend of the gateway: a server, a cloud service or an agent of this Home Assistant."""

    config_entry: ConfigEntry

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry, subentry: ConfigSubentry, device_id: str) -> None:
        """`device_id` is the backend's id in the device registry."""
        super().__init__(hass, entry, subentry.title, subentry.subentry_id)
        self.subentry_id = subentry.subentry_id
        self.is_agent = subentry.subentry_type == SUBENTRY_HOME_AGENT
        self.device_id = device_id
        self.subentry = subentry
        """The subentry, with the current title and options."""
        self.shown = subentry.title, subentry.data
        """The title and the options at the last update of the entities. Home Assistant changes a subentry in place."""
        self._shown_version: str | None = None

    @property
    @override
    def routed(self) -> bool:
        stored: bool = self.subentry.data.get(CONF_ENABLED, True)
        return stored

    @property
    @override
    def priority(self) -> int | None:
        stored: int | None = self.subentry.data.get(CONF_PRIORITY)
        return self.member.priority if stored is None and self.member is not None else stored

    @callback
    @override
    def set_routed(self, routed: bool) -> None:
        self._store(CONF_ENABLED, routed)

    @callback
    @override
    def set_priority(self, priority: int) -> None:
        self._store(CONF_PRIORITY, priority)

    @callback
    @override
    def async_update_listeners(self) -> None:
        health = self.member.health if self.member is not None else None
        if health is not None and not self.is_agent and health.version != self._shown_version:
            self._shown_version = health.version
            dr.async_get(self.hass).async_update_device(self.device_id, sw_version=health.version)
        super().async_update_listeners()

    def _store(self, key: str, value: bool | int) -> None:
        subentry = self.config_entry.subentries[self.member_id]
        self.hass.config_entries.async_update_subentry(self.config_entry, subentry, data={**subentry.data, key: value})


class BackendCoordinators:
    """The coordinators and devices of the gateway's backends, in sync with the entry's subentries."""

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry, gateway_device_id: str) -> None:
        """There are no coordinators before `apply`."""
        self._hass = hass
        self._entry = entry
        self._gateway_device_id = gateway_device_id
        self._running: dict[str, BackendCoordinator] = {}
        self._listeners: list[Callable[[BackendCoordinator], None]] = []

    def __iter__(self) -> Iterator[BackendCoordinator]:
        """The current coordinators."""
        return iter(tuple(self._running.values()))

    @callback
    def listen(self, listener: Callable[[BackendCoordinator], None]) -> Callable[[], None]:
        """Call `listener` with each present and future coordinator; returns a function that unsubscribes."""
        self._listeners.append(listener)
        for coordinator in self:
            listener(coordinator)
        return lambda: self._listeners.remove(listener)

    @callback
    def apply(self) -> None:
        """Add, update and remove coordinators by the subentries. Home Assistant removes a removed subentry's device itself."""
        for _ in self.steps():
            pass

    def steps(self) -> Iterator[None]:
        """The steps of `apply`, between which Home Assistant may do other work."""
        wanted = {
            key: subentry
            for key, subentry in self._entry.subentries.items()
            if subentry.subentry_type in (SUBENTRY_BACKEND, SUBENTRY_HOME_AGENT)
        }
        for key in self._running.keys() - wanted.keys():
            self._running.pop(key).close()
        for key, subentry in wanted.items():
            if (running := self._running.get(key)) is None:
                if key in self._entry.subentries:  # it may have been removed since the last step
                    self._add(subentry)
                    yield
            elif running.shown != (subentry.title, subentry.data):
                self._refresh(running, subentry)
                yield

    @callback
    def close(self) -> None:
        """Close all coordinators."""
        for coordinator in self:
            coordinator.close()
        self._running.clear()

    def _add(self, subentry: ConfigSubentry) -> None:
        device = dr.async_get(self._hass).async_get_or_create(
            config_entry_id=self._entry.entry_id,
            config_subentry_id=subentry.subentry_id,
            identifiers={(DOMAIN, subentry.subentry_id)},
            name=subentry.title,
            manufacturer="ZeroConf AI",
            model=_device_model(subentry),
            entry_type=dr.DeviceEntryType.SERVICE,
            via_device_id=self._gateway_device_id,
        )
        coordinator = BackendCoordinator(self._hass, self._entry, subentry, device.id)
        self._running[subentry.subentry_id] = coordinator
        coordinator.start()
        for listener in tuple(self._listeners):
            listener(coordinator)

    def _refresh(self, coordinator: BackendCoordinator, subentry: ConfigSubentry) -> None:
        coordinator.subentry = subentry
        coordinator.shown = subentry.title, subentry.data
        if coordinator.name != subentry.title:
            coordinator.name = subentry.title
            dr.async_get(self._hass).async_update_device(coordinator.device_id, name=subentry.title)
        coordinator.async_update_listeners()


def _device_model(subentry: ConfigSubentry) -> str:
    backend_type: str | None = subentry.data.get(CONF_TYPE)
    return "Home Assistant" if backend_type is None else type_title(backend_type)
