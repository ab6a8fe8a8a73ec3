"""The commands of the Models tab, over a real WebSocket of Home Assistant."""

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import WebSocketGenerator

from custom_components.zeroconf_ai.const import CONF_STRATEGY, CONF_VIRTUAL_MODELS
from custom_components.zeroconf_ai.data import DATA
from homeassistant.core import HomeAssistant

from ..support.fakes.provider import FakeProvider
from ..support.home_assistant.entries import set_up
from ..support.home_assistant.gateway import box, gateway_with
from .test_commands import ask, error_of

pytestmark = pytest.mark.usefixtures("ready_to_serve")


@pytest.fixture
async def entry(hass: HomeAssistant, provider: FakeProvider) -> MockConfigEntry:
    """A gateway with a key and one backend."""
    return await set_up(hass, gateway_with(box(provider)))


async def test_models_alias_is_added_reordered_and_removed_and_applies_at_once(
    hass: HomeAssistant, entry: MockConfigEntry, hass_ws_client: WebSocketGenerator
) -> None:
    client, engine = await hass_ws_client(hass), hass.data[DATA].engine
    await ask(client, "models/set", name="smart", targets=["big", "test-model"], strategy="cost", new=True)
    await hass.async_block_till_done()
    found = await ask(client, "models")
    assert found["editable"] is True
    smart = found["aliases"][-1]
    assert (smart["name"], smart["targets"], smart["strategy"]) == ("smart", ["big", "test-model"], "cost")
    assert smart["answers"] == [{"backend": "Box", "model": "test-model"}]
    assert [(model["id"], model["providers"][0]["backend"]) for model in found["models"]] == [("test-model", "Box")]
    await ask(client, "models/set", name="smart", targets=["test-model", "big"])
    await hass.async_block_till_done()
    assert engine.policy.virtual_models["smart"].targets == ("test-model", "big")
    assert entry.options[CONF_VIRTUAL_MODELS]["smart"] == {"targets": ["test-model", "big"], "strategy": None}
    await ask(client, "models/remove", name="smart")
    await hass.async_block_till_done()
    assert "smart" not in engine.policy.virtual_models


async def test_models_changes_that_are_not_possible_are_refused(
    hass: HomeAssistant, entry: MockConfigEntry, hass_ws_client: WebSocketGenerator
) -> None:
    client = await hass_ws_client(hass)
    for fields in (
        {"name": "fast", "targets": ["auto"], "new": True},
        {"name": "mine", "targets": ["mine"]},
        {"name": "mine", "targets": ["auto"], "strategy": "luck"},
        {"name": "mine", "targets": ["x"] * 101},
        {"name": "", "targets": []},
    ):
        assert await error_of(client, {"type": "zeroconf_ai/models/set", **fields}) == "invalid_format"
    for name in ("auto", "mine"):
        assert await error_of(client, {"type": "zeroconf_ai/models/remove", "name": name}) == "invalid_format"
    assert CONF_VIRTUAL_MODELS not in entry.options


async def test_models_strategy_is_set_for_all_requests(
    hass: HomeAssistant, entry: MockConfigEntry, hass_ws_client: WebSocketGenerator
) -> None:
    client = await hass_ws_client(hass)
    await ask(client, "models/strategy", strategy="latency")
    await hass.async_block_till_done()
    assert entry.options[CONF_STRATEGY] == "latency"
    assert (await ask(client, "models"))["strategy"] == "latency"


async def test_models_without_a_gateway_are_shown_and_not_changed(
    hass: HomeAssistant, entry: MockConfigEntry, hass_ws_client: WebSocketGenerator
) -> None:
    client = await hass_ws_client(hass)
    assert await hass.config_entries.async_remove(entry.entry_id)
    await hass.async_block_till_done()
    assert (await ask(client, "models"))["editable"] is False
    for message in (
        {"type": "zeroconf_ai/models/set", "name": "x", "targets": ["auto"]},
        {"type": "zeroconf_ai/models/remove", "name": "fast"},
        {"type": "zeroconf_ai/models/strategy", "strategy": "cost"},
    ):
        assert await error_of(client, message) == "no_gateway"
