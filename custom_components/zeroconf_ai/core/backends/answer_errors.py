"""Errors for answers that are lost, stall, cannot be read, or are not supported by the backend."""

from ..protocol import json
from ..protocol.errors import ApiError, MethodNotAllowedError, NotFoundError, StreamBrokenError, UpstreamTimeoutError
from ..protocol.request import Kind


def connection_lost(name: str, err: Exception) -> StreamBrokenError:
    """The error for an answer whose connection was lost."""
    message = f"{name} closed the connection before its answer was complete"
    return StreamBrokenError(message, log_text=f"{message}: {type(err).__name__}")


def unreadable_error(name: str, err: ValueError) -> StreamBrokenError:
    """The error for an answer that cannot be parsed; `err` describes what was sent."""
    log_text = f"{name} sent {err}"
    message = log_text if isinstance(err, json.DepthError) else f"{name} sent an answer that cannot be read"
    return StreamBrokenError(message, log_text=log_text)


def stalled_error(name: str, *, begun: bool) -> UpstreamTimeoutError:
    """The error for a stream that stalls. `begun`: whether it has contained a token."""
    reason = "stopped in the middle of its answer" if begun else "accepted the request but did not start to answer"
    return UpstreamTimeoutError(f"{name} {reason}")


def no_images(name: str) -> NotFoundError:
    """The error for a request for images at a backend that makes none."""
    return NotFoundError(f"{name} has no models that make images.", code="model_not_found", param="model")


def no_edits(name: str) -> MethodNotAllowedError:
    """The error for a request to edit images at a backend that edits none. Another backend is tried."""
    return MethodNotAllowedError(f"{name} does not edit images.")


def lacks_path(err: ApiError) -> bool:
    """Whether an error means that the server does not have the requested path, and not that it does not have the model."""
    return isinstance(err, MethodNotAllowedError) or (isinstance(err, NotFoundError) and err.code != "model_not_found")


def no_audio(name: str, kind: Kind) -> NotFoundError:
    """The error for a request for a transcript or speech at a backend without such models."""
    return NotFoundError(f"{name} has no models for {kind.words}.", code="model_not_found", param="model")
