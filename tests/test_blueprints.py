"""The automation blueprints: automations created from the files, their triggers and their actions."""

from collections.abc import AsyncIterator
from datetime import timedelta
import json
from pathlib import Path
import shutil
from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed, async_mock_service
from pytest_homeassistant_custom_component.components.recorder.common import async_wait_recording_done

from homeassistant.components.automation import config as automation_config
from homeassistant.components.blueprint import models
from homeassistant.components.blueprint.schemas import BLUEPRINT_SCHEMA
from homeassistant.const import STATE_OFF, STATE_ON
from homeassistant.core import CoreState, HomeAssistant, ServiceCall
from homeassistant.helpers import device_registry as dr
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util, yaml as ha_yaml

from .support.fakes.provider import FakeProvider, text
from .support.home_assistant.entries import TASK, make_entry, set_up
from .support.home_assistant.gateway import box, gateway_with
from .support.home_assistant.states import state_of, value
from .support.waiting import run_pending_tasks, until

FOLDER = Path(__file__).parents[1] / "blueprints" / "automation" / "zeroconf_ai"
FILES = sorted(file.name for file in FOLDER.glob("*.yaml"))
SOURCE = "https://github.com/zeroconf-ai/zeroconf-ai/blob/main/blueprints/automation/zeroconf_ai/"
COST = "sensor.test_gateway_cost_today"
LEFT = "sensor.test_gateway_budget_left"
STRATEGY = "select.test_gateway_routing_strategy"
GATEWAY = "switch.test_gateway_answer_requests"
STATUS = "sensor.test_provider_status"
PUSHED = "mobile_app_phone"


@pytest.fixture(autouse=True)
def custom_integrations(recorder_db_url: str, hass: HomeAssistant, enable_custom_integrations: None, tmp_path: Path) -> None:
    """The recorder must be set up before Home Assistant."""
    hass.config.config_dir = str(tmp_path)


@pytest.fixture(autouse=True)
async def ready_for_blueprints(
    hass: HomeAssistant, ready_to_serve: None, tmp_path: Path, freezer: FrozenDateTimeFactory
) -> AsyncIterator[None]:
    """The blueprints are where an import puts them, and it is a Sunday afternoon."""
    freezer.move_to("2026-11-22 16:00:00+00:00")
    await hass.config.async_set_time_zone("UTC")
    shutil.copytree(FOLDER, tmp_path / "blueprints" / "automation" / "zeroconf_ai")
    yield
    if hass.services.has_service("automation", "turn_off"):  # none is to wait for midnight when Home Assistant stops
        await hass.services.async_call("automation", "turn_off", {"entity_id": "all", "stop_actions": True}, blocking=True)


async def automate(hass: HomeAssistant, blueprint: str, **inputs: Any) -> None:
    """An automation by a blueprint."""
    config = {"alias": "Test", "use_blueprint": {"path": f"zeroconf_ai/{blueprint}.yaml", "input": inputs}}
    assert await async_setup_component(hass, "automation", {"automation": config})
    await hass.async_block_till_done()
    assert state_of(hass, "automation.test").state == STATE_ON, "the automation is refused"


async def turns() -> None:
    """Let all tasks run. An automation that waits is a task that is not done: `async_block_till_done` would wait too."""
    await run_pending_tasks(200)


async def later(hass: HomeAssistant, freezer: FrozenDateTimeFactory, **time: float) -> None:
    """Let time pass."""
    freezer.tick(timedelta(**time))
    async_fire_time_changed(hass, dt_util.utcnow())
    await turns()


@pytest.mark.parametrize("name", FILES)
def test_blueprint_of_each_file_is_importable_from_its_url(name: str) -> None:
    data = ha_yaml.load_yaml_dict(str(FOLDER / name))
    blueprint = models.Blueprint(
        data, path=name, expected_domain="automation", schema=automation_config.AUTOMATION_BLUEPRINT_SCHEMA
    )
    assert blueprint.validate() is None, "this Home Assistant is new enough"
    told = BLUEPRINT_SCHEMA(data)["blueprint"]
    assert told["source_url"] == f"{SOURCE}{name}"
    assert told["homeassistant"]["min_version"] == "2026.10.0"
    for field in told["input"].values():
        assert field["name"]
        assert "selector" in field


# Cost alert


async def phone(hass: HomeAssistant) -> tuple[str, list[ServiceCall]]:
    """The device of a phone with Home Assistant's app, and the calls of its notify action."""
    assert await async_setup_component(hass, "mobile_app", {})
    app = {"push_token": "example", "push_url": "http://192.0.2.1/push"}
    registered = {
        "app_data": app,
        "app_id": "example",
        "app_name": "Example",
        "app_version": "1.0",
        "device_id": "example",
        "device_name": "Phone",
        "manufacturer": "Example",
        "model": "Example",
        "os_name": "Example",
        "os_version": "1.0",
        "supports_encryption": False,
        "user_id": "example",
        "webhook_id": "example",
    }
    entry = MockConfigEntry(domain="mobile_app", data=registered)
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    (device,) = dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    assert hass.services.has_service("notify", PUSHED)
    return device.id, async_mock_service(hass, "notify", PUSHED)


async def cost_alert(hass: HomeAssistant, provider: FakeProvider) -> list[ServiceCall]:
    """Set up the alert with a cost under the limit; the calls of the notify action."""
    await set_up(hass, gateway_with(box(provider)))
    device, pushed = await phone(hass)
    hass.states.async_set(COST, "0.20", {"friendly_name": "Cost today", "unit_of_measurement": "USD"})
    await automate(hass, "cost_alert", cost=COST, limit=0.5, phone=device, strategy=STRATEGY, gateway=GATEWAY)
    return pushed


def buttons(call: ServiceCall) -> list[str]:
    """The actions of a notification."""
    return [button["action"] for button in call.data["data"]["actions"]]


async def test_cost_alert_prefers_local_providers_until_midnight(
    hass: HomeAssistant, provider: FakeProvider, freezer: FrozenDateTimeFactory
) -> None:
    pushed = await cost_alert(hass, provider)
    hass.states.async_set(COST, "0.45", {"friendly_name": "Cost today", "unit_of_measurement": "USD"})
    await turns()
    assert pushed == []
    hass.states.async_set(COST, "0.55", {"friendly_name": "Cost today", "unit_of_measurement": "USD"})
    await turns()
    assert [call.data["message"] for call in pushed] == ["Cost today: 0.55 USD"]
    assert value(hass, STRATEGY) == "priority"
    hass.bus.async_fire("mobile_app_notification_action", {"action": "ZEROCONF_AI_AT_HOME_of-yesterday"})
    await turns()
    assert value(hass, STRATEGY) == "priority"
    hass.bus.async_fire("mobile_app_notification_action", {"action": buttons(pushed[0])[0]})
    await turns()
    assert value(hass, STRATEGY) == "local_first"
    assert value(hass, GATEWAY) == STATE_ON
    await later(hass, freezer, hours=8)
    assert value(hass, STRATEGY) == "priority"


async def test_cost_alert_stops_the_gateway_until_midnight(
    hass: HomeAssistant, provider: FakeProvider, freezer: FrozenDateTimeFactory
) -> None:
    pushed = await cost_alert(hass, provider)
    hass.states.async_set(COST, "0.55")
    await turns()
    hass.bus.async_fire("mobile_app_notification_action", {"action": buttons(pushed[0])[1]})
    await turns()
    assert value(hass, GATEWAY) == STATE_OFF
    assert value(hass, STRATEGY) == "priority"
    await later(hass, freezer, hours=8)
    assert value(hass, GATEWAY) == STATE_ON


async def test_cost_alert_without_an_answer_changes_nothing(
    hass: HomeAssistant, provider: FakeProvider, freezer: FrozenDateTimeFactory
) -> None:
    pushed = await cost_alert(hass, provider)
    hass.states.async_set(COST, "0.55")
    await turns()
    await later(hass, freezer, hours=8, seconds=1)
    hass.bus.async_fire("mobile_app_notification_action", {"action": buttons(pushed[0])[1]})
    await turns()
    assert (value(hass, GATEWAY), value(hass, STRATEGY)) == (STATE_ON, "priority")


# Waking a provider


async def wake_provider(hass: HomeAssistant, provider: FakeProvider, **inputs: Any) -> MockConfigEntry:
    """A provider that is offline by now."""
    entry = await set_up(hass, make_entry(provider))
    await automate(
        hass,
        "wake_provider",
        status=STATUS,
        wake=[{"action": "test.wake"}],
        failed=[{"action": "test.failed"}],
        patience=20,
        offline_for={"seconds": 10},
        **inputs,
    )
    await provider.stop()
    for _ in range(3):
        await entry.runtime_data.coordinator.check_now()
    await until(lambda: value(hass, STATUS) == "offline")
    return entry


async def test_wake_provider_checks_until_it_answers(
    hass: HomeAssistant, provider: FakeProvider, freezer: FrozenDateTimeFactory
) -> None:
    woken, failed = async_mock_service(hass, "test", "wake"), async_mock_service(hass, "test", "failed")
    await wake_provider(hass, provider)
    await later(hass, freezer, seconds=5)
    assert woken == []
    await later(hass, freezer, seconds=6)
    assert len(woken) == 1
    await later(hass, freezer, seconds=5)
    assert value(hass, STATUS) == "offline"
    await provider.start()
    await later(hass, freezer, seconds=5)
    await until(lambda: value(hass, STATUS) == "healthy")
    for _ in range(4):
        await later(hass, freezer, seconds=5)
    assert (len(woken), failed) == (1, [])


async def test_wake_provider_staying_offline_runs_the_actions(
    hass: HomeAssistant, provider: FakeProvider, freezer: FrozenDateTimeFactory
) -> None:
    woken, failed = async_mock_service(hass, "test", "wake"), async_mock_service(hass, "test", "failed")
    await wake_provider(hass, provider)
    for _ in range(5):
        await later(hass, freezer, seconds=5)
    assert (len(woken), len(failed)) == (1, 0)
    for _ in range(3):
        await later(hass, freezer, seconds=5)
    assert (len(woken), len(failed)) == (1, 1)


async def test_wake_provider_with_unmet_conditions_does_nothing(
    hass: HomeAssistant, provider: FakeProvider, freezer: FrozenDateTimeFactory
) -> None:
    woken = async_mock_service(hass, "test", "wake")
    hass.states.async_set("person.ada", "not_home")
    await wake_provider(hass, provider, wanted=[{"condition": "state", "entity_id": "person.ada", "state": "home"}])
    await later(hass, freezer, seconds=11)
    assert woken == []


# Sparing a budget


async def save_budget(hass: HomeAssistant, provider: FakeProvider, **inputs: Any) -> list[ServiceCall]:
    """What else is done. Half of the budget is left, unless it is known already."""
    await set_up(hass, gateway_with(box(provider)))
    told = async_mock_service(hass, "test", "tell")
    if value(hass, LEFT) is None:
        hass.states.async_set(LEFT, "50", {"unit_of_measurement": "%"})
    tell = [{"action": "test.tell", "data": {"sparing": "{{ sparing }}"}}]
    await automate(hass, "save_budget", left=LEFT, strategy=STRATEGY, tell=tell, **inputs)
    return told


async def left(hass: HomeAssistant, percent: str) -> str | None:
    """The strategy, when so much is left."""
    hass.states.async_set(LEFT, percent, {"unit_of_measurement": "%"})
    await hass.async_block_till_done()
    return value(hass, STRATEGY)


async def test_save_budget_prefers_local_providers_until_the_budget_renews(hass: HomeAssistant, provider: FakeProvider) -> None:
    told = await save_budget(hass, provider)
    seen = [await left(hass, percent) for percent in ("25", "19", "5", "0", "unavailable", "0", "100", "90")]
    assert seen == ["priority", *["local_first"] * 5, "priority", "priority"]
    assert [call.data["sparing"] for call in told] == [True, False]


async def test_save_budget_keeps_a_strategy_that_was_changed(hass: HomeAssistant, provider: FakeProvider) -> None:
    told = await save_budget(hass, provider, sparing="cost")
    assert await left(hass, "10") == "cost"
    await hass.services.async_call("select", "select_option", {"entity_id": STRATEGY, "option": "latency"}, blocking=True)
    assert await left(hass, "100") == "latency"
    assert await left(hass, "10") == "latency"
    assert len(told) == 1


async def test_save_budget_at_the_start_catches_up(hass: HomeAssistant, provider: FakeProvider) -> None:
    hass.set_state(CoreState.not_running)
    hass.states.async_set(LEFT, "5", {"unit_of_measurement": "%"})
    await save_budget(hass, provider)
    assert value(hass, STRATEGY) == "priority"
    await hass.async_start()
    await until(lambda: value(hass, STRATEGY) == "local_first")


# Weekly report


async def test_weekly_report_is_written_by_the_task_and_sent(
    recorder_mock: Any, hass: HomeAssistant, provider: FakeProvider, freezer: FrozenDateTimeFactory
) -> None:
    await set_up(hass, make_entry(provider))
    sent = async_mock_service(hass, "test", "send")
    hass.states.async_set(COST, "0.55", {"friendly_name": "Cost today", "unit_of_measurement": "USD"})
    provider.answers = [text(json.dumps({"headline": "A quiet week", "report": "It cost 55 cents."}))]
    send = [{"action": "test.send", "data": {"title": "{{ headline }}", "message": "{{ report }}"}}]
    await automate(hass, "weekly_report", figures=[COST], task=TASK, time="18:00:00", wishes="In one sentence.", send=send)
    await async_wait_recording_done(hass)
    await later(hass, freezer, hours=1)
    assert provider.requests == []
    await later(hass, freezer, hours=1)
    await until(lambda: bool(sent))
    assert [(call.data["title"], call.data["message"]) for call in sent] == [("A quiet week", "It cost 55 cents.")]
    asked = json.dumps(provider.requests[0]["messages"])
    assert "Cost today: 0.55 USD" in asked
    assert "In one sentence." in asked
    schema = provider.requests[0]["response_format"]["json_schema"]["schema"]
    assert schema["required"] == ["headline", "report"]
    await later(hass, freezer, days=1)
    assert len(provider.requests) == 1, "once a week"
    await later(hass, freezer, days=6)
    await until(lambda: len(sent) == 2)


# Warm up


async def test_warm_up_loads_the_model_at_its_time(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    loads = async_mock_service(hass, "zeroconf_ai", "load_model")
    common = {"provider": "entry", "model": "qwen3:8b", "at": "16:05:00", "days": ["sun"]}
    await automate(hass, "warm_up", **common)
    await later(hass, freezer, minutes=4)
    assert loads == []
    await later(hass, freezer, minutes=1)
    assert [call.data for call in loads] == [{"config_entry_id": "entry", "model": "qwen3:8b", "keep_alive": "2h"}]
    await later(hass, freezer, days=1)
    assert len(loads) == 1  # on Sundays only
