"""`OneTimeCodes`: the one-time codes that are open, in the memory of the process that made them (docs/protocol.md, section 4).

One code for each purpose: a client that proves a code (`protocol/pairing`) cannot say which one it means, and more open codes are
more to guess. Not thread-safe: all calls come from one event loop.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
import hmac
import time
from typing import Any

from ..protocol.errors import PermissionDeniedError
from ..protocol.pairing import CODE_SECONDS, CodeError, new_code, read_code

TRIES = 3
"""Wrong codes until a code ends."""


class Purpose(StrEnum):
    """What a code is for."""

    ENROLL = "enroll"
    RELAY = "relay"


class InvalidCodeError(PermissionDeniedError):
    """The one-time code is wrong, or no code is open. The client does not learn which."""

    default_code = "invalid_code"

    def __init__(self) -> None:
        super().__init__("The one-time code is wrong, expired or used up. Ask the server's owner for a new one.")


@dataclass(slots=True, eq=False)
class OneTimeCode:
    """An open code."""

    purpose: Purpose
    code: str = field(repr=False)
    """The code as it is shown: `XXXX-XXXX`."""
    details: Any
    """What the owner chose when the code was made, such as the limits of the client that uses it."""
    actor: str
    """Who made it, as in the audit log."""
    ends: float
    """When the code ends, by the clock of the `OneTimeCodes`."""
    tries: int = TRIES
    """Tries that are left. One is taken when a client begins, and given back when the client had the code."""


class OneTimeCodes:
    """The open codes of one process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` returns seconds."""
        self._clock = clock
        self._open: dict[Purpose, OneTimeCode] = {}
        self._listeners: list[Callable[[], None]] = []

    def make(self, purpose: Purpose, details: Any = None, *, actor: str = "") -> OneTimeCode:
        """Make a code, which is valid for `CODE_SECONDS`. The former one of that purpose ends."""
        made = OneTimeCode(purpose, new_code(), details, actor, self._clock() + CODE_SECONDS)
        self._open[purpose] = made
        self._notify()
        return made

    def current(self, purpose: Purpose) -> OneTimeCode | None:
        """The open code, or None: none was made, or its time or its tries are over."""
        found = self._open.get(purpose)
        return None if found is None or not self._is_usable(found) else found

    def seconds_left(self, code: OneTimeCode) -> float:
        """Seconds until a code ends."""
        return max(0.0, code.ends - self._clock())

    def close(self, purpose: Purpose) -> None:
        """End the open code, if there is one."""
        if self._open.pop(purpose, None) is not None:
            self._notify()

    def begin(self, purpose: Purpose) -> OneTimeCode:
        """Take a try of the open code, before the client proves it. Raises InvalidCodeError."""
        found = self.current(purpose)
        if found is None:
            raise InvalidCodeError
        found.tries -= 1
        if not found.tries:
            self._notify()
        return found

    def complete(self, code: OneTimeCode) -> None:
        """End a code because a client has proved it. Raises InvalidCodeError if its time is over, or if another client used it.

        A code whose last try this was has not ended.
        """
        if self._open.get(code.purpose) is not code or not self.seconds_left(code):
            raise InvalidCodeError
        self.close(code.purpose)

    def give_back(self, code: OneTimeCode) -> None:
        """Open a completed code again, because what it was for has failed on our side, unless another one was made since."""
        code.tries += 1
        if code.purpose not in self._open:
            self._open[code.purpose] = code
        self._notify()

    def redeem(self, purpose: Purpose, typed: str) -> OneTimeCode:
        """End the open code if a client has sent it. A wrong one takes a try. Raises InvalidCodeError."""
        found = self.begin(purpose)
        try:
            typed = read_code(typed)
        except CodeError:
            raise InvalidCodeError from None
        if not hmac.compare_digest(typed.encode(), found.code.encode()):
            raise InvalidCodeError
        self.complete(found)
        return found

    def listen(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` when a code is made, ends or is used up, but not when its time is over; returns what unsubscribes."""
        self._listeners.append(callback)
        return lambda: self._listeners.remove(callback)

    def _is_usable(self, code: OneTimeCode) -> bool:
        return code.tries > 0 and self.seconds_left(code) > 0

    def _notify(self) -> None:
        for callback in tuple(self._listeners):
            callback()
