"""Base classes of the coordinators: they listen to the engine's pool and notify entities at most once per second.

A request changes the load several times, and there may be hundreds of requests per second, so a change only schedules an update.
Changes of a provider's availability (offline, online, key refused) are reported at once.
"""

from abc import abstractmethod
from collections import deque
from collections.abc import Callable
from datetime import datetime
import logging
from typing import override

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HassJob, HomeAssistant, callback
from homeassistant.helpers.dispatcher import async_dispatcher_send
from homeassistant.helpers.event import async_call_later
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator
from homeassistant.util import dt as dt_util

from .const import SIGNAL_PROVIDERS_CHANGED
from .core.protocol.status import ProviderState
from .core.routing.pool.events import EventKind, RoutingEvent
from .core.routing.pool.member import Member
from .data import DATA

_LOGGER = logging.getLogger(__name__)

SHOW_SECONDS = 1.0
"""The interval between updates of entities."""
_BURST = 5
"""Maximum number of immediate reports of a provider's availability in as many seconds; later ones wait for the next update."""


class PoolCoordinator(DataUpdateCoordinator[None]):
    """Notifies its listeners of changes in the pool, from `start` to `close`."""

    config_entry: ConfigEntry

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry, name: str, backend_id: str | None = None) -> None:
        """`backend_id`: the only member to listen to; None for all."""
        super().__init__(hass, _LOGGER, config_entry=entry, name=name)
        self._engine = hass.data[DATA].engine
        self._backend_id = backend_id
        self._show_job = HassJob(self._show, f"show {name}", cancel_on_shutdown=True)
        self._cancel_show: Callable[[], None] | None = None
        self._stop_listening: tuple[Callable[[], None], ...] = ()

    @override
    async def _async_update_data(self) -> None:
        """Nothing to fetch: the pool reports each change."""

    @callback
    def start(self) -> None:
        """Start listening."""
        pool = self._engine.pool
        self._stop_listening = (pool.listen(self._on_pool, self._backend_id), pool.listen_load(self.note, self._backend_id))

    @callback
    def close(self) -> None:
        """Stop listening. May be called twice."""
        for stop in self._stop_listening:
            stop()
        self._stop_listening = ()
        self._forget_show()

    @override
    async def async_shutdown(self) -> None:
        self.close()
        await super().async_shutdown()

    @callback
    def note(self) -> None:
        """Schedule an update of the entities, within a second."""
        if self._cancel_show is None:
            self._cancel_show = async_call_later(self.hass, SHOW_SECONDS, self._show_job)

    @callback
    @override
    def async_update_listeners(self) -> None:
        self._forget_show()
        super().async_update_listeners()

    @abstractmethod
    @callback
    def _on_pool(self, event: RoutingEvent | None) -> None:
        """Called after a change of state."""

    @callback
    def _show(self, _: datetime) -> None:
        self._cancel_show = None
        self.async_update_listeners()

    def _forget_show(self) -> None:
        if self._cancel_show is not None:
            self._cancel_show()
            self._cancel_show = None


class MemberCoordinator(PoolCoordinator):
    """Follows one member of the pool: a provider with its own entry, or a backend of the gateway."""

    subentry_id: str | None = None
    """The subentry of a backend; None for a provider."""
    is_agent = False
    """Whether it is an agent of this Home Assistant, which has no address, latency and costs."""

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry, name: str, member_id: str) -> None:
        """`member_id` is the backend's id in the pool and the identifier of its device."""
        super().__init__(hass, entry, name, member_id)
        self.member_id = member_id
        self.last_failover: datetime | None = None
        """When a request was last sent to another backend after a failure of this one, since the start."""
        self._shown_state: ProviderState | None = None
        self._logged_online = True
        self._reported = deque([float("-inf")] * _BURST, maxlen=_BURST)
        """Times of the last reports of its availability, by the loop's clock."""

    @property
    def member(self) -> Member | None:
        """The member; None if it is not in the pool. A change of its address replaces the object."""
        return self._engine.pool.get(self.member_id)

    @property
    @abstractmethod
    def routed(self) -> bool:
        """Whether routing may select it for requests that are not pinned to a backend."""

    @property
    @abstractmethod
    def priority(self) -> int | None:
        """Its priority; lower values are preferred."""

    @abstractmethod
    @callback
    def set_routed(self, routed: bool) -> None:
        """Store whether routing may select it, which applies at once."""

    @abstractmethod
    @callback
    def set_priority(self, priority: int) -> None:
        """Store its priority, which applies at once."""

    async def check_now(self, *, models: bool = False) -> None:
        """Check its health now; `models` also updates its model list. Raises no error if it does not answer."""
        if (member := self.member) is not None:
            await self._engine.checker.check(member, models=models)
        self.async_update_listeners()

    @callback
    @override
    def _on_pool(self, event: RoutingEvent | None) -> None:
        if event is not None and event.kind is EventKind.FAILOVER:
            self.last_failover = dt_util.utcnow()
        member = self.member
        state = _reachable(member)
        if state is self._shown_state or (now := self.hass.loop.time()) - self._reported[0] < _BURST * SHOW_SECONDS:
            self.note()
            return
        self._shown_state = state
        self._reported.append(now)
        self._on_reachable(member, event)
        self.async_update_listeners()
        async_dispatcher_send(self.hass, SIGNAL_PROVIDERS_CHANGED)

    @callback
    @override
    def _show(self, now: datetime) -> None:
        """Update the entities, and report a change of the availability that was not reported at once."""
        member = self.member
        state = _reachable(member)
        changed, self._shown_state = state is not self._shown_state, state
        if changed:
            self._reported.append(self.hass.loop.time())
            self._on_reachable(member, None)
        super()._show(now)
        if changed:
            async_dispatcher_send(self.hass, SIGNAL_PROVIDERS_CHANGED)

    def _on_reachable(self, member: Member | None, event: RoutingEvent | None) -> None:
        """Log a change of the availability once in each direction."""
        if member is None or not member.known or member.online is self._logged_online:
            return
        self._logged_online = member.online
        if member.online:
            _LOGGER.info("%s is back", self.name)
        else:
            _LOGGER.info("%s is offline: %s", self.name, event.log_text if event else member.last_error)


def _reachable(member: Member | None) -> ProviderState | None:
    """The state of the availability: HEALTHY includes degraded; None is unknown."""
    if member is None or not member.known:
        return None
    return ProviderState.HEALTHY if member.online else member.state
