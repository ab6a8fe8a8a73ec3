"""The gateway's options for API keys that users create for themselves."""

from collections.abc import Iterable, Mapping
from typing import Any

import voluptuous as vol

from homeassistant.config_entries import ConfigFlowResult
from homeassistant.helpers.selector import (
    BooleanSelector,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
)

from ..const import CONF_HOME_ONLY, LARGEST_BUDGET
from ..core.accounting.keys.client_key import LARGEST_RATE
from ..core.admin.own_keys import MOST_OWN_KEYS
from ..core.server.endpoints import ROUTES
from ..gateway.own_keys import CONF_BLOCKED, CONF_OWN_KEYS
from ..gateway.policy import virtual_models_of
from .gateway_schemas import (
    CONF_BACKGROUND,
    CONF_ENDPOINTS,
    CONF_MONTHLY_BUDGET,
    CONF_PARALLEL,
    CONF_REQUESTS_PER_MINUTE,
    CONF_TOKENS_PER_MINUTE,
)
from .model_aliases import known_models
from .options_menu import OptionsMenuFlow
from .provider_schemas import whole

CONF_LIMIT = "limit"
CONF_MODELS = "models"
CONF_VALID_DAYS = "valid_days"
_LONGEST_DAYS = 3650


class OwnKeysFlow(OptionsMenuFlow):
    """The step of users' own API keys."""

    async def async_step_own_keys(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Set how many API keys users may create, with which limits, and which users are blocked."""
        options = self.config_entry.options
        if user_input is not None:
            return await self._to_menu({**options, CONF_OWN_KEYS: user_input})
        models = dict.fromkeys([*virtual_models_of(options), *known_models(self.hass)])
        schema = _schema(await self._blockable(), models, sorted({route.scope for route in ROUTES if route.scope}))
        return self.async_show_form(
            step_id="own_keys",
            data_schema=self.add_suggested_values_to_schema(schema, options.get(CONF_OWN_KEYS, {})),
        )

    async def _blockable(self) -> dict[str, str]:
        """The users who are no administrators: id → name."""
        users = await self.hass.auth.async_get_users()
        return {
            user.id: user.name or user.id for user in users if user.is_active and not user.system_generated and not user.is_admin
        }


def _schema(users: Mapping[str, str], models: Iterable[str], scopes: Iterable[str]) -> vol.Schema:
    """The form; `users` maps ids to names."""
    patterns = SelectSelectorConfig(options=list(models), multiple=True, custom_value=True, mode=SelectSelectorMode.DROPDOWN)
    endpoints = SelectSelectorConfig(options=list(scopes), multiple=True, mode=SelectSelectorMode.DROPDOWN)
    people = [SelectOptionDict(value=key, label=name) for key, name in users.items()]
    blocked = SelectSelectorConfig(options=people, multiple=True, mode=SelectSelectorMode.DROPDOWN)
    return vol.Schema(
        {
            vol.Required(CONF_LIMIT, default=0): whole(0, MOST_OWN_KEYS),
            vol.Optional(CONF_MODELS): SelectSelector(patterns),
            vol.Optional(CONF_ENDPOINTS): SelectSelector(endpoints),
            vol.Required(CONF_BACKGROUND, default=False): BooleanSelector(),
            vol.Required(CONF_HOME_ONLY, default=False): BooleanSelector(),
            vol.Optional(CONF_VALID_DAYS): whole(1, _LONGEST_DAYS),
            vol.Optional(CONF_REQUESTS_PER_MINUTE): whole(1, LARGEST_RATE),
            vol.Optional(CONF_TOKENS_PER_MINUTE): whole(1, LARGEST_RATE),
            vol.Optional(CONF_PARALLEL): whole(1, LARGEST_RATE),
            vol.Optional(CONF_MONTHLY_BUDGET): NumberSelector(
                NumberSelectorConfig(min=0, max=LARGEST_BUDGET, step="any", mode=NumberSelectorMode.BOX)
            ),
            vol.Optional(CONF_BLOCKED): SelectSelector(blocked),
        }
    )
