"""The gateway's options for the household code."""

from typing import Any

import voluptuous as vol

from homeassistant.config_entries import ConfigFlowResult
from homeassistant.helpers.selector import NumberSelector, NumberSelectorConfig, NumberSelectorMode, TextSelector

from ..const import CONF_HOUSEHOLD, CONF_HOUSEHOLD_COST_PER_HOUR, CONF_HOUSEHOLD_TOKENS_PER_HOUR, LARGEST_BUDGET
from ..core.accounting.household_cap import DEFAULT_COST, DEFAULT_TOKENS
from ..core.config.server_fields import MOST_HOUSEHOLD_TOKENS
from ..core.protocol.household import HouseholdCode, HouseholdError
from .household_probe import HOUSEHOLD_INVALID
from .options_menu import OptionsMenuFlow
from .provider_schemas import whole

_COST = NumberSelector(NumberSelectorConfig(min=0, max=LARGEST_BUDGET, step="any", mode=NumberSelectorMode.BOX))
_SCHEMA = vol.Schema(
    {
        vol.Optional(CONF_HOUSEHOLD): TextSelector(),
        vol.Required(CONF_HOUSEHOLD_TOKENS_PER_HOUR, default=DEFAULT_TOKENS): whole(1, MOST_HOUSEHOLD_TOKENS),
        vol.Required(CONF_HOUSEHOLD_COST_PER_HOUR, default=DEFAULT_COST): _COST,
    }
)


class HouseholdFlow(OptionsMenuFlow):
    """The step of the household code."""

    async def async_step_household(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Set, replace or remove the code. Without one, the form proposes a new one."""
        errors: dict[str, str] = {}
        options = self.config_entry.options
        if user_input is not None:
            text = user_input.get(CONF_HOUSEHOLD, "").strip()
            try:
                code = HouseholdCode.parse(text).text if text else None
            except HouseholdError:
                errors = {CONF_HOUSEHOLD: HOUSEHOLD_INVALID}
            else:
                kept = {name: value for name, value in {**options, **user_input}.items() if name != CONF_HOUSEHOLD}
                return await self._to_menu(kept | ({} if code is None else {CONF_HOUSEHOLD: code}))
        proposed = {CONF_HOUSEHOLD: HouseholdCode.generate().text, **options}
        return self.async_show_form(
            step_id="household",
            data_schema=self.add_suggested_values_to_schema(_SCHEMA, user_input or proposed),
            errors=errors,
        )
