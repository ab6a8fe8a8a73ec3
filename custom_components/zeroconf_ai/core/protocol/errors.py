"""API errors in OpenAI's format, parsed from an upstream and written to a client.

`{"error": {"message", "type", "param", "code"}}` on every path (docs/protocol.md, section 2). Each class is a reason that the
router treats differently; clients receive its `status`, `type` and `code`.
"""

from collections.abc import Callable, Iterable, Mapping
from email.utils import parsedate_to_datetime
import math
import re
import time
from typing import Any, ClassVar, override

from . import json
from .reasons import status_reason, without_addresses
from .values import NOTHING, encodable, mapping, printable

MESSAGE_LIMIT = 500
"""Maximum characters kept of an upstream's error message."""
_CODE_LIMIT = 100
_LONGEST_WAIT = 31 * 86_400.0
"""A month, the longest period of a budget; a longer `Retry-After` is reduced to it."""

SHORT_WAIT = 60.0
"""Clients retry a request that a budget refused only if the budget is available again within so many seconds."""

_SECRET_SHAPES = re.compile(
    r"(?i)\b(bearer\s+)[^\s\"',}]+|\b(?:sk|zai|pk|rk|gsk|hf|xai|ghp)[-_][A-Za-z0-9_\-*.]{6,}|\bAIza[\w-]{30,}|\beyJ[\w-]{8,}\.[\w-]+\.[\w-]+"
)


class ApiError(Exception):
    """A failed request, with all data of the error response."""

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
        more_headers: Mapping[str, str] | None = None,
        log_text: str | None = None,
    ) -> None:
        """`message` must not contain addresses of backends and texts of exceptions; `log_text`, for the owner, may contain both.

        `retry_after` in seconds; `upstream_status` is the HTTP status of the provider, if it answered; `more_headers` are added
        to the response.
        """
        message = printable(encodable(message))  # it may quote others and is shown in logs, terminals and forms
        super().__init__(message)
        self.message = message
        self.log_text = printable(encodable(log_text)) if log_text else message
        """For the log, the conversation trace and the *Last error* entity. Contains no secrets."""
        self.code = code or self.default_code
        self.param = None if param is None else encodable(param)
        self.retry_after = retry_after
        self.upstream_status = upstream_status
        self.details = tuple(map(encodable, details))
        self.causes: tuple[ApiError, ...] = ()
        """The failures of the individual backends."""
        self._more_headers = more_headers or {}

    def to_json(self) -> dict[str, Any]:
        """The body of the response."""
        error: dict[str, Any] = {"message": self.message, "type": self.type, "param": self.param, "code": self.code}
        if self.details:
            error["details"] = list(self.details)
        return {"error": error}

    def as_type[Kind: ApiError](
        self, kind: Callable[..., Kind], message: str | None = None, *, code: str | None = None, param: str | None = None
    ) -> Kind:
        """The same failure as an error of another type. `message` defaults to the provider's message without addresses."""
        return kind(
            message or without_addresses(self.log_text),
            code=code,
            param=param,
            retry_after=self.retry_after,
            upstream_status=self.upstream_status,
            log_text=self.log_text,
        )

    def headers(self) -> dict[str, str]:
        """The response's headers: `Retry-After` in whole seconds, and in milliseconds, which OpenAI's SDKs prefer."""
        headers = dict(self._more_headers)
        if self.retry_after is not None:
            headers["Retry-After"] = str(max(1, math.ceil(self.retry_after)))
            headers["retry-after-ms"] = str(math.ceil(self.retry_after * 1000))
        return headers


class InvalidRequestError(ApiError):
    """The request is invalid, so trying another provider would not help."""

    status = 400
    type = "invalid_request_error"
    default_code = "invalid_value"


class AuthenticationError(ApiError):
    """No API key, or an unknown one."""

    status = 401
    type = "authentication_error"
    default_code = "invalid_api_key"


class ClientCertificateError(AuthenticationError):
    """The provider requires a client certificate, or does not accept the one that was presented."""

    default_code = "invalid_certificate"


class PermissionDeniedError(ApiError):
    """The API key is valid but lacks the permission."""

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


class RequestTimeoutError(ApiError):
    """The client sent its request too slowly."""

    status = 408
    type = "invalid_request_error"
    default_code = "request_timeout"


class RequestTooLargeError(ApiError):
    """The request exceeds the provider's size limit."""

    status = 413
    type = "invalid_request_error"
    default_code = "request_too_large"


class UnsupportedMediaTypeError(ApiError):
    """The path does not accept the body's media type."""

    status = 415
    type = "invalid_request_error"
    default_code = "unsupported_media_type"


class RateLimitError(ApiError):
    """Too many requests or tokens; `retry_after` is the time to wait."""

    status = 429
    type = "rate_limit_error"
    default_code = "rate_limit_exceeded"


class QuotaError(ApiError):
    """The budget or quota is exhausted; retrying soon does not help."""

    status = 429
    type = "insufficient_quota"
    default_code = "budget_exceeded"

    @override
    def headers(self) -> dict[str, str]:
        retry = self.retry_after is not None and self.retry_after <= SHORT_WAIT
        return {"x-should-retry": str(retry).lower(), **super().headers()}  # OpenAI's SDKs retry by default


class BudgetShortError(QuotaError):
    """The reservation does not cover the request's cost at one provider; another provider may answer it."""


class UpstreamError(ApiError):
    """The provider failed, or every candidate did."""

    status = 502
    type = "upstream_error"
    default_code = "provider_error"


class UpstreamConnectionError(UpstreamError):
    """The provider could not be reached: refused, no route, name not found, or no answer to the connection."""


class CertificateError(UpstreamConnectionError):
    """The provider's certificate is not the confirmed one, or cannot be verified."""


class IdentityChangedError(UpstreamConnectionError):
    """A provider with another id than the confirmed one answers at the address."""


class StreamBrokenError(UpstreamError):
    """An answer that cannot be read, ended early, or contained an error without a status. It is not requested twice."""

    def __init__(self, message: str, *, reported: bool = False, **more: Any) -> None:
        """`reported`: the provider reported the failure itself, so it does not bill what it did not send."""
        super().__init__(message, **more)
        self.reported = reported


class UnavailableError(ApiError):
    """No backend can take the request right now."""

    status = 503
    type = "service_unavailable"
    default_code = "no_provider"


class UpstreamTimeoutError(ApiError):
    """The provider accepted the request but did not answer in time."""

    status = 504
    type = "timeout_error"
    default_code = "provider_timeout"


class LoopDetectedError(ApiError):
    """The request has passed this gateway before (`Via`, docs/protocol.md, section 2)."""

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
    408: UpstreamTimeoutError,
    422: InvalidRequestError,
    429: RateLimitError,
    503: UnavailableError,
    504: UpstreamTimeoutError,
    508: LoopDetectedError,
    529: UnavailableError,
}

_REQUEST_ERRORS = (InvalidRequestError, NotFoundError, MethodNotAllowedError, RequestTooLargeError, UnsupportedMediaTypeError)
"""Errors that only the caller can correct."""


def redact(text: str, secrets: Iterable[str | None] = ()) -> str:
    """`text` without the given secrets, text in the form of a key, and control characters."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    text = _SECRET_SHAPES.sub(lambda found: f"{found[1] or ''}***", text)
    return printable(text)


def parse_retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds to wait by `retry-after-ms` or `Retry-After` (seconds or an HTTP date); None if missing or invalid."""
    seconds = _seconds(headers.get("retry-after-ms"), 0.001)
    if seconds is None and (value := headers.get("Retry-After")):
        seconds = _seconds(value)
        if seconds is None:
            try:
                seconds = parsedate_to_datetime(value).timestamp() - time.time()
            except (ValueError, OverflowError):
                return None
    return None if seconds is None else min(max(0.0, seconds), _LONGEST_WAIT)


def _seconds(value: str | None, unit: float = 1.0) -> float | None:
    try:
        number = float(value or "nan") * unit
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def error_message(data: object, depth: int = 4) -> str:
    """The message in the JSON of an error, not redacted; "" if the JSON contains no message.

    Formats: OpenAI `{"error": {"message": "…"}}` (Google: in a list), Ollama `{"error": "…"}`, vLLM `{"message": "…"}`,
    FastAPI `{"detail": "…"}` or `{"detail": [{"loc": […], "msg": "…"}]}`. `depth` limits the levels that are searched.
    """
    if isinstance(data, str):
        return data
    if depth and isinstance(data, list):
        return "; ".join(text for item in data[:10] if (text := error_message(item, depth - 1)))
    if depth and isinstance(data, Mapping):
        for name in ("error", "detail", "message", "msg"):
            if text := error_message(data.get(name), depth - 1):
                where = data.get("loc")
                return f"{'.'.join(map(str, where))}: {text}" if isinstance(where, list) else text
    return ""


def error_from_response(status: int, body: bytes, headers: Mapping[str, str], *, secrets: Iterable[str | None] = ()) -> ApiError:
    """Convert an upstream's error response. Its message is kept for the log, shortened and without secrets."""
    if 300 <= status < 400:
        return UpstreamConnectionError("it redirects to another address, which is never followed", upstream_status=status)
    try:
        data = json.loads(body)
    except json.DepthError:
        data = ""
    except json.JSONDecodeError:
        text = body[: MESSAGE_LIMIT * 4].decode(errors="replace").strip()
        data = "" if text.startswith("<") else text
    return error_from_data(status, data, headers, secrets=secrets)


def error_from_data(
    status: int, data: object, headers: Mapping[str, str] = NOTHING, *, secrets: Iterable[str | None] = ()
) -> ApiError:
    """Convert the parsed body of an upstream's error with this status, as `error_from_response` does."""
    secrets = tuple(secrets)
    upstream_message = redact(error_message(data), secrets)[:MESSAGE_LIMIT]
    first = mapping(data[0] if isinstance(data, list) and data else data)
    fields = mapping(first.get("error")) or first
    details = _google_details(fields)
    wrong_key = status == 400 and any(detail.get("reason") == "API_KEY_INVALID" for detail in details)
    meant = 401 if wrong_key else status
    message = f"the provider {status_reason(meant)}"
    log_text = f"{message}: {upstream_message}" if upstream_message else message
    code, param, kind = (
        without_addresses(redact(value, secrets))[:_CODE_LIMIT] if isinstance(value := fields.get(name), str) else None
        for name in ("code", "param", "type")
    )
    error_class = _BY_STATUS.get(meant) or (InvalidRequestError if 400 <= status < 500 else UpstreamError)
    if status == 429 and "insufficient_quota" in (code, kind):
        error_class = QuotaError
    if meant == 401 and code in _CERTIFICATE_REASONS:
        message, error_class = _CERTIFICATE_REASONS[code], ClientCertificateError
    if error_class is UnavailableError:
        code = "provider_capacity_exceeded"
    elif error_class is NotFoundError and (param == "model" or "model" in upstream_message.lower()):
        code = code or "model_not_found"
    elif error_class not in (InvalidRequestError, NotFoundError, PermissionDeniedError, ClientCertificateError):
        code = None
    if issubclass(error_class, _REQUEST_ERRORS) and upstream_message:
        message = without_addresses(upstream_message)  # the caller needs the provider's message to correct the request
    wait = parse_retry_after(headers)
    if wait is None:
        wait = next((seconds for detail in details if (seconds := _retry_delay(detail)) is not None), None)
    return error_class(message, code=code, param=param, retry_after=wait, upstream_status=status, log_text=log_text)


_CERTIFICATE_REASONS: Mapping[str | None, str] = {
    "missing_certificate": "the provider requires a client certificate",
    "invalid_certificate": "the provider does not know the client certificate, or not any more",
    "certificate_expired": "the client certificate has expired",
}
"""The codes of a 401 about a client's certificate (docs/protocol.md, section 4) → what they mean."""


def _google_details(fields: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The `details` of an error in Google's format (google.rpc.Status); empty for other formats."""
    details = fields.get("details")
    return [detail for detail in details[:20] if isinstance(detail, Mapping)] if isinstance(details, list) else []


def _retry_delay(detail: Mapping[str, Any]) -> float | None:
    """The seconds to wait in a google.rpc.RetryInfo, such as "36.5s"; None for another detail."""
    delay = detail.get("retryDelay")
    seconds = _seconds(delay.removesuffix("s")) if isinstance(delay, str) else None
    return None if seconds is None else min(max(0.0, seconds), _LONGEST_WAIT)
