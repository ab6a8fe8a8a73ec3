"""Checks that flows have the texts that they show.

Each step, field, error and abort reason has a text, and each placeholder of a text has a value.
"""

from collections.abc import Iterator, Mapping
import json
from pathlib import Path
import re
from typing import Any

from probatio import to_field_list
import voluptuous as vol

from custom_components.zeroconf_ai.const import DOMAIN
from homeassistant.components.repairs import RepairsFlowManager
from homeassistant.config_entries import ConfigSubentryFlowManager, OptionsFlowManager
from homeassistant.data_entry_flow import FlowHandler, FlowManager, FlowResultType, section
from homeassistant.helpers import config_validation as cv, issue_registry as ir

TEXTS: dict[str, Any] = json.loads(
    (Path(__file__).parents[3] / "custom_components" / DOMAIN / "translations" / "en.json").read_text(encoding="utf-8")
)

_MENU_TITLES_WITHOUT_VALUES = ("config", "options")
"""Home Assistant's frontend passes no placeholders to the menu titles of these flows and would show a formatjs error."""


def check_result(manager: FlowManager[Any, Any, Any], flow: FlowHandler[Any, Any, Any], result: Mapping[str, Any]) -> None:
    """Raise AssertionError for a text that is missing."""
    if result["type"] not in (FlowResultType.ABORT, FlowResultType.FORM, FlowResultType.MENU):
        return
    path = _path(manager, flow)
    values = result.get("description_placeholders") or {}
    if result["type"] is FlowResultType.ABORT:
        if result.get("translation_domain") is None:
            _check(f"{path}.abort.{result['reason']}", values)
    elif result["type"] is FlowResultType.MENU:
        step = f"{path}.step.{result['step_id']}"
        _check(f"{step}.title", {} if path in _MENU_TITLES_WITHOUT_VALUES else values)
        for name in ("description", *(f"menu_options.{option}" for option in result["menu_options"])):
            _check(f"{step}.{name}", values)
    else:
        schema = result["data_schema"] or vol.Schema({})
        to_field_list(schema, custom_serializer=cv.custom_serializer)
        step = f"{path}.step.{result['step_id']}"
        _check(f"{step}.title", values)
        _check(f"{step}.description", values)
        _check_fields(step, schema, values)
        for error in (result["errors"] or {}).values():
            _check(f"{path}.error.{error}", values)


def _check_fields(path: str, schema: vol.Schema, values: Mapping[str, str]) -> None:
    for field, kind in schema.schema.items():
        if isinstance(kind, section):
            _check(f"{path}.sections.{field}.name", values)
            _check_fields(f"{path}.sections.{field}", kind.schema, values)
        else:
            _check(f"{path}.data.{field}", values)
            _check(f"{path}.data_description.{field}", values)


def _path(manager: FlowManager[Any, Any, Any], flow: FlowHandler[Any, Any, Any]) -> str:
    if isinstance(manager, OptionsFlowManager):
        return "options"
    if isinstance(manager, ConfigSubentryFlowManager):
        return f"config_subentries.{flow.handler[1]}"
    if isinstance(manager, RepairsFlowManager):
        issue = ir.async_get(flow.hass).async_get_issue(DOMAIN, flow.context["issue_id"])
        assert issue is not None
        return f"issues.{issue.translation_key}.fix_flow"
    return "config"


def _check(path: str, values: Mapping[str, str]) -> None:
    text: Any = TEXTS
    for name in path.split("."):
        text = text.get(name) if isinstance(text, dict) else None
    assert isinstance(text, str), f"en.json has no text {path}"
    missing = set(re.findall(r"{(\w+)}", text)) - values.keys()
    assert not missing, f"{path} has no value for {missing}"


def texts_in(texts: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """(path, text) of every text."""
    for name, value in texts.items():
        if isinstance(value, str):
            yield f"{path}.{name}", value
        else:
            yield from texts_in(value, f"{path}.{name}")
