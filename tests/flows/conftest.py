"""Fixtures of the flows' tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.zeroconf_ai.core.accounting.keys.key_store import KeyStore
from homeassistant.core import HomeAssistant

from ..support.fakes.provider import FakeProvider, running
from ..support.home_assistant.entries import set_up
from ..support.home_assistant.gateway_entry import make_gateway


@pytest.fixture
async def moved(provider: FakeProvider) -> AsyncIterator[FakeProvider]:
    """The same provider at another address; both answer until the test stops one."""
    async with running(FakeProvider(id=provider.id)) as fake:
        yield fake


@pytest.fixture
async def gateway(hass: HomeAssistant, tmp_path: Path) -> MockConfigEntry:
    """A gateway without backends."""
    return await set_up(hass, make_gateway(tmp_path))


@pytest.fixture
def keys(gateway: MockConfigEntry) -> KeyStore:
    """Its keys."""
    store: KeyStore = gateway.runtime_data.store.keys
    return store
