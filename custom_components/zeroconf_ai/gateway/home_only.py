"""The home-only switch: one for all providers, with and without a gateway. It outlasts restarts."""

from homeassistant.core import HomeAssistant
from homeassistant.helpers.dispatcher import async_dispatcher_send
from homeassistant.helpers.storage import Store

from ..const import DOMAIN, SIGNAL_PROVIDERS_CHANGED
from ..data import DATA

_VERSION = 1
_KEY = f"{DOMAIN}.home_only"


def _store(hass: HomeAssistant) -> Store[dict[str, bool]]:
    return Store(hass, _VERSION, _KEY)


async def async_load_home_only(hass: HomeAssistant) -> None:
    """Set the switch as it was stored. Until then nothing may be sent, so this is awaited before entries are set up."""
    stored = await _store(hass).async_load()
    hass.data[DATA].engine.home_only = bool(stored and stored.get("enabled"))


async def async_set_home_only(hass: HomeAssistant, enabled: bool) -> None:
    """Turn the switch on or off, for requests from now on."""
    hass.data[DATA].engine.home_only = enabled
    async_dispatcher_send(hass, SIGNAL_PROVIDERS_CHANGED)
    await _store(hass).async_save({"enabled": enabled})


async def async_remove_home_only(hass: HomeAssistant) -> None:
    """Forget the switch, with the last entry."""
    if DATA in hass.data:
        hass.data[DATA].engine.home_only = False
    await _store(hass).async_remove()
