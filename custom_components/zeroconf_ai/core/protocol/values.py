"""Values from the network, read without believing them."""

from collections.abc import Mapping
from typing import Any

NANO = 1_000_000_000
"""Nano-units in one unit of money. Single tokens cost down to 20 nano-dollars: micro-dollars would lose them."""


def whole(value: object, *, largest: int = 10**15) -> int:
    """`value` as a count: 0 for anything that is not a number from 0 to `largest`."""
    if value is None or isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= largest:
        return 0
    return int(value)


def money(value: object) -> int | None:
    """An amount of money in nano-units from a number or a decimal string, or None for anything else or a negative amount."""
    if value is None or isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        amount = float(value)
    except ValueError, OverflowError:
        return None
    return round(amount * NANO) if 0 <= amount < 1e9 else None


def mapping(value: object) -> Mapping[str, Any]:
    """`value` where it is an object, else an empty one."""
    # What was read from JSON is a dict: an abstract class takes long to say that it is one.
    return value if isinstance(value, dict) or isinstance(value, Mapping) else {}  # noqa: SIM101


def clean(value: object, limit: int = 255) -> str:
    """`value` as text for a person: no control characters, no direction marks, at most `limit` characters."""
    return "".join(char for char in str(value) if char.isprintable())[:limit].strip()


def encodable(text: str) -> str:
    """`text` with `?` for lone surrogates, which headers and paths may hold and UTF-8 cannot."""
    return text if text.isascii() else text.encode(errors="replace").decode()
