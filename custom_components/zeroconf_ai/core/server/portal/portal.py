"""`Portal`: answers every request below `/portal`.

    GET  /portal/           the page
    GET  /portal/login      sends the browser to the OpenID provider
    GET  /portal/callback   where it returns, with a code
    GET  /portal/api/session, POST /portal/api/COMMAND

Every address that the portal sends a browser to is made of `public_url`, never of a header of the request.
"""

from collections.abc import Mapping
import logging
from typing import Final
from urllib.parse import urlsplit

from aiohttp import hdrs, web

from ...accounting.storage.database import DatabaseError
from ...accounting.store import AccountingStore
from ...accounting.users.user import User
from ...accounting.users.user_store import SESSION_SECONDS
from ...protocol.errors import (
    ApiError,
    AuthenticationError,
    NotFoundError,
    PermissionDeniedError,
    UnavailableError,
    UnsupportedMediaTypeError,
)
from ...protocol.values import clean
from ..access.auth_throttle import AuthThrottle
from ..administration.fields import json_object
from ..administration.page_files import HEADERS, need_method, page_file
from ..body_memory import BodyShare
from ..dispatch import RequestContext, begin, internal_error
from ..gateway import Gateway
from ..landing_page import PORTAL_PATH
from ..request_log import CLIENT_CLOSED
from .commands import COMMANDS, PortalContext, run
from .failures import Failure, SignInError
from .open_id import OpenIdProvider
from .policy import PortalPolicy, identity_of
from .sign_in import LIFETIME, SignIn

_LOGGER = logging.getLogger(__name__)

PATH: Final = PORTAL_PATH
_API: Final = f"{PATH}/api/"
_LOGIN: Final = f"{PATH}/login"
CALLBACK: Final = f"{PATH}/callback"
SESSION_COOKIE: Final = "__Host-zai_portal"
SIGN_IN_COOKIE: Final = "__Host-zai_sign_in"
"""`__Host-`: browsers accept them with TLS only, and for this host alone."""
_COMMAND_BYTES: Final = 64 * 1024
_MAX_CODE: Final = 4096


class Portal:
    """The portal of a server, on its own port."""

    def __init__(
        self,
        gateway: Gateway,
        store: AccountingStore,
        policy: PortalPolicy,
        provider: OpenIdProvider,
        contact: str | None = None,
    ) -> None:
        """`contact` is whom people can ask for more."""
        self._gateway = gateway
        self._store = store
        self._policy = policy
        self._provider = provider
        self._contact = contact
        self._throttle = AuthThrottle(what="failed to sign in")
        self._redirect = f"{policy.settings.public_url}{CALLBACK}"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """The response to a request below `/portal`, also for every kind of error."""
        context = begin(None, request)
        try:
            response = await self._answer(context)
        except ApiError as err:
            response = context.error_response(err)
        except DatabaseError as err:
            response = context.error_response(UnavailableError(str(err), code="database_failed"))
        except ConnectionError:
            response = web.Response(status=CLIENT_CLOSED)
        except Exception:
            _LOGGER.exception("Request %s to %s failed", context.id, request.path)
            response = context.error_response(internal_error(context.id))
        if not response.prepared:
            response.headers.update({name: value for name, value in HEADERS.items() if name not in response.headers})
        return response

    async def _answer(self, context: RequestContext) -> web.StreamResponse:
        request = context.http
        if request.path in (_LOGIN, CALLBACK):
            need_method(request, hdrs.METH_GET)
            return await (self._log_in if request.path == _LOGIN else self._return)(request)
        if not request.path.startswith(_API):
            return page_file(request, PATH, "portal.html")
        command = request.path.removeprefix(_API)
        if command == "provider":
            need_method(request, hdrs.METH_GET)
            return context.json({"name": self._provider_name})
        if command == "session":
            need_method(request, hdrs.METH_GET)
            user = await self._user(request)
            return context.json({"name": user.identity.name, "records": True, "allowed": self._policy.allows(user.identity)})
        if command == "logout" or command in COMMANDS:
            need_method(request, hdrs.METH_POST)
            return await self._command(context, command)
        raise NotFoundError(f"There is nothing at {request.path}.")

    @property
    def _provider_name(self) -> str:
        settings = self._policy.settings
        return settings.provider_name or urlsplit(settings.issuer).hostname or ""

    async def _log_in(self, request: web.Request) -> web.StreamResponse:
        """Send the browser to the OpenID provider."""
        if self._throttle.wait(request.remote):
            return self._failed(SignInError(Failure.BUSY, "too many failed sign-ins came from one address"))
        sign_in = SignIn.begin()
        try:
            response = _redirect(await self._provider.sign_in_address(sign_in, self._redirect))
        except SignInError as err:
            return self._failed(err)
        _set_cookie(response, SIGN_IN_COOKIE, sign_in.cookie, LIFETIME)
        return response

    async def _return(self, request: web.Request) -> web.StreamResponse:
        """Sign in a person who returns from the OpenID provider."""
        try:
            if self._throttle.wait(request.remote):
                raise SignInError(Failure.BUSY, "too many failed sign-ins came from one address")
            user = await self._identify(request)
            response = _redirect(f"{self._policy.settings.public_url}{PATH}/")
            if (former := request.cookies.get(SESSION_COOKIE)) is not None:
                await self._store.users.close_session(former)
            _set_cookie(response, SESSION_COOKIE, await self._store.users.open_session(user.id), int(SESSION_SECONDS))
        except SignInError as err:
            if err.failure is Failure.INVALID:
                self._throttle.failed(request.remote)
            response = self._failed(err)
        _delete_cookie(response, SIGN_IN_COOKIE)
        return response

    async def _identify(self, request: web.Request) -> User:
        """The person who returns. Raises SignInError, DatabaseError."""
        given: Mapping[str, str] = request.query
        sign_in = SignIn.returned(request.cookies.get(SIGN_IN_COOKIE), given.get("state", ""))
        if sign_in is None:
            raise SignInError(Failure.EXPIRED, "a sign-in took too long, or began in another browser")
        if "error" in given:
            raise SignInError(Failure.DENIED, f"the OpenID provider refused a sign-in ({clean(given['error'], 60)})")
        if not 0 < len(code := given.get("code", "")) <= _MAX_CODE:
            raise SignInError(Failure.INVALID, "the OpenID provider sent no code")
        claims, user_info = await self._provider.claims(sign_in, code, given.get("iss"), self._redirect)
        person = identity_of(self._policy.settings, claims, user_info)
        allowed = self._policy.allows(person)
        user = await self._store.users.sign_in(person, allowed=allowed)
        if user is None or not allowed:
            shown = clean(person.subject)
            raise SignInError(Failure.NOT_ALLOWED, f"the person with the subject {shown} is not in a list of `allow:`")
        return user

    def _failed(self, error: SignInError) -> web.Response:
        """The way back to the page, which says what is wrong."""
        level = logging.INFO if error.failure in (Failure.EXPIRED, Failure.DENIED, Failure.NOT_ALLOWED) else logging.WARNING
        _LOGGER.log(level, "Nobody signed in to the portal: %s", error)
        return _redirect(f"{self._policy.settings.public_url}{PATH}/#{error.failure}")

    async def _command(self, context: RequestContext, command: str) -> web.StreamResponse:
        request = context.http
        if request.headers.get(hdrs.ORIGIN) != self._policy.settings.public_url:
            message = f"Only the page at {self._policy.settings.public_url}{PATH}/ may send this."
            raise PermissionDeniedError(message, code="origin_not_allowed")
        if request.content_type != "application/json":
            raise UnsupportedMediaTypeError("Send JSON, with the header 'Content-Type: application/json'.")
        if command == "logout":
            await self._store.users.close_session(request.cookies.get(SESSION_COOKIE, ""))
            response = context.json({})
            _delete_cookie(response, SESSION_COOKIE)
            return response
        user = await self._user(request)
        if not self._policy.allows(user.identity):
            raise PermissionDeniedError("You may not use this portal any more. Ask an administrator.", code="not_allowed")
        self._gateway.begin()
        share = context.share = BodyShare(self._gateway.body_memory, user.id)
        try:
            body = json_object(await context.read(_COMMAND_BYTES))
            found = await run(command, PortalContext(self._store, self._policy, user, body, self._contact))
        finally:
            share.release()
            self._gateway.end()
        return context.json({} if found is None else found)

    async def _user(self, request: web.Request) -> User:
        """The person of a request of the portal's page.

        Raises AuthenticationError without a session, PermissionDeniedError for a request of another page, DatabaseError.
        """
        if request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
            raise PermissionDeniedError("Only the portal's own page may send this.", code="origin_not_allowed")
        token = request.cookies.get(SESSION_COOKIE)
        user = None if token is None else await self._store.users.user_of_session(token)
        if user is None:
            raise AuthenticationError("Sign in.", code="no_session")
        return user


def _redirect(address: str) -> web.Response:
    return web.Response(status=303, headers={hdrs.LOCATION: address})


def _set_cookie(response: web.Response, name: str, value: str, seconds: int) -> None:
    # Lax: the browser sends it when it returns from the OpenID provider, another site.
    response.set_cookie(name, value, max_age=seconds, path="/", secure=True, httponly=True, samesite="Lax")


def _delete_cookie(response: web.Response, name: str) -> None:
    response.del_cookie(name, path="/", secure=True, httponly=True, samesite="Lax")
