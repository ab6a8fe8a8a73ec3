"""The keys of tests of the guard."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from zeroconf_ai.accounting.store import AccountingStore


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[AccountingStore]:
    opened = await AccountingStore.open(tmp_path / "gateway.db")
    yield opened
    await opened.close()
