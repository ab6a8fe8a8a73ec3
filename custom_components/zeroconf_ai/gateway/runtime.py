"""The gateway's entry: programs on the local network use the providers of Home Assistant at one address, each with its API key.

While it is loaded, the shared engine has an identity, routing options, admission control, the gateway's backends, HTTP endpoints
on Home Assistant's port and optionally on a separate port, and an advertisement.
"""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from functools import partial
import logging
import time
from typing import Self
from urllib.parse import urlsplit

from aiohttp import web

from homeassistant.components.frontend import DATA_PANELS
from homeassistant.config_entries import ConfigEntry, ConfigEntryState
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.event import async_track_time_interval
from homeassistant.helpers.network import NoURLAvailableError, get_url

from .. import issues
from ..const import (
    CONF_ADDRESS_PARALLEL,
    CONF_ADDRESS_REQUESTS_PER_MINUTE,
    CONF_ADDRESS_TOKENS_PER_MINUTE,
    CONF_AUTH,
    CONF_CONCURRENCY,
    CONF_CORS_ORIGINS,
    CONF_ENABLED,
    CONF_FIRST_KEY,
    CONF_GATEWAY_ID,
    CONF_MACS,
    CONF_MONTHLY_LIMIT,
    CONF_NETWORKS,
    CONF_OWN_PORT,
    CONF_PROVIDER_IN_CHUNKS,
    CONF_QUEUE_LENGTH,
    DEFAULT_QUEUE_LENGTH,
    DOMAIN,
    PAGE_PATH,
    SUBENTRY_BACKEND,
)
from ..core.accounting.admission import RateLimits
from ..core.accounting.keys.key_watch import HOUR, KeyWatch
from ..core.accounting.storage.database import DatabaseError
from ..core.accounting.store import AccountingStore
from ..core.accounting.usage.generation import Recorders
from ..core.admin.names import Names
from ..core.lan.neighbours import Neighbours
from ..core.protocol.record import Auth
from ..core.protocol.values import money
from ..core.routing.accounting import Accounting
from ..core.routing.policy import Policy
from ..core.routing.pool.concurrency import QUEUE_LENGTH
from ..core.server.access.cors import Origins
from ..core.server.access.devices import AllowedDevices
from ..core.server.access.guard import PRIVATE_NETWORKS, Guard
from ..core.server.garbage_collection import raise_threshold
from ..core.server.gateway import DRAIN_SECONDS, Gateway
from ..core.server.metrics import Metrics
from ..data import DATA, gateway_entry
from ..pool_coordinator import MemberCoordinator
from ..provider.relay import RELAY
from ..usage.alerts import Alerts, key_factor
from ..usage.display_names import DeviceNames, user_names
from ..usage.trackers import UsageTrackers
from .advertisement import GatewayAdvertisement
from .audio import HomeAudio
from .coordinators import BackendCoordinators, GatewayCoordinator
from .exchange import ExchangeFeed
from .house_tools import HomeTools
from .household import GatewayHousehold
from .members import GatewayMembers
from .own_keys import CONF_BLOCKED, CONF_OWN_KEYS, is_blocked
from .policy import policy_of
from .separate_port import SeparatePort, tls_of
from .views import HomeUsers, came_by_cloud, is_active_user
from .waiting_clients import WaitingClients

_LOGGER = logging.getLogger(__name__)

_FIRST_CHECK_SECONDS = 5.0
"""How long the set-up waits for the first check of the backends, if Home Assistant is running."""
STOP_SECONDS = 8.0
"""What running requests have at the stop of Home Assistant, whose own port cancels them after 10 s with no word to the client."""


class GatewayRuntime:
    """The runtime data of the gateway's entry, from `start` to `close`."""

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry, store: AccountingStore, device_id: str) -> None:
        """`store` stays open until `close` has returned. `device_id` is the id of the gateway's device in the device registry."""
        self._hass = hass
        self._entry = entry
        self._engine = hass.data[DATA].engine
        self._home_users = HomeUsers(hass)
        self._device_names = DeviceNames(hass)
        self._neighbours = Neighbours()
        self._stack = AsyncExitStack()
        self.store = store
        self.device_id = device_id
        self.metrics = Metrics(self._engine.pool, self._engine.limiter)
        self.server = Gateway(
            self._engine,
            provider_id=entry.data[CONF_GATEWAY_ID],
            name=entry.title,
            ledger=store.ledger,
            metrics=self.metrics,
            audio=HomeAudio(hass, lambda: self._engine.home_only),
            images=store.images,
            responses=store.responses,
            tool_runner=HomeTools(hass, store),
        )
        self.server.relay = hass.data.get(RELAY)
        self.server.names = partial(_names, hass, store)
        self.server.usage_page = partial(_usage_page, hass)
        self.coordinator = GatewayCoordinator(hass, entry, self.server)
        self.backend_coordinators = BackendCoordinators(hass, entry, device_id)
        self.backends = GatewayMembers(hass, entry, self._engine)
        self.trackers = UsageTrackers(hass, entry, store, self.backend_coordinators, device_id)
        self.key_watch = KeyWatch(store.ledger, store.keys)
        self.alerts = Alerts(hass, entry, store, self.trackers, self.key_watch)
        self.separate_port = SeparatePort(hass, self.server, store)
        self.exchange = ExchangeFeed(hass, self._engine, store.totals)
        self.household = GatewayHousehold(hass, self._engine, self.server.id)
        self.presence = GatewayAdvertisement(hass, entry, self.server, store.keys, self.separate_port, self.household)
        self.separate_port.renewed = self.presence.refresh
        self.waiting_clients = WaitingClients(hass, self.server)
        self.separate_port.enrolment_changed = self.waiting_clients.refresh

    @property
    def gateway(self) -> Self:
        """The gateway's runtime: itself."""
        return self

    @property
    def only_member(self) -> None:
        """The agents of the gateway's entry are answered by any backend."""
        return None

    @callback
    def listen_members(self, listener: Callable[[MemberCoordinator], None]) -> Callable[[], None]:
        """Call `listener` with each backend's coordinator, now and as backends are added. Returns a function that ends it."""
        return self.backend_coordinators.listen(listener)

    @property
    def enabled(self) -> bool:
        """Whether requests are answered; changed by `async_update_entry` with the option `enabled`."""
        return self.server.enabled

    async def start(self) -> None:
        """Start answering requests. Raises DatabaseError, after which `close` must be called as well."""
        self._stack.callback(raise_threshold())
        self._stack.callback(self.metrics.close)
        self._stack.callback(self._release_engine)
        await _adopt_first_key(self._hass, self._entry, self.store)
        self._engine.own_id = self.server.id
        self.key_watch.factor = key_factor(self._entry.options)
        await self.key_watch.load(time.time())
        recorders = Recorders(self.metrics, self.coordinator.counts, self.trackers, self.key_watch, self.exchange)
        store = self.store
        accounting = Accounting(recorders, store.admission_control, store.exchanges, store.sessions)
        self._stack.callback(await self._engine.attach(accounting))
        self.coordinator.start()
        self._stack.callback(self.coordinator.close)
        self.backend_coordinators.apply()
        self._stack.callback(self.backend_coordinators.close)
        self.apply_limits()
        await self.store.budgets.refresh()
        self.trackers.start()
        self._stack.callback(self.trackers.close)
        self._stack.callback(async_track_time_interval(self._hass, self._refresh_key_watch, timedelta(seconds=HOUR)))
        self.alerts.start()
        self._stack.callback(self.alerts.close)
        issues.check_database(self._hass, self.store)
        self._stack.callback(self.store.listen_loss(partial(issues.check_database, self._hass, self.store)))
        self.metrics.watch_budgets(lambda: [self.store.budgets.state(budget.id) for budget in self.store.budgets])
        self._stack.callback(self.exchange.close)
        self._stack.push_async_callback(self.backends.close)
        self._stack.callback(self.waiting_clients.close)
        self._stack.push_async_callback(self.separate_port.close)
        self._stack.push_async_callback(self._drain)
        self._stack.push_async_callback(self.household.close)
        await self.apply_options()
        self.backends.start()
        checked = self._entry.async_create_background_task(
            self._hass, self.backends.apply(), name=f"{DOMAIN} first check {self._entry.title}"
        )
        if self._hass.is_running:  # start-up must not wait for machines that may be asleep
            await asyncio.wait([checked], timeout=_FIRST_CHECK_SECONDS)
        self._stack.push_async_callback(self.presence.close)
        self.presence.start()

    async def apply_options(self) -> None:
        """Apply title and options. Requests in progress are not affected."""
        options, engine = self._entry.options, self._engine
        self.server.name = self._entry.title
        self.server.enabled = options.get(CONF_ENABLED, True)
        self.server.origins = Origins(options.get(CONF_CORS_ORIGINS, ()))
        self.server.provider_in_chunks = options.get(CONF_PROVIDER_IN_CHUNKS, False)
        self.key_watch.factor = key_factor(options)
        await self.household.apply(options, self.presence.refresh)
        self.apply_access()
        engine.policy = policy_of(options)
        self.exchange.apply(options)
        self.store.limits.per_address = RateLimits(
            options.get(CONF_ADDRESS_REQUESTS_PER_MINUTE),
            options.get(CONF_ADDRESS_TOKENS_PER_MINUTE),
            options.get(CONF_ADDRESS_PARALLEL),
        )
        engine.limiter.limit = options.get(CONF_CONCURRENCY) or None
        engine.limiter.queue_length = options.get(CONF_QUEUE_LENGTH, DEFAULT_QUEUE_LENGTH)
        mtls = options.get(CONF_AUTH) == Auth.MTLS
        await self.separate_port.apply(options.get(CONF_OWN_PORT), tls=tls_of(options), mtls=mtls)
        self.presence.refresh()

    @callback
    def apply_limits(self) -> None:
        """Apply the monthly limits of the backends."""
        limits = {
            subentry.subentry_id: money(subentry.data.get(CONF_MONTHLY_LIMIT))
            for subentry in self._entry.get_subentries_of_type(SUBENTRY_BACKEND)
        }
        self.store.budgets.set_limits({backend_id: limit for backend_id, limit in limits.items() if limit is not None})

    @callback
    def apply_access(self) -> None:
        """Apply the access options and the host names of this Home Assistant."""
        options = self._entry.options
        self.server.access = Guard(
            self.store.keys,
            mode=Auth(options.get(CONF_AUTH, Auth.TOKEN)),
            networks=options.get(CONF_NETWORKS) or PRIVATE_NETWORKS,
            host_names=_host_names(self._hass),
            origins=options.get(CONF_CORS_ORIGINS, ()),
            proxies=[str(network) for network in self._hass.http.trusted_proxies],
            home_user=self._home_users,
            active_user=partial(is_active_user, self._hass),
            blocked_user=partial(is_blocked, self._hass, frozenset(options.get(CONF_OWN_KEYS, {}).get(CONF_BLOCKED, ()))),
            device_name=self._device_names,
            household=self.household.tokens,
            devices=AllowedDevices(options.get(CONF_MACS, ()), self._neighbours),
            remote=partial(came_by_cloud, self._hass),
        )

    async def stop(self) -> None:
        """Reject new requests, withdraw the advertisement, and end requests in progress after STOP_SECONDS."""
        self.server.reject_new()
        await self.presence.close()
        await self.server.drain(STOP_SECONDS)

    async def close(self) -> None:
        """Undo `start`. May be called twice."""
        await self._stack.aclose()

    async def _refresh_key_watch(self, _: datetime) -> None:
        try:
            await self.key_watch.refresh()
        except DatabaseError as err:
            _LOGGER.warning("The usual use of API keys cannot be read: %s", err)

    async def _drain(self) -> None:
        await self.server.drain(DRAIN_SECONDS)

    @callback
    def _release_engine(self) -> None:
        engine = self._engine
        engine.own_id, engine.policy = None, Policy()
        engine.limiter.limit, engine.limiter.queue_length = None, QUEUE_LENGTH


type GatewayConfigEntry = ConfigEntry[GatewayRuntime]


@callback
def gateway_runtime(hass: HomeAssistant) -> GatewayRuntime | None:
    """Return the gateway's runtime; None while the gateway is not loaded."""
    entry: GatewayConfigEntry | None = gateway_entry(hass)
    return entry.runtime_data if entry is not None and entry.state is ConfigEntryState.LOADED else None


async def _adopt_first_key(hass: HomeAssistant, entry: GatewayConfigEntry, store: AccountingStore) -> None:
    """Store the API key that was shown when the gateway was added, once."""
    first = entry.data.get(CONF_FIRST_KEY)
    if first is None:
        return
    await store.keys.adopt(first["name"], bytes.fromhex(first["digest"]), first["prefix"])
    data = {key: value for key, value in entry.data.items() if key != CONF_FIRST_KEY}
    hass.config_entries.async_update_entry(entry, data=data)


async def _names(hass: HomeAssistant, store: AccountingStore) -> Names:
    """The names of keys and users."""
    return Names(store.keys, (await user_names(hass)).get)


def _usage_page(hass: HomeAssistant, request: web.Request) -> str | None:
    """The page with the usage: on the same port, or at Home Assistant's address for a request to the separate port."""
    if PAGE_PATH not in hass.data.get(DATA_PANELS, ()):
        return None
    path = f"/{PAGE_PATH}/usage"
    if request.app is hass.http.app:
        return path
    try:
        return f"{get_url(hass, allow_external=False, allow_cloud=False)}{path}"
    except NoURLAvailableError:
        return None


def _host_names(hass: HomeAssistant) -> list[str]:
    """The host names in the URLs of this Home Assistant."""
    urls = [hass.config.internal_url, hass.config.external_url]
    for internal in (True, False):
        try:
            urls.append(get_url(hass, allow_internal=internal, allow_external=not internal, allow_cloud=False))
        except NoURLAvailableError:
            continue
    return [host for url in urls if url and (host := urlsplit(url).hostname)]
