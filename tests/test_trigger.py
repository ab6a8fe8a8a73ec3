"""Triggers and conditions, as an automation uses them."""

from pathlib import Path
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
import voluptuous as vol
import yaml

from custom_components.zeroconf_ai.condition import CONDITIONS
from custom_components.zeroconf_ai.const import DOMAIN
from custom_components.zeroconf_ai.trigger import TRIGGERS
from homeassistant.const import ATTR_ENTITY_ID, STATE_ON
from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.helpers import condition, device_registry as dr, trigger
from homeassistant.setup import async_setup_component

from .support.fakes.provider import FakeProvider, refuse, running
from .support.home_assistant.entries import ask, make_entry, set_up, settle
from .support.home_assistant.flow_texts import TEXTS
from .support.home_assistant.states import value

STATUS = "sensor.test_provider_status"
DOCS = Path(__file__).parents[1] / "docs"


async def automate(hass: HomeAssistant, key: str, target: dict[str, Any]) -> None:
    """An automation that calls `test.automation` with what fired it."""
    config = {
        "trigger": {"trigger": f"{DOMAIN}.{key}", "target": target},
        "action": {"action": "test.automation", "data": {"entity": "{{ trigger.entity_id }}"}},
    }
    assert await async_setup_component(hass, "automation", {"automation": config})
    await hass.async_block_till_done()


async def fail(entry: MockConfigEntry, times: int = 3) -> None:
    for _ in range(times):
        await entry.runtime_data.coordinator.check_now()


def device_of(hass: HomeAssistant, entry: MockConfigEntry) -> dict[str, Any]:
    """The target of a trigger: the provider's device."""
    device = dr.async_get(hass).async_get(entry.runtime_data.device_id)
    assert device is not None
    return {"device_id": device.id}


async def test_triggers_and_conditions_are_described(hass: HomeAssistant, provider: FakeProvider) -> None:
    await set_up(hass, make_entry(provider))
    triggers = await trigger.async_get_all_descriptions(hass)
    mine = {key: value for key, value in triggers.items() if key.startswith(DOMAIN)}
    assert set(mine) == {f"{DOMAIN}.{key}" for key in ("went_offline", "recovered", "failed_over")}
    assert all(value and value["target"]["entity"] for value in mine.values())
    conditions = await condition.async_get_all_descriptions(hass)
    assert {key for key in conditions if key.startswith(DOMAIN)} == {f"{DOMAIN}.is_online", f"{DOMAIN}.is_offline"}


async def test_documented_automation_is_valid(hass: HomeAssistant, provider: FakeProvider) -> None:
    await set_up(hass, make_entry(provider))
    guide = (DOCS / "home-assistant.md").read_text("utf-8")
    example = next(block for block in guide.split("```yaml\n")[1:] if "zeroconf_ai.went_offline" in block)
    automation = yaml.safe_load(example.partition("```")[0])
    assert await async_setup_component(hass, "automation", {"automation": {**automation, "alias": "Documented"}})
    await hass.async_block_till_done()
    assert value(hass, "automation.documented") == STATE_ON


PAGES = {page.stem: page for page in (DOCS / "automations").glob("*.md")}


def test_each_trigger_and_condition_has_a_page_that_the_guide_links_to() -> None:
    kinds = {"triggers": TRIGGERS.keys(), "conditions": CONDITIONS.keys()}
    assert PAGES.keys() == TRIGGERS.keys() | CONDITIONS.keys()
    guide = (DOCS / "home-assistant.md").read_text("utf-8")
    for kind, keys in kinds.items():
        for key in keys:
            page = PAGES[key].read_text("utf-8")
            assert f"[`{DOMAIN}.{key}`](automations/{key}.md)" in guide
            assert page.startswith(f"# {TEXTS[kind][key]['name']}\n")
            for part in ("In the user interface", "In YAML", "Options", "Targets", "Example"):
                assert f"\n## {part}\n" in page, (key, part)
            for name, text in TEXTS[kind][key].get("fields", {}).items():
                assert f"| {text['name']} | `{name}` |" in page


@pytest.mark.parametrize("key", sorted(PAGES))
async def test_examples_of_each_page_are_valid(hass: HomeAssistant, provider: FakeProvider, key: str) -> None:
    await set_up(hass, make_entry(provider))
    examples = [yaml.safe_load(block.partition("```")[0]) for block in PAGES[key].read_text("utf-8").split("```yaml\n")[1:]]
    assert len(examples) == 2
    actions = {"actions": [{"action": "test.automation"}], "triggers": [{"trigger": "event", "event_type": "test"}]}
    automations = [{**actions, "alias": f"Example {number}", **example} for number, example in enumerate(examples)]
    assert f"{DOMAIN}.{key}" in str(automations[0])
    assert f"{DOMAIN}.{key}" in str(automations[1])
    assert await async_setup_component(hass, "automation", {"automation": automations})
    await hass.async_block_till_done()
    assert [state.state for state in hass.states.async_all("automation")] == [STATE_ON, STATE_ON]
    await hass.services.async_call("automation", "turn_off", {ATTR_ENTITY_ID: "all"}, blocking=True)  # ends their timers


@pytest.mark.parametrize("by_device", [True, False])
async def test_trigger_went_offline_fires_once_after_three_failed_checks(
    hass: HomeAssistant, provider: FakeProvider, service_calls: list[ServiceCall], by_device: bool
) -> None:
    entry = await set_up(hass, make_entry(provider))
    await automate(hass, "went_offline", device_of(hass, entry) if by_device else {ATTR_ENTITY_ID: STATUS})
    await provider.stop()
    await fail(entry, 2)
    await hass.async_block_till_done()
    assert service_calls == []
    await fail(entry, 2)
    await hass.async_block_till_done()
    assert [call.data["entity"] for call in service_calls] == [STATUS]


async def test_trigger_recovered_fires_for_a_recovery_but_not_for_a_reload(
    hass: HomeAssistant, provider: FakeProvider, service_calls: list[ServiceCall]
) -> None:
    entry = await set_up(hass, make_entry(provider))
    await automate(hass, "recovered", device_of(hass, entry))
    await hass.config_entries.async_reload(entry.entry_id)  # unavailable for a moment is not "recovered"
    await provider.stop()
    await fail(entry)
    await hass.async_block_till_done()
    assert service_calls == []
    await provider.start()
    await entry.runtime_data.coordinator.check_now()
    await hass.async_block_till_done()
    assert [call.data["entity"] for call in service_calls] == [STATUS]


@pytest.mark.parametrize("with_event", [False, True])
async def test_trigger_failed_over_fires_once_and_only_for_a_failover(
    hass: HomeAssistant,
    provider: FakeProvider,
    service_calls: list[ServiceCall],
    request: pytest.FixtureRequest,
    with_event: bool,
) -> None:
    """The availability event is disabled by default; homes that enabled it have its entity in the trigger, as before."""
    if with_event:
        request.getfixturevalue("all_entities_enabled")
    entry = await set_up(hass, make_entry(provider))
    await automate(hass, "failed_over", device_of(hass, entry))
    async with running(FakeProvider(id="22222222-2222-4222-8222-222222222222")) as second:
        other = await set_up(hass, make_entry(second, title="The other one", subentries=[]))
        provider.answers = [refuse(429, "too busy")]
        await ask(hass)
        await settle(hass)
        assert await hass.config_entries.async_unload(other.entry_id)
    fired = [call.data["entity"] for call in service_calls if call.domain == "test"]
    assert fired == ["event.test_provider_availability" if with_event else STATUS]
    service_calls.clear()
    await provider.stop()  # another event of the same entity
    await fail(entry)
    await settle(hass)
    assert service_calls == []


async def test_trigger_without_a_target_is_refused(hass: HomeAssistant, provider: FakeProvider) -> None:
    await set_up(hass, make_entry(provider))
    with pytest.raises(vol.Invalid):
        await trigger.async_validate_trigger_config(hass, [{"platform": f"{DOMAIN}.went_offline"}])


async def test_conditions_follow_the_providers_state(hass: HomeAssistant, provider: FakeProvider) -> None:
    entry = await set_up(hass, make_entry(provider))

    async def holds(key: str) -> bool | None:
        config = {"condition": f"{DOMAIN}.{key}", "target": device_of(hass, entry)}
        checked = await condition.async_validate_condition_config(hass, config)
        test = await condition.async_from_config(hass, checked)
        result = test.async_check()
        test.async_unload()
        return result

    assert (await holds("is_online"), await holds("is_offline")) == (True, False)
    await provider.stop()
    await fail(entry)
    await hass.async_block_till_done()
    assert (await holds("is_online"), await holds("is_offline")) == (False, True)
