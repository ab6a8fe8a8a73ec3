"""Connects power and electricity price sensors to the energy meters of backends."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
import math
import time
from typing import Any, Self

import voluptuous as vol

from homeassistant.components.sensor import SensorDeviceClass
from homeassistant.const import ATTR_UNIT_OF_MEASUREMENT, EVENT_CORE_CONFIG_UPDATE, UnitOfEnergy, UnitOfPower
from homeassistant.core import Event, EventStateChangedData, EventStateReportedData, HomeAssistant, State, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.event import async_track_state_change_event, async_track_state_report_event
from homeassistant.helpers.selector import (
    EntitySelector,
    EntitySelectorConfig,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
)
from homeassistant.util.unit_conversion import EnergyConverter, PowerConverter

from ..core.accounting.prices.energy import EnergyMeter
from ..core.protocol.values import NANO
from ..core.routing.pool.pool import Pool

CONF_POWER_SENSOR = "power_sensor"
CONF_IDLE_POWER = "idle_power"
"""In watts; learned if absent."""
CONF_ELECTRICITY_PRICE = "electricity_price"
"""The price per kWh in Home Assistant's currency."""
CONF_ELECTRICITY_PRICE_SENSOR = "electricity_price_sensor"
"""Overrides the fixed price."""
KEYS = (CONF_POWER_SENSOR, CONF_IDLE_POWER, CONF_ELECTRICITY_PRICE, CONF_ELECTRICITY_PRICE_SENSOR)

_HUNDREDTHS = frozenset({"c", "ct", "cent", "cents", "¢", "p", "gr", "øre", "öre"})
"""Units of sensors for a hundredth of a currency."""
_POWER = EntitySelector(EntitySelectorConfig(domain="sensor", device_class=SensorDeviceClass.POWER))
_PRICE_SENSOR = EntitySelector(EntitySelectorConfig(domain=["sensor", "input_number", "number"]))


@dataclass(frozen=True, slots=True)
class EnergyOptions:
    """The energy options of one backend."""

    power_sensor: str
    idle_power: float | None = None
    price: float | None = None
    price_sensor: str | None = None

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Self | None:
        """Read stored options; None without a power sensor."""
        if not data.get(CONF_POWER_SENSOR):
            return None
        return cls(
            data[CONF_POWER_SENSOR],
            data.get(CONF_IDLE_POWER),
            data.get(CONF_ELECTRICITY_PRICE),
            data.get(CONF_ELECTRICITY_PRICE_SENSOR),
        )


def energy_fields() -> dict[vol.Marker, Any]:
    """The fields of the options form."""
    watts = NumberSelectorConfig(min=0, max=100_000, step="any", mode=NumberSelectorMode.BOX, unit_of_measurement="W")
    price = NumberSelectorConfig(min=0, max=1_000_000, step="any", mode=NumberSelectorMode.BOX)
    return {
        vol.Optional(CONF_POWER_SENSOR): _POWER,
        vol.Optional(CONF_IDLE_POWER): NumberSelector(watts),
        vol.Optional(CONF_ELECTRICITY_PRICE): NumberSelector(price),
        vol.Optional(CONF_ELECTRICITY_PRICE_SENSOR): _PRICE_SENSOR,
    }


class _Feed:
    """Feeds sensor values into one meter until `close`."""

    def __init__(self, hass: HomeAssistant, options: EnergyOptions) -> None:
        self._hass = hass
        self.options = options
        self.meter = EnergyMeter(idle=options.idle_power)
        entities = [entity for entity in (options.power_sensor, options.price_sensor) if entity is not None]
        self._unsubscribes: list[Callable[[], None]] = [
            async_track_state_change_event(hass, entities, self._on_change),
            async_track_state_report_event(hass, entities, self._on_report),
            hass.bus.async_listen(EVENT_CORE_CONFIG_UPDATE, self._on_config),
        ]
        self._on_config()
        self._read_power()
        self._read_price()

    def close(self) -> None:
        """Stop listening."""
        while self._unsubscribes:
            self._unsubscribes.pop()()

    @callback
    def _on_change(self, event: Event[EventStateChangedData]) -> None:
        self._read(event.data["entity_id"])

    @callback
    def _on_report(self, event: Event[EventStateReportedData]) -> None:
        """An unchanged value: still a new sample for the meter."""
        self._read(event.data["entity_id"])

    @callback
    def _on_config(self, _: Event[Any] | None = None) -> None:
        self.meter.currency = self._hass.config.currency

    def _read(self, entity_id: str) -> None:
        if entity_id == self.options.power_sensor:
            self._read_power()
        if entity_id == self.options.price_sensor:
            self._read_price()

    def _read_power(self) -> None:
        self.meter.sample(_watts(self._hass.states.get(self.options.power_sensor)), time.monotonic())

    def _read_price(self) -> None:
        price = self.options.price
        if self.options.price_sensor is not None:
            price = _price(self._hass.states.get(self.options.price_sensor))
        self.meter.set_tariff(None if price is None else round(price * NANO), time.monotonic())


class EnergyFeeds:
    """The energy meters of a pool's backends. Unchanged ones keep running with their learned values."""

    def __init__(self, hass: HomeAssistant, pool: Pool) -> None:
        """Starts without meters."""
        self._hass = hass
        self._pool = pool
        self._feeds: dict[str, _Feed] = {}

    def apply(self, wanted: Mapping[str, EnergyOptions | None]) -> None:
        """Replace the metered backends (options by backend id)."""
        for backend_id in self._feeds.keys() - wanted.keys():
            self._remove(backend_id)
        for backend_id, options in wanted.items():
            feed = self._feeds.get(backend_id)
            if feed is not None and feed.options != options:
                self._remove(backend_id)
                feed = None
            if feed is None and options is not None:
                feed = self._feeds[backend_id] = _Feed(self._hass, options)
            if feed is not None and (member := self._pool.get(backend_id)) is not None:
                member.meter = feed.meter

    def close(self) -> None:
        """Remove all meters."""
        self.apply({})

    def _remove(self, backend_id: str) -> None:
        self._feeds.pop(backend_id).close()
        if (member := self._pool.get(backend_id)) is not None:
            member.meter = None


def _watts(state: State | None) -> float | None:
    """The power in watts; None if unavailable."""
    if state is None or (value := _value(state)) is None:
        return None
    try:
        return PowerConverter.convert(value, state.attributes.get(ATTR_UNIT_OF_MEASUREMENT, UnitOfPower.WATT), UnitOfPower.WATT)
    except HomeAssistantError:
        return None


def _price(state: State | None) -> float | None:
    """The price per kWh, converted from units such as `ct/kWh` or `EUR/MWh`; None if unavailable."""
    if state is None or (value := _value(state)) is None:
        return None
    money, _, energy = str(state.attributes.get(ATTR_UNIT_OF_MEASUREMENT) or "").partition("/")
    try:
        per_kwh = value / EnergyConverter.convert(1, energy.strip() or UnitOfEnergy.KILO_WATT_HOUR, UnitOfEnergy.KILO_WATT_HOUR)
    except HomeAssistantError:
        return None
    return per_kwh / 100 if money.strip().lower() in _HUNDREDTHS else per_kwh


def _value(state: State) -> float | None:
    try:
        value = float(state.state)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
