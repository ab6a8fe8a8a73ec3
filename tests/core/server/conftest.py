"""What tests of several endpoints share."""

from collections.abc import AsyncIterator

import pytest

from ...support.server import Served, served


@pytest.fixture
async def demo() -> AsyncIterator[Served]:
    """A gateway with the built-in model."""
    async with served() as running:
        yield running
