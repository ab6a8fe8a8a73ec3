"""Entries for tests: a provider as the config flow would have stored it."""

from collections.abc import Mapping
from datetime import timedelta
from ipaddress import ip_address
from types import MappingProxyType
from typing import Any

from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    MockModule,
    MockPlatform,
    async_fire_time_changed,
    mock_config_flow,
    mock_integration,
    mock_platform,
)

from custom_components.zeroconf_ai.const import (
    CONF_BASE_URL,
    CONF_PROVIDER_ID,
    CONF_SERVICE_NAME,
    DOMAIN,
    SUBENTRY_AI_TASK,
    SUBENTRY_CONVERSATION,
)
from custom_components.zeroconf_ai.core.protocol.record import ServiceRecord
from custom_components.zeroconf_ai.data import DATA
from custom_components.zeroconf_ai.pool_coordinator import SHOW_SECONDS
from homeassistant.config_entries import ConfigEntry, ConfigFlow, ConfigSubentryData
from homeassistant.const import CONF_API_KEY, CONF_LLM_HASS_API, CONF_MODEL, Platform
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util

from ..fakes.provider import FakeProvider

AGENT = "conversation.test_provider"
TASK = "ai_task.test_provider_ai_task"


def agent_data(title: str = "Test provider", **data: Any) -> ConfigSubentryData:
    """An agent's subentry; `data` replaces single options."""
    options = {CONF_MODEL: "test-model", CONF_LLM_HASS_API: ["assist"], **data}
    return ConfigSubentryData(data=MappingProxyType(options), subentry_type=SUBENTRY_CONVERSATION, title=title, unique_id=None)


def task_data(title: str = "Test provider AI Task", **data: Any) -> ConfigSubentryData:
    """An AI task's subentry."""
    options = {CONF_MODEL: "test-model", **data}
    return ConfigSubentryData(data=MappingProxyType(options), subentry_type=SUBENTRY_AI_TASK, title=title, unique_id=None)


def make_entry(
    provider: FakeProvider,
    *,
    title: str = "Test provider",
    subentries: list[ConfigSubentryData] | None = None,
    options: Mapping[str, Any] | None = None,
    entry_id: str | None = None,
    **data: Any,
) -> MockConfigEntry:
    """A provider's entry, not yet added."""
    stored = {
        CONF_BASE_URL: provider.base_url,
        CONF_PROVIDER_ID: provider.id,
        CONF_SERVICE_NAME: title,
        **({CONF_API_KEY: provider.key} if provider.key else {}),
        **data,
    }
    return MockConfigEntry(
        domain=DOMAIN,
        entry_id=entry_id,
        title=title,
        unique_id=provider.id,
        data=stored,
        options=dict(options or {}),
        subentries_data=[agent_data(), task_data()] if subentries is None else subentries,
    )


async def set_up(hass: HomeAssistant, entry: MockConfigEntry) -> MockConfigEntry:
    """Add the entry and wait until it is loaded."""
    await async_setup_component(hass, "homeassistant", {})
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return entry


def record_of(provider: FakeProvider, name: str = "Test provider", **changes: Any) -> ServiceRecord:
    """The provider's advertisement."""
    fields: dict[str, Any] = {"id": provider.id or "", "models": ("test-model",), "addresses": (ip_address("127.0.0.1"),)}
    return ServiceRecord(name=name, host="test.local.", port=provider.port, **(fields | changes))


def announce(hass: HomeAssistant, record: ServiceRecord) -> None:
    """Pass an advertisement to the integration."""
    hass.data[DATA].discovery.registry.put((record.service_type, record.name), record)


def say_goodbye(hass: HomeAssistant, record: ServiceRecord) -> None:
    """Pass the goodbye of an advertisement to the integration."""
    hass.data[DATA].discovery.registry.remove((record.service_type, record.name))


async def settle(hass: HomeAssistant) -> None:
    """Let the interval pass after which entities show new values."""
    await hass.async_block_till_done()
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=SHOW_SECONDS))
    await hass.async_block_till_done()


async def ask(hass: HomeAssistant, *, fails: bool = False, **data: Any) -> dict[str, Any]:
    """The answer of the chat action; `fails`: expect an error instead."""
    try:
        answer = await hass.services.async_call(DOMAIN, "chat", {"prompt": "Is it?", **data}, blocking=True, return_response=True)
    except HomeAssistantError:
        assert fails
        return {}
    assert not fails
    assert answer is not None
    return answer


async def add_entity(hass: HomeAssistant, platform: Platform, entity: Any) -> None:
    """Add an entity of a test integration."""
    domain = f"test_{platform}"

    async def setup_entry(hass: HomeAssistant, entry: ConfigEntry) -> bool:
        await hass.config_entries.async_forward_entry_setups(entry, [platform])
        return True

    async def setup_platform(_: HomeAssistant, __: ConfigEntry, add: Any) -> None:
        add([entity])

    class Flow(ConfigFlow):
        """A flow without steps."""

    mock_integration(hass, MockModule(domain, async_setup_entry=setup_entry))
    mock_platform(hass, f"{domain}.config_flow")
    mock_platform(hass, f"{domain}.{platform}", MockPlatform(async_setup_entry=setup_platform))
    with mock_config_flow(domain, Flow):
        entry = MockConfigEntry(domain=domain)
        entry.add_to_hass(hass)
        assert await hass.config_entries.async_setup(entry.entry_id)
        await hass.async_block_till_done()
