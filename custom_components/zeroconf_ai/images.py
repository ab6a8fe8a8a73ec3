"""The images of the page's conversations on Home Assistant's port, with and without a gateway."""

from typing import Final

from aiohttp import web

from homeassistant.components.http.const import KEY_HASS_USER
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.http import HomeAssistantView

from .const import DOMAIN
from .core.accounting.conversations.conversation import Owner
from .core.accounting.conversations.image_store import ImageStore, Origin
from .core.protocol.errors import ApiError, UnavailableError
from .core.server.body_memory import BodyMemory, BodyShare
from .core.server.dispatch import begin
from .core.server.endpoints.images import image_response, store_upload
from .gateway.own_keys import check_not_blocked
from .usage.shared_store import SHARED_STORE

PATH: Final = "/api/zeroconf_ai/images"
SOURCE: Final = "page"
"""The source of conversations that begin with an image."""
_UPLOAD_BYTES: Final = 96 * 1024 * 1024
"""The memory of all uploads: three of the maximum size at a time."""


@callback
def async_register_image_views(hass: HomeAssistant) -> None:
    """Register the paths. They cannot be removed, so this is done once, when the integration is set up."""
    hass.http.register_view(UploadView(hass))
    hass.http.register_view(ImageView(hass))


class UploadView(HomeAssistantView):
    """Stores an image of the logged-in user."""

    url = PATH
    name = f"{DOMAIN}:images:upload"

    def __init__(self, hass: HomeAssistant) -> None:
        """Used until Home Assistant stops."""
        self._hass = hass
        self._memory = BodyMemory(large=_UPLOAD_BYTES)

    async def post(self, request: web.Request) -> web.StreamResponse:
        """Answer with the name, size and address of the stored image."""
        user = request[KEY_HASS_USER]
        context = begin(None, request)
        share = context.share = BodyShare(self._memory, user.id)
        try:
            await check_not_blocked(self._hass, user.id)
            origin = Origin(SOURCE, user.name, user.name)
            return context.json(await store_upload(_store(self._hass), context, Owner(user_id=user.id), origin, PATH))
        except ApiError as err:
            return context.error_response(err)
        finally:
            share.release()


class ImageView(HomeAssistantView):
    """Shows an image to whoever has its signed address: an `<img>` sends no token."""

    url = f"{PATH}/{{conversation}}/{{message}}/{{filename}}"
    name = f"{DOMAIN}:images"
    requires_auth = False

    def __init__(self, hass: HomeAssistant) -> None:
        """Used until Home Assistant stops."""
        self._hass = hass

    async def get(self, request: web.Request, **variables: str) -> web.StreamResponse:
        """Answer with the image. An error is returned, not raised: a raised 401 or 403 would count as a failed login."""
        context = begin(None, request)
        context.variables = variables
        try:
            return await image_response(_store(self._hass), context)
        except ApiError as err:
            return context.error_response(err)


def _store(hass: HomeAssistant) -> ImageStore:
    """The open store. Raises UnavailableError while it is closed."""
    if (store := hass.data[SHARED_STORE].store) is None:
        raise UnavailableError("The database of ZeroConf AI is not open. Try again in a minute.")
    return store.images
