"""The currency of cost sensors: none before the first cost, then fixed.

Home Assistant's statistics of a sensor have one unit, and a changed unit creates a repair issue per sensor. So the first
currency with a cost is stored in the entity registry, which survives restarts and a lost database.
"""

from collections.abc import Mapping, Sequence

from homeassistant.components.sensor import DOMAIN as SENSOR_DOMAIN
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er

from ..const import DOMAIN

COST_KEYS = ("cost_total", "cost_month", "cost_today")
"""The suffixes of the unique ids of cost sensors."""
_OPTION = "currency"


class CostCurrency:
    """The common currency of the cost sensors of one device."""

    def __init__(self, hass: HomeAssistant, unique_ids: Sequence[str]) -> None:
        """`unique_ids` are the unique ids of the sensors."""
        self._registry = er.async_get(hass)
        self._unique_ids = unique_ids
        options = (entry.options.get(DOMAIN) for entry in self._entries())
        self._value: str | None = next((known for kept in options if kept and (known := kept.get(_OPTION))), None)
        self._is_kept = self._value is not None

    def of(self, costs: Mapping[str, int], preferred: str = "") -> str | None:
        """The currency; if none is set yet, it is chosen from `costs` (nano-units by currency).

        The sensors' present unit comes first, then `preferred`, then the currency with the highest cost.
        """
        if self._value is None:
            paid = {currency: cost for currency, cost in costs.items() if cost}
            if not paid:
                return None
            shown = [entry.unit_of_measurement for entry in self._entries()]
            self._value = next((name for name in (*shown, preferred) if name in paid), max(paid, key=paid.__getitem__))
        if not self._is_kept:  # entities are in the registry only after they were added
            for entry in self._entries():
                self._registry.async_update_entity_options(entry.entity_id, DOMAIN, {_OPTION: self._value})
                self._is_kept = True
        return self._value

    def _entries(self) -> list[er.RegistryEntry]:
        found = (self._registry.async_get_entity_id(SENSOR_DOMAIN, DOMAIN, unique_id) for unique_id in self._unique_ids)
        entries = (self._registry.async_get(entity_id) for entity_id in found if entity_id is not None)
        return [entry for entry in entries if entry is not None]
