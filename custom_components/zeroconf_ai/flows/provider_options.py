"""The options of a provider: health checks, time limits and wake-up."""

from typing import Any

import voluptuous as vol

from homeassistant.config_entries import ConfigFlowResult, OptionsFlow
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.script import async_validate_actions_config

from ..const import CONF_CONNECTOR_ID, CONF_KEEP_ALIVE, CONF_PRIORITY, CONF_ROUTING, CONF_SERVER_KIND, CONF_WAKE_ACTION
from ..core.backends.base import Timeouts
from ..core.config.backend_types import BACKEND_TYPES
from ..core.presence.server_kinds import kind_of
from ..data import chosen_type
from ..markdown import MarkdownFlow
from .model_options import KEEP_ALIVE_INVALID, model_option_fields, read_model_options, shown_model_options, without_model_options
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
                user_input = {**without_model_options(user_input), **read_model_options(user_input)}
                await _check_actions(self.hass, user_input.get(CONF_WAKE_ACTION, []))
            except (vol.Invalid, HomeAssistantError) as err:
                errors, reason = {CONF_WAKE_ACTION: "invalid_action"}, str(err)
            except ValueError:
                errors = {CONF_KEEP_ALIVE: KEEP_ALIVE_INVALID}
            else:
                kept = {key: value for key, value in self.config_entry.options.items() if key in _SET_BY_ENTITIES}
                return self.async_create_entry(data=kept | user_input)
        return self.async_show_form(
            step_id="init",
            data_schema=self.add_suggested_values_to_schema(
                self._schema(), user_input or shown_model_options(self.config_entry.options)
            ),
            errors=errors,
            description_placeholders={
                "name": self.config_entry.title,
                "reason": reason,
                "home_currency": self.hass.config.currency,
            },
        )

    def _schema(self) -> vol.Schema:
        """The fields for this provider's kind of server, which is stored with the entry."""
        data = self.config_entry.data
        kind = kind_of(data.get(CONF_SERVER_KIND))
        used = chosen_type(data) or (None if kind is None else BACKEND_TYPES[kind.type])
        first_token = (Timeouts() if used is None else used.timeouts).first_token
        more = model_option_fields() if used is not None and used.has_options else {}
        return options_schema(first_token, more, wake=CONF_CONNECTOR_ID not in data)


async def _check_actions(hass: HomeAssistant, actions: list[Any]) -> None:
    """Raise vol.Invalid or HomeAssistantError for invalid actions; valid ones are stored as entered."""
    await async_validate_actions_config(hass, cv.SCRIPT_SCHEMA(actions))
