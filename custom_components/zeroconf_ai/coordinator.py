"""Keeps one provider's picture true: asks it at intervals, and listens to the network and to the requests in between."""

from dataclasses import replace
from datetime import timedelta
from functools import partial
import logging
from typing import Any, override

from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_API_KEY
from homeassistant.core import Context, HomeAssistant, callback
from homeassistant.helpers import config_validation as cv, device_registry as dr
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.helpers.script import Script, async_validate_actions_config

from . import issues
from .const import (
    CONF_BASE_URL,
    CONF_EPHEMERAL,
    CONF_FINGERPRINT,
    CONF_FIRST_TOKEN_TIMEOUT,
    CONF_HEALTH_INTERVAL,
    CONF_PRIORITY,
    CONF_PROVIDER_ID,
    CONF_ROUTING,
    CONF_WAKE_ACTION,
    CONF_WAKE_WAIT,
    DEFAULT_FIRST_TOKEN_TIMEOUT,
    DEFAULT_HEALTH_INTERVAL,
    DEFAULT_WAKE_WAIT,
    DOMAIN,
)
from .core.backends.base import Timeouts
from .core.backends.zeroconfai import ZeroconfAIBackend, endpoint_of_record, probe
from .core.discovery import Change, ChangeKind
from .core.protocol.errors import ApiError, AuthenticationError
from .core.protocol.record import ServiceRecord
from .core.protocol.status import Health, ProviderState
from .core.routing.events import RoutingEvent
from .core.routing.pool import Member, Wake
from .data import DATA, ZeroconfAIConfigEntry, endpoint_of
from .energy import EnergyFeeds, EnergyOptions
from .pool_coordinator import MemberCoordinator

_LOGGER = logging.getLogger(__name__)


class ProviderCoordinator(MemberCoordinator):
    """One provider's coordinator. Its data are the pool's member; an offline provider is a state, not a failed update."""

    config_entry: ZeroconfAIConfigEntry

    def __init__(self, hass: HomeAssistant, entry: ZeroconfAIConfigEntry, backend: ZeroconfAIBackend, member: Member) -> None:
        """`backend` and `member` are in the engine's pool already."""
        super().__init__(hass, entry, entry.title, member.id)
        self.backend = backend
        self._member = member
        self._discovery = hass.data[DATA].discovery
        self._shown: tuple[str | None, ...] = ()
        self._wake_actions: list[dict[str, Any]] | None = None
        self._energy = EnergyFeeds(hass, hass.data[DATA].engine.pool)
        entry.async_on_unload(self._energy.close)
        backend.identity = entry.data.get(CONF_PROVIDER_ID)
        self.apply_options()

    @property
    @override
    def member(self) -> Member:
        return self._member

    @property
    @override
    def routed(self) -> bool:
        return self.member.enabled

    @property
    @override
    def priority(self) -> int:
        """The provider's own until the owner sets one."""
        return self.member.priority

    @callback
    @override
    def set_routed(self, routed: bool) -> None:
        self._set_option(CONF_ROUTING, routed)

    @callback
    @override
    def set_priority(self, priority: int) -> None:
        self._set_option(CONF_PRIORITY, priority)

    def _set_option(self, key: str, value: bool | int) -> None:
        entry = self.config_entry
        self.hass.config_entries.async_update_entry(entry, options={**entry.options, key: value})

    @callback
    @override
    def start(self) -> None:
        """Listen to the network, too, until the entry is unloaded, and go on asking even if no entity is enabled."""
        super().start()
        entry = self.config_entry
        entry.async_on_unload(self._discovery.watch_for_changes(self._on_change))
        if provider_id := entry.data.get(CONF_PROVIDER_ID):
            self._discovery.kept_ids.add(provider_id)
            entry.async_on_unload(partial(self._discovery.kept_ids.discard, provider_id))
        entry.async_on_unload(self.async_add_listener(_nothing))

    async def first_check(self) -> None:
        """Ask it for the first time, where the network says that it is now."""
        provider = self._discovery.get(self.config_entry.data.get(CONF_PROVIDER_ID) or "")
        if provider is None:
            await self.async_refresh()
        else:
            await self._on_record(provider.record)

    def apply_options(self) -> None:
        """Take over the entry's options; running requests are not disturbed."""
        options = self.config_entry.options
        self.update_interval = timedelta(seconds=options.get(CONF_HEALTH_INTERVAL, DEFAULT_HEALTH_INTERVAL))
        self.backend.timeouts = Timeouts(first_token=options.get(CONF_FIRST_TOKEN_TIMEOUT, DEFAULT_FIRST_TOKEN_TIMEOUT))
        self.member.enabled = options.get(CONF_ROUTING, True)
        self.member.priority_override = options.get(CONF_PRIORITY)
        actions = options.get(CONF_WAKE_ACTION) or None
        if actions != self._wake_actions:
            self._wake_actions = actions
            self.member.wake = None
            if actions:
                self.member.wake = Wake(partial(self._wake, actions), DEFAULT_WAKE_WAIT)
        if self.member.wake is not None:
            self.member.wake.wait = options.get(CONF_WAKE_WAIT, DEFAULT_WAKE_WAIT)
        self._energy.apply({self.member.id: EnergyOptions.read(options)})

    def apply_data(self) -> None:
        """Take over the entry's address and key."""
        self.backend.identity = self.config_entry.data.get(CONF_PROVIDER_ID)
        key = self.backend.key if self.config_entry.data.get(CONF_EPHEMERAL) else None
        self.backend.move(endpoint_of(self.config_entry.data, key=key))

    @override
    async def check_now(self, *, models: bool = False) -> None:
        await self._engine.checker.check(self.member, models=models)
        self._judge()
        self.async_set_updated_data(None)

    async def _wake(self, actions: list[dict[str, Any]]) -> None:
        """Run the wake action to its end. Raises HomeAssistantError or Invalid where it fails: the router logs it and goes on."""
        sequence = await async_validate_actions_config(self.hass, cv.SCRIPT_SCHEMA(actions))
        script = Script(self.hass, sequence, f"Wake {self.name}", DOMAIN)
        try:
            await script.async_run(context=Context())
        finally:
            await script.async_unload()

    @override
    async def _async_update_data(self) -> None:
        await self._engine.checker.check(self.member)
        self._judge()

    def _judge(self) -> None:
        """Keep the device true, and call the owner where the provider needs one."""
        if self.config_entry.state not in (ConfigEntryState.SETUP_IN_PROGRESS, ConfigEntryState.LOADED):
            return  # it was unloaded while the provider was asked
        health = self.member.health
        if health is not None and (shown := (health.provider, health.version, self.backend.base_url)) != self._shown:
            self._shown = shown
            dr.async_get(self.hass).async_update_device(
                self.config_entry.runtime_data.device_id,
                model=health.provider,
                sw_version=health.version,
                configuration_url=self.backend.base_url.removesuffix("/v1"),
            )
        if self.member.state is ProviderState.UNAUTHORIZED:
            if not self.config_entry.data.get(CONF_EPHEMERAL):
                self.config_entry.async_start_reauth(self.hass)
        elif self.member.online:
            issues.check_models(self)
            if self.member.failures == 0:
                issues.identity_proven(self)
        elif self.backend.identity is not None and self.backend.answered_as not in (None, self.backend.identity):
            issues.another_answers(self, self.backend.answered_as)

    @override
    def _on_reachable(self, member: Member | None, event: RoutingEvent | None) -> None:
        super()._on_reachable(member, event)
        if self.member.state is ProviderState.UNAUTHORIZED:
            self._judge()

    @callback
    def _on_change(self, change: Change) -> None:
        """The network said something, maybe of this provider."""
        if change.provider.id != self.config_entry.data.get(CONF_PROVIDER_ID):
            return
        if change.kind is ChangeKind.REMOVED:
            self._engine.pool.note_goodbye(self.member)
        elif change.kind is ChangeKind.HEARD and self.member.online:
            return  # no news of one that is well
        elif change.kind is not ChangeKind.STATE:
            self.config_entry.async_create_background_task(
                self.hass, self._on_record(change.provider.record), name=f"{DOMAIN} record {self.name}"
            )

    async def _on_record(self, record: ServiceRecord) -> None:
        """An advertisement: take over what it says at once, its address only after it was verified."""
        models_changed = record.models != self.backend.info.announced_models
        self.backend.announce(record)
        moved = await self._follow(record)
        await self.check_now(models=models_changed or moved)

    async def _follow(self, record: ServiceRecord) -> bool:
        """Move to the advertised address where the provider answers there as the same one, and no longer at the old one.

        The stored key is not shown to the new address before that: whoever answers there could be anybody.
        """
        try:
            endpoint = endpoint_of_record(record)
        except ValueError:
            _LOGGER.warning("%s advertises a certificate fingerprint that is none", self.name)
            return False
        if self.config_entry.data.get(CONF_EPHEMERAL):  # the advertisement is the authority: address and key come with it
            self.backend.move(endpoint)
            return False
        if self.backend.base_url in record.base_urls():
            return False
        if endpoint.public_only and not endpoint_of(self.config_entry.data).public_only:
            return False  # from this home to the internet: not without its owner
        session = async_get_clientsession(self.hass)
        try:
            health = await probe(session, replace(endpoint_of(self.config_entry.data), key=None), self.name)
        except AuthenticationError:
            return False
        except ApiError:
            pass
        else:
            if health.id in (None, record.id):  # else its old address was given to another provider
                return False
        same_certificate = record.fingerprint == self.config_entry.data.get(CONF_FINGERPRINT)
        try:
            health = await probe(session, endpoint, self.name)
        except AuthenticationError:
            health = Health()
        except ApiError as err:
            _LOGGER.debug("%s is advertised at %s and does not answer there: %s", self.name, endpoint.base_url, err)
            return False
        proven = health.id == record.id or (health.id is None and not self.config_entry.data.get(CONF_API_KEY))
        if not (proven and same_certificate):
            issues.identity_changed(self, record)
            return False
        self.hass.config_entries.async_update_entry(
            self.config_entry, data={**self.config_entry.data, CONF_BASE_URL: endpoint.base_url}
        )
        self.apply_data()
        return True


def _nothing() -> None:
    """A listener that only keeps the coordinator asking."""
