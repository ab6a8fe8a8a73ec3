"""A provider with several addresses stays online as long as one of them is alive and it may be spoken to there."""

import asyncio
from collections.abc import AsyncIterator
from ipaddress import ip_address

import pytest
import pytest_socket

from custom_components.zeroconf_ai import issues
from custom_components.zeroconf_ai.const import CONF_BASE_URL, DOMAIN
from custom_components.zeroconf_ai.core.protocol.status import ProviderState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir

from ..support.fakes.provider import FakeProvider, running
from ..support.home_assistant.entries import announce, make_entry, record_of, say_goodbye, set_up
from ..support.waiting import until

BOTH = (ip_address("127.0.0.1"), ip_address("127.0.0.2"))


@pytest.fixture
async def other_address(provider: FakeProvider) -> AsyncIterator[FakeProvider]:
    """The same provider at its second address."""
    pytest_socket.socket_allow_hosts(["127.0.0.1", "127.0.0.2"])
    async with running(FakeProvider(id=provider.id, host="127.0.0.2", port=provider.port)) as fake:
        yield fake


async def test_provider_with_an_offline_address_is_used_at_its_other_address(
    hass: HomeAssistant, provider: FakeProvider, other_address: FakeProvider
) -> None:
    entry = await set_up(hass, make_entry(provider))
    announce(hass, record_of(provider, addresses=BOTH))
    await hass.async_block_till_done(wait_background_tasks=True)
    assert entry.data[CONF_BASE_URL] == provider.base_url
    assert not other_address.paths, "it is only asked where it was confirmed"
    await provider.stop()
    await entry.runtime_data.coordinator.check_now()
    assert entry.runtime_data.member.state is ProviderState.HEALTHY
    await hass.async_block_till_done(wait_background_tasks=True)
    assert entry.data[CONF_BASE_URL] == other_address.base_url


async def test_provider_with_a_key_at_another_address_needs_proof(
    hass: HomeAssistant, provider: FakeProvider, other_address: FakeProvider, issue_registry: ir.IssueRegistry
) -> None:
    provider.key = other_address.key = "a chosen key"
    entry = await set_up(hass, make_entry(provider))
    announce(hass, record_of(provider, addresses=BOTH))
    await hass.async_block_till_done(wait_background_tasks=True)
    await provider.stop()
    await entry.runtime_data.coordinator.check_now()
    await hass.async_block_till_done(wait_background_tasks=True)
    assert entry.runtime_data.member.failures == 1
    assert entry.data[CONF_BASE_URL] == provider.base_url
    assert set(other_address.keys) == {None}
    question = issue_registry.async_get_issue(DOMAIN, f"{issues.IDENTITY_CHANGED}_{entry.entry_id}")
    assert question is not None
    assert question.translation_key == issues.PROVIDER_MOVED


async def test_provider_advertised_before_it_listens_is_online_when_it_listens(
    hass: HomeAssistant, provider: FakeProvider
) -> None:
    entry = await set_up(hass, make_entry(provider))
    announce(hass, record_of(provider))
    await provider.stop()
    say_goodbye(hass, record_of(provider))
    announce(hass, record_of(provider))
    await hass.async_block_till_done(wait_background_tasks=True)
    assert entry.runtime_data.member.state is ProviderState.OFFLINE
    await provider.start()
    async with asyncio.timeout(10):  # the interval is 30 s
        await until(lambda: entry.runtime_data.member.online)
