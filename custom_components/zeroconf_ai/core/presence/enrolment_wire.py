"""`POST /v1/enroll` as a client sends it, and what its answers have (docs/protocol.md, section 4)."""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from ..backends.http import HttpUpstream
from ..protocol import json
from ..protocol.errors import CertificateError, ClientCertificateError, NotFoundError, PermissionDeniedError, UpstreamError
from ..protocol.key_proof import decode

PATH: Final = "/enroll"
MAX_BYTES: Final = 64 * 1024
"""Maximum size of an answer: a certificate and its authority have 2 KB."""


class EnrolmentError(UpstreamError):
    """This client is not enrolled. The message says why, in one sentence."""

    default_code = "enrolment_failed"


class PinChangedError(CertificateError):
    """The provider presents another certificate than the pinned one, which did not sign it. Nothing was sent to it."""


class RefusedByOwnerError(EnrolmentError):
    """The provider's owner has refused the request."""


class RequestOverError(EnrolmentError):
    """The request for enrolment has ended without a decision."""


class CodeRefusedError(EnrolmentError):
    """The one-time code is wrong, or the machine that answers is not the machine that showed the code."""


async def post(upstream: HttpUpstream, body: Mapping[str, str], headers: Mapping[str, str]) -> Mapping[str, Any]:
    """The answer to `POST /v1/enroll`. Raises EnrolmentError, CodeRefusedError, ApiError."""
    try:
        _, content = await upstream.exchange("POST", PATH, orjson.dumps(body), headers=headers, limit=MAX_BYTES)
    except ClientCertificateError:
        raise
    except PermissionDeniedError as err:
        if err.code == "invalid_code":
            raise CodeRefusedError(f"{upstream.name} does not accept this one-time code: it is wrong, or has ended") from None
        raise EnrolmentError(f"{upstream.name} refuses the enrolment: {err.message}") from None
    except NotFoundError:
        raise EnrolmentError(f"{upstream.name} gives no certificates to clients: its owner has to turn them on") from None
    return object_of(content, upstream.name)


def object_of(content: bytes, name: str) -> Mapping[str, Any]:
    """The JSON object of an answer. Raises EnrolmentError."""
    try:
        found = json.loads(content)
    except json.JSONDecodeError:
        found = None
    if not isinstance(found, Mapping):
        raise EnrolmentError(f"{name} answered with something that is no enrolment")
    return found


def text_of(answer: Mapping[str, Any], name: str) -> str:
    """A text of an answer. Raises EnrolmentError."""
    found = answer.get(name)
    if not isinstance(found, str) or not found:
        raise EnrolmentError(f"the provider's answer lacks {name}")
    return found


def bytes_of(answer: Mapping[str, Any], name: str, size: int) -> bytes:
    """`size` bytes of an answer. Raises EnrolmentError."""
    try:
        return decode(text_of(answer, name), size)
    except ValueError:
        raise EnrolmentError(f"the provider's answer has an invalid {name}") from None
