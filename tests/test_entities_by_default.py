"""What a new installation shows: few entities, each with a value; and that an update takes none away."""

from collections.abc import AsyncIterator

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.zeroconf_ai.const import CONF_BASE_URL, DOMAIN
from custom_components.zeroconf_ai.core.accounting.budget import Scope
from custom_components.zeroconf_ai.core.accounting.periods import Period
from custom_components.zeroconf_ai.core.protocol.values import NANO
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import STATE_UNAVAILABLE, STATE_UNKNOWN, Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er

from .support.clouds.ollama import FakeOllama
from .support.fakes.provider import FakeProvider
from .support.home_assistant.entries import ask, make_entry, set_up, settle
from .support.home_assistant.flow_texts import TEXTS
from .support.home_assistant.gateway import CHAT, CHAT_PATH, bearer, box, gateway_with, runtime_of
from .support.home_assistant.gateway_entry import home_agent_data
from .support.home_assistant.states import state_of, value
from .support.home_assistant.usage import spend

pytestmark = pytest.mark.usefixtures("ready_to_serve")

MOST_ENABLED = 20
CONFIGURABLE = {Platform.BUTTON, Platform.NUMBER, Platform.SELECT, Platform.SWITCH}
OF_AGENTS = {Platform.AI_TASK, Platform.CONVERSATION}
"""Home Assistant's own state of these is the time of their last use."""


@pytest.fixture
async def ollama() -> AsyncIterator[FakeOllama]:
    async with FakeOllama() as fake:
        yield fake


def enabled(hass: HomeAssistant) -> dict[str, er.RegistryEntry]:
    """The enabled entities of the integration, by entity id."""
    registry = er.async_get(hass)
    return {
        entry.entity_id: entry for entry in registry.entities.values() if entry.platform == DOMAIN and entry.disabled_by is None
    }


def without_value(hass: HomeAssistant) -> list[str]:
    """The enabled entities whose state is unknown or unavailable."""
    return [
        entity_id
        for entity_id, entry in enabled(hass).items()
        if value(hass, entity_id) in (None, STATE_UNKNOWN, STATE_UNAVAILABLE) and entry.domain not in OF_AGENTS
    ]


async def test_first_start_enables_few_entities_that_have_values_after_the_first_request(
    hass: HomeAssistant, provider: FakeProvider, hass_client_no_auth: ClientSessionGenerator
) -> None:
    used = {"requests": 12, "prompt_tokens": 3100, "completion_tokens": 900, "currency": "USD", "cost": 0.5}
    provider.status = {"object": "status", "usage": {"today": used, "month": used, "total": used}}
    await set_up(hass, make_entry(provider))
    entry = await set_up(hass, gateway_with())
    await ask(hass)
    client = await hass_client_no_auth()
    assert (await client.post(CHAT_PATH, json=CHAT, headers=bearer())).status == 200
    await settle(hass)
    assert len(enabled(hass)) <= MOST_ENABLED
    assert without_value(hass) == []
    shown = {"test_provider_status", "test_provider_requests", "test_provider_cost_today", "test_provider_cost_this_month"}
    shown |= {"test_gateway_status", "test_gateway_requests"}
    assert {entity_id for entity_id in enabled(hass) if entity_id.startswith("sensor.")} == {f"sensor.{name}" for name in shown}
    key = next(iter(runtime_of(entry).store.keys))
    assert not [found for found in enabled(hass).values() if key.id in found.unique_id]


async def test_entities_of_costs_and_budgets_are_added_with_the_first_of_them(
    hass: HomeAssistant, provider: FakeProvider
) -> None:
    entry = await set_up(hass, gateway_with(box(provider)))
    before = set(er.async_get(hass).entities)
    assert not [entity_id for entity_id in before if "_cost_" in entity_id or "_budget_" in entity_id]
    shown = set(enabled(hass))
    await runtime_of(entry).store.budgets.set(Scope.HOUSEHOLD, None, 2 * NANO, Period.MONTH)
    await settle(hass)
    assert set(enabled(hass)) - shown == {"sensor.test_gateway_budget_left"}
    assert value(hass, "sensor.test_gateway_budget_left") == "100.0"
    await spend(hass, entry, 0.5, backend_id=next(iter(entry.subentries)))
    await settle(hass)
    costs = {f"sensor.{device}_cost_{period}" for device in ("test_gateway", "box") for period in ("today", "this_month")}
    assert set(enabled(hass)) - shown == {"sensor.test_gateway_budget_left", *costs}
    assert {value(hass, entity_id) for entity_id in costs} == {"0.5"}
    assert value(hass, "sensor.test_gateway_budget_left") == "75.0"
    assert without_value(hass) == []


async def test_entities_that_an_earlier_version_enabled_stay(hass: HomeAssistant, provider: FakeProvider) -> None:
    registry = er.async_get(hass)
    entry, gateway = make_entry(provider), gateway_with(box(provider), entry_id="01GATEWAY")
    former = [
        (found, f"{found.entry_id}_{key}", domain)
        for found, keys in (
            (entry, {"queue_depth": "sensor", "availability": "event", "connectivity": "binary_sensor", "priority": "number"}),
            (gateway, {"budget": "sensor", "cost_today": "sensor", "budget_event": "event", "budget_exceeded": "binary_sensor"}),
        )
        for key, domain in keys.items()
    ]
    for found in (entry, gateway):
        found.add_to_hass(hass)
    for found, unique_id, domain in former:
        registry.async_get_or_create(domain, DOMAIN, unique_id, config_entry=found)
    for found in (entry, gateway):
        if found.state is not ConfigEntryState.LOADED:
            assert await hass.config_entries.async_setup(found.entry_id)
    await hass.async_block_till_done()
    for _, unique_id, domain in former:
        entity_id = registry.async_get_entity_id(domain, DOMAIN, unique_id)
        assert entity_id in enabled(hass)
        assert "restored" not in state_of(hass, entity_id).attributes, unique_id


@pytest.mark.usefixtures("all_entities_enabled")
async def test_each_entity_has_a_translated_name_and_a_category(
    hass: HomeAssistant, provider: FakeProvider, ollama: FakeOllama
) -> None:
    """Names are those of `en.json`, or of Home Assistant for a device class. What is set or pressed has a category."""
    provider.status = {"object": "status", "queue": {"depth": 1, "active": 1, "max_concurrent": 2}}
    await set_up(hass, make_entry(provider))
    await set_up(hass, MockConfigEntry(domain=DOMAIN, title="Ollama", data={CONF_BASE_URL: ollama.base_url + "/v1"}))
    entry = await set_up(hass, gateway_with(box(provider), home_agent_data(title="House")))
    await runtime_of(entry).store.budgets.set(Scope.HOUSEHOLD, None, 2 * NANO, Period.MONTH)
    await spend(hass, entry, 0.5, backend_id=next(iter(entry.subentries)))
    await settle(hass)
    names = {(domain, key) for domain, keys in TEXTS["entity"].items() for key in keys}
    seen = set()
    for found in enabled(hass).values():
        if found.domain in OF_AGENTS:
            continue  # named as their devices
        kind = (found.domain, found.translation_key)
        assert kind in names or found.original_device_class, found.entity_id
        seen.add(kind)
        if found.domain in CONFIGURABLE:
            assert found.entity_category is not None, found.entity_id
    assert names - seen == {("sensor", "queue_depth")}  # of installations that have it
