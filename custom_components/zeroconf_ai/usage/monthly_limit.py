"""A backend's monthly limit, which its form, its number entity and its repairs change."""

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback

from ..const import CONF_MONTHLY_LIMIT


@callback
def store_monthly_limit(hass: HomeAssistant, entry: ConfigEntry, backend_id: str, amount: float) -> None:
    """Change the monthly limit in the form of a backend; 0: it has none any more. It applies at once."""
    subentry = entry.subentries[backend_id]
    data = {key: value for key, value in subentry.data.items() if key != CONF_MONTHLY_LIMIT}
    if amount:
        data[CONF_MONTHLY_LIMIT] = amount
    hass.config_entries.async_update_subentry(entry, subentry, data=data)
