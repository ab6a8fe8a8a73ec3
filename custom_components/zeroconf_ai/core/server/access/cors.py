"""The web pages that may read answers (CORS: WHATWG Fetch, section 3.3). By default none."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from aiohttp import hdrs

ANY = "*"
_ALLOWED_HEADERS = frozenset(
    {
        "accept",
        "api-key",
        "authorization",
        "content-type",
        "idempotency-key",
        "x-api-key",
        "x-goog-api-client",
        "x-goog-api-key",
        "x-request-id",
        "x-session-id",
    }
)
_ALLOWED_PREFIXES = ("anthropic-", "openai-", "x-stainless-")
"""Headers of OpenAI's and Anthropic's SDKs, and of Stainless, which generates both."""
_EXPOSED_HEADERS = (
    "request-id, Retry-After, retry-after-ms, X-Generation-ID, X-Request-ID, "
    "X-ZeroconfAI-Attempts, X-ZeroconfAI-Dropped-Tools, X-ZeroconfAI-Model, X-ZeroconfAI-Provider, "
    "x-ratelimit-limit-requests, x-ratelimit-limit-tokens, x-ratelimit-remaining-requests, x-ratelimit-remaining-tokens, "
    "x-ratelimit-reset-requests, x-ratelimit-reset-tokens, x-should-retry"
)
_PREFLIGHT_SECONDS = 600
"""How long a browser may cache a preflight response."""


class Origins:
    """The origins of web pages that may send requests."""

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        """`allowed`: exact origins (`https://chat.example.net`), or `*` for all. Raises ValueError for anything else."""
        self._allowed = frozenset(_checked(origin) for origin in allowed)

    def __bool__(self) -> bool:
        """Whether any origin is allowed."""
        return bool(self._allowed)

    def allow(self, origin: str) -> bool:
        """Whether a page of that origin may send requests."""
        return ANY in self._allowed or origin.casefold() in self._allowed

    def headers(self, origin: str | None) -> dict[str, str]:
        """The headers of every response to a page of that origin; empty if no origin is allowed."""
        if not self._allowed:
            return {}
        if ANY in self._allowed:
            return {hdrs.ACCESS_CONTROL_ALLOW_ORIGIN: ANY, hdrs.ACCESS_CONTROL_EXPOSE_HEADERS: _EXPOSED_HEADERS}
        if origin is None or not self.allow(origin):
            return {hdrs.VARY: hdrs.ORIGIN}  # otherwise a cache could return one page's response to another page
        return {
            hdrs.VARY: hdrs.ORIGIN,
            hdrs.ACCESS_CONTROL_ALLOW_ORIGIN: origin,
            hdrs.ACCESS_CONTROL_EXPOSE_HEADERS: _EXPOSED_HEADERS,
        }

    def preflight(self, origin: str | None, methods: Iterable[str], requested: str) -> dict[str, str]:
        """The headers of a preflight response. `requested`: header names, separated by commas, that the page wants to send."""
        found = self.headers(origin)
        if hdrs.ACCESS_CONTROL_ALLOW_ORIGIN not in found:
            return found
        named = (name.strip().lower() for name in requested.split(","))
        allowed = (name for name in named if name in _ALLOWED_HEADERS or name.startswith(_ALLOWED_PREFIXES))
        found |= {
            hdrs.ACCESS_CONTROL_ALLOW_METHODS: ", ".join(methods),
            hdrs.ACCESS_CONTROL_ALLOW_HEADERS: ", ".join(allowed),
            hdrs.ACCESS_CONTROL_MAX_AGE: str(_PREFLIGHT_SECONDS),
            "Access-Control-Allow-Private-Network": "true",
        }
        return found


def _checked(origin: str) -> str:
    text = origin.strip().casefold().rstrip("/")
    parts = urlsplit(text)
    if text != ANY and (parts.scheme not in ("http", "https") or not parts.netloc or text != f"{parts.scheme}://{parts.netloc}"):
        raise ValueError(f"{origin!r} is not a web origin: write it like https://chat.example.net, or * for all")
    return text
