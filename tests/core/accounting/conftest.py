"""A database of its own for each test: a real SQLite file."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
import time
from typing import Any

import pytest

from zeroconf_ai.accounting.books import Books
from zeroconf_ai.accounting.generation import Generation, Outcome

type Make = Callable[..., Generation]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the database is to be."""
    return tmp_path / "books.db"


@pytest.fixture
async def books(file: Path) -> AsyncIterator[Books]:
    """The opened database."""
    books = await Books.open(file)
    yield books
    await books.close()


@pytest.fixture
def make() -> Make:
    """A record of a request, of which a test says what it is about."""

    def make(generation_id: str, **fields: Any) -> Generation:
        given = {"created": time.time(), "source": "http", "kind": "chat", "requested_model": "auto", "outcome": Outcome.OK}
        return Generation(generation_id, **{**given, **fields})

    return make
