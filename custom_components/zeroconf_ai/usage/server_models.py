"""The control of the models of all servers that are set up, shared by actions and the page, with the audit log."""

from homeassistant.const import EVENT_HOMEASSISTANT_STOP
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.util.hass_dict import HassKey

from ..const import DOMAIN
from ..core.accounting.audit import Audit
from ..core.admin.server_models import ServerModels
from ..data import DATA
from .shared_store import SHARED_STORE

_MODELS: HassKey[ServerModels] = HassKey(f"{DOMAIN}_server_models")


@callback
def async_get_server_models(hass: HomeAssistant) -> ServerModels:
    """Return the control; downloads end with Home Assistant."""
    if (models := hass.data.get(_MODELS)) is None:

        def audit() -> Audit | None:
            return None if (store := hass.data[SHARED_STORE].store) is None else store.audit

        models = hass.data[_MODELS] = ServerModels(hass.data[DATA].engine, audit)

        async def close(_: Event) -> None:
            await models.close()

        hass.bus.async_listen_once(EVENT_HOMEASSISTANT_STOP, close)
    return models
