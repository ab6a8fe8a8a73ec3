"""Discovered providers are offered for sure: those that listen late, those that are slow, and not more than a person can read."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from ipaddress import ip_address
from typing import Any
from unittest.mock import AsyncMock
import uuid

from aiohttp import web
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import WebSocketGenerator
import pytest_socket

from custom_components.zeroconf_ai.const import CONF_BASE_URL, DOMAIN
from custom_components.zeroconf_ai.core.backends import locate
from custom_components.zeroconf_ai.core.backends.base import Timeouts
from custom_components.zeroconf_ai.core.lan import reprobe
from custom_components.zeroconf_ai.core.lan.advertisements import MAX_ADVERTISEMENTS
from custom_components.zeroconf_ai.core.protocol.record import SATURN_TYPE, SERVICE_TYPE, ServiceRecord
from custom_components.zeroconf_ai.flows import offers as flow_offers
from custom_components.zeroconf_ai.flows.offers import MAX_CARDS, async_get_offers
from homeassistant.config_entries import SOURCE_IGNORE, ConfigFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.setup import async_setup_component

from ..support.fakes.provider import FakeProvider, running, serving
from ..support.home_assistant.discovery import announced, discover, submit
from ..support.home_assistant.entries import make_entry, set_up
from ..support.waiting import observe, until

pytestmark = pytest.mark.usefixtures("checked_texts", "ready")


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the pauses between probes of a provider."""
    monkeypatch.setattr(reprobe, "FIRST_PAUSE", 0.02)
    monkeypatch.setattr(reprobe, "LONGEST_FIRST_PAUSE", 0.05)


async def hear(hass: HomeAssistant, record: ServiceRecord, service_type: str = SERVICE_TYPE) -> None:
    """Pass an advertisement to the integration, with or without entries."""
    offers = await async_get_offers(hass)
    offers.discovery.registry.put((service_type, record.name), replace(record, service_type=service_type))


async def leave(hass: HomeAssistant, record: ServiceRecord, service_type: str = SERVICE_TYPE) -> None:
    """Pass the goodbye of an advertisement to the integration."""
    (await async_get_offers(hass)).discovery.registry.remove((service_type, record.name))


def advert(provider: FakeProvider, name: str = "GPU box", *addresses: str) -> ServiceRecord:
    """The provider's advertisement."""
    found = tuple(map(ip_address, addresses or ("127.0.0.1",)))
    return ServiceRecord(name, "gpu-box.local.", provider.port, found, id=provider.id or "", models=("test-model",))


def cards(hass: HomeAssistant) -> list[ConfigFlowResult]:
    """The discovered cards that are shown."""
    return hass.config_entries.flow.async_progress_by_handler(DOMAIN)


def titles(hass: HomeAssistant) -> list[str]:
    return sorted(flow["context"]["title_placeholders"]["name"] for flow in cards(hass))


async def _stopped(provider: FakeProvider) -> FakeProvider:
    await provider.stop()
    return provider


async def _unwell(provider: FakeProvider) -> FakeProvider:
    provider.health_status = 503
    return provider


async def _without_models(provider: FakeProvider) -> FakeProvider:
    provider.models = []
    return provider


@pytest.mark.parametrize(
    ("trouble", "reason"), [(_stopped, "cannot_connect"), (_unwell, "cannot_connect"), (_without_models, "no_models")]
)
async def test_offer_provider_that_answers_later_is_shown_when_it_answers(
    hass: HomeAssistant, provider: FakeProvider, trouble: Callable[[FakeProvider], Awaitable[FakeProvider]], reason: str
) -> None:
    await trouble(provider)
    first = await discover(hass, announced(provider, txt={"models": ""}))
    assert (first["type"], first["reason"]) == (FlowResultType.ABORT, reason)
    await observe(0.2)
    assert cards(hass) == []
    provider.models, provider.health_status = [{"id": "test-model"}], 200
    if reason == "cannot_connect" and not provider.serves:
        await provider.start()
    await until(lambda: cards(hass))
    assert titles(hass) == ["GPU box (test-model; free)"]
    (flow,) = cards(hass)
    done = await submit(hass, flow)
    assert done["type"] is FlowResultType.CREATE_ENTRY
    assert done["data"][CONF_BASE_URL] == provider.base_url
    await hass.async_block_till_done()


async def test_offer_provider_that_starts_later_and_requires_a_key_is_shown(hass: HomeAssistant, provider: FakeProvider) -> None:
    provider.key, provider.open_health = "secret", False
    await provider.stop()
    await discover(hass, announced(provider))
    await provider.start()
    await until(lambda: cards(hass))
    assert set(provider.keys) == {None}


async def test_offer_slow_provider_is_shown_when_it_answers_in_time(
    hass: HomeAssistant, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locate, "_TIMEOUTS", Timeouts(probe=0.1))
    asked = asyncio.Event()
    loaded = asyncio.Event()

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        asked.set()
        await loaded.wait()
        return web.json_response({"data": [{"id": "test-model"}]} if request.path == "/v1/models" else {"status": "ok"})

    async with serving(answer) as port:
        first = await discover(hass, announced(FakeProvider(port=port)))
        assert (first["type"], first["reason"]) == (FlowResultType.ABORT, "cannot_connect")
        assert asked.is_set()
        loaded.set()
        monkeypatch.setattr(locate, "_TIMEOUTS", Timeouts())
        await until(lambda: cards(hass))


@pytest.mark.parametrize("key", [None, "secret"])
async def test_offer_offline_first_address_shows_the_online_one(
    hass: HomeAssistant, provider: FakeProvider, key: str | None
) -> None:
    pytest_socket.socket_allow_hosts(["127.0.0.1", "127.0.0.9"])
    provider.key, provider.open_health = key, key is None
    await hear(hass, advert(provider, "GPU box", "127.0.0.9", "127.0.0.1"))
    await until(lambda: cards(hass))
    (flow,) = cards(hass)
    assert flow["context"]["configuration_url"] == provider.base_url.removesuffix("/v1")
    await async_setup_component(hass, DOMAIN, {})
    listed = await hass.services.async_call(DOMAIN, "list_providers", blocking=True, return_response=True)
    assert listed is not None
    assert listed["discovered"][0]["base_url"] == provider.base_url  # type: ignore[index,call-overload]


async def test_offer_unanswered_provider_is_shown_after_a_minute_and_updated_when_it_answers(
    hass: HomeAssistant, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reprobe, "OVERDUE_SECONDS", 0.2)
    monkeypatch.setattr(reprobe, "LONGEST_PAUSE", 0.05)
    await provider.stop()
    await discover(hass, announced(provider))
    await until(lambda: cards(hass))
    assert titles(hass) == ["GPU box (does not answer yet)"]
    (flow,) = cards(hass)
    assert flow["step_id"] == "unanswered_confirm"
    await provider.start()
    await until(lambda: titles(hass) == ["GPU box (test-model; free)"])


async def test_offer_unanswered_provider_can_be_probed_manually(
    hass: HomeAssistant, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reprobe, "OVERDUE_SECONDS", 0.2)
    await provider.stop()
    await discover(hass, announced(provider))
    await until(lambda: cards(hass))
    (flow,) = cards(hass)
    still = await submit(hass, flow)
    assert still["errors"] == {"base": "cannot_connect"}
    await provider.start()
    shown = await submit(hass, flow)
    assert shown["step_id"] == "discovery_confirm"
    done = await submit(hass, shown)
    assert done["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()


async def test_offer_with_another_provider_at_the_address_is_never_shown(
    hass: HomeAssistant, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reprobe, "OVERDUE_SECONDS", 0.1)
    result = await discover(hass, announced(provider, txt={"id": "somebody-else"}))
    assert result["reason"] == "identity_mismatch"
    asked = len(provider.paths)
    await until(lambda: len(provider.paths) > asked + 5)
    assert cards(hass) == []


async def test_offer_provider_with_a_goodbye_is_not_probed_and_loses_its_card(
    hass: HomeAssistant, provider: FakeProvider
) -> None:
    record = advert(provider)
    await hear(hass, record)
    await until(lambda: cards(hass))
    await leave(hass, record)
    assert cards(hass) == []
    await provider.stop()
    await hear(hass, record)
    offers = await async_get_offers(hass)
    assert record.id in offers._reprober
    await leave(hass, record)
    assert record.id not in offers._reprober


async def test_offer_card_stays_while_one_of_two_advertisements_is_valid(hass: HomeAssistant, provider: FakeProvider) -> None:
    record = advert(provider)
    await hear(hass, record)
    await hear(hass, record, SATURN_TYPE)
    await until(lambda: cards(hass))
    await leave(hass, record)
    assert len(cards(hass)) == 1
    for flow in cards(hass):  # as Home Assistant does when the record that started the flow is withdrawn
        hass.config_entries.flow.async_abort(flow["flow_id"])
    await hear(hass, replace(record, priority=7), SATURN_TYPE)
    await until(lambda: cards(hass))


async def test_offer_provider_with_both_service_types_has_one_card(hass: HomeAssistant, provider: FakeProvider) -> None:
    await hear(hass, advert(provider))
    await asyncio.gather(discover(hass, announced(provider)), discover(hass, announced(provider, service_type=SATURN_TYPE)))
    await hass.async_block_till_done(wait_background_tasks=True)
    assert len(cards(hass)) == 1


@pytest.mark.parametrize("source", [None, SOURCE_IGNORE])
async def test_offer_provider_set_up_or_ignored_is_not_probed(
    hass: HomeAssistant, provider: FakeProvider, source: str | None
) -> None:
    entry = make_entry(provider)
    if source is not None:
        object.__setattr__(entry, "source", source)
    entry.add_to_hass(hass)
    await hear(hass, advert(provider))
    assert (provider.id or "") not in (await async_get_offers(hass))._reprober
    assert not provider.paths


async def test_offer_two_thousand_advertisements_of_one_server_make_one_card(hass: HomeAssistant, provider: FakeProvider) -> None:
    provider.id = None  # any provider may answer there
    for number in range(2000):
        await hear(hass, replace(advert(provider, f"Box {number}"), id=f"id-{number}"))
    await until(lambda: cards(hass))
    await hass.async_block_till_done(wait_background_tasks=True)
    assert len(cards(hass)) == 1


async def test_offer_more_providers_than_cards_are_shown_when_a_card_is_closed(
    hass: HomeAssistant, provider: FakeProvider
) -> None:
    hosts = [f"127.0.1.{number}" for number in range(1, MAX_CARDS + 3)]
    pytest_socket.socket_allow_hosts(hosts)
    fakes = [FakeProvider(id=str(uuid.uuid4()), host=host) for host in hosts]
    async with asyncio.timeout(60):
        for fake in fakes:
            await fake.start()
            await hear(hass, advert(fake, f"Box {fake.host}", fake.host))
        await until(lambda: len(cards(hass)) == MAX_CARDS)
        await hass.async_block_till_done(wait_background_tasks=True)
        assert len(cards(hass)) == MAX_CARDS
        shown = {flow["context"]["unique_id"] for flow in cards(hass)}
        hass.config_entries.flow.async_abort(cards(hass)[0]["flow_id"])
        await until(lambda: {flow["context"]["unique_id"] for flow in cards(hass)} - shown)
        for fake in fakes:
            await fake.stop()


async def test_offer_answering_provider_replaces_the_card_of_an_unanswered_one(
    hass: HomeAssistant, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reprobe, "OVERDUE_SECONDS", 0.1)
    monkeypatch.setattr(flow_offers, "MAX_CARDS", 2)
    for number in range(3):
        await hear(hass, replace(advert(FakeProvider(port=1), f"Dead {number}"), id=f"dead-{number}", port=number + 1))
    await until(lambda: len(cards(hass)) == 2)
    await hear(hass, advert(provider))
    await until(lambda: "GPU box (test-model; free)" in titles(hass))
    assert len(cards(hass)) == 2


async def test_offer_real_provider_is_shown_despite_a_flood_of_fakes(hass: HomeAssistant, provider: FakeProvider) -> None:
    await hear(hass, advert(provider))
    await until(lambda: cards(hass))
    async with running(FakeProvider(id=str(uuid.uuid4()))) as late:
        for number in range(MAX_ADVERTISEMENTS):
            fake = replace(advert(FakeProvider(port=1), f"Fake {number}"), id=f"fake-{number}", port=number % 1000 + 1)
            await hear(hass, fake)
        await hear(hass, advert(late, "Late"))
        await until(lambda: len(cards(hass)) == 2)
        assert {"GPU box (test-model; free)", "Late (test-model; free)"} == set(titles(hass))
        assert (await async_get_offers(hass)).discovery.get(provider.id or "") is not None


async def test_offer_foreign_loopback_advertisement_is_never_probed(
    hass: HomeAssistant, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign = AsyncMock(return_value=False)
    monkeypatch.setattr("custom_components.zeroconf_ai.core.lan.own_host.advertised_by_this_host", foreign)
    result = await discover(hass, announced(provider))
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "foreign_loopback")
    assert not provider.paths


async def test_discovered_list_names_the_state_of_each_provider_and_its_flow(
    hass: HomeAssistant, provider: FakeProvider, hass_ws_client: WebSocketGenerator
) -> None:
    """Over the page's subscription: new, set up, ignored, and one with the name of another."""
    entry = await set_up(hass, make_entry(provider))
    client = await hass_ws_client(hass)
    await client.send_json({"id": 1, "type": "zeroconf_ai/discovered"})
    assert (await client.receive_json())["success"]
    first = (await client.receive_json())["event"]
    assert (first["providers"], first["gateway"]) == ([], None)
    assert {"ollama", "openai", "openai_compatible"} <= {kind["name"] for kind in first["kinds"]}
    assert {kind["name"] for kind in first["kinds"] if kind["cloud"]} == {"openai", "openrouter", "anthropic", "gemini"}
    ignored = MockConfigEntry(domain=DOMAIN, unique_id="id-ignored", source=SOURCE_IGNORE)
    ignored.add_to_hass(hass)
    async with running(FakeProvider()) as other, running(FakeProvider()) as rival:
        other.id, rival.id = "id-other", "id-rival"
        await hear(hass, advert(provider, "Known"))
        await hear(hass, advert(other, "Other"))
        await hear(hass, replace(advert(other, "Ignored"), id="id-ignored", port=1))
        await hear(hass, advert(rival, entry.data.get("service_name", "Known")))
        states: dict[str, Any] = {}
        while not (len(states) == 4 and states["id-other"]["flow_id"]):
            states = {one["id"]: one for one in (await client.receive_json())["event"]["providers"]}
        assert states[provider.id or ""]["state"] == "set_up"
        assert (states["id-other"]["state"], states["id-other"]["models"]) == ("new", ["test-model"])
        assert states["id-ignored"]["state"] == "ignored"
        flow = hass.config_entries.flow.async_get(states["id-other"]["flow_id"])
        assert flow["context"]["unique_id"] == "id-other"
        await client.send_json({"id": 2, "type": "unsubscribe_events", "subscription": 1})
        while (await client.receive_json())["id"] != 2:
            pass
