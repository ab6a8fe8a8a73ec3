"""What the owner sees of enrolment, as plain data: on the page of both homes and by the command."""

from typing import TYPE_CHECKING, Any

from ...accounting.one_time_codes import Purpose
from ...protocol.key_proof import decode
from ...protocol.record import Auth
from .enrolment import Enrolment
from .pending import EnrolmentRequest

if TYPE_CHECKING:
    from ..tls.server_tls import ServerTls

_FINGERPRINT_BYTES = 32


def describe_enrolment(enrolment: Enrolment | None, tls: "ServerTls | None", mode: Auth, address: str) -> dict[str, Any]:
    """`offered`, and if so `mode`, `pin` (SHA-256 of the certificate, hexadecimal), `address`, the open `code`, and `pending`.

    `address`: host and port at which clients reach the server over TLS.
    """
    if enrolment is None or tls is None:
        return {"offered": False}
    code = enrolment.codes.current(Purpose.ENROLL)
    left = 0 if code is None else round(enrolment.codes.seconds_left(code))
    return {
        "offered": True,
        "mode": mode.value,
        "pin": decode(tls.fingerprint, _FINGERPRINT_BYTES).hex(),
        "address": address,
        "code": None if code is None else {"code": code.code, "seconds_left": left, "tries_left": code.tries},
        "pending": [describe_request(one, enrolment.pending.seconds_left(one)) for one in enrolment.pending],
    }


def describe_request(request: EnrolmentRequest, seconds_left: float) -> dict[str, Any]:
    """A client that waits for the owner's approval. `name` is what it calls itself."""
    return {
        "id": request.id,
        "name": request.name,
        "address": request.address,
        "check": request.check,
        "asked": request.asked,
        "seconds_left": round(seconds_left),
    }
