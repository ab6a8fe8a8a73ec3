"""`GatewayMembers`: the backends and Home Assistant agents of the gateway's subentries as members of the pool."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.const import CONF_API_KEY, CONF_ENTITY_ID
from homeassistant.core import HomeAssistant, callback

from .. import reauth
from ..const import CONF_ENABLED, CONF_PRIORITY, DOMAIN, SUBENTRY_BACKEND, SUBENTRY_HOME_AGENT
from ..core.backends.base import BackendInfo
from ..core.config.members import ConfiguredMembers
from ..core.engine import Engine
from ..core.protocol.record import DEFAULT_PRIORITY
from ..core.protocol.status import ProviderState
from ..core.routing.pool.health_loop import HealthLoop
from ..core.routing.pool.member import Member
from ..home_agents.backend import ASSIST_MODEL, AgentBackend, model_of
from ..provider.power_meter import EnergyFeeds, EnergyOptions
from .backend_storage import config_of
from .session import GatewaySession

ASSIST_ID = "assist"
"""Id of the backend for Home Assistant's default agent, which exists without a subentry, since it needs no LLM."""


@dataclass(frozen=True, slots=True)
class _Agent:
    """An agent by its subentry. Equal values need no new backend."""

    info: BackendInfo
    entity_id: str | None
    enabled: bool


class GatewayMembers:
    """Keeps the members in sync with the entry's subentries, from `apply` to `close`."""

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry, engine: Engine) -> None:
        """The engine has no members before `apply`."""
        self._hass = hass
        self._entry = entry
        self._engine = engine
        self._session = GatewaySession(hass)
        self.upstreams = ConfiguredMembers(engine, self._session.session)
        self._energy = EnergyFeeds(hass, engine.pool)
        self._agents: dict[str, _Agent] = {}
        self._stops: dict[str, Callable[[], None]] | None = None
        """What ends listening to each member; None before `start` and after `close`."""
        self._ids: frozenset[str] = frozenset()
        self._refused: dict[str, None] = {}
        """Ids of the backends that refuse their keys, in the order of their reauthentication flows."""
        self._confirming: set[str] = set()
        self._health_loop = HealthLoop(engine.pool, engine.checker, only=self._is_ours)
        self._lock = asyncio.Lock()

    def start(self) -> None:
        """Start health checks and reauthentication flows."""
        self._health_loop.start()
        self._stops = {}
        self._listen()

    async def apply(self) -> None:
        """Add, replace and remove members by the subentries. Unchanged members and running requests are not affected."""
        async with self._lock:
            wanted = [config_of(subentry) for subentry in self._entry.get_subentries_of_type(SUBENTRY_BACKEND)]
            agents = self._wanted_agents()
            self._ids = frozenset({upstream.id for upstream in wanted} | agents.keys())
            self._listen()
            for gone in self._refused.keys() - self._ids:
                self._withdraw(gone)
            await self._apply_agents(agents)
            await self.upstreams.apply(wanted)
            backends = self._entry.get_subentries_of_type(SUBENTRY_BACKEND)
            self._energy.apply({backend.subentry_id: EnergyOptions.read(backend.data) for backend in backends})

    async def close(self) -> None:
        """Remove all members from the engine."""
        if self._stops is not None:
            for stop in self._stops.values():
                stop()
            self._stops = None
        await self._health_loop.close()
        self._energy.close()
        async with self._lock:
            await self._apply_agents({})
            await self.upstreams.apply(())
        await self._session.close()

    def _listen(self) -> None:
        """Listen to each member of the gateway, so that a change of one costs nothing for the others."""
        if self._stops is None:
            return
        for gone in self._stops.keys() - self._ids:
            self._stops.pop(gone)()
        for backend_id in self._ids - self._stops.keys():
            self._stops[backend_id] = self._engine.pool.listen(partial(self._on_member, backend_id), backend_id)

    @callback
    def _on_member(self, backend_id: str, _: object) -> None:
        """Start or abort a reauthentication flow after a change of a member's state."""
        member = self._engine.pool.get(backend_id)
        if member is None:
            return
        if member.state is ProviderState.UNAUTHORIZED:
            if backend_id not in self._refused:
                self._on_refusal(member)
        elif backend_id in self._refused and reauth.is_over(member):
            self._withdraw(backend_id)

    def _on_refusal(self, member: Member) -> None:
        """Start a reauthentication flow; for a backend without a key, a health check must confirm the refusal first."""
        subentry = self._entry.subentries.get(member.id)
        if reauth.is_certain(member, has_key=subentry is not None and CONF_API_KEY in subentry.data):
            self._refuse(member.id)
        elif member.id not in self._confirming:
            self._confirming.add(member.id)
            self._entry.async_create_background_task(
                self._hass, self._confirm(member), name=f"{DOMAIN} confirm refusal {member.name}"
            )

    async def _confirm(self, member: Member) -> None:
        try:
            await self._engine.checker.check(member, models=True)
        finally:
            self._confirming.discard(member.id)
        if member.state is ProviderState.UNAUTHORIZED and member.id in self._ids:
            self._refuse(member.id)

    def _refuse(self, backend_id: str) -> None:
        self._refused[backend_id] = None
        self._ask()

    def _withdraw(self, backend_id: str) -> None:
        del self._refused[backend_id]
        reauth.withdraw(self._hass, self._entry, backend_id)
        self._ask()

    def _ask(self) -> None:
        """Start the first flow; the others follow, since an entry has one reauthentication flow at a time."""
        if self._refused:
            reauth.start(self._hass, self._entry, next(iter(self._refused)))

    def _is_ours(self, member: Member) -> bool:
        """Whether the member belongs to the gateway; others are checked by their own entries."""
        return member.id in self._ids

    def _wanted_agents(self) -> dict[str, _Agent]:
        found = {subentry.subentry_id: _agent(subentry) for subentry in self._entry.get_subentries_of_type(SUBENTRY_HOME_AGENT)}
        if all(model_of(agent.entity_id) != ASSIST_MODEL for agent in found.values()):
            found[ASSIST_ID] = _Agent(BackendInfo(ASSIST_ID, "Assist", agent=True), None, enabled=True)
        return found

    async def _apply_agents(self, wanted: dict[str, _Agent]) -> None:
        for backend_id in self._agents.keys() - wanted.keys():
            del self._agents[backend_id]
            await self._engine.remove(backend_id)
            self._engine.pool.notify_state(backend_id)
        for backend_id, agent in wanted.items():
            former = self._agents.get(backend_id)
            if former == agent:
                continue
            self._agents[backend_id] = agent
            backend = AgentBackend(self._hass, agent.info, agent.entity_id)
            member = self._engine.add(backend) if former is None else await self._engine.replace(backend)
            member.enabled = agent.enabled
            await self._engine.checker.check(member, models=True)


def _agent(subentry: ConfigSubentry) -> _Agent:
    data = subentry.data
    info = BackendInfo(subentry.subentry_id, subentry.title, priority=data.get(CONF_PRIORITY, DEFAULT_PRIORITY), agent=True)
    return _Agent(info, data.get(CONF_ENTITY_ID), data.get(CONF_ENABLED, True))
