"""Steps through the options of the gateway."""

from collections.abc import Mapping
from typing import Any

from pytest_homeassistant_custom_component.common import MockConfigEntry

from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType


async def begin(hass: HomeAssistant, entry: MockConfigEntry, step: str) -> Mapping[str, Any]:
    """Open the options at one of the menu's items."""
    result = await hass.config_entries.options.async_init(entry.entry_id)
    assert (result["type"], result["step_id"]) == (FlowResultType.MENU, "init")
    access = ["keys", "own_keys", "household"]
    entries = ["settings", "models", *access, "budgets", "exchange_rates", "alerts", "database", "import"]
    assert result["menu_options"] == entries
    return await submit(hass, result, {"next_step_id": step})


async def submit(hass: HomeAssistant, result: Mapping[str, Any], fields: dict[str, Any]) -> Mapping[str, Any]:
    """Submit the form that is shown."""
    return await hass.config_entries.options.async_configure(result["flow_id"], fields)


def suggested(result: Mapping[str, Any]) -> dict[str, Any]:
    """What the fields are filled in with."""
    fields = result["data_schema"].schema
    return {str(field): field.description["suggested_value"] for field in fields if field.description}


async def with_key(hass: HomeAssistant, entry: MockConfigEntry, key_id: str, step: str) -> Mapping[str, Any]:
    """Open one of the steps for a key."""
    result = await submit(hass, await begin(hass, entry, "keys"), {"id": key_id})
    assert (result["type"], result["menu_options"]) == (FlowResultType.MENU, ["key_edit", "key_rotate", "key_revoke"])
    return await submit(hass, result, {"next_step_id": step})
