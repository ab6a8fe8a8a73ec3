"""Standard reasons of failures for callers, in place of the messages of upstreams and the system, which stay in the log.

Callers are clients with a key and users of a voice assistant: they get the names of backends and these reasons. The addresses of
backends and the texts of exceptions are for the owner only.
"""

import errno
from ipaddress import ip_address
import re
import socket
import ssl

_ADDRESS = re.compile(
    r"\b[a-z][a-z0-9+.-]{1,15}://[^\s\"'<>]+"  # a URL
    r"|(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?(?![\w.]*\w)"  # IPv4
    r"|\[[0-9a-f:.]+(?:%\w+)?\](?::\d{1,5})?|(?<![\w:.])[0-9a-f:.]*:[0-9a-f:.]*:[0-9a-f:.]*(?:%\w+)?"  # IPv6
    r"|\b(?:localhost|[\w-]+(?:\.[\w-]+){0,4}\.(?:local|lan|home|internal|arpa))(?::\d{1,5})?\b",  # a local host name
    re.IGNORECASE,
)
_IN_BRACKETS = re.compile(r"\[([^\]]*)\](?::\d+)?")

_BY_ERRNO = {
    errno.ECONNREFUSED: "the connection was refused",
    errno.ECONNRESET: "the connection was closed",
    errno.EPIPE: "the connection was closed",
    errno.EHOSTUNREACH: "there is no route to it",
    errno.ENETUNREACH: "there is no route to it",
    errno.ETIMEDOUT: "the connection timed out",
}
_BY_STATUS = {
    401: "refused the API key",
    402: "has no credit left",
    403: "refused the request",
    408: "timed out",
    429: "has reached its rate limit",
    503: "has no capacity right now",
    504: "timed out",
    508: "detected a request loop",
    529: "has no capacity right now",
}
_CAUSES = 4
"""The maximum number of chained exceptions that are followed."""


CONNECTOR_AWAY = "its connector is not connected"


class ConnectorAwayError(OSError):
    """A provider is reached over the relay, and its connector has no link."""

    def __init__(self) -> None:
        super().__init__(errno.EHOSTUNREACH, CONNECTOR_AWAY)


def without_addresses(text: str) -> str:
    """`text` with `…` in place of each URL, IP address and local host name."""
    return _ADDRESS.sub(lambda found: "…" if _is_address(found[0]) else found[0], text)


def connection_reason(err: BaseException) -> str:
    """Why a connection failed or was lost."""
    cause: BaseException | None = err
    for _ in range(_CAUSES):
        if isinstance(cause, ConnectorAwayError):
            return CONNECTOR_AWAY
        if isinstance(cause, socket.gaierror):
            return "its host name is not known"
        if isinstance(cause, ssl.SSLError):
            return "there is no secure connection (TLS) to it"
        if isinstance(cause, OSError) and cause.errno in _BY_ERRNO:
            return _BY_ERRNO[cause.errno]
        if cause is None:
            break
        cause = cause.__cause__ or getattr(cause, "os_error", None)
    return "the connection failed"


def status_reason(status: int) -> str:
    """What an HTTP status means, as the predicate of a sentence, such as `answered with an error (HTTP 500)`."""
    return _BY_STATUS.get(status) or f"answered with an error (HTTP {status})"


def _is_address(text: str) -> bool:
    """Whether a match is an address: `12:30:45` is a time."""
    if "://" in text or ":" not in text:
        return True
    found = _IN_BRACKETS.fullmatch(text)
    inner = found[1] if found else text
    if inner.count(":") < 2:
        return not found
    try:
        ip_address(inner.rstrip(":.") if not inner.endswith("::") else inner)
    except ValueError:
        return False
    return True
