"""`ProviderCoordinator`: polls one provider, and updates on advertisements and request results in between."""

import asyncio
from datetime import timedelta
from functools import partial
import logging
from typing import Any, override

from homeassistant.config_entries import ConfigEntry, ConfigEntryState
from homeassistant.const import CONF_API_KEY
from homeassistant.core import Context, HomeAssistant, callback
from homeassistant.helpers import config_validation as cv, device_registry as dr
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.script import Script, async_validate_actions_config

from .. import issues, reauth
from ..certificates import context_of
from ..const import (
    CONF_BASE_URL,
    CONF_EPHEMERAL,
    CONF_FINGERPRINT,
    CONF_FIRST_TOKEN_TIMEOUT,
    CONF_HEALTH_INTERVAL,
    CONF_PRIORITY,
    CONF_PROVIDER_ID,
    CONF_REFUSED,
    CONF_ROUTING,
    CONF_SERVER_KIND,
    CONF_WAKE_ACTION,
    CONF_WAKE_WAIT,
    DEFAULT_HEALTH_INTERVAL,
    DEFAULT_WAKE_WAIT,
    DOMAIN,
    SIGNAL_HOUSEHOLD_CHANGED,
)
from ..core.backends.identity_probe import IdentityProbe
from ..core.backends.zeroconfai import endpoint_of_record
from ..core.config.backend_types import provider_title
from ..core.lan.identity import Identification, Verdict, identify_any
from ..core.lan.providers import Change, ChangeKind, Provider
from ..core.lan.reprobe import Reprober
from ..core.presence.provider_backend import ProviderBackend
from ..core.protocol.record import ServiceRecord
from ..core.protocol.status import ProviderState
from ..core.routing.pool.events import RoutingEvent
from ..core.routing.pool.health import CheckResult
from ..core.routing.pool.member import Member, Wake
from ..data import DATA, confirmed_of, endpoint_of, model_options
from ..pool_coordinator import MemberCoordinator
from .certificate import ProviderCertificate
from .household import ProviderHousehold
from .power_meter import EnergyFeeds, EnergyOptions

_LOGGER = logging.getLogger(__name__)


class ProviderCoordinator(MemberCoordinator):
    """The coordinator of one provider. An offline provider is a state, not a failed update."""

    config_entry: ConfigEntry

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry, backend: ProviderBackend, member: Member) -> None:
        """`backend` and `member` must be in the engine's pool."""
        super().__init__(hass, entry, entry.title, member.id)
        self.backend = backend
        self._member = member
        self._discovery = hass.data[DATA].discovery
        self._shown: tuple[str | None, ...] = ()
        self._identifying = asyncio.Lock()
        self._asks_for_key = False
        self._wake_actions: list[dict[str, Any]] | None = None
        self._energy = EnergyFeeds(hass, hass.data[DATA].engine.pool)
        entry.async_on_unload(self._energy.close)
        backend.identity = entry.data.get(CONF_PROVIDER_ID)
        backend.relocate = self._relocate
        self._household = ProviderHousehold(hass, entry, backend)
        self._certificate = ProviderCertificate(hass, entry, self._on_certificate)
        self._reprober = Reprober(self._answers, lambda record: self._reprober.discard(record.id))
        entry.async_on_unload(self._reprober.close)
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
        """The advertised priority unless the owner sets one."""
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
        """Also listen to discovery until the entry is unloaded, and poll even if no entity is enabled."""
        super().start()
        entry = self.config_entry
        entry.async_on_unload(self._discovery.watch_for_changes(self._on_change))
        if provider_id := entry.data.get(CONF_PROVIDER_ID):
            self._discovery.kept_ids.add(provider_id)
            entry.async_on_unload(partial(self._discovery.kept_ids.discard, provider_id))
        entry.async_on_unload(self.async_add_listener(_keep_alive_listener))
        self._certificate.start()
        entry.async_on_unload(async_dispatcher_connect(self.hass, SIGNAL_HOUSEHOLD_CHANGED, self._on_household))

    async def first_check(self, result: CheckResult | None = None) -> None:
        """Check the provider for the first time, at its currently advertised address.

        `result` is a check that has just been made at the entry's address. It counts unless the provider is advertised elsewhere.
        """
        provider = self._discovery.get(self.config_entry.data.get(CONF_PROVIDER_ID) or "")
        if result is not None and (provider is None or self.backend.base_url in provider.record.base_urls()):
            self._engine.checker.record(self.member, result)
            self._update_from_member()
            self.async_set_updated_data(None)
        elif provider is None:
            await self.async_refresh()
        else:
            await self._on_advertisement()

    def apply_options(self) -> None:
        """Apply the entry's options without interrupting requests."""
        options = self.config_entry.options
        self.update_interval = timedelta(seconds=options.get(CONF_HEALTH_INTERVAL, DEFAULT_HEALTH_INTERVAL))
        self.backend.first_token = options.get(CONF_FIRST_TOKEN_TIMEOUT)
        self.backend.settings = model_options(options)
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
        """Apply the entry's address and key."""
        self.backend.identity = self.config_entry.data.get(CONF_PROVIDER_ID)
        self.member.refused_requests = 0
        data = self.config_entry.data
        keeps_token = self._household.used and self.backend.base_url == data[CONF_BASE_URL]  # elsewhere it is proven again
        key = self.backend.key if data.get(CONF_EPHEMERAL) or keeps_token else None
        self.backend.move(endpoint_of(data, key=key, context=context_of(self.hass, data)))

    @override
    async def check_now(self, *, models: bool = False) -> None:
        renewed = await self._household.renew()
        await self._engine.checker.check(self.member, models=models or renewed)  # not a check that runs with the former token
        self._update_from_member()
        self.async_set_updated_data(None)

    async def _wake(self, actions: list[dict[str, Any]]) -> None:
        """Run the wake action until it has finished. Raises HomeAssistantError or Invalid, which the router logs."""
        sequence = await async_validate_actions_config(self.hass, cv.SCRIPT_SCHEMA(actions))
        script = Script(self.hass, sequence, f"Wake {self.name}", DOMAIN)
        try:
            await script.async_run(context=Context())
        finally:
            await script.async_unload()

    @override
    async def _async_update_data(self) -> None:
        renewed = self.backend.key is None and await self._household.renew()
        await self._engine.checker.check(self.member, models=renewed)
        self._update_from_member()

    def _update_from_member(self) -> None:
        """Update the device, and start reauthentication or create issues if needed."""
        if self.config_entry.state not in (ConfigEntryState.SETUP_IN_PROGRESS, ConfigEntryState.LOADED):
            return  # the entry was unloaded during the check
        self._keep_kind()
        health = self.member.health
        if health is not None and (shown := (health.provider, health.version, self.backend.base_url)) != self._shown:
            self._shown = shown
            dr.async_get(self.hass).async_update_device(
                self.config_entry.runtime_data.device_id,
                model=provider_title(health.provider),
                sw_version=health.version,
                configuration_url=self.backend.home_page,
            )
        if self.member.state is ProviderState.UNAUTHORIZED:
            if not self.config_entry.data.get(CONF_EPHEMERAL) and (not self._household.used or self._household.needs_code):
                self._asks_for_key = True
                reauth.start(self.hass, self.config_entry)
        elif self.member.online:
            issues.check_models(self)
            if self.member.failures == 0:
                issues.identity_proven(self)
        elif self.backend.identity is not None and self.backend.answered_as not in (None, self.backend.identity):
            issues.another_answers(self, self.backend.answered_as)

    def _keep_kind(self) -> None:
        """Store the kind of server, so that after a restart its native API is used from the first request on."""
        data = self.config_entry.data
        found = None if self.backend.kind is None else self.backend.kind.id
        if self.member.online and data.get(CONF_SERVER_KIND) != found:
            kept = {key: value for key, value in data.items() if key != CONF_SERVER_KIND}
            stored = kept if found is None else {**kept, CONF_SERVER_KIND: found}
            self.hass.config_entries.async_update_entry(self.config_entry, data=stored)

    @override
    def _on_reachable(self, member: Member | None, event: RoutingEvent | None) -> None:
        super()._on_reachable(member, event)
        if self.member.state is not ProviderState.UNAUTHORIZED:
            return
        if reauth.is_certain(self.member, has_key=CONF_API_KEY in self.config_entry.data):
            self._update_from_member()
        else:
            self.config_entry.async_create_background_task(
                self.hass, self.check_now(models=True), name=f"{DOMAIN} confirm refusal {self.name}"
            )

    @callback
    @override
    def _on_pool(self, event: RoutingEvent | None) -> None:
        if self._asks_for_key and reauth.is_over(self.member):
            self._asks_for_key = False
            reauth.withdraw(self.hass, self.config_entry)
        super()._on_pool(event)

    @callback
    def _on_change(self, change: Change) -> None:
        """Handle a change from discovery if it is about this provider."""
        if change.provider.id != self.config_entry.data.get(CONF_PROVIDER_ID):
            return
        if change.kind is ChangeKind.REMOVED:
            self._reprober.discard(change.provider.id)
            self._engine.pool.record_goodbye(self.member)
            issues.move_withdrawn(self)
        elif change.kind is ChangeKind.HEARD and self.member.online:
            return  # unchanged and online
        elif change.kind is not ChangeKind.STATE:
            self.config_entry.async_create_background_task(
                self.hass, self._on_advertisement(), name=f"{DOMAIN} record {self.name}"
            )

    async def _on_advertisement(self) -> None:
        """Apply the provider's advertisement; a new address only if `identity` allows it without the owner."""
        models_changed = False
        async with self._identifying:  # reads the newest advertisements once it has the lock
            if (provider := self._advertised()) is not None:
                models_changed = await self._identify(provider)
        if self._advertised() is None:
            return  # it withdrew its advertisement meanwhile, and may still answer for a moment
        await self.check_now(models=models_changed)
        if not self.member.online and (provider := self._advertised()) is not None:
            self._reprober.add(provider.record)  # it may be advertised before it listens; polling is enough after a minute

    @callback
    def _on_certificate(self) -> None:
        """Use another client certificate, and check whether the provider accepts it."""
        self.apply_data()
        self.config_entry.async_create_background_task(
            self.hass, self.check_now(models=True), name=f"{DOMAIN} client certificate {self.name}"
        )

    @callback
    def _on_household(self) -> None:
        """Use the changed household code of the gateway."""
        if self._household.used:
            self.config_entry.async_create_background_task(
                self.hass, self._on_advertisement(), name=f"{DOMAIN} household {self.name}"
            )

    def _advertised(self) -> Provider | None:
        """Return the provider as it is advertised now; None after it was withdrawn."""
        return self._discovery.get(self.config_entry.data.get(CONF_PROVIDER_ID) or "")

    async def _answers(self, _: ServiceRecord) -> bool:
        """Whether the provider answers now."""
        await self.check_now()
        return self.member.online

    async def _relocate(self) -> bool:
        """Switch to another address of the same advertisement after a failed connection; returns whether it did."""
        async with self._identifying:
            provider = self._discovery.get(self.config_entry.data.get(CONF_PROVIDER_ID) or "")
            here = self.backend.base_url
            if provider is None or not any(
                {here} < {here, *record.urls()} for record in provider.records if here in record.urls()
            ):
                return False
            await self._identify(provider, unreachable=True)
            return self.backend.base_url != here

    async def _identify(self, provider: Provider, *, unreachable: bool = False) -> bool:
        """Apply the provider's advertisements; returns whether its models must be read again.

        `unreachable`: a connection to its address has just failed.
        """
        data = self.config_entry.data
        session = async_get_clientsession(self.hass)
        key = data.get(CONF_API_KEY) or await self._household.advertised_token(provider)
        probe = IdentityProbe(session, self.name, provider.id, key)
        known = confirmed_of(data)
        found = await identify_any(provider.records, known, probe)
        if found.verdict is Verdict.SAME and (unreachable or (self.member.known and not self.member.online)):
            elsewhere = await identify_any(provider.records, known, probe, beyond_confirmed=True)
            found = found if elsewhere.verdict is Verdict.UNREACHABLE else elsewhere
        if self.config_entry.data != data:
            return True  # the entry was changed in the meantime
        if found.verdict is Verdict.UNREACHABLE:
            return False
        if found.verdict is not Verdict.SAME and not found.follow:
            self._ask_owner(found)
            return False
        record = found.record
        models_changed = found.follow or record.models != self.backend.info.advertised_models
        self.backend.update_record(record)
        if found.follow and found.base_url is not None:
            moved = {**data, CONF_BASE_URL: found.base_url}
            if found.fingerprint is not None:
                moved[CONF_FINGERPRINT] = found.fingerprint
            await self._certificate.move(found.base_url, found.fingerprint)
            self.hass.config_entries.async_update_entry(self.config_entry, data=moved)
            self.apply_data()
        if data.get(CONF_EPHEMERAL) and self.backend.base_url in record.base_urls():
            data = self.config_entry.data
            self.backend.move(endpoint_of(data, key=record.ephemeral_key, context=context_of(self.hass, data)))
        return models_changed

    def _ask_owner(self, found: Identification) -> None:
        """Create a repair issue unless the owner has rejected the address."""
        try:
            endpoint_of_record(found.record)
        except ValueError:
            _LOGGER.warning("%s advertises an invalid certificate fingerprint", self.name)
            return
        if found.base_url in self.config_entry.data.get(CONF_REFUSED, ()):
            return
        _LOGGER.debug("%s is advertised at %s: %s", self.name, found.base_url, found.verdict)
        question = issues.CERTIFICATE_CHANGED if found.verdict is Verdict.CHANGED else issues.PROVIDER_MOVED
        issues.provider_moved(self, found.record, found.base_url, question)


def _keep_alive_listener() -> None:
    """A listener that only keeps the coordinator polling."""
