"""Stores a backend's monthly limit, for its form, its number entity and its repair flow."""

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback

from ..const import CONF_MONTHLY_LIMIT


@callback
def store_monthly_limit(hass: HomeAssistant, entry: ConfigEntry, backend_id: str, amount: float) -> None:
    """Change the monthly limit in a backend's subentry; 0 removes it. It applies at once."""
    subentry = entry.subentries[backend_id]
    data = {key: value for key, value in subentry.data.items() if key != CONF_MONTHLY_LIMIT}
    if amount:
        data[CONF_MONTHLY_LIMIT] = amount
    hass.config_entries.async_update_subentry(entry, subentry, data=data)
