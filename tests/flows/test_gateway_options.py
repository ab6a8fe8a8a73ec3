"""The options of the gateway: settings, names for models, keys, and backends from a file."""

from pathlib import Path

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.zeroconf_ai.const import (
    CONF_ADMIN_CONTACT,
    CONF_ADVERTISE,
    CONF_CLOUD_FALLBACK,
    CONF_CONCURRENCY,
    CONF_CORS_ORIGINS,
    CONF_HOME_LABELS,
    CONF_NEGOTIATE_PRIORITY,
    CONF_PRIORITY,
    CONF_PROVIDER_IN_CHUNKS,
    CONF_QUEUE_LENGTH,
    CONF_RETRY_METERED_TIMEOUTS,
    CONF_STRATEGY,
    CONF_VIRTUAL_MODELS,
)
from custom_components.zeroconf_ai.core.accounting.keys.key_store import KeyStore
from custom_components.zeroconf_ai.core.routing.policy import DEFAULT_VIRTUAL_MODELS
from custom_components.zeroconf_ai.data import DATA
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType

from ..support.clouds.ollama import FakeOllama
from ..support.home_assistant.entries import set_up
from ..support.home_assistant.gateway_entry import backend_data, make_gateway
from .options import begin, submit, suggested

pytestmark = pytest.mark.usefixtures("checked_texts", "ready")
SETTINGS = {
    CONF_ADVERTISE: False,
    CONF_PRIORITY: 40,
    CONF_NEGOTIATE_PRIORITY: True,
    CONF_STRATEGY: "local_first",
    CONF_CONCURRENCY: 3,
    CONF_QUEUE_LENGTH: 7,
    CONF_CLOUD_FALLBACK: False,
    CONF_RETRY_METERED_TIMEOUTS: True,
    CONF_PROVIDER_IN_CHUNKS: False,
}


async def test_settings_form_applies_and_keeps_other_options(hass: HomeAssistant, gateway: MockConfigEntry) -> None:
    before = dict(gateway.options)
    result = await begin(hass, gateway, "settings")
    result = await submit(hass, result, SETTINGS | {CONF_CORS_ORIGINS: [" https://chat.example.net ", ""]})
    assert (result["type"], result["step_id"]) == (FlowResultType.MENU, "init")
    await hass.async_block_till_done()
    assert gateway.options == before | SETTINGS | {CONF_CORS_ORIGINS: ["https://chat.example.net"]}
    policy = hass.data[DATA].engine.policy
    assert (policy.strategy, policy.cloud_fallback, policy.retry_metered_timeouts) == ("local_first", False, True)
    result = await begin(hass, gateway, "settings")
    assert suggested(result)[CONF_STRATEGY] == "local_first"


async def test_settings_form_contact_and_provider_in_chunks_are_used_and_can_be_removed(
    hass: HomeAssistant, gateway: MockConfigEntry
) -> None:
    said = SETTINGS | {CONF_PROVIDER_IN_CHUNKS: True, CONF_ADMIN_CONTACT: " admin@example.net ", CONF_HOME_LABELS: ["private"]}
    form = await submit(hass, await begin(hass, gateway, "settings"), said | {CONF_ADMIN_CONTACT: "x" * 121})
    assert form["errors"] == {CONF_ADMIN_CONTACT: "contact_invalid"}
    await submit(hass, form, said)
    await hass.async_block_till_done()
    assert gateway.options[CONF_ADMIN_CONTACT] == "admin@example.net"
    assert gateway.options[CONF_HOME_LABELS] == ["private"]
    assert gateway.runtime_data.server.provider_in_chunks
    await submit(hass, await begin(hass, gateway, "settings"), SETTINGS)
    await hass.async_block_till_done()
    assert not {CONF_ADMIN_CONTACT, CONF_HOME_LABELS} & gateway.options.keys()
    assert not gateway.runtime_data.server.provider_in_chunks


async def test_forms_return_to_the_menu_and_keep_what_others_saved(hass: HomeAssistant, gateway: MockConfigEntry) -> None:
    before = dict(gateway.options)
    menu = await submit(hass, await begin(hass, gateway, "settings"), SETTINGS)
    form = await submit(hass, menu, {"next_step_id": "alerts"})
    menu = await submit(hass, form, {"alert_kinds": ["provider_down"], "alert_from": 90, "key_factor": 8})
    form = await submit(hass, menu, {"next_step_id": "settings"})
    assert suggested(form)[CONF_STRATEGY] == "local_first"
    menu = await submit(hass, form, SETTINGS | {CONF_STRATEGY: "cost"})
    form = await submit(hass, await submit(hass, menu, {"next_step_id": "models"}), {"id": "fast"})
    menu = await submit(hass, form, {"targets": ["auto"], "remove": False})
    assert (menu["type"], menu["step_id"]) == (FlowResultType.MENU, "init")
    saved = {
        **before,
        **SETTINGS,
        CONF_STRATEGY: "cost",
        "alerts": {"alert_kinds": ["provider_down"], "alert_from": 90, "key_factor": 8},
    }
    assert {name: value for name, value in gateway.options.items() if name != CONF_VIRTUAL_MODELS} == saved | {
        CONF_CORS_ORIGINS: []
    }
    assert gateway.options[CONF_VIRTUAL_MODELS]["fast"]["targets"] == ["auto"]


@pytest.mark.parametrize("origin", ["chat.example.net", "https://chat.example.net/", "ftp://chat.example.net", "https://", "["])
async def test_settings_form_invalid_origin_is_refused(hass: HomeAssistant, gateway: MockConfigEntry, origin: str) -> None:
    result = await submit(hass, await begin(hass, gateway, "settings"), SETTINGS | {CONF_CORS_ORIGINS: [origin]})
    assert (result["errors"], result["description_placeholders"]) == ({"base": "origin_invalid"}, {"reason": origin})
    result = await submit(hass, result, SETTINGS | {CONF_CORS_ORIGINS: ["*", "http://192.0.2.1:3000"]})
    assert (result["type"], result["step_id"]) == (FlowResultType.MENU, "init")


async def test_settings_form_advertising_without_a_key_is_refused(
    hass: HomeAssistant, gateway: MockConfigEntry, keys: KeyStore
) -> None:
    result = await submit(hass, await begin(hass, gateway, "settings"), SETTINGS | {CONF_ADVERTISE: True})
    assert result["errors"] == {CONF_ADVERTISE: "advertise_without_key"}
    result = await submit(hass, result, SETTINGS)
    assert (result["type"], result["step_id"]) == (FlowResultType.MENU, "init")
    assert gateway.options[CONF_ADVERTISE] is False


async def test_model_aliases_are_added_changed_and_removed(hass: HomeAssistant, tmp_path: Path) -> None:
    async with FakeOllama() as ollama:
        entry = await set_up(hass, make_gateway(tmp_path, backend_data("ollama", ollama.root)))
        result = await begin(hass, entry, "models")
        listed = [option["value"] for option in result["data_schema"].schema["id"].config["options"]]
        assert listed == [*DEFAULT_VIRTUAL_MODELS, "new"]

        result = await submit(hass, result, {"id": "new"})
        assert "qwen3:8b" in result["data_schema"].schema["targets"].config["options"]
        result = await submit(hass, result, {"name": "fast", "targets": ["auto"]})
        assert result["errors"] == {"name": "name_taken"}
        result = await submit(hass, result, {"name": " \u202e", "targets": ["auto"]})
        assert result["errors"] == {"name": "name_needed"}
        result = await submit(hass, result, {"name": "x" * 257, "targets": ["auto"]})
        assert result["errors"] == {"name": "too_long"}
        result = await submit(hass, result, {"name": "gpt-4o", "targets": ["gpt-4o"]})
        assert result["errors"] == {"targets": "own_target"}
        result = await submit(hass, result, {"name": "gpt-4o", "targets": ["qwen3:8b", "cloud/o4-mini"], "strategy": "cost"})
        assert (result["type"], result["step_id"]) == (FlowResultType.MENU, "init")
        await hass.async_block_till_done()
        assert entry.options[CONF_VIRTUAL_MODELS]["gpt-4o"] == {"targets": ["qwen3:8b", "cloud/o4-mini"], "strategy": "cost"}
        assert set(entry.options[CONF_VIRTUAL_MODELS]) == {*DEFAULT_VIRTUAL_MODELS, "gpt-4o"}
        assert hass.data[DATA].engine.policy.virtual_models["gpt-4o"].targets == ("qwen3:8b", "cloud/o4-mini")

        result = await submit(hass, await begin(hass, entry, "models"), {"id": "gpt-4o"})
        assert suggested(result) == {"targets": ["qwen3:8b", "cloud/o4-mini"], "strategy": "cost"}
        await submit(hass, result, {"targets": ["phi4:latest"], "remove": False})
        assert entry.options[CONF_VIRTUAL_MODELS]["gpt-4o"] == {"targets": ["phi4:latest"], "strategy": None}

        result = await submit(hass, await begin(hass, entry, "models"), {"id": "cheap"})
        await submit(hass, result, {"targets": ["auto"], "remove": True})
        assert "cheap" not in entry.options[CONF_VIRTUAL_MODELS]
        result = await submit(hass, await begin(hass, entry, "models"), {"id": "auto"})
        assert "remove" not in result["data_schema"].schema  # `auto` is always needed
        await submit(hass, result, {"targets": ["qwen3:8b", "auto"]})
        await hass.async_block_till_done()
        assert entry.options[CONF_VIRTUAL_MODELS]["auto"]["targets"] == ["qwen3:8b", "auto"]
