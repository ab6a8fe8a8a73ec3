"""The headers that an owner has sent to a backend: which may be, and that what they hold stays a secret."""

from collections.abc import Mapping
import re

from .base import Endpoint

MOST_HEADERS = 32
LONGEST_VALUE = 4096
_LEAST_SECRET = 6
"""Shorter values are words and numbers, without which no error could be read."""

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
_VALUE = re.compile(r"[\x21-\x7e]|[\x21-\x7e][\x20-\x7e\t]*[\x21-\x7e]")
_CONNECTION = frozenset(
    {
        "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
        "transfer-encoding", "upgrade", "expect",
    }
)  # fmt: skip
"""They speak of one connection, and are the HTTP client's own (RFC 9110, section 7.6.1)."""
_MESSAGE = frozenset({"host", "content-length", "content-type", "content-encoding", "accept", "accept-encoding"})
"""They say what this program sends and can read."""


def refused_header(name: str, value: str) -> str | None:
    """Why a header cannot be sent, in words that do not repeat its value; None where it can."""
    if not _NAME.fullmatch(name):  # and is not repeated: it may be a value in the wrong place
        return "the name of a header must be letters, digits and dashes, such as X-Team."
    if name.lower() in _CONNECTION | _MESSAGE:
        return f"{name} is set by this program; delete it."
    if len(value) > LONGEST_VALUE or not _VALUE.fullmatch(value):
        return f"a header's value must be 1 to {LONGEST_VALUE} printable ASCII characters, without a line break."
    return None


def merged(given: dict[str, str], owners: Mapping[str, str]) -> dict[str, str]:
    """All headers, of which the owner's win. Names differ in more than their capitals."""
    if not owners:
        return given
    named = {name.lower() for name in owners}
    return {name: value for name, value in given.items() if name.lower() not in named} | dict(owners)


def secrets_in(endpoint: Endpoint) -> tuple[str, ...]:
    """What no error may repeat: the key, and what the owner's headers hold, with or without a scheme such as `Bearer`."""
    if not endpoint.headers:
        return (endpoint.key,) if endpoint.key else ()
    held = {endpoint.key or ""}
    for value in endpoint.headers.values():
        held |= {value, value.partition(" ")[2].strip()}
    # The longest first: one that holds another would else be left over in part.
    return tuple(sorted((secret for secret in held if len(secret) >= _LEAST_SECRET or secret == endpoint.key), key=len)[::-1])
