"""`SignInError`: why a sign-in failed."""

from enum import StrEnum


class Failure(StrEnum):
    """Why a sign-in failed: the word in the address of the page, which says it in a sentence."""

    UNAVAILABLE = "unavailable"
    """The OpenID provider does not answer."""
    EXPIRED = "expired"
    """The sign-in took too long, or did not begin in this browser."""
    DENIED = "denied"
    """The person, or the OpenID provider, refused."""
    INVALID = "invalid"
    """The answer of the OpenID provider fails a check."""
    NOT_ALLOWED = "not_allowed"
    """The person may not use this portal."""
    BUSY = "busy"
    """Too many sign-ins at a time, or too many failed ones from one address."""


class SignInError(Exception):
    """A sign-in failed. The message is for the log: it has no secret, and no claim but the subject."""

    def __init__(self, failure: Failure, message: str) -> None:
        """`failure` is what the person is told."""
        super().__init__(message)
        self.failure = failure
