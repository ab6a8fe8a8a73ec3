"""The control of the models of all servers that are set up, shared by actions and the page."""

from homeassistant.const import EVENT_HOMEASSISTANT_STOP
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.util.hass_dict import HassKey

from ..const import DOMAIN
from ..core.admin.server_models import ServerModels
from ..data import DATA

_MODELS: HassKey[ServerModels] = HassKey(f"{DOMAIN}_server_models")


@callback
def async_get_server_models(hass: HomeAssistant) -> ServerModels:
    """Return the control; downloads end with Home Assistant."""
    if (models := hass.data.get(_MODELS)) is None:
        models = hass.data[_MODELS] = ServerModels(hass.data[DATA].engine)

        async def close(_: Event) -> None:
            await models.close()

        hass.bus.async_listen_once(EVENT_HOMEASSISTANT_STOP, close)
    return models
