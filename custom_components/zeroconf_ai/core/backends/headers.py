"""Configured extra headers of a backend: validation, merging, and their values as secrets."""

from collections.abc import Mapping
import re

from .base import Endpoint

MAX_HEADERS = 32
MAX_VALUE_LENGTH = 4096
_MIN_SECRET_LENGTH = 6
"""Shorter values are common words and numbers: redacting them would make errors unreadable."""

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
_VALUE = re.compile(r"[\x21-\x7e]|[\x21-\x7e][\x20-\x7e\t]*[\x21-\x7e]")
_CONNECTION = frozenset(
    {
        "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
        "transfer-encoding", "upgrade", "expect",
    }
)  # fmt: skip
"""Headers of a single connection, which the HTTP client sets (RFC 9110, section 7.6.1)."""
_MESSAGE = frozenset({"host", "content-length", "content-type", "content-encoding", "accept", "accept-encoding"})
"""Headers that the request itself sets."""


def refused_header(name: str, value: str) -> str | None:
    """Why a header is not allowed, without its value; None if it is allowed."""
    if not _NAME.fullmatch(name):  # not repeated in the error: it may be a value in the wrong field
        return "the name of a header must be letters, digits and dashes, such as X-Team."
    if name.lower() in _CONNECTION | _MESSAGE:
        return f"{name} is set by this program; delete it."
    if len(value) > MAX_VALUE_LENGTH or not _VALUE.fullmatch(value):
        return f"a header's value must be 1 to {MAX_VALUE_LENGTH} printable ASCII characters, without a line break."
    return None


def merged(given: dict[str, str], configured: Mapping[str, str]) -> dict[str, str]:
    """All headers; the configured ones override others of the same name, ignoring case."""
    if not configured:
        return given
    named = {name.lower() for name in configured}
    return {name: value for name, value in given.items() if name.lower() not in named} | dict(configured)


def secrets_in(endpoint: Endpoint) -> tuple[str, ...]:
    """The secrets that errors must not contain: the key, and the values of configured headers, with and without a scheme."""
    if not endpoint.headers:
        return (endpoint.key,) if endpoint.key else ()
    found = {endpoint.key or ""}
    for value in endpoint.headers.values():
        found |= {value, value.partition(" ")[2].strip()}
    # The longest first: otherwise a secret that contains another would be redacted only in part.
    return tuple(
        sorted((secret for secret in found if len(secret) >= _MIN_SECRET_LENGTH or secret == endpoint.key), key=len)[::-1]
    )
