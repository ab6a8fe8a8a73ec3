"""`keep_alive`: how long a model stays loaded after a request.

Ollama (`api/types.go`, `Duration`) accepts a number of seconds or one of Go's durations (`5m`, `1h30m`).
Negative ones mean always.
"""

import math
import re

from ...protocol.values import finite_number
from ..turns import invalid

FOREVER = -1
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
"""Seconds by Go's units; both spellings of the micro sign."""
_PART = r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)"
_DURATION = re.compile(rf"([+-]?)((?:{_PART})+)")
_LONGEST_TEXT = 64


def parse_keep_alive(value: object) -> float | str | None:
    """A value that every version of Ollama accepts: seconds, a duration, or FOREVER; None if the client names none.

    A number as text becomes a number: Go's parser refuses it. Raises InvalidRequestError for anything else.
    """
    if value is None or value == "":
        return None
    seconds = keep_alive_seconds(value)
    if seconds is None:
        raise invalid("keep_alive", "a number of seconds, or a duration such as 5m")
    if seconds < 0:
        return FOREVER
    if isinstance(value, str) and finite_number(value) is None:
        return value.strip().casefold().removeprefix("+")
    return int(seconds) if seconds.is_integer() else seconds


def keep_alive_seconds(value: object) -> float | None:
    """The seconds; None for anything that is neither a number nor a duration."""
    number = finite_number(value)
    if number is not None or not isinstance(value, str) or len(value) > _LONGEST_TEXT:
        return number
    text = value.strip().casefold()
    found = _DURATION.fullmatch(text)
    if found is None:
        return None
    total = math.fsum(float(amount) * _UNITS[unit] for amount, unit in re.findall(_PART, found[2]))
    return -total if found[1] == "-" else total
