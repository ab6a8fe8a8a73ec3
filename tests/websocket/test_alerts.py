"""The commands that say where alerts go, over a real WebSocket of Home Assistant."""

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_mock_service
from pytest_homeassistant_custom_component.typing import WebSocketGenerator

from homeassistant.components import persistent_notification
from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.exceptions import HomeAssistantError

from ..support.fakes.provider import FakeProvider
from ..support.home_assistant.entries import set_up
from ..support.home_assistant.gateway import box, gateway_with
from .test_commands import ask, error_of

pytestmark = pytest.mark.usefixtures("ready_to_serve")

SETTINGS = {
    "notify_entities": ["notify.family"],
    "notify_actions": ["phone"],
    "alert_kinds": ["provider_down", "budget_exceeded"],
    "alert_from": 90,
    "key_factor": 0,
}


@pytest.fixture
async def entry(hass: HomeAssistant, provider: FakeProvider) -> MockConfigEntry:
    """A gateway with a key and one backend."""
    return await set_up(hass, gateway_with(box(provider)))


async def test_alerts_settings_are_shown_changed_and_kept_without_the_webhooks_secret(
    hass: HomeAssistant, entry: MockConfigEntry, hass_ws_client: WebSocketGenerator
) -> None:
    async_mock_service(hass, "notify", "phone")
    hass.states.async_set("notify.family", "unknown", {"friendly_name": "Family"})
    client = await hass_ws_client(hass)
    found = await ask(client, "alerts")
    assert found["alert_kinds"] == ["budget_exceeded", "budget_threshold", "key_unusual_use"]
    assert (found["notify_entities"], found["webhook_host"], found["alert_from"]) == ([], None, 80)
    assert found["entities"] == [{"id": "notify.family", "name": "Family"}]
    assert "phone" in found["actions"]
    assert "send_message" not in found["actions"]
    await ask(client, "alerts/set", **SETTINGS, webhook_url="https://hooks.example.org/x?token=secret")
    assert entry.options["alerts"] == SETTINGS | {"webhook_url": "https://hooks.example.org/x?token=secret"}
    found = await ask(client, "alerts")
    assert (found["webhook_host"], found["notify_actions"]) == ("hooks.example.org", ["phone"])
    assert "secret" not in str(found)
    await ask(client, "alerts/set", **SETTINGS)
    assert entry.options["alerts"]["webhook_url"] == "https://hooks.example.org/x?token=secret"
    await ask(client, "alerts/set", **SETTINGS, webhook_url="")
    assert entry.options["alerts"] == SETTINGS


async def test_alerts_settings_that_are_not_valid_are_refused(
    hass: HomeAssistant, entry: MockConfigEntry, hass_ws_client: WebSocketGenerator
) -> None:
    client = await hass_ws_client(hass)
    for wrong in (
        {"webhook_url": "http://example.org/x"},
        {"notify_entities": ["light.lamp"]},
        {"notify_actions": ["a b"]},
        {"alert_kinds": ["moon"]},
        {"alert_from": 0},
        {"key_factor": 1001},
    ):
        message = {"type": "zeroconf_ai/alerts/set", **SETTINGS, **wrong}
        assert await error_of(client, message) == "invalid_format", wrong
    assert "alerts" not in entry.options


async def test_alerts_test_says_of_each_way_whether_it_was_delivered(
    hass: HomeAssistant, entry: MockConfigEntry, hass_ws_client: WebSocketGenerator
) -> None:
    async def fail(_: ServiceCall) -> None:
        raise HomeAssistantError("the phone is off")

    sent: list[ServiceCall] = async_mock_service(hass, "notify", "send_message")
    hass.services.async_register("notify", "phone", fail)
    client = await hass_ws_client(hass)
    assert (await ask(client, "alerts/test"))["deliveries"] == [{"sender": "Home Assistant", "error": None}]
    assert "zeroconf_ai_test" in persistent_notification._async_get_or_create_notifications(hass)
    await ask(client, "alerts/set", **SETTINGS)
    assert (await ask(client, "alerts/test"))["deliveries"] == [
        {"sender": "notify.family", "error": None},
        {"sender": "notify.phone", "error": "the phone is off"},
    ]
    assert sent[0].data["message"] == "This is a test alert of Test gateway. Alerts reach you here."
