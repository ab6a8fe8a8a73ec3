"""Parsing and sanitizing of untrusted values."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
import unicodedata

NANO = 1_000_000_000
"""Nano-units in one unit of money. Single tokens cost down to 20 nano-dollars: micro-dollars would lose them."""


NOTHING: Mapping[Any, Any] = MappingProxyType({})
"""An empty mapping to share: an empty dictionary for each request would be one more object for the garbage collector."""


_MAX_DIGITS = 16
"""Maximum digits of a count that is a text: a longer one exceeds every limit."""
_LARGEST = 1e15


def parse_count(value: object, *, largest: int = 10**15) -> int:
    """`value` as a count: 0 for anything but a number from 0 to `largest`, or a text of decimal digits that is one."""
    if isinstance(value, str):
        value = int(value) if len(value) <= _MAX_DIGITS and value.isdecimal() else None
    if value is None or isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= largest:
        return 0
    return int(value)


def finite_number(value: object) -> float | None:
    """A number, or a text that contains one, if it is finite and below 10**15; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if abs(number) < _LARGEST else None


def money(value: object) -> int | None:
    """A non-negative number or decimal string as an amount of money in nano-units; None for anything else."""
    if value is None or isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        amount = float(value)
    except (ValueError, OverflowError):
        return None
    return round(amount * NANO) if 0 <= amount < 1e9 else None


def mapping(value: object) -> Mapping[str, Any]:
    """`value` if it is a mapping, else an empty one."""
    # Parsed JSON is a dict, and `isinstance` is much faster with it than with an abstract class.
    return value if isinstance(value, dict) or isinstance(value, Mapping) else {}  # noqa: SIM101


_INVISIBLE = frozenset(
    map(chr, (0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0, *range(0x180B, 0x1810), *range(0xFE00, 0xFE10)))
) | frozenset(map(chr, range(0xE0100, 0xE01F0)))
"""Zero-width characters that `str.isprintable` accepts (Unicode's Default_Ignorable_Code_Point)."""
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that change the text direction."""


def clean(value: object, limit: int = 255) -> str:
    """A displayable name: without control, direction and zero-width characters, at most `limit` characters."""
    text = str(value)
    if text.isascii() and text.isprintable():
        return text[:limit].strip()
    return "".join(char for char in text if _is_visible(char))[:limit].strip()


def printable(text: str, limit: int | None = None) -> str:
    """A displayable sentence: at most `limit` characters, with a space for each control, direction or zero-width character."""
    text = text[:limit]
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if _is_visible(char) else " " for char in text)


def terminal_text(text: str) -> str:
    """Text of several lines for a terminal, without control characters (except newline and tab) and direction characters."""
    return "".join(char for char in text if char in "\n\t" or not (unicodedata.category(char) == "Cc" or char in _BIDI))


def _is_visible(char: str) -> bool:
    return char.isprintable() and char not in _INVISIBLE


def encodable(text: str) -> str:
    """`text` with `?` for lone surrogates, which headers and paths may contain and UTF-8 cannot encode."""
    return text if text.isascii() else text.encode(errors="replace").decode()
