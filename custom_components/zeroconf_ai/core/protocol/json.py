"""Parser of untrusted JSON: refuses values nested deeper than `MAX_DEPTH`, before they are serialized again.

Halves of surrogate pairs, which UTF-8 cannot encode and orjson refuses, are joined or replaced with U+FFFD: programs in
JavaScript and Python send them where they cut a text between the two halves of an emoji.

orjson overruns its buffer and aborts the process when it serializes deeply nested values: more than 125 levels in 3.11.9, more
than 200 in 3.13.0 (measured with `PYTHONMALLOC=debug`). It raises an error beyond 254 levels. Parsing is harmless. All data from
the network, a model or another integration is parsed with `loads`; values that other code parsed are checked by `check_depth`.
"""

import re
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
_BRACKET, _BRACE = 0x5B, 0x7B
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}(?:\\u[dD][c-fC-F][0-9a-fA-F]{2})?|u[dD][c-fC-F][0-9a-fA-F]{2}|.)", re.DOTALL
)
"""An escape in a string; a surrogate pair is one, a lone half of a pair has `_HALF` bytes."""
_HALF = 6
_REPLACEMENT = b"\\ufffd"


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
    try:
        value = orjson.loads(raw)  # noqa: TID251 - the one place
    except JSONDecodeError:
        if not isinstance(raw, str | bytes | bytearray):
            raise  # a value of another type, in a request of a client
        encoded = raw.encode(errors="surrogatepass") if isinstance(raw, str) else bytes(raw)
        raw = without_surrogates(encoded)
        if raw == encoded:
            raise
        value = orjson.loads(raw)  # noqa: TID251 - the one place
    if may_be_deep(raw):
        check_depth(value, shared=False)
    return value


def without_surrogates(raw: bytes) -> bytes:
    r"""A JSON text whose lone surrogates, escaped (`\ud83d`) or encoded, are joined to characters or replaced with U+FFFD."""
    if b"\xed" in raw:
        try:
            raw.decode()
        except UnicodeDecodeError:
            raw = _with_pairs_joined(raw)
    return _ESCAPE.sub(_whole_escape, raw) if has_escaped_surrogate(raw) else raw


def mended(raw: bytes) -> bytes:
    """A JSON text of a provider without surrogates, and with U+FFFD for bytes that are not UTF-8; valid text is unchanged."""
    raw = without_surrogates(raw)
    if raw.isascii():
        return raw
    try:
        raw.decode()
    except UnicodeDecodeError:
        return raw.decode(errors="replace").encode()
    return raw


def has_escaped_surrogate(raw: bytes) -> bool:
    """Whether a JSON text may contain escaped surrogates; most have none."""
    return b"\\ud" in raw or b"\\uD" in raw


def split_pair(first: bytes, second: bytes) -> tuple[bytes, bytes]:
    """Two JSON texts with a surrogate pair, whose halves end and begin a string, moved to the second text."""
    ends = [found for found in _halves(first, b"89abAB") if first[found.end() : found.end() + 1] == b'"']
    begins = [found for found in _halves(second, b"c-fC-F") if second[found.start() - 1 : found.start()] == b'"']
    if not ends or not begins:
        return first, second
    high, low = ends[-1], begins[0]
    return first[: high.start()] + first[high.end() :], second[: low.start()] + high[0] + second[low.start() :]


def ends_in_half(raw: bytes) -> bool:
    """Whether a string in a JSON text ends with the first half of an escaped surrogate pair."""
    return any(raw[found.end() : found.end() + 1] == b'"' for found in _halves(raw, b"89abAB"))


def _halves(raw: bytes, third: bytes) -> list[re.Match[bytes]]:
    """The lone escaped surrogates whose third digit is one of `third` (as in a regular expression)."""
    kind = re.compile(rb"\\u[dD][" + third + rb"]")
    return [found for found in _ESCAPE.finditer(raw) if len(found[0]) == _HALF and kind.match(found[0])]


def _whole_escape(found: re.Match[bytes]) -> bytes:
    return _REPLACEMENT if len(found[0]) == _HALF else found[0]


def _with_pairs_joined(raw: bytes) -> bytes:
    """Text with surrogates encoded as three bytes each (CESU-8); unchanged if it is invalid otherwise."""
    try:
        text = raw.decode(errors="surrogatepass")
    except UnicodeDecodeError:
        return raw
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def may_be_deep(raw: bytes | bytearray | str) -> bool:
    """Whether a JSON text has more than MAX_DEPTH opening brackets. Cheap enough for each chunk of a stream."""
    if isinstance(raw, str):
        return raw.count("[") + raw.count("{") > MAX_DEPTH
    if len(raw) <= _SHORT:
        return raw.count(_BRACKET) + raw.count(_BRACE) > MAX_DEPTH
    # `find` is thirty times as fast as `count` on long texts and images, and ends early if there are many brackets.
    left = MAX_DEPTH
    for opening in (_BRACKET, _BRACE):
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
