"""The gateway's paths on Home Assistant's port.

They are registered when a gateway is first set up and stay, because Home Assistant cannot unregister paths. Each request looks up
the running gateway; without one, the answer is an error. Errors are returned, not raised: an HTTPUnauthorized would count as a
failed login and ban the client's address from Home Assistant.

Requests pass Home Assistant's middlewares, but not the wrapper of its views, which sends empty responses during a shutdown.
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
from ..core.protocol.presented_key import presented_key
from ..core.server.access.guard import HomeUser
from ..core.server.dispatch import Route, begin, dispatch
from ..core.server.endpoints import ROUTES
from ..core.server.fallback_routes import answer_at_equivalent_path, method_not_allowed, not_found, preflight
from ..core.server.gateway import Gateway

_REGISTERED: HassKey[bool] = HassKey(f"{DOMAIN}_views")
_OWN_KEYS: Final = "zai_"
"""The prefix of the gateway's API keys; Home Assistant's tokens begin differently."""
_RETRY_SECONDS: Final = 60.0
"""`Retry-After` without a running gateway."""
_ALL_ELSE: Final = ("/v1", "/v1/{path:.*}", "/v1beta", "/v1beta/{path:.*}")


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
        """`routes` are the routes of the path; without any, the path does not exist (404)."""
        self.url = path
        self.name = f"{DOMAIN}:{path}"
        self._find_gateway = find_gateway
        self._routes = {route.method: route for route in routes}
        if hdrs.METH_GET in self._routes:
            self._routes[hdrs.METH_HEAD] = self._routes[hdrs.METH_GET]

    @override
    def register(self, hass: HomeAssistant, app: web.Application, router: web.UrlDispatcher) -> None:
        """Register all methods, so that unsupported ones get an error in the path's error format."""
        router.add_route(hdrs.METH_ANY, self.url or "", self.handle)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a request."""
        response = await self._respond(request)
        _leave_unread(request, response)
        return response

    async def _respond(self, request: web.Request) -> web.StreamResponse:
        gateway = self._find_gateway()
        route = self._routes.get(request.method)
        if route is not None and gateway is not None:
            return await dispatch(gateway, route, request)
        if route is not None:
            message = "No gateway is running in this Home Assistant. Ask its owner to set it up, or try again in a minute."
            context = begin(None, request, route.format_for(request))
            return context.error_response(UnavailableError(message, retry_after=_RETRY_SECONDS))
        if request.method == hdrs.METH_OPTIONS:
            return preflight(gateway, request)
        if self._routes:
            return method_not_allowed(gateway, request, self._routes)
        return not_found(None, request) if gateway is None else await answer_at_equivalent_path(gateway, request, ROUTES)


def _leave_unread(request: web.Request, response: web.StreamResponse) -> None:
    """Let the rest of a compressed body be, and close the connection after the response.

    Home Assistant's server would read it to its end, decompressed, also for a client without a key.
    """
    if hdrs.CONTENT_ENCODING in request.headers and not request.content.is_eof():
        if not response.prepared:
            response.force_close()
        request.protocol.close()


class HomeUsers:
    """Identifies users of this Home Assistant by their access tokens, also on the separate port."""

    def __init__(self, hass: HomeAssistant) -> None:
        self._hass = hass

    def __call__(self, request: web.Request) -> HomeUser | None:
        """The user whose access token the request has; None without a valid token, or if the user may not log in from there."""
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
    """Whether the user exists and is active."""
    user = await hass.auth.async_get_user(user_id)
    return user is not None and user.is_active


def came_by_cloud(hass: HomeAssistant, request: web.Request) -> bool:
    """Whether a request came through Home Assistant Cloud, in which case it has a local address."""
    return KEY_AUTHENTICATED in request and is_cloud_connection(hass)
