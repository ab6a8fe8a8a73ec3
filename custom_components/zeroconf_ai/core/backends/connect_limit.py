"""A limit of the connection time for all HTTP requests that one request sends, for every type of backend."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_LIMIT: ContextVar[float | None] = ContextVar("zeroconf_ai_connect_limit", default=None)


@contextmanager
def connecting_within(seconds: float | None) -> Iterator[None]:
    """Limit each connection that is opened inside the block: DNS, TCP and TLS together, in seconds. None: no limit."""
    token = _LIMIT.set(seconds)
    try:
        yield
    finally:
        _LIMIT.reset(token)


def connect_limit() -> float | None:
    """The limit in seconds; None outside a block."""
    return _LIMIT.get()
