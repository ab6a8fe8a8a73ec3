"""The relay of this Home Assistant: connectors open their WebSocket at `/v1/relay`, and each is the provider of a config entry.

The entry's data stores the pairing: removing the entry forgets the connector, and a disabled entry refuses it.
"""

import asyncio
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from functools import partial
from pathlib import Path
import shutil
from typing import Final, override
import uuid

import aiohttp
from aiohttp import web

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import EVENT_HOMEASSISTANT_STOP
from homeassistant.core import CALLBACK_TYPE, Event, HomeAssistant, callback
from homeassistant.helpers import instance_id
from homeassistant.helpers.event import async_call_later
from homeassistant.helpers.http import HomeAssistantView
from homeassistant.util.hass_dict import HassKey

from .. import issues
from ..const import CONF_CONNECTOR_ID, CONF_CONNECTOR_KEY, DOMAIN
from ..core.accounting.connectors import PairedConnector
from ..core.accounting.one_time_codes import OneTimeCode, OneTimeCodes, Purpose
from ..core.protocol.errors import NotFoundError
from ..core.protocol.reasons import CONNECTOR_AWAY
from ..core.relay.handshake import Welcome
from ..core.relay.house import house_key
from ..core.relay.hub import RelayHub
from ..core.relay.session import relay_session
from ..core.server.relay_entrance import RELAY_PATH
from ..core.server.relay_port import enter
from ..data import DATA, provider_entries
from ..pool_coordinator import MemberCoordinator

FOLDER: Final = ("zeroconf_ai", "relay")
"""The folder of the house's private key in the configuration folder, which backups of Home Assistant contain."""
AWAY_SECONDS: Final = 300.0
"""How long a connector is away before its owner is told: a restart of its machine takes less."""
_DRAIN_SECONDS: Final = 5.0


@dataclass(slots=True, eq=False)
class Pairing:
    """An open one-time code of a flow, and the connector that used it."""

    code: OneTimeCode
    connected: asyncio.Future[PairedConnector]
    """Done when the connector that used the code is connected."""
    paired: PairedConnector | None = None


class HomeRelay:
    """The hub and what it needs of Home Assistant. Stores connectors in config entries (`PairedConnectors`)."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Nothing is opened before `hub`: most homes have no connector."""
        self._hass = hass
        self.codes = OneTimeCodes()
        self._hub: RelayHub | None = None
        self._opening = asyncio.Lock()
        self._pairings: dict[int, Pairing] = {}
        self._sessions: dict[str, aiohttp.ClientSession] = {}

    async def hub(self) -> RelayHub:
        """The hub, which admits connectors from now on. Raises KeyFileError if the key of the house cannot be used."""
        async with self._opening:
            if self._hub is None:
                folder = Path(self._hass.config.path(*FOLDER))
                key = await self._hass.async_add_executor_job(house_key, folder)
                house = Welcome(await instance_id.async_get(self._hass), self._hass.config.location_name)
                self._hub = RelayHub(key, house, self, self.codes)
                self._hub.listen(self._on_connected)
                self._hass.bus.async_listen_once(EVENT_HOMEASSISTANT_STOP, self._stop)
        return self._hub

    async def remove(self) -> None:
        """Close the hub and delete the key of the house: no entry is left, so no connector may come back."""
        await self._stop()
        self._hub = None
        self._sessions.clear()
        folder = Path(self._hass.config.path(*FOLDER))
        await self._hass.async_add_executor_job(partial(shutil.rmtree, folder, ignore_errors=True))

    async def _stop(self, _: Event | None = None) -> None:
        if self._hub is not None:
            await self._hub.close(_DRAIN_SECONDS)
        for session in self._sessions.values():
            await session.close()

    async def session(self, connector_id: str) -> aiohttp.ClientSession:
        """The session whose requests go to a connector. It outlives the reload of its entry. Raises KeyFileError."""
        found = self._sessions.get(connector_id)
        if found is None:
            found = self._sessions[connector_id] = relay_session((await self.hub()).uplink(connector_id))
        return found

    async def forget(self, connector_id: str) -> None:
        """Close the link of a connector, and its session."""
        if self._hub is not None:
            await self._hub.forget(connector_id)
        if (session := self._sessions.pop(connector_id, None)) is not None:
            await session.close()

    async def answer(self, request: web.Request, address: str | None) -> web.StreamResponse:
        """Serve the link of a connector. Raises an ApiError before the WebSocket is open."""
        if self._hub is None:
            raise NotFoundError("This Home Assistant has no connectors.", code="not_found")
        return await self._hub.answer(request, address)

    # Pairing

    @callback
    def begin(self) -> Pairing:
        """Make a one-time code for a flow. A former one ends."""
        pairing = Pairing(self.codes.make(Purpose.RELAY), self._hass.loop.create_future())
        self._pairings[id(pairing.code)] = pairing
        return pairing

    @callback
    def end(self, pairing: Pairing) -> None:
        """The flow has ended. Without an entry, its connector is not known any more."""
        self._pairings.pop(id(pairing.code), None)
        if self.codes.current(Purpose.RELAY) is pairing.code:
            self.codes.close(Purpose.RELAY)

    def seconds_left(self, pairing: Pairing) -> float:
        """Seconds until the code of a flow ends."""
        return self.codes.seconds_left(pairing.code)

    @callback
    def _on_connected(self, connector: PairedConnector) -> None:
        for pairing in self._pairings.values():
            if pairing.paired is not None and pairing.paired.key == connector.key and not pairing.connected.done():
                pairing.connected.set_result(connector)

    # `PairedConnectors`

    async def find(self, key: bytes) -> PairedConnector | None:
        """The connector of an entry, or of a flow that has not created its entry yet."""
        text = _text(key)
        for entry in provider_entries(self._hass, include_ignore=False):
            if entry.data.get(CONF_CONNECTOR_KEY) == text:
                created = entry.created_at.timestamp()
                enabled = entry.disabled_by is None
                return PairedConnector(entry.data[CONF_CONNECTOR_ID], entry.title, key, created, enabled)
        paired = (pairing.paired for pairing in self._pairings.values())
        return next((connector for connector in paired if connector is not None and connector.key == key), None)

    async def add(self, key: bytes, name: str, code: OneTimeCode) -> PairedConnector:
        """Keep the connector that used a flow's code; a connector that has an entry keeps its id."""
        known = await self.find(key)
        made = PairedConnector(uuid.uuid4().hex if known is None else known.id, name, key, code.ends)
        if (pairing := self._pairings.get(id(code))) is not None:
            pairing.paired = made
        return made


RELAY: HassKey[HomeRelay] = HassKey(f"{DOMAIN}_relay")


@callback
def async_get_relay(hass: HomeAssistant) -> HomeRelay:
    """The relay, whose path is registered on Home Assistant's port the first time."""
    if RELAY not in hass.data:
        hass.data[RELAY] = HomeRelay(hass)
        hass.http.register_view(RelayView(hass))
    return hass.data[RELAY]


class RelayView(HomeAssistantView):
    """`GET /v1/relay`. It has an admission of its own, so no login of Home Assistant is needed, and none is of use."""

    url = RELAY_PATH
    name = f"{DOMAIN}:relay"
    requires_auth = False
    cors_allowed = False

    def __init__(self, hass: HomeAssistant) -> None:
        self._hass = hass

    @override
    def register(self, hass: HomeAssistant, app: web.Application, router: web.UrlDispatcher) -> None:
        """Without the wrapper of Home Assistant's views, which sends empty responses during a shutdown."""
        router.add_get(RELAY_PATH, self._answer, allow_head=False)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        return await enter(self._hass.data.get(RELAY), None, request, request.remote)


def connector_data(connector: PairedConnector) -> dict[str, str]:
    """The data of the entry of a connector."""
    return {CONF_CONNECTOR_ID: connector.id, CONF_CONNECTOR_KEY: _text(connector.key)}


async def async_follow_connector(hass: HomeAssistant, entry: ConfigEntry, coordinator: MemberCoordinator) -> None:
    """Keep the provider's state like that of its link, and tell the owner of a connector that is away. Raises KeyFileError."""
    hub = await async_get_relay(hass).hub()
    connector_id: str = entry.data[CONF_CONNECTOR_ID]
    uplink = hub.uplink(connector_id)
    waiting: list[CALLBACK_TYPE] = []

    @callback
    def stop_waiting() -> None:
        while waiting:
            waiting.pop()()

    @callback
    def changed() -> None:
        stop_waiting()
        member = coordinator.member
        if uplink.connected:
            issues.connector_back(hass, entry)
            entry.async_create_background_task(hass, coordinator.check_now(models=True), name=f"{DOMAIN} connector {entry.title}")
            return
        if member is not None:
            hass.data[DATA].engine.pool.record_goodbye(member, CONNECTOR_AWAY)
        waiting.append(async_call_later(hass, AWAY_SECONDS, partial(_tell, hass, entry)))

    @callback
    def offers(connector: PairedConnector) -> None:
        if connector.id == connector_id:
            changed()

    entry.async_on_unload(uplink.listen(changed))
    entry.async_on_unload(hub.listen(offers))
    entry.async_on_unload(stop_waiting)
    if not uplink.connected:
        waiting.append(async_call_later(hass, AWAY_SECONDS, partial(_tell, hass, entry)))


@callback
def _tell(hass: HomeAssistant, entry: ConfigEntry, _: object) -> None:
    issues.connector_away(hass, entry)


async def async_disconnect(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Close the link of an entry that was disabled or removed."""
    if (connector_id := entry.data.get(CONF_CONNECTOR_ID)) is not None and (relay := hass.data.get(RELAY)) is not None:
        await relay.forget(connector_id)


def _text(key: bytes) -> str:
    return urlsafe_b64encode(key).rstrip(b"=").decode()
