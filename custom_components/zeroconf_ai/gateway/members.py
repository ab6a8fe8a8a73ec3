"""What the gateway answers with beside the providers that have entries of their own: its subentries' backends and agents."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

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
from ..core.routing.pool.pool import Member
from ..home_agents.backend import ASSIST_MODEL, AgentBackend, model_of
from ..provider.power_meter import EnergyFeeds, EnergyOptions
from .backend_storage import config_of
from .session import GatewaySession

ASSIST_ID = "assist"
"""The backend that is Home Assistant's default agent where no subentry is: every home has it, and it needs no LLM."""


@dataclass(frozen=True, slots=True)
class _Agent:
    """An agent as its subentry has it. Equal ones are the same backend."""

    info: BackendInfo
    entity_id: str | None
    enabled: bool


class GatewayMembers:
    """Keeps them in the engine, as the entry's subentries want them, until `close`."""

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry, engine: Engine) -> None:
        """Nothing is in the engine before `apply`."""
        self._hass = hass
        self._entry = entry
        self._engine = engine
        self._session = GatewaySession(hass)
        self.upstreams = ConfiguredMembers(engine, self._session.session)
        self._energy = EnergyFeeds(hass, engine.pool)
        self._agents: dict[str, _Agent] = {}
        self._stop: Callable[[], None] | None = None
        self._ids: frozenset[str] = frozenset()
        self._refused: dict[str, None] = {}
        """Those that refuse their keys, in the order in which the owner is asked for others."""
        self._confirming: set[str] = set()
        self._watch = HealthLoop(engine.pool, engine.checker, only=self._is_ours)
        self._lock = asyncio.Lock()

    def start(self) -> None:
        """Begin to ask them again and again how they are, and the owner for another key where one refuses its own."""
        self._watch.start()
        self._stop = self._engine.pool.listen(self._on_pool)

    async def apply(self) -> None:
        """Take over what the subentries say now. What is unchanged, and what is being answered, is not disturbed."""
        async with self._lock:
            wanted = [config_of(subentry) for subentry in self._entry.get_subentries_of_type(SUBENTRY_BACKEND)]
            agents = self._wanted_agents()
            self._ids = frozenset({upstream.id for upstream in wanted} | agents.keys())
            for gone in self._refused.keys() - self._ids:
                self._withdraw(gone)
            await self._apply_agents(agents)
            await self.upstreams.apply(wanted)
            backends = self._entry.get_subentries_of_type(SUBENTRY_BACKEND)
            self._energy.apply({backend.subentry_id: EnergyOptions.read(backend.data) for backend in backends})

    async def close(self) -> None:
        """Take them out of the engine."""
        if self._stop is not None:
            self._stop()
        await self._watch.close()
        self._energy.close()
        async with self._lock:
            await self._apply_agents({})
            await self.upstreams.apply(())
        await self._session.close()

    @callback
    def _on_pool(self, _: object) -> None:
        """A member changed its state: ask for a key where one of ours refuses its own, or withdraw that."""
        for backend_id in self._ids:
            member = self._engine.pool.get(backend_id)
            if member is None:
                continue
            if member.state is ProviderState.UNAUTHORIZED:
                if backend_id not in self._refused:
                    self._on_refusal(member)
            elif backend_id in self._refused and reauth.is_over(member):
                self._withdraw(backend_id)

    def _on_refusal(self, member: Member) -> None:
        """Ask for a key, or where it was used without one have a check confirm that it wants one."""
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
        """Ask for the key of one after the other: an entry has one such flow at a time."""
        for backend_id in self._refused:
            reauth.start(self._hass, self._entry, backend_id)

    def _is_ours(self, member: Member) -> bool:
        """Providers with an entry of their own are asked by that."""
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
