"""The names of a client's tools that cannot run here, as the answer and errors show them."""

from collections.abc import Iterable

from ..protocol.values import clean

_MAX_NAME = 64
_MAX_NAMES = 64
"""A header of the answer has all names: clients accept 8 KiB."""


def dropped_names(names: Iterable[object]) -> tuple[str, ...]:
    """The first 64 different names, each of at most 64 characters."""
    return tuple(dict.fromkeys(clean(name, _MAX_NAME) for name in names))[:_MAX_NAMES]
