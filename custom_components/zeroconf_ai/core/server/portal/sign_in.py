"""`SignIn`: one sign-in on its way, of which only the browser keeps something: a random number in a cookie.

State, nonce and code verifier are derived from it, so the server keeps nothing for those who never return, and the person may
return to another server with the same portal.
"""

from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
import hmac
import secrets
import time
from typing import Final, Self

LIFETIME: Final = 600
"""Seconds in which a person must return from the OpenID provider."""
_MOST: Final = 100


@dataclass(frozen=True, slots=True)
class SignIn:
    """A sign-in on its way."""

    cookie: str = field(repr=False)
    """When it began, in seconds since the epoch, and 256 random bits."""

    @classmethod
    def begin(cls) -> Self:
        """A new sign-in."""
        return cls(f"{int(time.time())}.{secrets.token_urlsafe(32)}")

    @classmethod
    def returned(cls, cookie: str | None, state: str) -> Self | None:
        """The sign-in of a browser that returns; None if it did not begin there, or too long ago."""
        begun, _, secret = (cookie or "").partition(".")
        if not (secret and len(cookie or "") <= _MOST and begun.isascii() and begun.isdecimal()):
            return None
        if not 0 <= time.time() - int(begun) <= LIFETIME:
            return None
        found = cls(cookie or "")
        return found if hmac.compare_digest(found.state.encode(), state.encode()) else None

    @property
    def state(self) -> str:
        """Binds the answer to the browser (RFC 6749, section 10.12)."""
        return self._derived("state")

    @property
    def nonce(self) -> str:
        """Binds the ID token to the sign-in (OpenID Connect Core, section 3.1.2.1)."""
        return self._derived("nonce")

    @property
    def verifier(self) -> str:
        """The code verifier: 43 characters (RFC 7636, section 4.1)."""
        return self._derived("verifier")

    def _derived(self, purpose: str) -> str:
        made = hmac.digest(self.cookie.encode(), purpose.encode(), "sha256")
        return urlsafe_b64encode(made).decode().rstrip("=")
