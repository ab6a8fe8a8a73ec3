"""`ExchangeFeed`: the exchange rates of the gateway's options, fixed or from entities, as the engine uses them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
import math
from typing import Any, Self, override

from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.helpers.event import async_track_state_change_event

from .. import issues
from ..const import CONF_CURRENCY, CONF_EXCHANGE, CONF_RATES
from ..core.accounting.usage.generation import Generation, Recorder
from ..core.accounting.usage.totals import Totals
from ..core.admin.currency import currencies_in_use
from ..core.engine import Engine
from ..core.protocol.exchange import NO_EXCHANGE, Exchange, is_currency, is_rate

CONF_ENTITY = "rate_entity"
CONF_INVERTED = "inverted"
CONF_RATE = "rate"


@dataclass(frozen=True, slots=True)
class RateSource:
    """Where the exchange rate of a currency comes from: a fixed `rate`, or the state of an `entity`."""

    rate: float | None = None
    entity: str | None = None
    inverted: bool = False
    """Whether the given rate is units of the other currency for one unit of the currency of budgets."""

    @classmethod
    def load(cls, data: Mapping[str, Any]) -> Self:
        """Read a stored source."""
        return cls(data.get(CONF_RATE), data.get(CONF_ENTITY), data.get(CONF_INVERTED, False))

    def dump(self) -> dict[str, Any]:
        """The source as it is stored."""
        given = {CONF_RATE: self.rate, CONF_ENTITY: self.entity, CONF_INVERTED: self.inverted}
        return {name: value for name, value in given.items() if value not in (None, False)}

    def read(self, hass: HomeAssistant) -> float | None:
        """Units of the currency of budgets for one unit; None while the entity has no state that can be a rate."""
        given = self.rate
        if self.entity is not None:
            state = hass.states.get(self.entity)
            given = None if state is None else _number(state.state)
        if given is None or given <= 0:
            return None
        rate = 1 / given if self.inverted else given
        return rate if is_rate(rate) else None


def stored_rates(options: Mapping[str, Any]) -> dict[str, RateSource]:
    """The sources of the exchange rates, by currency."""
    return {name: RateSource.load(data) for name, data in options.get(CONF_EXCHANGE, {}).get(CONF_RATES, {}).items()}


def with_rates(options: Mapping[str, Any], currency: str, rates: Mapping[str, RateSource]) -> dict[str, Any]:
    """The options with other exchange rates to `currency`; without any, nothing is converted."""
    kept = {name: value for name, value in options.items() if name != CONF_EXCHANGE}
    if not rates:
        return kept
    return {**kept, CONF_EXCHANGE: {CONF_CURRENCY: currency, CONF_RATES: {name: one.dump() for name, one in rates.items()}}}


def budget_currency(hass: HomeAssistant, options: Mapping[str, Any]) -> str:
    """The currency to which rates are set: that of the first rate, else Home Assistant's."""
    return str(options.get(CONF_EXCHANGE, {}).get(CONF_CURRENCY) or hass.config.currency)


class ExchangeFeed(Recorder):
    """Keeps the engine's exchange rates up to date until `close`. An entity that becomes unavailable keeps its last rate."""

    def __init__(self, hass: HomeAssistant, engine: Engine, totals: Totals) -> None:
        """Nothing is converted before `apply`. `totals` say which currencies are in use."""
        self._hass = hass
        self._engine = engine
        self._totals = totals
        self._currency: str | None = None
        self._sources: dict[str, RateSource] = {}
        self._last: dict[RateSource, float] = {}
        self._unsubscribe: Callable[[], None] | None = None

    @callback
    def apply(self, options: Mapping[str, Any]) -> None:
        """Use the rates of the gateway's options."""
        self._sources = stored_rates(options)
        self._currency = budget_currency(self._hass, options) if self._sources else None
        self._last = {source: rate for source, rate in self._last.items() if source in self._sources.values()}
        self._listen([source.entity for source in self._sources.values() if source.entity is not None])
        self._update()

    @callback
    def close(self) -> None:
        """Convert nothing more."""
        self._listen([])
        self._engine.exchange = NO_EXCHANGE
        issues.exchange_rates_known(self._hass)

    @override
    def record(self, generation: Generation) -> None:
        """A request whose cost could not be converted, or that no budget could pay for: say so."""
        if self._currency is not None and (generation.cost or generation.error_code) and generation.converted_cost is None:
            self._check()

    def _listen(self, entities: list[str]) -> None:
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        if entities:
            self._unsubscribe = async_track_state_change_event(self._hass, entities, self._on_change)

    @callback
    def _on_change(self, _: Event[EventStateChangedData]) -> None:
        self._update()

    def _update(self) -> None:
        for source in self._sources.values():
            if (rate := source.read(self._hass)) is not None:
                self._last[source] = rate
        rates = {name: self._last[source] for name, source in self._sources.items() if source in self._last}
        known = self._currency is not None and is_currency(self._currency)
        self._engine.exchange = Exchange.of(self._currency or "", rates) if known else NO_EXCHANGE
        self._check()

    def _check(self) -> None:
        """Create or delete the issue for currencies without a rate."""
        exchange = self._engine.exchange
        missing = exchange.missing(currencies_in_use(self._engine.pool, self._totals))
        if missing and exchange.currency is not None:
            issues.exchange_rates_missing(self._hass, missing, exchange.currency)
        else:
            issues.exchange_rates_known(self._hass)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
