"""The engine's errors for a person: one short sentence each, by a translation key; the details go into the log."""

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

_LOGGER = logging.getLogger(__name__)

ALL_FAILED = "all_failed"
EMPTY_RESPONSE = "empty_response"
STREAM_BROKEN = "stream_broken"

_BY_CODE = {"context_length_exceeded": "request_too_long", "provider_capacity_exceeded": "busy"}
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
"""What the author of an action's call can correct by the message."""

SENTENCES = frozenset({ALL_FAILED, EMPTY_RESPONSE, *_BY_CODE.values(), *(key for _, key in _BY_TYPE)})
"""The keys of the sentences that are spoken. They have no placeholders, and a translation into each of `spoken.LANGUAGES`."""


def sentence_key(err: ApiError | HomeAssistantError) -> str:
    """The key of the sentence that a person hears for an error. Where several backends failed alike, it says how."""
    if isinstance(err, HomeAssistantError):
        known = err.translation_domain == DOMAIN and err.translation_key in SENTENCES
        return err.translation_key if known and err.translation_key else ALL_FAILED
    if err.causes:
        keys = {sentence_key(cause) for cause in err.causes}
        return keys.pop() if len(keys) == 1 else ALL_FAILED
    return _BY_CODE.get(err.code or "") or next((key for kind, key in _BY_TYPE if isinstance(err, kind)), ALL_FAILED)


def to_home_assistant_error(err: ApiError, caller: str) -> HomeAssistantError:
    """The error that an action or an AI task raises. What went wrong in detail is logged for `caller`."""
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
    """The error for an answer that is not the data that was asked for. What is wrong with it is logged."""
    _LOGGER.warning("%s did not give the data that was asked for: %s", model, err)
    return HomeAssistantError(
        translation_domain=DOMAIN, translation_key="structure_failed", translation_placeholders={"model": model}
    )


def log_failure(caller: str, err: ApiError | HomeAssistantError) -> str:
    """Log why `caller` got no answer, in detail; that is returned."""
    details = err.log_text if isinstance(err, ApiError) else str(err)
    _LOGGER.warning("%s got no answer: %s", caller, details)
    return details
