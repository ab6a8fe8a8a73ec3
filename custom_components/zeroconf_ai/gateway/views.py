"""The gateway's paths on Home Assistant's own port.

They are registered once, when a gateway is first set up, and stay: Home Assistant knows no way to take a path back. Which gateway
answers is looked up with every request; without one, they say so. All errors are returned and none is raised: an HTTPUnauthorized
would count as a failed login, and ban the caller's address from the whole of Home Assistant.

A request goes through Home Assistant's middlewares, but not through the wrapper of its views, whose answer while it stops is
empty.
"""

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Final, override

from aiohttp import hdrs, web

from homeassistant.components.http.auth_util import async_user_not_allowed_do_auth
from homeassistant.components.http.const import KEY_HASS_USER
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.http import KEY_AUTHENTICATED, HomeAssistantView
from homeassistant.helpers.network import is_cloud_connection
from homeassistant.util.hass_dict import HassKey

from ..const import DOMAIN
from ..core.protocol.errors import UnavailableError
from ..core.server.access.auth import presented_key
from ..core.server.access.guard import HomeUser
from ..core.server.dispatch import Route, begin, dispatch
from ..core.server.endpoints import ROUTES
from ..core.server.fallback_routes import method_not_allowed, not_found, preflight
from ..core.server.gateway import Gateway

_REGISTERED: HassKey[bool] = HassKey(f"{DOMAIN}_views")
_OWN_KEYS: Final = "zai_"
"""What a key of the gateway begins with, and no token of Home Assistant does."""
_RETRY_SECONDS: Final = 60.0
"""When to come back where no gateway is running."""
_ALL_ELSE: Final = ("/v1", "/v1/{path:.*}")


@callback
def async_register_views(hass: HomeAssistant, find_gateway: Callable[[], Gateway | None]) -> None:
    """Register all paths; does nothing the second time. `find_gateway` returns the gateway that answers now."""
    if hass.data.get(_REGISTERED):
        return
    hass.data[_REGISTERED] = True
    for path, routes in groupby(ROUTES, key=lambda route: route.path):
        hass.http.register_view(GatewayView(find_gateway, path, tuple(routes)))
    for path in _ALL_ELSE:
        hass.http.register_view(GatewayView(find_gateway, path))


class GatewayView(HomeAssistantView):
    """One path of the gateway, with all its methods."""

    requires_auth = False
    cors_allowed = False

    def __init__(self, find_gateway: Callable[[], Gateway | None], path: str, routes: Sequence[Route] = ()) -> None:
        """`routes` share the path; without any, there is nothing."""
        self.url = path
        self.name = f"{DOMAIN}:{path}"
        self._find_gateway = find_gateway
        self._routes = {route.method: route for route in routes}
        if hdrs.METH_GET in self._routes:
            self._routes[hdrs.METH_HEAD] = self._routes[hdrs.METH_GET]

    @override
    def register(self, hass: HomeAssistant, app: web.Application, router: web.UrlDispatcher) -> None:
        """Take every method: those that are none of this path's are to be refused in its own shape."""
        router.add_route(hdrs.METH_ANY, self.url or "", self.handle)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a request."""
        gateway = self._find_gateway()
        route = self._routes.get(request.method)
        if route is not None and gateway is not None:
            return await dispatch(gateway, route, request)
        if route is not None:
            message = "This Home Assistant has no gateway running. Ask its owner to set it up, or try again in a minute."
            return begin(None, request, route.error_format).refuse(UnavailableError(message, retry_after=_RETRY_SECONDS))
        if request.method == hdrs.METH_OPTIONS:
            return preflight(gateway, request)
        return method_not_allowed(gateway, request, self._routes) if self._routes else not_found(gateway, request)


class HomeUsers:
    """Recognises the users of this Home Assistant by their access tokens, also where its own middlewares have not looked."""

    def __init__(self, hass: HomeAssistant) -> None:
        """The users and their tokens are those of `hass`."""
        self._hass = hass

    def __call__(self, request: web.Request) -> HomeUser | None:
        """Whose token a request carries, if it is one that may be used from where it comes."""
        if request.get(KEY_AUTHENTICATED):
            user = request[KEY_HASS_USER]
            return HomeUser(user.id, user.name or "", user.is_admin)
        token = presented_key(request.headers)
        if token is None or token.startswith(_OWN_KEYS):
            return None
        found = self._hass.auth.async_validate_access_token(token)
        if found is None or async_user_not_allowed_do_auth(self._hass, found.user, request):
            return None
        return HomeUser(found.user.id, found.user.name or "", found.user.is_admin)


async def is_active_user(hass: HomeAssistant, user_id: str) -> bool:
    """Whether there is such a user, who is not deactivated."""
    user = await hass.auth.async_get_user(user_id)
    return user is not None and user.is_active


def came_by_cloud(hass: HomeAssistant, request: web.Request) -> bool:
    """Whether a request came through Home Assistant Cloud, which makes it look like one of this machine."""
    return KEY_AUTHENTICATED in request and is_cloud_connection(hass)
