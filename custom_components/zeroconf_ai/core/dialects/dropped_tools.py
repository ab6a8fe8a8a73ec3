"""The names of a client's tools that cannot run here, as the answer and errors show them."""

from collections.abc import Iterable

from ..protocol.values import clean

_MAX_NAME = 64


def dropped_names(names: Iterable[object]) -> tuple[str, ...]:
    """Each name once, with at most 64 characters."""
    return tuple(dict.fromkeys(clean(name, _MAX_NAME) for name in names))
