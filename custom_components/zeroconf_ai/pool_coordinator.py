"""What the coordinators share: they hear of every change in the engine's pool, and tell no more of it than anybody can watch.

A request changes the load several times, and there may be hundreds of requests in a second: each change only sets a flag.
Entities are told of all of it together once a second, except of what somebody waits for: that a provider went away, is back, or
needs its owner.
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

from .const import SIGNAL_PROVIDERS_CHANGED
from .core.protocol.status import ProviderState
from .core.routing.pool.events import RoutingEvent
from .core.routing.pool.pool import Member
from .data import DATA

_LOGGER = logging.getLogger(__name__)

SHOW_SECONDS = 1.0
"""Changes of figures within so long are shown together."""
_BURST = 5
"""So many times in as many seconds it is told at once that a provider is there or not; more often it comes and goes too fast."""


class PoolCoordinator(DataUpdateCoordinator[None]):
    """Tells its listeners of changes in the pool, from `start` to `close`."""

    config_entry: ConfigEntry

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry, name: str, backend_id: str | None = None) -> None:
        """Of one backend, or of all."""
        super().__init__(hass, _LOGGER, config_entry=entry, name=name)
        self._engine = hass.data[DATA].engine
        self._backend_id = backend_id
        self._show_job = HassJob(self._show, f"show {name}", cancel_on_shutdown=True)
        self._cancel_show: Callable[[], None] | None = None
        self._stop_listening: tuple[Callable[[], None], ...] = ()

    @callback
    def start(self) -> None:
        """Begin to listen."""
        pool = self._engine.pool
        self._stop_listening = (pool.listen(self._on_pool, self._backend_id), pool.listen_load(self.note, self._backend_id))

    @callback
    def close(self) -> None:
        """End it. Safe to call twice."""
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
        """Something changed that is shown with all else of this second."""
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
    """Follows one member of the pool: a provider with an entry of its own, or a backend of the gateway."""

    subentry_id: str | None = None
    """Of a backend."""
    is_agent = False
    """Whether it is an agent of this Home Assistant: it has no address, and nothing to measure."""

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry, name: str, member_id: str) -> None:
        """`member_id` is the backend's id in the pool, and what its device is known by."""
        super().__init__(hass, entry, name, member_id)
        self.member_id = member_id
        self._shown_state: ProviderState | None = None
        self._logged_online = True
        self._told = deque([float("-inf")] * _BURST, maxlen=_BURST)
        """When it was told of late, by the loop's clock."""

    @property
    def member(self) -> Member | None:
        """What is known of it right now; None while it is not in the pool. A change of its address makes it another object."""
        return self._engine.pool.get(self.member_id)

    @property
    @abstractmethod
    def routed(self) -> bool:
        """Whether it may answer what any provider may."""

    @property
    @abstractmethod
    def priority(self) -> int | None:
        """Its place in the order, lower is preferred."""

    @abstractmethod
    @callback
    def set_routed(self, routed: bool) -> None:
        """Store whether it may answer what any provider may; it applies, and is shown, at once."""

    @abstractmethod
    @callback
    def set_priority(self, priority: int) -> None:
        """Store its place in the order; it applies, and is shown, at once."""

    async def check_now(self, *, models: bool = False) -> None:
        """Ask it now; `models` asks for its models even where they are fresh. That it does not answer is no error."""
        if (member := self.member) is not None:
            await self._engine.checker.check(member, models=models)
        self.async_update_listeners()

    @callback
    @override
    def _on_pool(self, event: RoutingEvent | None) -> None:
        member = self.member
        state = _reachable(member)
        if state is self._shown_state or (now := self.hass.loop.time()) - self._told[0] < _BURST * SHOW_SECONDS:
            self.note()
            return
        self._shown_state = state
        self._told.append(now)
        self._on_reachable(member, event)
        self.async_update_listeners()
        async_dispatcher_send(self.hass, SIGNAL_PROVIDERS_CHANGED)

    @callback
    @override
    def _show(self, now: datetime) -> None:
        """One that goes and comes many times in a second is looked at once in each, too."""
        member = self.member
        state = _reachable(member)
        changed, self._shown_state = state is not self._shown_state, state
        if changed:
            self._told.append(self.hass.loop.time())
            self._on_reachable(member, None)
        super()._show(now)
        if changed:
            async_dispatcher_send(self.hass, SIGNAL_PROVIDERS_CHANGED)

    def _on_reachable(self, member: Member | None, event: RoutingEvent | None) -> None:
        """It can be reached, or not, otherwise than before: say so in the log, once each way."""
        if member is None or not member.known or member.online is self._logged_online:
            return
        self._logged_online = member.online
        if member.online:
            _LOGGER.info("%s is back", self.name)
        else:
            _LOGGER.info("%s is offline: %s", self.name, event.log_text if event else member.last_error)


def _reachable(member: Member | None) -> ProviderState | None:
    """What agents and owners wait for. Slow or not makes no difference; None: nothing is known."""
    if member is None or not member.known:
        return None
    return ProviderState.HEALTHY if member.online else member.state
