"""Parser of untrusted JSON: refuses values nested deeper than `MAX_DEPTH`, before they are serialized again.

orjson overruns its buffer and aborts the process when it serializes deeply nested values: more than 125 levels in 3.11.9, more
than 200 in 3.13.0 (measured with `PYTHONMALLOC=debug`). It raises an error beyond 254 levels. Parsing is harmless. All data from
the network, a model or another integration is parsed with `loads`; values that other code parsed are checked by `check_depth`.
"""

from typing import Any, override

import orjson

MAX_DEPTH = 64
"""Levels of objects and lists. Real requests have about 10 and large JSON schemas 20. Envelopes add at most 10 to a value."""

JSONDecodeError = orjson.JSONDecodeError
"""A ValueError with `msg`, `lineno` and `colno`."""

_SCALARS = frozenset({str, int, float, bool, type(None)})
_CONTAINERS = (dict, list, tuple, set, frozenset)
_MANY = 1000
_SHORT = 1024


class DepthError(JSONDecodeError):
    """JSON that is nested too deeply."""

    def __init__(self) -> None:
        super().__init__(f"JSON nested deeper than {MAX_DEPTH} levels", "", 0)

    @override
    def __str__(self) -> str:
        """Without a position."""
        return self.msg


def loads(raw: bytes | bytearray | str) -> Any:
    """Parse a JSON text. Raises JSONDecodeError for invalid JSON, DepthError for JSON that is nested too deeply."""
    value = orjson.loads(raw)  # noqa: TID251 - the one place
    if may_be_deep(raw):
        check_depth(value, shared=False)
    return value


def may_be_deep(raw: bytes | bytearray | str) -> bool:
    """Whether a JSON text has more than MAX_DEPTH opening brackets. Cheap enough for each chunk of a stream."""
    if isinstance(raw, str):
        return raw.count("[") + raw.count("{") > MAX_DEPTH
    if len(raw) <= _SHORT:
        return raw.count(b"[") + raw.count(b"{") > MAX_DEPTH
    # `find` is thirty times as fast as `count` on long texts and images, and ends early if there are many brackets.
    left = MAX_DEPTH
    for opening in (0x5B, 0x7B):
        place = raw.find(opening)
        while place >= 0:
            if not left:
                return True
            left -= 1
            place = raw.find(opening, place + 1)
    return False


def check_depth(value: object, *, shared: bool = True) -> None:
    """Raise DepthError for a value that is nested too deeply or contains itself.

    `shared`: a container may be in several others, as none is in a parsed text.
    """
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [item for item in level if isinstance(item, _CONTAINERS)]
        if not level:
            return
        if shared and len(level) > _MANY:  # many references may lead to a few containers
            level = list({id(item): item for item in level}.values())
        level = [
            part
            for item in level
            for part in (item.values() if isinstance(item, dict) else item)
            if type(part) not in _SCALARS  # excludes most parts twice as fast as isinstance
        ]
    raise DepthError
