"""`POST /v1/enroll` and `GET /v1/enroll/{request}`: client certificates (docs/protocol.md, section 4). Public, over TLS only."""

import time
from typing import Any, Final

from aiohttp import web

from ...accounting.storage.database import DatabaseError
from ...protocol import key_proof
from ...protocol.errors import AuthenticationError, InvalidRequestError, NotFoundError, PermissionDeniedError, UnavailableError
from ...protocol.json import JSONDecodeError, loads
from ...protocol.pairing import IDENTITY_BYTES, MAX_TYPED, MESSAGE_BYTES, NONCE_BYTES, PROOF_BYTES
from ...protocol.presented_key import presented_key
from ...protocol.values import clean
from ..access.peer_certificate import peer_digest
from ..body_memory import BodyShare
from ..connections import LimitedConnection
from ..dispatch import RequestContext
from ..enrolment.enrolment import Enrolment
from ..enrolment.pending import EnrolmentRequest, State
from ..gateway import Gateway

PATH: Final = "/v1/enroll"
_MOST_BYTES: Final = 16 * 1024
_NAME_LIMIT: Final = 100
_TOKEN_LIMIT: Final = 100
_POLL_SECONDS: Final = 3

type _Body = dict[str, Any]


async def enroll(gateway: Gateway, context: RequestContext) -> web.Response:
    """A certificate, or the next step towards one: what the body has decides."""
    enrolment = _enrolment(gateway, context)
    request = context.http
    gateway.begin()
    share = context.share = BodyShare(gateway.body_memory, request.remote or "")
    try:
        gateway.access.check_page(request)
        body = _object(await context.read(_MOST_BYTES))
        return await _answer(gateway, enrolment, context, body)
    except DatabaseError as err:
        raise UnavailableError(str(err), code="database_failed") from err
    finally:
        share.release()
        gateway.end()


async def state(gateway: Gateway, context: RequestContext) -> web.Response:
    """What the owner has decided on a client that asked."""
    enrolment = _enrolment(gateway, context)
    return _decision(context, enrolment, enrolment.pending.find(context.variables["request"], _ticket(context)))


async def _answer(gateway: Gateway, enrolment: Enrolment, context: RequestContext, body: _Body) -> web.Response:
    address = context.http.remote
    if "session" in body:
        made = await enrolment.finish_pairing(address, _text(body, "session", _TOKEN_LIMIT), _raw(body, "proof", PROOF_BYTES))
        return context.json(made.to_json())
    if "request" in body:
        nonce = _raw(body, "nonce", NONCE_BYTES)
        return _decision(context, enrolment, enrolment.reveal(_text(body, "request", _TOKEN_LIMIT), _ticket(context), nonce))
    ways = [way for way in ("code", "pake", "commitment") if way in body]
    if len(ways) > 1:
        raise InvalidRequestError(f"Send {' or '.join(map(repr, ways))}, not both.", param=ways[1])
    csr = body.get("csr")
    if not ways:
        return context.json((await enrolment.renew(address, _presented(context), csr)).to_json())
    name = _text(body, "name", _NAME_LIMIT)
    if "code" in body:
        return context.json((await enrolment.by_code(address, name, csr, _text(body, "code", MAX_TYPED))).to_json())
    if "pake" in body:
        begun = await enrolment.begin_pairing(address, name, csr, _raw(body, "pake", MESSAGE_BYTES))
        return context.json(
            {"session": begun.session, "pake": key_proof.encode(begun.message), "proof": key_proof.encode(begun.proof)}
        )
    gateway.access.check_network(context.http)
    waiting, ticket = await enrolment.ask(address, name, csr, _raw(body, "commitment", IDENTITY_BYTES))
    answer = {
        "request": waiting.id,
        "ticket": ticket,
        "nonce": key_proof.encode(waiting.nonce),
        "expires_at": time.time() + enrolment.pending.seconds_left(waiting),
    }
    return context.json(answer, status=202)


def _decision(context: RequestContext, enrolment: Enrolment, request: EnrolmentRequest) -> web.Response:
    """The certificate of an approved client, or when a waiting one may ask again. Raises PermissionDeniedError."""
    if request.state is State.REFUSED:
        raise PermissionDeniedError("The owner has refused this client.", code="enrollment_refused")
    if request.result is not None:
        return context.json(request.result.to_json())
    answer = {
        "request": request.id,
        "state": State.PENDING.value,
        "check": request.check,
        "poll_after_seconds": _POLL_SECONDS,
        "expires_at": time.time() + enrolment.pending.seconds_left(request),
    }
    return context.json(answer, status=202)


def _enrolment(gateway: Gateway, context: RequestContext) -> Enrolment:
    """The server's enrolment. Raises InvalidRequestError without TLS on this port, NotFoundError if it is not offered."""
    request = context.http
    on_own_port = isinstance(request.protocol, LimitedConnection)
    if request.transport is None or request.transport.get_extra_info("ssl_object") is None or not on_own_port:
        raise InvalidRequestError("Enrolment needs HTTPS on the server's own port.", code="https_required")
    if gateway.enrolment is None:
        raise NotFoundError("This server gives no client certificates.", code="not_offered")
    return gateway.enrolment


def _presented(context: RequestContext) -> bytes:
    """The hash of the connection's client certificate. Raises AuthenticationError without one."""
    if (digest := peer_digest(context.http.transport)) is None:
        message = "Send a one-time code, ask for the owner's approval, or renew a certificate over a connection with it."
        raise AuthenticationError(message, code="missing_certificate")
    return digest


def _ticket(context: RequestContext) -> str:
    """The ticket of a waiting client. Raises AuthenticationError without one."""
    found = presented_key(context.http.headers)
    if found is None:
        raise AuthenticationError("Send the ticket as 'Authorization: Bearer TICKET'.", code="missing_ticket")
    return found[:_TOKEN_LIMIT]


def _object(raw: bytes) -> _Body:
    try:
        found = loads(raw)
    except JSONDecodeError as err:
        raise InvalidRequestError(f"The body is not valid JSON: {err.msg}.", code="invalid_body") from err
    if not isinstance(found, dict):
        raise InvalidRequestError("The body must be a JSON object.", code="invalid_body")
    return found


def _text(body: _Body, name: str, most: int) -> str:
    """A text of 1 to `most` characters. Raises InvalidRequestError."""
    found = body.get(name)
    text = clean(found, most + 1).strip() if isinstance(found, str) else ""
    if not 1 <= len(text) <= most:
        raise InvalidRequestError(f"'{name}' must be a text of 1 to {most} characters.", param=name)
    return text


def _raw(body: _Body, name: str, size: int) -> bytes:
    """Bytes as base64url. Raises InvalidRequestError."""
    found = body.get(name)
    try:
        if isinstance(found, str):
            return key_proof.decode(found, size)
    except ValueError:
        pass
    raise InvalidRequestError(f"'{name}' must be {size} bytes as base64url without padding.", param=name)
