"""When the gateway is advertised, and as what."""

import asyncio
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.zeroconf_ai.const import (
    CONF_ADMIN_CONTACT,
    CONF_ADVERTISE,
    CONF_AUTH,
    CONF_CONCURRENCY,
    CONF_ENABLED,
    CONF_NEGOTIATE_PRIORITY,
    CONF_OWN_PORT,
    CONF_PRIORITY,
)
from custom_components.zeroconf_ai.core.presence import advertised_record
from custom_components.zeroconf_ai.core.protocol.record import Auth, Load, RecordError, ServiceRecord
from custom_components.zeroconf_ai.data import DATA
from custom_components.zeroconf_ai.flows.known import is_own
from custom_components.zeroconf_ai.gateway import advertisement
from homeassistant.const import EVENT_HOMEASSISTANT_STOP
from homeassistant.core import CoreState, HomeAssistant
from tests.support.ports import free_port
from tests.support.waiting import AT_ONCE

from ..support.fakes.provider import FakeProvider
from ..support.home_assistant.entries import announce, record_of, set_up
from ..support.home_assistant.gateway import box, gateway_with, runtime_of
from ..support.home_assistant.gateway_entry import GATEWAY_ID

pytestmark = pytest.mark.usefixtures("ready_to_serve")

LAN = "192.0.2.10"


class Network:
    """Replaces mDNS and records the advertisements in order; None for a goodbye."""

    def __init__(self) -> None:
        self.told: list[ServiceRecord | None] = []
        self.refuses: Exception | None = None
        self._news = asyncio.Event()

    @property
    def now(self) -> ServiceRecord | None:
        """The current advertisement, or None."""
        return self.told[-1] if self.told else None

    def tell(self, record: ServiceRecord | None) -> None:
        self.told.append(record)
        self._news.set()

    async def until(self, *wanted: Any, what: str) -> None:
        """Wait until the newest announcement has one of these values in a field; `record` for the whole."""
        async with asyncio.timeout(AT_ONCE):
            while (self.now if what == "record" or self.now is None else getattr(self.now, what)) not in wanted:
                self._news.clear()
                await self._news.wait()

    def advertiser(self, _: Any, record: ServiceRecord) -> FakeAdvertiser:
        return FakeAdvertiser(self, record)


class FakeAdvertiser:
    def __init__(self, network: Network, record: ServiceRecord) -> None:
        self.network = network
        self.record = record

    async def start(self) -> None:
        if self.network.refuses is not None:
            raise self.network.refuses
        self.network.tell(self.record)

    def update(self, record: ServiceRecord) -> None:
        if record != self.record:
            self.record = record
            self.network.tell(record)

    async def close(self) -> None:
        self.network.tell(None)


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    network = Network()

    async def addresses(_: HomeAssistant) -> list[str]:
        return ["127.0.0.1", LAN]

    monkeypatch.setattr(advertisement, "Advertiser", network.advertiser)
    monkeypatch.setattr("homeassistant.components.network.async_get_announce_addresses", addresses)
    monkeypatch.setattr(advertised_record, "COALESCE_SECONDS", 0.01)
    return network


async def settled(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """Wait until the advertisement is up to date."""
    await hass.async_block_till_done(wait_background_tasks=True)


async def change(hass: HomeAssistant, entry: MockConfigEntry, **options: Any) -> None:
    hass.config_entries.async_update_entry(entry, options={**entry.options, **options})
    await hass.async_block_till_done()
    await settled(hass, entry)


async def test_advertisement_contains_the_gateways_properties_and_addresses(
    hass: HomeAssistant, provider: FakeProvider, network: Network
) -> None:
    options = {CONF_ADVERTISE: True, CONF_PRIORITY: 20, CONF_ADMIN_CONTACT: "admin@example.net"}
    await set_up(hass, gateway_with(box(provider), options=options))
    await network.until(("test-model", "homeassistant/assist"), ("homeassistant/assist", "test-model"), what="models")
    told = network.now
    assert told is not None
    assert (told.name, told.id, told.provider, told.auth) == ("Test gateway", GATEWAY_ID, "homeassistant", Auth.TOKEN)
    assert (told.port, told.tls, told.priority, told.load) == (hass.http.server_port, False, 20, Load.IDLE)
    assert [str(address) for address in told.addresses] == [LAN]
    assert told.host == "zeroconf-ai-222222222222.local."
    assert told.admin == "admin@example.net"
    assert is_own(hass, GATEWAY_ID)


async def test_advertisement_starts_when_it_is_enabled_and_a_key_exists(hass: HomeAssistant, network: Network) -> None:
    entry = await set_up(hass, gateway_with(key=None))
    await settled(hass, entry)
    await change(hass, entry, **{CONF_ADVERTISE: True})
    assert network.told == []
    keys = runtime_of(entry).store.keys
    key, _ = await keys.create("Laptop")
    await network.until(Auth.TOKEN, what="auth")
    await keys.revoke(key.id)
    await network.until(None, what="record")
    await change(hass, entry, **{CONF_AUTH: "none"})
    await network.until(Auth.NONE, what="auth")
    await change(hass, entry, **{CONF_ADVERTISE: False})
    assert network.now is None


async def test_advertisement_ends_when_the_gateway_is_turned_off_or_unloaded(hass: HomeAssistant, network: Network) -> None:
    entry = await set_up(hass, gateway_with(options={CONF_ADVERTISE: True}))
    await network.until(GATEWAY_ID, what="id")
    await change(hass, entry, **{CONF_ENABLED: False})
    assert network.now is None
    await change(hass, entry, **{CONF_ENABLED: True})
    await network.until(GATEWAY_ID, what="id")
    await hass.config_entries.async_unload(entry.entry_id)
    assert network.now is None
    assert not is_own(hass, GATEWAY_ID)


async def test_advertisement_starts_with_home_assistant_and_ends_before_its_zeroconf(
    hass: HomeAssistant, network: Network
) -> None:
    hass.set_state(CoreState.starting)
    entry = await set_up(hass, gateway_with(options={CONF_ADVERTISE: True}))
    await settled(hass, entry)
    assert network.told == []
    hass.set_state(CoreState.running)
    hass.bus.async_fire("homeassistant_started")
    await network.until(GATEWAY_ID, what="id")
    hass.bus.async_fire(EVENT_HOMEASSISTANT_STOP)
    await hass.async_block_till_done()
    assert network.now is None


async def test_advertisement_changes_are_sent_without_goodbye_except_for_the_name(
    hass: HomeAssistant, provider: FakeProvider, network: Network
) -> None:
    port = free_port()
    hass.http.server_host = ["127.0.0.1", LAN]
    entry = await set_up(hass, gateway_with(box(provider), options={CONF_ADVERTISE: True}))
    await network.until(GATEWAY_ID, what="id")
    hass.http.server_host = ["127.0.0.1"]
    await change(hass, entry, **{CONF_OWN_PORT: port, CONF_PRIORITY: 5})
    assert (network.now and (network.now.port, network.now.priority)) == (port, 5)
    assert None not in network.told
    hass.config_entries.async_update_entry(entry, title="Kitchen")
    await settled(hass, entry)
    await network.until("Kitchen", what="name")
    assert network.told.count(None) == 1


async def test_advertisement_contains_the_load(hass: HomeAssistant, provider: FakeProvider, network: Network) -> None:
    await set_up(hass, gateway_with(box(provider), options={CONF_ADVERTISE: True, CONF_CONCURRENCY: 1}))
    await network.until(Load.IDLE, what="load")
    engine = hass.data[DATA].engine
    with await engine.limiter.acquire():
        engine.pool.notify_state("x")
        await network.until(Load.FULL, what="load")
    member = next(member for member in engine.pool if member.name == "Box")
    member.active += 1
    engine.pool.notify_state(member.id)
    await network.until(Load.BUSY, what="load")
    member.active -= 1
    engine.pool.notify_state(member.id)
    await network.until(Load.IDLE, what="load")


async def test_advertisement_with_negotiation_uses_a_free_priority(
    hass: HomeAssistant, provider: FakeProvider, network: Network
) -> None:
    provider.id = "99999999-9999-4999-8999-999999999999"
    taken = record_of(provider, priority=100)
    options = {CONF_ADVERTISE: True, CONF_NEGOTIATE_PRIORITY: True}
    entry = gateway_with(options={**options, CONF_ADVERTISE: False})
    await set_up(hass, entry)
    announce(hass, taken)
    await change(hass, entry, **{CONF_ADVERTISE: True})
    await network.until(101, what="priority")
    announce(hass, record_of(provider, priority=101))  # the greater id gives way, which is not ours
    await settled(hass, entry)
    assert network.now is not None
    assert network.now.priority == 101
    provider.id = "11111111-1111-4111-8111-111111111111"
    announce(hass, record_of(provider, "Older", priority=101))
    await network.until(100, what="priority")
    await change(hass, entry, **{CONF_NEGOTIATE_PRIORITY: False, CONF_PRIORITY: 101})
    await network.until(101, what="priority")


async def test_advertisement_failure_is_logged_and_retried_with_the_next_change(
    hass: HomeAssistant, network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    network.refuses = RecordError("too long")
    entry = await set_up(hass, gateway_with(options={CONF_ADVERTISE: True}))
    await settled(hass, entry)
    assert "The gateway is not advertised on the network: too long" in caplog.text
    network.refuses = None
    await change(hass, entry, **{CONF_PRIORITY: 1})
    await network.until(1, what="priority")


async def test_advertisement_with_tls_contains_the_fingerprint(hass: HomeAssistant, network: Network, tmp_path: Any) -> None:
    body = "MIIB" + "A" * 60
    (tmp_path / "both.pem").write_text(f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
    hass.http.ssl_certificate = str(tmp_path / "both.pem")
    entry = await set_up(hass, gateway_with(options={CONF_ADVERTISE: True}))
    await network.until(True, what="tls")
    assert network.now is not None
    assert network.now.fingerprint is not None
    assert len(network.now.fingerprint) == 43
    hass.http.ssl_certificate = str(tmp_path / "missing.pem")
    await change(hass, entry, **{CONF_ENABLED: False})
    await change(hass, entry, **{CONF_ENABLED: True})
    await network.until(None, what="fingerprint")
