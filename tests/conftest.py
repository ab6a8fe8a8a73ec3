"""What every test but the end-to-end ones shares."""

from collections.abc import AsyncIterator, Iterator
from unittest.mock import PropertyMock, patch
from unittest.mock import AsyncMock, Mock

import hypothesis
import pytest

# Home Assistant's test plugin brings a `custom_components` package of its own, which would hide the repository's from
# Home Assistant's loader. Whichever is imported first stays.
import custom_components  # noqa: F401

from .fakes import FakeProvider, running

# A shared machine may be slow for a moment: the time one example takes says nothing about the code.
hypothesis.settings.register_profile("steady", hypothesis.settings(), deadline=None)
hypothesis.settings.load_profile("steady")


@pytest.fixture(autouse=True)
def custom_integrations(enable_custom_integrations: None) -> None:
    """Let Home Assistant load this integration in every test."""


@pytest.fixture
def quiet_network(mock_async_zeroconf: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is heard by mDNS: what the network says, a test says itself (see `announce` in common.py)."""
    browser = Mock(return_value=Mock(async_cancel=AsyncMock()))
    monkeypatch.setattr("custom_components.zeroconf_ai.core.discovery.AsyncServiceBrowser", browser)


@pytest.fixture
async def provider(socket_enabled: None, quiet_network: None) -> AsyncIterator[FakeProvider]:
    """A provider that serves on 127.0.0.1."""
    async with running(FakeProvider()) as fake:
        yield fake


@pytest.fixture
def all_entities_enabled() -> Iterator[None]:
    """Enable the entities that are disabled by default as well."""
    with patch("homeassistant.helpers.entity.Entity.entity_registry_enabled_default", PropertyMock(return_value=True)):
        yield
