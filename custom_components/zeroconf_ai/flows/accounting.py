"""The gateway's options for alerts and for the accounting database."""

from typing import Any

import voluptuous as vol

from homeassistant.components.notify.const import DOMAIN as NOTIFY_DOMAIN
from homeassistant.config_entries import ConfigFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.helpers.selector import (
    BooleanSelector,
    EntitySelector,
    EntitySelectorConfig,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)

from ..core.accounting.keys.key_watch import DEFAULT_FACTOR
from ..core.accounting.storage.database import DatabaseError
from ..core.alerts.alert import CHOICES, DEFAULT_KINDS
from ..usage.alerts import (
    CONF_ALERT_FROM,
    CONF_ALERT_KINDS,
    CONF_ALERTS,
    CONF_KEY_FACTOR,
    DEFAULT_ALERT_FROM,
    WEBHOOK_INVALID,
    alert_settings,
)
from ..usage.database import (
    CONF_DATABASE_URL,
    CONF_KEEP_BODIES,
    CONF_KEEP_CHATS_DAYS,
    CONF_KEEP_DAYS,
    DEFAULT_KEEP_CHATS_DAYS,
    DEFAULT_KEEP_DAYS,
    async_test_database,
)
from ..usage.notifiers import CONF_NOTIFY_ACTIONS, CONF_NOTIFY_ENTITIES, CONF_WEBHOOK_URL, notify_actions
from .options_menu import OptionsMenuFlow
from .provider_schemas import whole

DATABASE_INVALID = "database_invalid"

_URL = TextSelector(TextSelectorConfig(type=TextSelectorType.URL))
_SECRET = TextSelector(TextSelectorConfig(type=TextSelectorType.PASSWORD))
_NOTIFIERS = EntitySelector(EntitySelectorConfig(domain=NOTIFY_DOMAIN, multiple=True))
_KINDS = SelectSelector(
    SelectSelectorConfig(
        options=[kind.value for kind in CHOICES], multiple=True, mode=SelectSelectorMode.LIST, translation_key="alert_kind"
    )
)
_LONGEST_DAYS = 3650


class AccountingFlow(OptionsMenuFlow):
    """The steps of alerts and of the database."""

    async def async_step_alerts(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Choose where alerts go, what they are about, and when they are sent."""
        errors: dict[str, str] = {}
        options = self.config_entry.options
        if user_input is not None:
            try:
                return await self._to_menu({**options, CONF_ALERTS: alert_settings(user_input)})
            except ValueError:
                errors = {CONF_WEBHOOK_URL: WEBHOOK_INVALID}
        return self.async_show_form(
            step_id="alerts",
            data_schema=self.add_suggested_values_to_schema(_alerts(self.hass), user_input or options.get(CONF_ALERTS)),
            errors=errors,
        )

    async def async_step_database(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Choose database, retention and stored conversations. The database is tested before it is saved."""
        errors: dict[str, str] = {}
        placeholders = {"reason": ""}
        options = self.config_entry.options
        if user_input is not None:
            url = user_input.get(CONF_DATABASE_URL, "").strip()
            try:
                if url and url != options.get(CONF_DATABASE_URL):
                    await async_test_database(self.hass, url)
            except DatabaseError as err:
                errors, placeholders = {"base": DATABASE_INVALID}, {"reason": str(err)}
            else:
                stored = {name: value for name, value in options.items() if name != CONF_DATABASE_URL}
                kept = {name: user_input[name] for name in (CONF_KEEP_DAYS, CONF_KEEP_CHATS_DAYS, CONF_KEEP_BODIES)}
                return await self._to_menu({**stored, **kept, **({CONF_DATABASE_URL: url} if url else {})})
        return self.async_show_form(
            step_id="database",
            data_schema=self.add_suggested_values_to_schema(_DATABASE, user_input or options),
            errors=errors,
            description_placeholders=placeholders,
        )


def _alerts(hass: HomeAssistant) -> vol.Schema:
    names = SelectSelectorConfig(options=notify_actions(hass), multiple=True, custom_value=True, mode=SelectSelectorMode.DROPDOWN)
    return vol.Schema(
        {
            vol.Optional(CONF_NOTIFY_ENTITIES): _NOTIFIERS,
            vol.Optional(CONF_NOTIFY_ACTIONS): SelectSelector(names),
            vol.Optional(CONF_WEBHOOK_URL): _URL,
            vol.Required(CONF_ALERT_KINDS, default=[kind.value for kind in DEFAULT_KINDS]): _KINDS,
            vol.Required(CONF_ALERT_FROM, default=DEFAULT_ALERT_FROM): whole(1, 100),
            vol.Required(CONF_KEY_FACTOR, default=DEFAULT_FACTOR): whole(0, 1000),
        }
    )


_DATABASE = vol.Schema(
    {
        vol.Optional(CONF_DATABASE_URL): _SECRET,
        vol.Required(CONF_KEEP_DAYS, default=DEFAULT_KEEP_DAYS): whole(1, _LONGEST_DAYS),
        vol.Required(CONF_KEEP_CHATS_DAYS, default=DEFAULT_KEEP_CHATS_DAYS): whole(1, _LONGEST_DAYS),
        vol.Required(CONF_KEEP_BODIES, default=False): BooleanSelector(),
    }
)
