"""The gateway's advertisement on the network, by Home Assistant's own zeroconf.

It is active while it is enabled, the gateway is turned on, Home Assistant is running, and a key exists or none is required.

With `negotiate_priority`, the gateway takes the first priority, starting at the configured one, that no provider advertises,
and keeps it. If another one with the same priority appears later, the one with the greater id chooses again.
"""

import asyncio
import base64
from collections.abc import Callable
import hashlib
from ipaddress import ip_address
import logging
from pathlib import Path
import re
import ssl

from zeroconf import Error as ZeroconfError

from homeassistant.components import network, zeroconf
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.start import async_at_started

from ..const import CONF_ADMIN_CONTACT, CONF_ADVERTISE, CONF_NEGOTIATE_PRIORITY, CONF_PRIORITY, DOMAIN
from ..core.accounting.keys.key_store import KeyStore
from ..core.lan.advertiser import Advertiser
from ..core.lan.interfaces import Address
from ..core.lan.providers import Change, ChangeKind
from ..core.presence.advertised_record import AdvertisedRecord
from ..core.protocol.record import DEFAULT_CAPABILITIES, DEFAULT_PRIORITY, Auth, Capability, RecordError, ServiceRecord
from ..core.server.gateway import Gateway
from ..data import DATA
from .household import GatewayHousehold
from .separate_port import SeparatePort

_LOGGER = logging.getLogger(__name__)

PROVIDER = "homeassistant"
_HIGHEST = 65535
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


class GatewayAdvertisement:
    """Keeps the gateway's advertisement in sync with its options, from `start` to `close`."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry,
        gateway: Gateway,
        keys: KeyStore,
        separate_port: SeparatePort,
        household: GatewayHousehold,
    ) -> None:
        """Nothing is advertised before `start`."""
        self._hass = hass
        self._entry = entry
        self._gateway = gateway
        self._keys = keys
        self._separate_port = separate_port
        self._household = household
        self._discovery = hass.data[DATA].discovery
        self._advertiser: Advertiser | None = None
        self._advertised_record: AdvertisedRecord | None = None
        self._name = ""
        self._priority: int | None = None
        self._base_priority: int | None = None
        """The configured priority that `_priority` was chosen from."""
        self._addresses: tuple[Address, ...] = ()
        self._fingerprint: str | None = None
        self._unsubscribes: list[Callable[[], None]] = []
        self._started = self._closed = False
        self._lock = asyncio.Lock()
        self._update_task: asyncio.Task[None] | None = None
        self._has_changes = False

    @property
    def record(self) -> ServiceRecord | None:
        """The currently advertised record, or None."""
        return self._advertiser.record if self._advertiser is not None else None

    def start(self) -> None:
        """Start once Home Assistant is running: its port is closed before that."""
        self._discovery.own_ids.add(self._gateway.id)
        self._unsubscribes = [
            self._keys.listen(self.refresh),
            self._discovery.watch_for_changes(self._on_change),
            async_at_started(self._hass, self._on_started),
        ]

    @callback
    def refresh(self, *_: object) -> None:
        """Update the advertisement after a possible change."""
        self._has_changes = True
        if self._started and not self._closed and self._update_task is None:
            self._update_task = self._hass.async_create_background_task(self._apply_changes(), name=f"{DOMAIN} advertisement")
            self._update_task.add_done_callback(self._on_updated)

    async def close(self) -> None:
        """Withdraw the advertisement. May be called twice."""
        self._closed = True
        for stop in self._unsubscribes:
            stop()
        self._unsubscribes.clear()
        async with self._lock:  # interrupting the advertiser's start could leave records registered
            await self._withdraw()
        self._discovery.own_ids.discard(self._gateway.id)

    async def _on_started(self, _: HomeAssistant) -> None:
        self._started = True
        self.refresh()

    @callback
    def _on_change(self, change: Change) -> None:
        if change.kind not in (ChangeKind.HEARD, ChangeKind.STATE) and self._entry.options.get(CONF_NEGOTIATE_PRIORITY):
            self.refresh()

    @callback
    def _on_updated(self, _: asyncio.Task[None]) -> None:
        self._update_task = None
        if self._has_changes:
            self.refresh()

    async def _apply_changes(self) -> None:
        """Start, update or withdraw the advertisement, once for all changes so far."""
        self._has_changes = False
        async with self._lock:
            if self._closed:
                return
            wanted = self._wanted()
            if self._advertiser is not None and (not wanted or self._name != self._gateway.name):
                await self._withdraw()
            if not wanted:
                return
            self._priority = self._choose_priority()
            if self._advertiser is None:
                await self._advertise()
            elif self._advertised_record is not None:
                self._advertised_record.rebase(self._record())

    def _wanted(self) -> bool:
        if not (self._entry.options.get(CONF_ADVERTISE) and self._gateway.enabled):
            return False
        if self._gateway.access.mode is Auth.MTLS:
            return self._separate_port.tls is not None  # where clients enrol
        return not self._gateway.access.required or self._household.tokens is not None or any(True for _ in self._keys)

    async def _advertise(self) -> None:
        self._name = self._gateway.name
        self._addresses = await self._reachable_at()
        self._fingerprint = await self._hass.async_add_executor_job(_fingerprint, self._hass.http.ssl_certificate)
        try:
            advertiser = Advertiser(await zeroconf.async_get_async_instance(self._hass), self._record())
            advertised_record = AdvertisedRecord(self._record(), self._gateway.engine, advertiser.update)
            await advertiser.start()
            self._advertiser, self._advertised_record = advertiser, advertised_record
            advertiser.update(advertised_record.start())
        except (RecordError, ZeroconfError, OSError) as err:
            _LOGGER.warning("The gateway is not advertised on the network: %s", err)

    async def _withdraw(self) -> None:
        advertised_record, self._advertised_record = self._advertised_record, None
        advertiser, self._advertiser = self._advertiser, None
        self._priority = None
        if advertised_record is not None:
            advertised_record.close()
        if advertiser is not None:
            await advertiser.close()

    def _record(self) -> ServiceRecord:
        """The part of the record that does not depend on the backends."""
        gateway, separate_port = self._gateway, self._separate_port.port
        tokens = self._household.tokens if gateway.access.mode is Auth.TOKEN else None
        secure = self._separate_port.tls
        by_tls = self._hass.http.ssl_certificate is not None if separate_port is None else secure is not None
        fingerprint = self._fingerprint if secure is None else secure.fingerprint
        return ServiceRecord(
            name=self._name,
            host=f"zeroconf-ai-{gateway.id.replace('-', '')[:12]}.local.",  # Home Assistant advertises its own host name itself
            port=separate_port or self._hass.http.server_port,
            addresses=self._addresses,
            id=gateway.id,
            provider=PROVIDER,
            capabilities=DEFAULT_CAPABILITIES | ({Capability.AUDIO} if gateway.audio is not None else set()),
            auth=gateway.access.mode,
            priority=self._entry.options.get(CONF_PRIORITY, DEFAULT_PRIORITY) if self._priority is None else self._priority,
            admin=self._entry.options.get(CONF_ADMIN_CONTACT),
            tls=by_tls,
            fingerprint=fingerprint if by_tls else None,
            sealed_token=None if tokens is None else tokens.sealed,
        )

    def _choose_priority(self) -> int:
        wanted: int = self._entry.options.get(CONF_PRIORITY, DEFAULT_PRIORITY)
        before, self._base_priority = self._base_priority, wanted
        if not self._entry.options.get(CONF_NEGOTIATE_PRIORITY):
            return wanted
        taken = {
            provider.record.priority
            for provider in self._discovery.providers
            if provider.record.priority != self._priority or provider.id < self._gateway.id
        }
        if self._priority is not None and self._priority not in taken and before == wanted:
            return self._priority
        return next((number for number in range(wanted, _HIGHEST + 1) if number not in taken), wanted)

    async def _reachable_at(self) -> tuple[Address, ...]:
        """The addresses that Home Assistant advertises and listens on; loopback only if there is no other."""
        found = [ip_address(text) for text in await network.async_get_announce_addresses(self._hass)]
        hosts = self._hass.http.server_host
        if hosts:
            bound = [ip_address(host) for host in hosts if _is_address(host)]
            anywhere = {address.version for address in bound if address.is_unspecified}
            found = [address for address in found if address.version in anywhere or address in bound] or [
                address for address in bound if not address.is_unspecified
            ]
        return tuple(address for address in found if not address.is_loopback) or tuple(found)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _fingerprint(file: str | None) -> str | None:
    """SHA-256 of the certificate in a PEM file, base64url. Clients that connect by address can verify only that."""
    if file is None:
        return None
    try:
        found = _CERTIFICATE.search(Path(file).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as err:
        _LOGGER.warning("Home Assistant's certificate cannot be read, so its fingerprint is not advertised: %s", err)
        return None
    if found is None:
        return None
    return base64.urlsafe_b64encode(hashlib.sha256(ssl.PEM_cert_to_DER_cert(found[0])).digest()).decode().rstrip("=")
