"""The currency that costs are shown in: none before the first real cost, and the same one ever after.

Home Assistant's statistics of a sensor are of one unit: another one is a repair for the owner, for each sensor. So the first
currency in which something was paid is kept in the entity registry, over restarts and a lost database.
"""

from collections.abc import Mapping, Sequence

from homeassistant.components.sensor import DOMAIN as SENSOR_DOMAIN
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er

from ..const import DOMAIN

COST_KEYS = ("cost_total", "cost_month", "cost_today")
"""What the unique ids of cost sensors end with."""
_OPTION = "currency"


class CostCurrency:
    """Of the cost sensors of one device."""

    def __init__(self, hass: HomeAssistant, unique_ids: Sequence[str]) -> None:
        """`unique_ids` are those of the sensors."""
        self._registry = er.async_get(hass)
        self._unique_ids = unique_ids
        options = (entry.options.get(DOMAIN) for entry in self._entries())
        self._value: str | None = next((known for kept in options if kept and (known := kept.get(_OPTION))), None)
        self._is_kept = self._value is not None

    def of(self, costs: Mapping[str, int], preferred: str = "") -> str | None:
        """The currency; where there is none yet, one of those that something was paid in, by nano-units of each.

        What was shown before currencies were kept is preferred, then `preferred`, then the one that most was paid in.
        """
        if self._value is None:
            paid = {currency: cost for currency, cost in costs.items() if cost}
            if not paid:
                return None
            shown = [entry.unit_of_measurement for entry in self._entries()]
            self._value = next((name for name in (*shown, preferred) if name in paid), max(paid, key=paid.__getitem__))
        if not self._is_kept:  # an entity is in the registry only after it was added
            for entry in self._entries():
                self._registry.async_update_entity_options(entry.entity_id, DOMAIN, {_OPTION: self._value})
                self._is_kept = True
        return self._value

    def _entries(self) -> list[er.RegistryEntry]:
        found = (self._registry.async_get_entity_id(SENSOR_DOMAIN, DOMAIN, unique_id) for unique_id in self._unique_ids)
        entries = (self._registry.async_get(entity_id) for entity_id in found if entity_id is not None)
        return [entry for entry in entries if entry is not None]
