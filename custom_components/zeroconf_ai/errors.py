"""Translation of the engine's errors to short sentences with a translation key; the details are logged."""

import logging

from homeassistant.exceptions import HomeAssistantError, ServiceValidationError

from .const import DOMAIN
from .core.protocol.errors import (
    ApiError,
    AuthenticationError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    QuotaError,
    RateLimitError,
    RequestTooLargeError,
    StreamBrokenError,
    UnavailableError,
    UpstreamTimeoutError,
)
from .core.routing.selection.routing_errors import HOME_ONLY

_LOGGER = logging.getLogger(__name__)

ALL_FAILED = "all_failed"
EMPTY_RESPONSE = "empty_response"
STREAM_BROKEN = "stream_broken"

_BY_CODE = {"context_length_exceeded": "request_too_long", "provider_capacity_exceeded": "busy", HOME_ONLY: "stays_home"}
_BY_TYPE: tuple[tuple[type[ApiError], str], ...] = (
    (RequestTooLargeError, "request_too_long"),
    (InvalidRequestError, "request_refused"),
    (NotFoundError, "not_set_up"),
    (AuthenticationError, "not_set_up"),
    (PermissionDeniedError, "not_set_up"),
    (RateLimitError, "busy"),
    (QuotaError, "quota_exceeded"),
    (StreamBrokenError, STREAM_BROKEN),
    (UpstreamTimeoutError, "provider_timeout"),
    (UnavailableError, "no_provider"),
)
_WITH_MESSAGE: tuple[tuple[type[ApiError], str], ...] = (
    (InvalidRequestError, "request_refused_because"),
    (NotFoundError, "model_not_found"),
)
"""Errors whose message helps the author of an action call to correct it."""

SENTENCES = frozenset({ALL_FAILED, EMPTY_RESPONSE, *_BY_CODE.values(), *(key for _, key in _BY_TYPE)})
"""The keys of the sentences that are spoken. They have no placeholders, and a translation into each of `spoken.LANGUAGES`."""


def sentence_key(err: ApiError | HomeAssistantError) -> str:
    """The translation key of the spoken sentence for an error; the backends' common failure if all failed alike."""
    if isinstance(err, HomeAssistantError):
        known = err.translation_domain == DOMAIN and err.translation_key in SENTENCES
        return err.translation_key if known and err.translation_key else ALL_FAILED
    if err.causes:
        keys = {sentence_key(cause) for cause in err.causes}
        return keys.pop() if len(keys) == 1 else ALL_FAILED
    return _BY_CODE.get(err.code or "") or next((key for kind, key in _BY_TYPE if isinstance(err, kind)), ALL_FAILED)


def to_home_assistant_error(err: ApiError, caller: str) -> HomeAssistantError:
    """The error that an action or AI task raises. The details are logged for `caller`."""
    log_failure(caller, err)
    for kind, key in _WITH_MESSAGE:
        if isinstance(err, kind):
            return ServiceValidationError(
                translation_domain=DOMAIN,
                translation_key=key,
                translation_placeholders={"message": err.message.rstrip(".")},
            )
    return HomeAssistantError(translation_domain=DOMAIN, translation_key=sentence_key(err))


def structure_failed(model: str, err: ValueError) -> HomeAssistantError:
    """The error for an answer that does not match the requested structure. The reason is logged."""
    _LOGGER.warning("The answer of %s does not match the requested structure: %s", model, err)
    return HomeAssistantError(
        translation_domain=DOMAIN, translation_key="structure_failed", translation_placeholders={"model": model}
    )


def log_failure(caller: str, err: ApiError | HomeAssistantError) -> str:
    """Log the details of a failure for `caller` and return them."""
    details = err.log_text if isinstance(err, ApiError) else str(err)
    _LOGGER.warning("%s got no answer: %s", caller, details)
    return details
