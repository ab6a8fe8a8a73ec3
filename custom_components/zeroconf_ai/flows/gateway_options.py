"""The options of the gateway: settings, aliases, API keys, budgets, exchange rates, alerts, database, import of backends."""

import asyncio
from types import MappingProxyType
from typing import Any

from yarl import URL

from homeassistant.config_entries import ConfigFlowResult, ConfigSubentry

from ..const import (
    CONF_ADMIN_CONTACT,
    CONF_ADVERTISE,
    CONF_AUTH,
    CONF_CLOUD_FALLBACK,
    CONF_CORS_ORIGINS,
    CONF_HOME_LABELS,
    CONF_HOUSEHOLD,
    CONF_RETRY_METERED_TIMEOUTS,
    CONF_STRATEGY,
    CONF_VIRTUAL_MODELS,
    SUBENTRY_BACKEND,
)
from ..core.config.backend_config import BackendConfig
from ..core.config.document import ConfigError
from ..core.config.providers_file import read_config
from ..core.protocol.exchange import Exchange
from ..core.protocol.record import Auth, is_contact
from ..core.routing.policy import Policy
from ..gateway.backend_storage import data_of
from ..gateway.exchange import RateSource, with_rates
from ..gateway.policy import stored_aliases, virtual_models_of
from .accounting import AccountingFlow
from .budgets import BudgetsFlow
from .exchange_rates import ExchangeRatesFlow
from .gateway_schemas import CONF_YAML, IMPORT, settings_schema
from .household import HouseholdFlow
from .keys import KeysFlow
from .model_aliases import ModelAliasesFlow
from .own_keys import OwnKeysFlow

ORIGIN_INVALID = "origin_invalid"
CONTACT_INVALID = "contact_invalid"
ADVERTISE_WITHOUT_KEY = "advertise_without_key"
CONFIG_INVALID = "config_invalid"
_SOURCE = "YAML"
"""The name of the pasted text in errors; line and column follow."""
_ANY_ORIGIN = "*"
_RULES = (CONF_STRATEGY, CONF_CLOUD_FALLBACK, CONF_RETRY_METERED_TIMEOUTS)
"""Options that are attributes of a routing policy."""


class GatewayOptionsFlow(KeysFlow, OwnKeysFlow, HouseholdFlow, BudgetsFlow, ExchangeRatesFlow, AccountingFlow, ModelAliasesFlow):
    """Changes apply immediately, except to running requests."""

    async def async_step_settings(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Change advertisement, routing and limits."""
        errors: dict[str, str] = {}
        options = self.config_entry.options
        placeholders = {"reason": ""}
        if user_input is not None:
            origins = [origin.strip() for origin in user_input.get(CONF_CORS_ORIGINS, ()) if origin.strip()]
            wrong = next((origin for origin in origins if not _is_origin(origin)), None)
            if wrong is not None:
                errors, placeholders = {"base": ORIGIN_INVALID}, {"reason": wrong}
            elif user_input[CONF_ADVERTISE] and options.get(CONF_AUTH) != Auth.NONE and not self._admits_somebody():
                errors = {CONF_ADVERTISE: ADVERTISE_WITHOUT_KEY}
            elif (contact := user_input.get(CONF_ADMIN_CONTACT, "").strip()) and not is_contact(contact):
                errors = {CONF_ADMIN_CONTACT: CONTACT_INVALID}
            else:
                # Forms omit a field that was emptied.
                emptied = {CONF_ADMIN_CONTACT: contact, CONF_HOME_LABELS: user_input.get(CONF_HOME_LABELS)}
                saved = {key: value for key, value in {**options, **user_input}.items() if key not in emptied}
                filled = {key: value for key, value in emptied.items() if value}
                return await self._to_menu({**saved, CONF_CORS_ORIGINS: origins, **filled})
        return self.async_show_form(
            step_id="settings",
            data_schema=self.add_suggested_values_to_schema(settings_schema(), user_input or options),
            errors=errors,
            description_placeholders=placeholders,
        )

    def _admits_somebody(self) -> bool:
        """Whether a client could have an API key or a household token."""
        return CONF_HOUSEHOLD in self.config_entry.options or bool(list(self._keys))

    async def async_step_import(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Import backends from the text of a file."""
        errors: dict[str, str] = {}
        placeholders = {"reason": ""}
        if user_input is not None:
            try:
                # Without environment variables: a foreign text must not read secrets of this system.
                configuration = await self.hass.async_add_executor_job(read_config, user_input[CONF_YAML], _SOURCE, {})
            except ConfigError as err:
                errors, placeholders = {"base": CONFIG_INVALID}, {"reason": str(err)}
            else:
                added, updated = await self._import(configuration.upstreams)
                self._import_policy(configuration.policy)
                self._import_rates(configuration.exchange)
                return self.async_abort(
                    reason="imported", description_placeholders={"added": str(added), "updated": str(updated)}
                )
        return self.async_show_form(
            step_id="import",
            data_schema=self.add_suggested_values_to_schema(IMPORT, user_input),
            errors=errors,
            description_placeholders=placeholders,
        )

    async def _import(self, configs: tuple[BackendConfig, ...]) -> tuple[int, int]:
        """Add new backends and replace those with a known id. Returns the number of each."""
        entry = self.config_entry
        known = {subentry.unique_id: subentry for subentry in entry.get_subentries_of_type(SUBENTRY_BACKEND)}
        titles = {subentry.title for subentry in known.values()}
        entries = self.hass.config_entries
        updated = 0
        for config in configs:
            data = data_of(config)
            unnamed = config.name == config.type.title
            if (former := known.get(config.id)) is not None:
                updated += 1
                entries.async_update_subentry(entry, former, title=former.title if unnamed else config.name, data=data)
                continue
            # Entities of equally named devices would get numbers, each found by trying all before it.
            title = f"{config.name} ({config.id})" if unnamed and config.name in titles else config.name
            titles.add(title)
            new = ConfigSubentry(data=MappingProxyType(data), subentry_type=SUBENTRY_BACKEND, title=title, unique_id=config.id)
            entries.async_add_subentry(entry, new)
            await asyncio.sleep(0)
        return len(configs) - updated, updated

    def _import_policy(self, policy: Policy) -> None:
        """Apply the routing rules of a file; rules with their default value may be omitted in it, and are not applied."""
        usual = Policy()
        named = {option: getattr(policy, option) for option in _RULES if getattr(policy, option) != getattr(usual, option)}
        changed = {name: model for name, model in policy.virtual_models.items() if usual.virtual_models.get(name) != model}
        options = {**self.config_entry.options, **named}
        if changed:
            options[CONF_VIRTUAL_MODELS] = stored_aliases({**virtual_models_of(options), **changed})
        self.hass.config_entries.async_update_entry(self.config_entry, options=options)

    def _import_rates(self, exchange: Exchange) -> None:
        """Replace the exchange rates by those of a file that has some."""
        if exchange.currency is not None:
            rates = {name: RateSource(rate) for name, rate in exchange.rates.items()}
            options = with_rates(self.config_entry.options, exchange.currency, rates)
            self.hass.config_entries.async_update_entry(self.config_entry, options=options)


def _is_origin(text: str) -> bool:
    """Whether it is a value of the `Origin` header, scheme, host and port, or `*`."""
    if text == _ANY_ORIGIN:
        return True
    try:
        url = URL(text)
    except ValueError:
        return False
    return url.scheme in ("http", "https") and bool(url.host) and text == str(url.origin())
