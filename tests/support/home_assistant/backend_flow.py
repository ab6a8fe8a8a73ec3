"""Helpers that fill in the flow of the gateway's backends."""

from collections.abc import Mapping
from typing import Any

from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.zeroconf_ai.const import SUBENTRY_BACKEND
from custom_components.zeroconf_ai.flows.backend import TYPES
from homeassistant.config_entries import SOURCE_USER, ConfigSubentry, SubentryFlowContext
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType


async def add(hass: HomeAssistant, entry: MockConfigEntry, subentry_type: str) -> Mapping[str, Any]:
    """Open the flow for a new subentry."""
    handler = (entry.entry_id, subentry_type)
    return await hass.config_entries.subentries.async_init(handler, context=SubentryFlowContext(source=SOURCE_USER))


async def change(hass: HomeAssistant, entry: MockConfigEntry, subentry: ConfigSubentry) -> Mapping[str, Any]:
    """Open the flow that changes a subentry."""
    return await entry.start_subentry_reconfigure_flow(hass, subentry.subentry_id)


async def begin(hass: HomeAssistant, entry: MockConfigEntry, kind: str) -> Mapping[str, Any]:
    """Open the flow for a new backend of a type."""
    result = await add(hass, entry, SUBENTRY_BACKEND)
    assert (result["type"], result["menu_options"]) == (FlowResultType.MENU, list(TYPES))
    return await submit(hass, result, {"next_step_id": kind})


async def submit(hass: HomeAssistant, result: Mapping[str, Any], fields: dict[str, Any]) -> Mapping[str, Any]:
    """Submit the form that is shown."""
    return await hass.config_entries.subentries.async_configure(result["flow_id"], fields)


def at(url: str, key: str | None = None, *, verify: bool = True, **fields: Any) -> dict[str, Any]:
    """The filled-in first form."""
    keyed = {} if key is None else {"api_key": key}
    return {"base_url": url, **keyed, **fields, "advanced": {"verify_ssl": verify}}


_SECTIONS = {
    "routing": ("priority", "weight", "aliases"),
    "limits": ("max_concurrent", "queue_length", "first_token_timeout", "answer_timeout"),
    "energy": ("power_sensor", "idle_power", "electricity_price", "electricity_price_sensor"),
}


def details(name: str = "Attic", models: list[str] | None = None, **fields: Any) -> dict[str, Any]:
    """The filled-in second form, with each field in its section: by default that of the prices."""
    usual = {"priority": 50, "weight": 1, "queue_length": 32, "first_token_timeout": 30, "answer_timeout": 300}
    section_of = {key: section for section, keys in _SECTIONS.items() for key in keys}
    form: dict[str, Any] = {"name": name, "models": models or [], "routing": {}, "limits": {}, "costs": {}}
    form |= {key: fields.pop(key) for key in ("num_ctx", "keep_alive", "hosted_tool_prices") if key in fields}
    for key, value in (usual | fields).items():
        form.setdefault(section_of.get(key, "costs"), {})[key] = value
    return form


def offered(result: Mapping[str, Any], field: str) -> list[str]:
    """The options of a select field."""
    options: list[str] = result["data_schema"].schema[field].config["options"]
    return options


def backends(entry: MockConfigEntry) -> list[ConfigSubentry]:
    """The entry's backends."""
    return entry.get_subentries_of_type(SUBENTRY_BACKEND)
