"""A server with the page, and its administrator."""

from collections.abc import AsyncIterator
from datetime import UTC
from pathlib import Path

import pytest

from tests.support.server import served
from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.server.access.guard import Guard
from zeroconf_ai.server.administration.administration import Administration

from .browser import Browser, Site


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[AccountingStore]:
    opened = await AccountingStore.open(tmp_path / "gateway.db", zone=UTC)
    yield opened
    await opened.close()


@pytest.fixture
async def site(store: AccountingStore) -> AsyncIterator[Site]:
    key, secret = await store.keys.create("Owner", endpoints=("admin",))
    async with served(
        access=Guard(store.keys),
        ledger=store.ledger,
        administration=lambda gateway: Administration(gateway, store),
        cors_origins=("*",),
    ) as server:
        yield Site(server, store, secret, key.id)


@pytest.fixture
async def owner(site: Site) -> Browser:
    """A browser in which the administrator is logged in."""
    browser = site.browser()
    await browser.log_in(site.secret)
    return browser
