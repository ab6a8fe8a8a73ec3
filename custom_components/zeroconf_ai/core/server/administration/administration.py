"""`Administration`: answers every request below `/admin`."""

from collections.abc import Callable
import logging
import re
from typing import Final

from aiohttp import hdrs, web

from ...accounting.conversations.image_store import Origin
from ...accounting.storage.database import DatabaseError
from ...accounting.store import AccountingStore
from ...admin.images import ShownImage
from ...admin.live import Live, LiveFeed, live
from ...admin.names import Names
from ...admin.server_models import ServerModels
from ...protocol.errors import (
    ApiError,
    AuthenticationError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    UnavailableError,
    UnsupportedMediaTypeError,
)
from ..body_memory import BodyShare
from ..dispatch import RequestContext, begin, internal_error
from ..endpoints.images import PATH as IMAGES_PATH, store_upload
from ..gateway import Gateway
from ..request_log import CLIENT_CLOSED
from .chat import chats_of, follow_chat, session_owner
from .commands import COMMANDS
from .context import Context
from .fields import Body, json_object, text
from .live_stream import stream
from .page_files import HEADERS, need_method, page_file
from .program import Program
from .sessions import LIFETIME, Session, Sessions

_LOGGER = logging.getLogger(__name__)

PATH: Final = "/admin"
USAGE_PAGE: Final = f"{PATH}/#usage"
_API: Final = f"{PATH}/api/"
_LOGIN_BYTES = 4 * 1024
_COMMAND_BYTES = 1024 * 1024
"""A request whose plan is asked for may contain a long conversation."""


class Administration:
    """The page of `zeroconf-ai serve` for its administrators, on the server's own port."""

    def __init__(
        self,
        gateway: Gateway,
        store: AccountingStore | None,
        key: str | None = None,
        program: Program | None = None,
    ) -> None:
        """With a `store`, its keys with the permission `admin` log in; without, `key` does. `close` must be called."""
        self._gateway = gateway
        self._store = store
        self._program = program or Program()
        self._chats = None if store is None else chats_of(gateway.engine, store)
        self._server_models = ServerModels(gateway.engine, lambda: None if store is None else store.audit)
        self.sessions = Sessions(None if store is None else store.keys, key)
        named = f"zai_session_{re.sub(r'[^0-9A-Za-z]', '', gateway.id)[:12]}"
        self._cookies = (f"__Host-{named}", named)
        """The cookie's name under TLS and without. The server's id is in it, because cookies are not separated by ports."""

    async def open(self) -> None:
        """Begin to follow the conversations."""
        if self._chats is not None:
            await self._chats.open()

    async def close(self) -> None:
        """End all sessions, and the answers that are being written."""
        self.sessions.close()
        await self._server_models.close()
        if self._chats is not None:
            await self._chats.close()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """The response to a request below `/admin`, also for every kind of error."""
        context = begin(None, request)
        try:
            response = await self._answer(context)
        except ApiError as err:
            response = context.error_response(err)
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
        if request.path == f"{PATH}/usage":  # GET is answered before
            need_method(request, hdrs.METH_GET)
        if not request.path.startswith(_API):
            return page_file(request, PATH)
        command = request.path.removeprefix(_API)
        if command in ("session", "live", "chat/follow"):
            need_method(request, hdrs.METH_GET)
            session = self._session(request)
            if command == "session":
                return context.json({"name": session.name, "records": self._store is not None})
            return await self._stream(context, session, command)
        if command == "chat/images":
            need_method(request, hdrs.METH_POST)
            return context.json(await self._upload(context))
        if command in ("login", "logout") or command in COMMANDS:
            need_method(request, hdrs.METH_POST)
            return await self._command(context, command)
        raise NotFoundError(f"There is nothing at {request.path}.")

    async def _stream(self, context: RequestContext, session: Session, command: str) -> web.StreamResponse:
        if "text/event-stream" not in context.http.headers.get(hdrs.ACCEPT, ""):
            raise InvalidRequestError("This is a stream: ask with 'Accept: text/event-stream'.")
        headers = {**context.headers, **HEADERS}
        if command == "chat/follow":
            follow = follow_chat(self._chats, session, context.http)
            return await stream(self._gateway, session, context.http, headers, follow)
        names = Names() if self._store is None else Names(self._store.keys, self._store.users.name)
        engine, totals = self._gateway.engine, self._gateway.totals

        async def follow_live(send: Callable[[Live], None]) -> Callable[[], None]:
            feed = LiveFeed(engine, lambda: live(engine, totals, names), send)
            await feed.attach()
            feed.start()
            return feed.close

        return await stream(self._gateway, session, context.http, headers, follow_live, newest_only=True)

    async def _command(self, context: RequestContext, command: str) -> web.StreamResponse:
        """Carry out a command, for which the browser has to name the page that sends it: this server's own."""
        request = context.http
        origin = _own_origin(request)
        if request.content_type != "application/json":
            raise UnsupportedMediaTypeError("Send JSON, with the header 'Content-Type: application/json'.")
        session = None if command == "login" else self._session(request)
        self._gateway.begin()
        share = context.share = BodyShare(self._gateway.body_memory, request.remote or "")
        try:
            body = json_object(await context.read(_COMMAND_BYTES if session else _LOGIN_BYTES))
            if session is None:
                return await self._log_in(context, body, origin)
            if command == "logout":
                return self._log_out(context)
            gateway = self._gateway
            given = Context(
                gateway.engine, gateway, self._store, gateway.name, session, body, self._program, self._server_models, self._chats
            )
            found = await COMMANDS[command](given)
        except DatabaseError as err:
            raise UnavailableError(str(err), code="database_failed") from err
        finally:
            share.release()
            self._gateway.end()
        return context.json({} if found is None else found)

    async def _upload(self, context: RequestContext) -> ShownImage:
        """Store an image of a conversation, which the page sends as a form."""
        request = context.http
        _own_origin(request)
        session = self._session(request)
        if self._store is None:
            raise NotFoundError("This server stores no images: it has no database.", code="not_offered")
        self._gateway.begin()
        share = context.share = BodyShare(self._gateway.body_memory, session.key_id or "")
        try:
            return await store_upload(
                self._store.images, context, session_owner(session), Origin("page", None, session.name), IMAGES_PATH
            )
        finally:
            share.release()
            self._gateway.end()

    async def _log_in(self, context: RequestContext, body: Body, origin: str) -> web.Response:
        secret = text(body, "key")
        if self._store is not None:
            await self._store.keys.look_up(secret)
        token = self.sessions.log_in(secret, context.http.remote, origin)
        session = self.sessions.find(token)
        response = context.json({"name": session.name, "records": self._store is not None})
        secure = origin.startswith("https://")
        response.set_cookie(
            self._cookies[0 if secure else 1],
            token,
            max_age=int(LIFETIME),
            path="/" if secure else PATH,  # `__Host-` requires the root
            secure=secure,
            httponly=True,
            samesite="Strict",
        )
        return response

    def _log_out(self, context: RequestContext) -> web.Response:
        token, secure = self._token(context.http)
        self.sessions.log_out(token)
        response = context.json({})
        response.del_cookie(
            self._cookies[0 if secure else 1],
            path="/" if secure else PATH,
            secure=secure,
            httponly=True,
            samesite="Strict",
        )
        return response

    def _token(self, request: web.Request) -> tuple[str | None, bool]:
        """The token of the request's cookie, and whether it is the cookie for TLS."""
        secure, plain = (request.cookies.get(name) for name in self._cookies)
        return (plain, False) if secure is None else (secure, True)

    def _session(self, request: web.Request) -> Session:
        """The session of a request of its own page. Raises AuthenticationError or PermissionDeniedError.

        Browsers send the cookie also for pages at other ports of this host.
        """
        token, secure = self._token(request)
        session = self.sessions.find(token)
        if session.origin.startswith("https://") is not secure:
            raise AuthenticationError("Log in again: the session began at another address.", code="no_session")
        if request.headers.get(hdrs.ORIGIN, session.origin) != session.origin:
            raise _foreign()
        if request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
            raise _foreign()
        return session


def _own_origin(request: web.Request) -> str:
    """The origin of the page that sent a request. Raises PermissionDeniedError unless it is this server's."""
    origin = request.headers.get(hdrs.ORIGIN, "")
    if origin not in (f"http://{request.host}", f"https://{request.host}"):
        raise _foreign()
    return origin


def _foreign() -> PermissionDeniedError:
    message = "Only this server's own page may send this. A proxy before this server must pass on the header 'Host'."
    return PermissionDeniedError(message, code="origin_not_allowed")
