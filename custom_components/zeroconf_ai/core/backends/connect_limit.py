"""A limit of the time to connect for what one request sends, whichever API its backend has."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_LIMIT: ContextVar[float | None] = ContextVar("zeroconf_ai_connect_limit", default=None)


@contextmanager
def connecting_within(seconds: float | None) -> Iterator[None]:
    """Limit each connection that is opened inside the block: name, connection and TLS together. None: no such limit."""
    token = _LIMIT.set(seconds)
    try:
        yield
    finally:
        _LIMIT.reset(token)


def connect_limit() -> float | None:
    """The limit in seconds; None outside a block."""
    return _LIMIT.get()
