"""What crosses a relay link (docs/protocol.md, "Relay"): a fixed table of methods and paths, and the headers of both directions.

Both ends apply it: the house sends nothing else, and the connector answers nothing else.
"""

from collections.abc import Iterable
import re
from urllib.parse import unquote

MAX_TARGET = 2048
"""Characters of a path with its query."""
_GET = ("/v1/models", "/v1/health", "/v1/status", "/v1/audio/models", "/v1/audio/voices")
_POST = (
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/embeddings",
    "/v1/images/generations",
    "/v1/images/edits",
    "/v1/responses",
    "/v1/messages",
    "/v1/messages/count_tokens",
    "/v1/audio/transcriptions",
    "/v1/audio/speech",
)
PATHS = frozenset([*(("GET", path) for path in _GET), *(("POST", path) for path in _POST)])
"""The methods and paths, besides `GET /v1/models/{model}`."""
_MODEL = "/v1/models/"
_TARGET = re.compile(r"[!$-;=?-Z_a-z~]+")
"""ASCII without spaces, control characters, `#`, quotes, backslashes and brackets."""

_REQUEST_HEADERS = frozenset(
    {
        "accept",
        "anthropic-beta",
        "anthropic-version",
        "content-encoding",
        "content-length",
        "content-type",
        "traceparent",
        "tracestate",
        "via",
        "x-request-id",
        "x-session-id",
    }
)
_RESPONSE_HEADERS = frozenset(
    {
        "cache-control",
        "content-encoding",
        "content-length",
        "content-type",
        "request-id",
        "retry-after",
        "retry-after-ms",
        "via",
        "x-generation-id",
        "x-request-id",
        "x-should-retry",
    }
)
_RESPONSE_PREFIXES = ("x-ratelimit-", "x-zeroconfai-", "anthropic-ratelimit-")
_MAX_HEADERS = 64
_MAX_HEADER = 8192
_HEADER_VALUE = re.compile(r"[\t -~\x80-\U0010ffff]*")


def may_cross(method: str, target: str) -> bool:
    """Whether a request may cross. `target`: the path, and the query after a question mark."""
    if len(target) > MAX_TARGET or _TARGET.fullmatch(target) is None:
        return False
    path = target.partition("?")[0]
    if (method, path) in PATHS:
        return True
    return method == "GET" and path.startswith(_MODEL) and _names_model(path.removeprefix(_MODEL))


def request_headers(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The headers of a request that cross: no keys, no cookies, no hop-by-hop headers, none of the sender's network."""
    return [(name, value) for name, value in _sound(headers) if name in _REQUEST_HEADERS]


def response_headers(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The headers of a response that cross."""
    return [(name, value) for name, value in _sound(headers) if name in _RESPONSE_HEADERS or name.startswith(_RESPONSE_PREFIXES)]


def _sound(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The headers with names in lower case, without those whose value no header can have."""
    found = [(name.lower(), value) for name, value in headers if len(value) <= _MAX_HEADER and _HEADER_VALUE.fullmatch(value)]
    return found[:_MAX_HEADERS]


def _names_model(text: str) -> bool:
    """Whether the rest of a path names a model, of which no part leads elsewhere."""
    parts = unquote(unquote(text)).replace("\\", "/").split("/")
    return all(part not in ("", ".", "..") for part in parts)
