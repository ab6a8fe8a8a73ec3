"""The options of a provider: health checks, time limits and wake-up."""

from typing import Any

import voluptuous as vol

from homeassistant.config_entries import ConfigFlowResult, OptionsFlow
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.script import async_validate_actions_config

from ..const import CONF_PRIORITY, CONF_ROUTING, CONF_WAKE_ACTION
from ..markdown import MarkdownFlow
from .provider_schemas import options_schema

_SET_BY_ENTITIES = (CONF_PRIORITY, CONF_ROUTING)


class ProviderOptionsFlow(MarkdownFlow[ConfigFlowResult], OptionsFlow):
    """Changes apply immediately, without a reload of the entry."""

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Show and save the options."""
        errors: dict[str, str] = {}
        reason = ""
        if user_input is not None:
            if not user_input.get(CONF_WAKE_ACTION):
                user_input.pop(CONF_WAKE_ACTION, None)
            try:
                await _check_actions(self.hass, user_input.get(CONF_WAKE_ACTION, []))
            except (vol.Invalid, HomeAssistantError) as err:
                errors, reason = {CONF_WAKE_ACTION: "invalid_action"}, str(err)
            else:
                kept = {key: value for key, value in self.config_entry.options.items() if key in _SET_BY_ENTITIES}
                return self.async_create_entry(data=kept | user_input)
        return self.async_show_form(
            step_id="init",
            data_schema=self.add_suggested_values_to_schema(options_schema(), user_input or self.config_entry.options),
            errors=errors,
            description_placeholders={
                "name": self.config_entry.title,
                "reason": reason,
                "home_currency": self.hass.config.currency,
            },
        )


async def _check_actions(hass: HomeAssistant, actions: list[Any]) -> None:
    """Raise vol.Invalid or HomeAssistantError for invalid actions; valid ones are stored as entered."""
    await async_validate_actions_config(hass, cv.SCRIPT_SCHEMA(actions))
