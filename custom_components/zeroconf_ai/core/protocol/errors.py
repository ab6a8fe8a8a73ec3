"""Errors of the wire: OpenAI's shape, read from an upstream and written to a client.

`{"error": {"message", "type", "param", "code"}}` on every path (docs/protocol.md, section 2). A class here is a reason the
router treats differently; its `status`, `type` and `code` are what a client sees.
"""

from collections.abc import Iterable, Mapping
from email.utils import parsedate_to_datetime
import re
import time
from typing import Any, ClassVar

import orjson

MESSAGE_LIMIT = 500
"""Characters kept of an upstream's own words."""

_SECRET_SHAPES = re.compile(
    r"(?i)\b(bearer\s+)[^\s\"',}]+|\b(?:sk|zai|pk|rk|gsk|hf|xai)[-_][A-Za-z0-9_\-*.]{6,}|\beyJ[\w-]{8,}\.[\w-]+\.[\w-]+"
)


class ApiError(Exception):
    """A request that could not be served, with all that a client is told about it."""

    status: ClassVar[int] = 500
    type: ClassVar[str] = "server_error"
    default_code: ClassVar[str | None] = None

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        retry_after: float | None = None,
        upstream_status: int | None = None,
        details: tuple[str, ...] = (),
    ) -> None:
        """`retry_after` in seconds; `upstream_status` is what the provider itself answered, where one did."""
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.param = param
        self.retry_after = retry_after
        self.upstream_status = upstream_status
        self.details = details

    def to_json(self) -> dict[str, Any]:
        """The body a client gets."""
        error: dict[str, Any] = {"message": self.message, "type": self.type, "param": self.param, "code": self.code}
        if self.details:
            error["details"] = list(self.details)
        return {"error": error}

    def headers(self) -> dict[str, str]:
        """The headers that belong to it: `Retry-After` in whole seconds, and the milliseconds OpenAI's SDKs prefer."""
        if self.retry_after is None:
            return {}
        return {"Retry-After": str(max(1, round(self.retry_after))), "retry-after-ms": str(round(self.retry_after * 1000))}


class InvalidRequestError(ApiError):
    """The request itself is wrong: trying another provider would not help."""

    status = 400
    type = "invalid_request_error"
    default_code = "invalid_value"


class AuthenticationError(ApiError):
    """No key, or one that the provider does not know."""

    status = 401
    type = "authentication_error"
    default_code = "invalid_api_key"


class PermissionDeniedError(ApiError):
    """The key is known and may not do this."""

    status = 403
    type = "permission_error"
    default_code = "key_disabled"


class NotFoundError(ApiError):
    """No such path, or (code `model_not_found`) no such model."""

    status = 404
    type = "invalid_request_error"
    default_code = "not_found"


class MethodNotAllowedError(ApiError):
    """The path exists, the method does not."""

    status = 405
    type = "invalid_request_error"
    default_code = "method_not_allowed"


class RequestTooLargeError(ApiError):
    """More bytes than the provider takes."""

    status = 413
    type = "invalid_request_error"
    default_code = "request_too_large"


class RateLimitError(ApiError):
    """Too many requests or tokens; `retry_after` says when to come back."""

    status = 429
    type = "rate_limit_error"
    default_code = "rate_limit_exceeded"


class QuotaError(ApiError):
    """The money is spent; retrying soon does not help."""

    status = 429
    type = "insufficient_quota"
    default_code = "budget_exceeded"


class UpstreamError(ApiError):
    """The provider failed, or every candidate did."""

    status = 502
    type = "upstream_error"
    default_code = "provider_error"


class UpstreamConnectionError(UpstreamError):
    """The provider could not be reached: refused, no route, name not found, or no answer to the connection."""


class StreamBrokenError(UpstreamError):
    """The stream ended without its end, or carried an error, after it had begun."""


class UnavailableError(ApiError):
    """Nobody can take the request right now."""

    status = 503
    type = "service_unavailable"
    default_code = "no_provider"


class UpstreamTimeoutError(ApiError):
    """The provider took the request and then said nothing in time."""

    status = 504
    type = "timeout_error"
    default_code = "provider_timeout"


class LoopDetectedError(ApiError):
    """The request has been here before (`Via`, PROTOCOL 2)."""

    status = 508
    type = "invalid_request_error"
    default_code = "loop_detected"


_BY_STATUS: Mapping[int, type[ApiError]] = {
    400: InvalidRequestError,
    401: AuthenticationError,
    402: QuotaError,
    403: PermissionDeniedError,
    404: NotFoundError,
    405: MethodNotAllowedError,
    413: RequestTooLargeError,
    422: InvalidRequestError,
    429: RateLimitError,
    504: UpstreamTimeoutError,
}


def redact(text: str, secrets: Iterable[str | None] = ()) -> str:
    """`text` without the given secrets, without anything shaped like a key, and without control characters."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    text = _SECRET_SHAPES.sub(lambda found: f"{found[1] or ''}***", text)
    return "".join(char if char.isprintable() else " " for char in text)


def parse_retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait by `retry-after-ms` or `Retry-After` (seconds or an HTTP date), or None."""
    try:
        if millis := headers.get("retry-after-ms"):
            return max(0.0, float(millis) / 1000)
        if not (value := headers.get("Retry-After")):
            return None
        try:
            return max(0.0, float(value))
        except ValueError:
            return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None


def _upstream_words(body: bytes) -> tuple[str, str | None, str | None, str | None]:
    """(message, code, param, type) of an error body in any of the shapes seen in the wild.

    OpenAI `{"error": {…}}`, Ollama `{"error": "…"}`, FastAPI `{"detail": "…"}` or a list of `{"msg", "loc"}`, plain text.
    """
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError:
        text = body[: MESSAGE_LIMIT * 4].decode(errors="replace").strip()
        return ("" if text.startswith("<") else text), None, None, None
    if not isinstance(data, dict):
        return "", None, None, None
    error = data.get("error", data.get("detail", data.get("message", "")))
    if isinstance(error, list):
        error = "; ".join(str(item.get("msg", item)) if isinstance(item, dict) else str(item) for item in error)
    if not isinstance(error, dict):
        return str(error), None, None, None
    words = (error.get(name) for name in ("code", "param", "type"))
    code, param, kind = (str(word) if isinstance(word, str | int) else None for word in words)
    return str(error.get("message") or ""), code, param, kind


def error_from_response(
    status: int, body: bytes, headers: Mapping[str, str], *, secrets: Iterable[str | None] = ()
) -> ApiError:
    """The error that an upstream's answer means. Its words are kept, shortened and without secrets."""
    words, code, param, kind = _upstream_words(body)
    message = redact(words, secrets)[:MESSAGE_LIMIT] or f"the provider answered {status}"
    error_class = _BY_STATUS.get(status)
    if status == 429 and "insufficient_quota" in (code, kind):
        error_class = QuotaError
    retry_after = parse_retry_after(headers)
    if error_class is None:
        if status in (503, 529):
            return UnavailableError(
                message, code="provider_capacity_exceeded", retry_after=retry_after, upstream_status=status
            )
        error_class = InvalidRequestError if 400 <= status < 500 else UpstreamError
    known_code = code if error_class in (InvalidRequestError, NotFoundError, PermissionDeniedError) else None
    if error_class is NotFoundError and known_code is None and "model" in message.lower():
        known_code = "model_not_found"
    return error_class(message, code=known_code, param=param, retry_after=retry_after, upstream_status=status)
