"""Keeps an import from loading an optional library that is not used."""

from collections.abc import Generator
from contextlib import contextmanager
import sys


@contextmanager
def hidden(name: str) -> Generator[None]:
    """Inside the block, importing the library fails as if it were not installed, unless it is loaded already."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]  # how Python itself marks a module that must not be imported
    try:
        yield
    finally:
        del sys.modules[name]
