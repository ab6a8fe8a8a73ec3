"""Errors that a provider reports inside an answer whose HTTP status is 200."""

from collections.abc import Iterable, Mapping
from typing import Any

from .errors import MESSAGE_LIMIT, ApiError, StreamBrokenError, error_from_data, error_message, redact
from .values import mapping

_MAPPED = range(400, 500)
"""Statuses that are treated as those of a response; a provider's own failures are not."""
_TIMED_OUT = 408

_STATUS_BY_NAME: Mapping[str, int] = {
    "badrequesterror": 400,
    "context_length_exceeded": 400,
    "exceed_context_size_error": 400,
    "failed_precondition": 400,
    "invalid_argument": 400,
    "invalid_request_error": 400,
    "authentication_error": 401,
    "authenticationerror": 401,
    "invalid_api_key": 401,
    "unauthenticated": 401,
    "billing_error": 402,
    "insufficient_quota": 402,
    "permission_denied": 403,
    "permission_error": 403,
    "permissiondeniederror": 403,
    "model_not_found": 404,
    "not_found": 404,
    "not_found_error": 404,
    "notfounderror": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "ratelimiterror": 429,
    "resource_exhausted": 429,
    "too_many_requests": 429,
}
"""The status that a `code`, `type` or `status` in words stands for (OpenAI, Anthropic, Google, vLLM, llama.cpp, LiteLLM)."""


def contains_error(data: Mapping[str, Any]) -> bool:
    """Whether a chunk or a complete answer contains an error: at its top (vLLM: `"object": "error"`) or in its first choice."""
    choice = _first_choice(data)
    return bool(
        data.get("error") or data.get("object") == "error" or choice.get("error") or choice.get("finish_reason") == "error"
    )


def reported_error(name: str, data: Mapping[str, Any], secrets: Iterable[str | None] = ()) -> ApiError:
    """The exception for an error in an answer of the provider `name`.

    A status of 4xx that it contains, as a number or in words, is treated like that of a response. Any other error is a
    StreamBrokenError.
    """
    secrets = tuple(secrets)
    choice = _first_choice(data)
    found = data if data.get("error") or not choice.get("error") else choice
    if (status := _status(found)) is not None:
        return error_from_data(status, found, secrets=secrets)
    message = f"{name} reported an error instead of an answer"
    fields = mapping(found.get("error"))
    details = redact(error_message(found), secrets)
    kind = redact(kind, secrets) if isinstance(kind := fields.get("type"), str) else ""
    log_text = f"{message}: {f'{kind} {details}'.strip()[:MESSAGE_LIMIT] or 'no details'}"
    return StreamBrokenError(message, log_text=log_text, reported=True)


def _status(data: Mapping[str, Any]) -> int | None:
    """The status of 4xx that an error contains; None if it contains none, or another."""
    for fields in (mapping(data.get("error")), data):
        values = [fields.get(name) for name in ("code", "status", "status_code", "http_code", "type")]
        for value in values:
            if isinstance(value, str) and value.strip().isdecimal() and len(value.strip()) == 3:
                value = int(value)
            if isinstance(value, int) and 400 <= value < 600:
                return value if value in _MAPPED and value != _TIMED_OUT else None
        for value in values:
            if isinstance(value, str) and (status := _STATUS_BY_NAME.get(value.strip().lower())) is not None:
                return status
    return None


def _first_choice(data: Mapping[str, Any]) -> Mapping[str, Any]:
    choices = data.get("choices")
    return mapping(choices[0]) if isinstance(choices, list) and choices else {}
