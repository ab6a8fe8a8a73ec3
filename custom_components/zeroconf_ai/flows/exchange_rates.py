"""The steps of exchange rates in the gateway's options. Changes apply immediately."""

from collections.abc import Mapping
from typing import Any

import voluptuous as vol

from homeassistant.config_entries import ConfigFlowResult
from homeassistant.generated.currencies import ACTIVE_CURRENCIES
from homeassistant.helpers.selector import (
    BooleanSelector,
    EntitySelector,
    EntitySelectorConfig,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
)

from ..const import CONF_CURRENCY
from ..core.admin.currency import currencies_in_use
from ..core.protocol.exchange import HIGHEST_RATE, LOWEST_RATE, is_currency, is_rate
from ..data import DATA
from ..gateway.exchange import CONF_ENTITY, CONF_INVERTED, CONF_RATE, RateSource, budget_currency, stored_rates, with_rates
from ..markdown import Markdown, table_row
from ..usage.shared_store import SHARED_STORE
from .gateway_schemas import CONF_ID, CONF_REMOVE, NEW, choice_schema
from .options_menu import OptionsMenuFlow

CURRENCY_INVALID = "currency_invalid"
CURRENCY_OWN = "currency_own"
CURRENCY_TAKEN = "currency_taken"
RATE_INVALID = "rate_invalid"
RATE_NEEDED = "rate_needed"

_NOTHING = "–"
_ENTITY = EntitySelector(EntitySelectorConfig(domain=["sensor", "input_number", "number"]))
_RATE = NumberSelector(NumberSelectorConfig(min=LOWEST_RATE, max=HIGHEST_RATE, step="any", mode=NumberSelectorMode.BOX))


class ExchangeRatesFlow(OptionsMenuFlow):
    """The steps that list, add, change and remove exchange rates."""

    _foreign: str
    """The currency whose rate is changed."""

    async def async_step_exchange_rates(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """List the rates, and choose one or add one."""
        rates = stored_rates(self.config_entry.options)
        if user_input is not None:
            if user_input[CONF_ID] == NEW:
                return await self.async_step_exchange_rate_new()
            self._foreign = user_input[CONF_ID]
            return await self.async_step_exchange_rate()
        own = budget_currency(self.hass, self.config_entry.options)
        rows = [table_row([name, self._shown(rates.get(name))]) for name in sorted({*rates, *self._in_use()} - {own})]
        return self.async_show_form(
            step_id="exchange_rates",
            data_schema=choice_schema({name: name for name in rates}, "exchange_rate"),
            description_placeholders={"currency": own, "rates": Markdown("\n".join(rows)) or table_row([_NOTHING] * 2)},
        )

    async def async_step_exchange_rate_new(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Add a rate."""
        own, rates = budget_currency(self.hass, self.config_entry.options), stored_rates(self.config_entry.options)
        errors: dict[str, str] = {}
        if user_input is not None:
            currency = str(user_input[CONF_CURRENCY]).strip().upper()
            try:
                if not is_currency(currency):
                    raise ValueError(CURRENCY_INVALID)
                if currency == own:
                    raise ValueError(CURRENCY_OWN)
                if currency in rates:
                    raise ValueError(CURRENCY_TAKEN)
                source = _source(user_input)
            except ValueError as err:
                errors = {"base": str(err)}
            else:
                return await self._save({**rates, currency: source})
        names = [name for name in dict.fromkeys((*self._in_use(), *sorted(ACTIVE_CURRENCIES))) if name not in (own, *rates)]
        config = SelectSelectorConfig(options=names, custom_value=True, mode=SelectSelectorMode.DROPDOWN)
        schema = vol.Schema({vol.Required(CONF_CURRENCY): SelectSelector(config), **_fields()})
        return self.async_show_form(
            step_id="exchange_rate_new",
            data_schema=self.add_suggested_values_to_schema(schema, user_input),
            errors=errors,
            description_placeholders={"currency": own},
        )

    async def async_step_exchange_rate(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Change or remove a rate."""
        own, rates = budget_currency(self.hass, self.config_entry.options), stored_rates(self.config_entry.options)
        errors: dict[str, str] = {}
        if user_input is not None:
            if user_input[CONF_REMOVE]:
                return await self._save({name: source for name, source in rates.items() if name != self._foreign})
            try:
                return await self._save({**rates, self._foreign: _source(user_input)})
            except ValueError as err:
                errors = {"base": str(err)}
        stored = rates[self._foreign].dump() if self._foreign in rates else {}
        schema = vol.Schema({**_fields(), vol.Required(CONF_REMOVE, default=False): BooleanSelector()})
        return self.async_show_form(
            step_id="exchange_rate",
            data_schema=self.add_suggested_values_to_schema(schema, user_input or stored),
            errors=errors,
            description_placeholders={"currency": own, "other": self._foreign},
        )

    async def _save(self, rates: Mapping[str, RateSource]) -> ConfigFlowResult:
        options = self.config_entry.options
        return await self._to_menu(with_rates(options, budget_currency(self.hass, options), rates))

    def _in_use(self) -> list[str]:
        store = self.hass.data[SHARED_STORE].store
        return currencies_in_use(self.hass.data[DATA].engine.pool, None if store is None else store.totals)

    def _shown(self, source: RateSource | None) -> str:
        rate = None if source is None else source.read(self.hass)
        return _NOTHING if rate is None else f"{rate:.6g}"


def _fields() -> dict[vol.Marker, Any]:
    return {
        vol.Optional(CONF_RATE): _RATE,
        vol.Optional(CONF_ENTITY): _ENTITY,
        vol.Required(CONF_INVERTED, default=False): BooleanSelector(),
    }


def _source(user_input: Mapping[str, Any]) -> RateSource:
    """The source of a filled-in form. Raises ValueError with the key of the flow error."""
    rate, entity = user_input.get(CONF_RATE), user_input.get(CONF_ENTITY)
    if (rate is None) is (entity is None):
        raise ValueError(RATE_NEEDED)
    if rate is not None and not is_rate(rate):
        raise ValueError(RATE_INVALID)
    return RateSource(rate, entity, user_input[CONF_INVERTED])
