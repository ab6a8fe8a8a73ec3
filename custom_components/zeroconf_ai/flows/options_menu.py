"""The menu of the gateway's options, to which each form returns."""

from collections.abc import Mapping
from typing import Any

from homeassistant.config_entries import ConfigFlowResult, OptionsFlow

from ..markdown import MarkdownFlow


class OptionsMenuFlow(MarkdownFlow[ConfigFlowResult], OptionsFlow):
    """The menu. The options are saved with each form, so the flow has no end of its own: the user closes it."""

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Show the menu."""
        return self.async_show_menu(
            step_id="init",
            menu_options=[
                "settings",
                "models",
                "keys",
                "own_keys",
                "household",
                "budgets",
                "exchange_rates",
                "alerts",
                "database",
                "import",
            ],
            description_placeholders={"name": self.config_entry.title},
        )

    async def _to_menu(self, options: Mapping[str, Any] | None = None) -> ConfigFlowResult:
        """Save the changed options, which apply immediately, and show the menu again."""
        if options is not None:
            self.hass.config_entries.async_update_entry(self.config_entry, options=options)
        return await self.async_step_init()
