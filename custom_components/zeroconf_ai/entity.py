"""Base classes of entities: providers' and backends', the gateway's, and conversation agents and AI tasks."""

from collections.abc import Callable, Iterable
from typing import Any, override

from homeassistant.auth.models import User
from homeassistant.config_entries import ConfigSubentry
from homeassistant.const import CONF_MODEL
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.entity import Entity, EntityDescription
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.update_coordinator import CoordinatorEntity, DataUpdateCoordinator

from . import issues
from .assist.chat_loop import ChatLoop
from .const import CONF_HOME_ONLY, DOMAIN, SIGNAL_PROVIDERS_CHANGED
from .core.backends.zeroconfai import ZeroconfAIBackend
from .core.config.backend_types import provider_title
from .core.engine import Caller, Source
from .core.protocol.home_rule import HomeRule
from .core.protocol.models import AUTO
from .core.protocol.request import Request
from .core.routing.pool.member import Member
from .data import DATA
from .gateway.coordinators import GatewayCoordinator
from .pool_coordinator import MemberCoordinator
from .provider.runtime import ProviderConfigEntry
from .runtime import ZeroconfAIConfigEntry
from .usage.coordinators import UsageTracker
from .usage.entity import UsageEntity

LAST_FAILOVER = "last_failover"
"""The attribute of status sensors with the time of the last failover to another provider, which the trigger follows."""


def provider_device(entry: ProviderConfigEntry, member: Member) -> dr.DeviceInfo:
    """The device of a provider."""
    backend, health = member.backend, member.health
    return dr.DeviceInfo(
        identifiers={(DOMAIN, entry.entry_id)},
        name=entry.title,
        manufacturer="ZeroConf AI",
        model=provider_title(health.provider) if health else None,
        sw_version=health.version if health else None,
        configuration_url=backend.home_page if isinstance(backend, ZeroconfAIBackend) else None,
        entry_type=dr.DeviceEntryType.SERVICE,
    )


@callback
def entities_of_kind(hass: HomeAssistant, entity_ids: Iterable[str], translation_key: str) -> set[str]:
    """Those of `entity_ids` that this integration provides with the given translation key, for triggers and conditions."""
    registry = er.async_get(hass)
    return {
        entity_id
        for entity_id in entity_ids
        if (known := registry.async_get(entity_id)) and (known.platform, known.translation_key) == (DOMAIN, translation_key)
    }


@callback
def add_when_offered(
    entry: ZeroconfAIConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
    coordinator: DataUpdateCoordinator[None],
    subentry_id: str | None,
    domain: str,
    entities: Iterable[ProviderEntity | UsageEntity],
) -> None:
    """Add each entity once it is offered, or at once if it is in the entity registry. `domain` is that of the platform."""
    registry = er.async_get(coordinator.hass)
    waiting = list(entities)

    @callback
    def add_offered() -> None:
        fresh = [
            entity for entity in waiting if entity.offered or registry.async_get_entity_id(domain, DOMAIN, entity.unique_id or "")
        ]
        for entity in fresh:
            waiting.remove(entity)
        if fresh:
            async_add_entities(fresh, config_subentry_id=subentry_id)

    add_offered()
    if waiting:
        entry.async_on_unload(coordinator.async_add_listener(add_offered))


@callback
def add_provider_entities(
    entry: ZeroconfAIConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
    make: Callable[[MemberCoordinator], Iterable[ProviderEntity]],
) -> None:
    """Add the entities that `make` returns for the entry's provider, or for each present and future backend of the gateway."""

    @callback
    def add(coordinator: MemberCoordinator) -> None:
        async_add_entities(make(coordinator), config_subentry_id=coordinator.subentry_id)

    entry.async_on_unload(entry.runtime_data.listen_members(add))


@callback
def add_usage_entities(
    entry: ZeroconfAIConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
    make: Callable[[UsageTracker], Iterable[UsageEntity]],
    domain: str,
) -> None:
    """Add the entities that `make` returns for each present and future usage tracker of the gateway; a provider has none.

    `domain` is the domain of the platform.
    """
    gateway = entry.runtime_data.gateway
    if gateway is None:
        return

    @callback
    def add(tracker: UsageTracker) -> None:
        add_when_offered(entry, async_add_entities, tracker, tracker.subentry_id, domain, make(tracker))

    entry.async_on_unload(gateway.trackers.listen(add))


class ProviderEntity(CoordinatorEntity[MemberCoordinator]):
    """An entity of a provider or of a backend of the gateway."""

    _attr_has_entity_name = True

    def __init__(self, coordinator: MemberCoordinator, description: EntityDescription) -> None:
        """`description.key` is unique among the provider's entities."""
        super().__init__(coordinator)
        self.entity_description = description
        self._attr_unique_id = f"{coordinator.member_id}_{description.key}"
        # Only the identifiers: the coordinator updates the device's other properties.
        self._attr_device_info = dr.DeviceInfo(identifiers={(DOMAIN, coordinator.member_id)})

    @property
    def offered(self) -> bool:
        """Whether it has a value to show. An entity that is not in the registry is added only then."""
        return True

    @property
    def member(self) -> Member:
        """The member of the pool. Raises RuntimeError if it is not in the pool, in which case the entity is unavailable."""
        member = self.coordinator.member
        if member is None:
            raise RuntimeError(f"{self.coordinator.name} is not in the pool")
        return member

    @property
    @override
    def available(self) -> bool:
        """Whether the member is in the pool. Entities of an offline provider are available, to show that it is offline."""
        return self.coordinator.member is not None

    @override
    async def async_update(self) -> None:
        """Check the provider now, for the action `homeassistant.update_entity`."""
        await self.coordinator.check_now()


class GatewayEntity(CoordinatorEntity[GatewayCoordinator]):
    """An entity of the gateway. It may set options of the entry, which apply at once."""

    _attr_has_entity_name = True

    def __init__(self, coordinator: GatewayCoordinator, description: EntityDescription) -> None:
        """`description.key` is unique among the gateway's own entities."""
        super().__init__(coordinator)
        self.entity_description = description
        entry_id = coordinator.config_entry.entry_id
        self._attr_unique_id = f"{entry_id}_{description.key}"
        self._attr_device_info = dr.DeviceInfo(identifiers={(DOMAIN, entry_id)})

    def option(self, key: str, default: Any) -> Any:
        """The stored value of an option, or `default`."""
        return self.coordinator.config_entry.options.get(key, default)

    @property
    @override
    def available(self) -> bool:
        """Always, also without a backend that answers."""
        return True

    @callback
    def set_option(self, key: str, value: bool | int | str) -> None:
        """Store an option, which applies at once."""
        entry = self.coordinator.config_entry
        self.hass.config_entries.async_update_entry(entry, options={**entry.options, key: value})


class AgentEntity(Entity):
    """A conversation agent or AI task: a subentry of a provider or of the gateway. Model `auto` may use any backend."""

    _attr_has_entity_name = True
    _attr_name: str | None = None
    _attr_should_poll = False

    def __init__(self, entry: ZeroconfAIConfigEntry, subentry: ConfigSubentry) -> None:
        """`subentry.data` contains the options."""
        self.entry = entry
        self.subentry = subentry
        self._chat_loop: ChatLoop | None = None
        self._attr_unique_id = subentry.subentry_id
        self._attr_device_info = dr.DeviceInfo(
            identifiers={(DOMAIN, subentry.subentry_id)},
            name=subentry.title,
            manufacturer="ZeroConf AI",
            model=self.model,
            entry_type=dr.DeviceEntryType.SERVICE,
            via_device_id=entry.runtime_data.device_id,
        )

    @property
    def model(self) -> str:
        """The model's id, or `auto`."""
        model: str = self.subentry.data.get(CONF_MODEL) or AUTO
        return model

    @property
    def is_auto(self) -> bool:
        """Whether any backend may answer."""
        return self.model == AUTO

    @property
    @override
    def available(self) -> bool:
        """Whether a backend is online or can be woken."""
        return any(map(_may_answer, self.members))

    @property
    def members(self) -> list[Member]:
        """The backends that may answer, online or not."""
        engine = self.hass.data[DATA].engine
        found = [self.only_member] if self.only_member is not None else [member for member in engine.pool if member.enabled]
        return [member for member in found if not engine.keeps_out(member, self.home_rule)]

    @property
    def home_rule(self) -> HomeRule | None:
        """Why all requests of this agent stay at home; None: they may leave."""
        return HomeRule.AGENT if self.subentry.data.get(CONF_HOME_ONLY) else None

    @property
    def only_member(self) -> Member | None:
        """The only backend that may answer; None for any."""
        return None if self.is_auto else self.entry.runtime_data.only_member

    @override
    async def async_added_to_hass(self) -> None:
        await super().async_added_to_hass()
        self.async_on_remove(
            async_dispatcher_connect(self.hass, SIGNAL_PROVIDERS_CHANGED, self._on_providers_changed(self._shown))
        )

    @property
    def _shown(self) -> tuple[bool, int | None]:
        """The parts of the providers' state that this entity's state shows."""
        return self.available, self.supported_features

    def _on_providers_changed(self, shown: tuple[bool, int | None]) -> Callable[[], None]:
        """Return a callback that writes the state if its values changed. The signal is the same for all providers."""

        @callback
        def changed() -> None:
            nonlocal shown
            if self._shown != shown:
                shown = self._shown
                self.async_write_ha_state()

        return changed

    @callback
    def chat_loop(self, source: Source, user: User | None = None) -> ChatLoop:
        """The chat loop of this agent, on behalf of `user`. All calls share the parameters that servers rejected."""
        if self._chat_loop is None:
            self._chat_loop = ChatLoop(
                hass=self.hass,
                engine=self.hass.data[DATA].engine,
                caller=Caller(source, self.entity_id, home_rule=self.home_rule),
                entity_id=self.entity_id,
                model=self.model,
                pin=self.only_member.id if self.only_member is not None else None,
                options=self.subentry.data,
                on_prompt=self._check_context,
            )
        return self._chat_loop if user is None else self._chat_loop.on_behalf_of(user.id, user.name)

    @callback
    def _check_context(self, request: Request) -> None:
        """Create or delete the repair issue for a prompt that is too long for the model."""
        models = self.only_member.models if self.only_member is not None else ()
        window = next((model.context_window for model in models if model.id == self.model), None)
        issues.check_context(self.hass, self.entry, self.subentry, request.estimated_prompt_tokens, window)


def _may_answer(member: Member) -> bool:
    return member.online or member.wake is not None
