"""The recorder takes the sensors of the accounts for long-term statistics."""

from pathlib import Path

import pytest
from pytest_homeassistant_custom_component.components.recorder.common import async_wait_recording_done

from homeassistant.components.recorder.statistics import list_statistic_ids, validate_statistics
from homeassistant.core import HomeAssistant
from homeassistant.helpers.recorder import get_instance
from homeassistant.setup import async_setup_component

from ..support.fakes.provider import FakeProvider
from ..support.home_assistant.entries import set_up, settle
from ..support.home_assistant.gateway import box, gateway_with
from ..support.home_assistant.usage import only_key, spend


@pytest.fixture(autouse=True)
def custom_integrations(recorder_db_url: str, hass: HomeAssistant, enable_custom_integrations: None, tmp_path: Path) -> None:
    """The recorder must be set up before Home Assistant."""
    hass.config.config_dir = str(tmp_path)


@pytest.mark.usefixtures("all_entities_enabled")
async def test_every_figure_is_taken(
    recorder_mock: object, hass: HomeAssistant, ready_to_serve: None, provider: FakeProvider
) -> None:
    assert await async_setup_component(hass, "sensor", {})
    entry = await set_up(hass, gateway_with(box(provider)))
    backend_id = next(iter(entry.subentries))
    await spend(hass, entry, 0.25, key_id=only_key(entry).id, backend_id=backend_id)
    await settle(hass)
    await spend(hass, entry, 0.5, key_id=only_key(entry).id, backend_id=backend_id)
    await settle(hass)
    await async_wait_recording_done(hass)
    assert await get_instance(hass).async_add_executor_job(validate_statistics, hass) == {}
    listed = await get_instance(hass).async_add_executor_job(list_statistic_ids, hass)
    units = {found["statistic_id"]: found["statistics_unit_of_measurement"] for found in listed}
    devices, parts = ("test_gateway", "box", "first_key"), ("today", "this_month", "total")
    costs = [f"sensor.{device}_cost_{part}" for device in devices for part in parts]
    assert {units[cost] for cost in costs} == {"USD"}
    counted = ("requests", "tokens_in", "tokens_out", "cached_tokens", "tokens_per_second", "time_to_first_token", "error_rate")
    assert {f"sensor.first_key_{name}" for name in counted} <= units.keys()
