"""What went wrong, in one sentence for a person: the engine's errors as Home Assistant's, each with a translation key."""

from homeassistant.exceptions import HomeAssistantError, ServiceValidationError

from .const import DOMAIN
from .core.protocol.errors import (
    ApiError,
    InvalidRequestError,
    NotFoundError,
    QuotaError,
    RateLimitError,
    StreamBrokenError,
    UnavailableError,
    UpstreamTimeoutError,
)

_KEYS: tuple[tuple[type[ApiError], str], ...] = (
    (InvalidRequestError, "request_refused"),
    (NotFoundError, "model_not_found"),
    (RateLimitError, "rate_limited"),
    (QuotaError, "quota_exceeded"),
    (StreamBrokenError, "stream_broken"),
    (UpstreamTimeoutError, "provider_timeout"),
    (UnavailableError, "no_provider"),
)


def to_home_assistant_error(err: ApiError) -> HomeAssistantError:
    """The error to raise; it is spoken aloud where a voice assistant asked."""
    key = next((key for kind, key in _KEYS if isinstance(err, kind)), "all_failed")
    if isinstance(err, RateLimitError) and err.retry_after is None:
        key = "busy"
    wrong_input = isinstance(err, InvalidRequestError | NotFoundError)
    return (ServiceValidationError if wrong_input else HomeAssistantError)(
        translation_domain=DOMAIN,
        translation_key=key,
        translation_placeholders={"message": err.message.rstrip("."), "seconds": str(round(err.retry_after or 0))},
    )
