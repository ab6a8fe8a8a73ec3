"""The coordinator: health checks, advertisements, moved providers, wake-up actions and reauthentication."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
import logging
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from custom_components.zeroconf_ai import issues
from custom_components.zeroconf_ai.const import (
    CONF_BASE_URL,
    CONF_FIRST_TOKEN_TIMEOUT,
    CONF_HEALTH_INTERVAL,
    CONF_WAKE_ACTION,
    CONF_WAKE_WAIT,
    DOMAIN,
)
from custom_components.zeroconf_ai.core.lan.providers import Change, ChangeKind, Provider
from custom_components.zeroconf_ai.core.protocol.status import ProviderState
from custom_components.zeroconf_ai.provider.coordinator import ProviderCoordinator
from homeassistant.config_entries import SOURCE_REAUTH
from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.helpers import device_registry as dr, issue_registry as ir
from homeassistant.util import dt as dt_util

from ..support.fakes.provider import FakeProvider, running
from ..support.home_assistant.entries import announce, ask, make_entry, record_of, say_goodbye, set_up
from ..support.waiting import run_pending_tasks, until

SECOND_ID = "22222222-2222-4222-8222-222222222222"
GENERATED_KEY = "zai_example-key-of-the-tests-0000000"


async def heard(hass: HomeAssistant, provider: FakeProvider, **changes: Any) -> None:
    """The provider is announced, and what follows from that has happened."""
    announce(hass, record_of(provider, **changes))
    await hass.async_block_till_done(wait_background_tasks=True)


def coordinator_of(entry: MockConfigEntry) -> ProviderCoordinator:
    coordinator: ProviderCoordinator = entry.runtime_data.coordinator
    return coordinator


@pytest.fixture
async def elsewhere(provider: FakeProvider) -> AsyncIterator[FakeProvider]:
    """The same provider at another port, as after a restart."""
    async with running(FakeProvider(id=provider.id)) as moved:
        yield moved


async def test_coordinator_checks_health_at_the_configured_interval(hass: HomeAssistant, provider: FakeProvider) -> None:
    entry = await set_up(hass, make_entry(provider, options={CONF_HEALTH_INTERVAL: 120}))

    async def asked_after(seconds: float) -> bool:
        provider.received.clear()
        async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=seconds))
        await hass.async_block_till_done(wait_background_tasks=True)
        return "/v1/health" in provider.paths

    assert not await asked_after(60)
    assert await asked_after(122)
    hass.config_entries.async_update_entry(entry, options={CONF_HEALTH_INTERVAL: 10})
    await hass.async_block_till_done()
    await coordinator_of(entry).check_now()
    assert await asked_after(12)


async def test_coordinator_options_apply_without_a_reload(hass: HomeAssistant, provider: FakeProvider) -> None:
    entry = await set_up(hass, make_entry(provider))
    backend = entry.runtime_data.backend
    assert backend.timeouts.first_token == 30
    hass.config_entries.async_update_entry(entry, options={CONF_FIRST_TOKEN_TIMEOUT: 7})
    await hass.async_block_till_done()
    assert entry.runtime_data.backend is backend
    assert backend.timeouts.first_token == 7


async def test_coordinator_device_shows_provider_and_address(
    hass: HomeAssistant, provider: FakeProvider, elsewhere: FakeProvider, device_registry: dr.DeviceRegistry
) -> None:
    await provider.stop()
    entry = await set_up(hass, make_entry(provider))

    def device() -> dr.DeviceEntry:
        found = device_registry.async_get(entry.runtime_data.device_id)
        assert isinstance(found, dr.DeviceEntry)
        return found

    assert device().sw_version is None
    await heard(hass, elsewhere)
    assert (device().model, device().sw_version) == (None, "1.2.3")
    assert device().configuration_url == elsewhere.base_url.removesuffix("/v1")


async def test_coordinator_moved_provider_is_followed(
    hass: HomeAssistant, provider: FakeProvider, elsewhere: FakeProvider
) -> None:
    entry = await set_up(hass, make_entry(provider))
    await provider.stop()
    await heard(hass, elsewhere)
    assert entry.data[CONF_BASE_URL] == elsewhere.base_url
    assert (await ask(hass))["text"] == "Hello there."
    assert len(elsewhere.requests) == 1


async def test_coordinator_provider_that_answers_is_not_moved(
    hass: HomeAssistant, provider: FakeProvider, elsewhere: FakeProvider
) -> None:
    """Another host may advertise the same id, but while the confirmed provider answers, it is not replaced."""
    entry = await set_up(hass, make_entry(provider))
    await heard(hass, elsewhere)
    assert entry.data[CONF_BASE_URL] == provider.base_url
    provider.key, provider.open_health = "secret", False  # refusing is living, too
    await heard(hass, elsewhere)
    assert entry.data[CONF_BASE_URL] == provider.base_url
    assert elsewhere.paths == []


async def test_coordinator_moved_provider_with_a_reused_address_is_followed(
    hass: HomeAssistant, provider: FakeProvider, elsewhere: FakeProvider
) -> None:
    provider.key = elsewhere.key = GENERATED_KEY
    elsewhere.proves = True
    entry = await set_up(hass, make_entry(provider))
    moved_id, provider.id = provider.id, SECOND_ID  # as after a new lease of addresses
    provider.received.clear()
    await heard(hass, elsewhere, id=moved_id)
    assert entry.data[CONF_BASE_URL] == elsewhere.base_url
    assert set(provider.keys) == {None}  # the other server is probed without the key
    assert (await ask(hass))["text"] == "Hello there."


async def test_coordinator_new_address_without_answer_is_not_used(hass: HomeAssistant, provider: FakeProvider) -> None:
    entry = await set_up(hass, make_entry(provider))
    await provider.stop()
    nobody = FakeProvider(id=provider.id, port=9)
    await heard(hass, nobody)
    assert entry.data[CONF_BASE_URL] == provider.base_url


@pytest.mark.parametrize(
    "impostor",
    [FakeProvider(id=SECOND_ID), FakeProvider(id=None), FakeProvider(key="give me your key", open_health=False)],
    ids=["another id", "no id", "asks for the key"],
)
async def test_coordinator_unproven_server_never_gets_the_key(
    hass: HomeAssistant, provider: FakeProvider, issue_registry: ir.IssueRegistry, impostor: FakeProvider
) -> None:
    provider.key = "secret"
    entry = await set_up(hass, make_entry(provider))
    async with running(impostor):
        await provider.stop()
        await heard(hass, impostor, id=provider.id)
        assert entry.data[CONF_BASE_URL] == provider.base_url
        assert issue_registry.async_get_issue(DOMAIN, f"{issues.IDENTITY_CHANGED}_{entry.entry_id}") is not None
        assert "/v1/health" in impostor.paths
        assert set(impostor.keys) == {None}


async def test_coordinator_changed_certificate_is_not_followed(
    hass: HomeAssistant, provider: FakeProvider, elsewhere: FakeProvider, issue_registry: ir.IssueRegistry
) -> None:
    entry = await set_up(hass, make_entry(provider))
    await provider.stop()
    await heard(hass, elsewhere, fingerprint="A" * 43)
    assert entry.data[CONF_BASE_URL] == provider.base_url
    assert issue_registry.async_get_issue(DOMAIN, f"{issues.IDENTITY_CHANGED}_{entry.entry_id}") is not None


async def test_coordinator_invalid_fingerprint_is_not_used(
    hass: HomeAssistant, provider: FakeProvider, elsewhere: FakeProvider, caplog: pytest.LogCaptureFixture
) -> None:
    entry = await set_up(hass, make_entry(provider))
    await provider.stop()
    await heard(hass, elsewhere, tls=True, fingerprint="short")
    assert "an invalid certificate fingerprint" in caplog.text
    assert entry.data[CONF_BASE_URL] == provider.base_url


async def test_coordinator_ephemeral_key_is_updated_and_never_stored(
    hass: HomeAssistant, provider: FakeProvider, elsewhere: FakeProvider
) -> None:
    elsewhere.key = "rotated"
    entry = await set_up(hass, make_entry(provider, ephemeral=True))
    await provider.stop()
    await heard(hass, elsewhere, ephemeral_key="rotated")
    assert (await ask(hass))["text"] == "Hello there."
    assert elsewhere.keys[-1] == "rotated"
    assert "rotated" not in str(entry.as_dict())
    elsewhere.key = "again"
    await heard(hass, elsewhere, ephemeral_key="again")
    await ask(hass)
    assert elsewhere.keys[-1] == "again"
    # The owner changes an option: the key stays.
    hass.config_entries.async_update_entry(entry, options={CONF_HEALTH_INTERVAL: 60})
    await hass.async_block_till_done()
    await ask(hass)


async def test_coordinator_refused_ephemeral_key_starts_no_reauthentication(hass: HomeAssistant, provider: FakeProvider) -> None:
    provider.key, provider.open_health = "rotated", False
    entry = await set_up(hass, make_entry(provider, ephemeral=True, api_key="wrong"))
    assert entry.runtime_data.member.state is ProviderState.UNAUTHORIZED
    assert hass.config_entries.flow.async_progress() == []


async def test_coordinator_refused_key_starts_one_reauthentication(hass: HomeAssistant, provider: FakeProvider) -> None:
    provider.key = "right"
    await set_up(hass, make_entry(provider))
    assert hass.config_entries.flow.async_progress() == []
    provider.key = "new"
    await ask(hass, fails=True)  # a request finds it out before the next check does
    await ask(hass, fails=True)
    await hass.async_block_till_done()
    flows = hass.config_entries.flow.async_progress()
    assert [flow["context"]["source"] for flow in flows] == [SOURCE_REAUTH]


async def test_coordinator_probe_of_discovery_is_ignored(hass: HomeAssistant, provider: FakeProvider) -> None:
    entry = await set_up(hass, make_entry(provider))
    provider.received.clear()
    coordinator_of(entry)._on_change(Change(ChangeKind.STATE, Provider(record_of(provider))))
    await hass.async_block_till_done(wait_background_tasks=True)
    assert provider.paths == []


async def test_coordinator_advertised_models_are_loaded_only_if_they_changed(hass: HomeAssistant, provider: FakeProvider) -> None:
    entry = await set_up(hass, make_entry(provider))
    await heard(hass, provider)
    provider.models = [{"id": "test-model"}, {"id": "second-model"}]
    await heard(hass, provider)  # the same list again: no request
    assert len(entry.runtime_data.member.models) == 1
    await heard(hass, provider, models=("test-model", "second-model"))
    assert len(entry.runtime_data.member.models) == 2


async def test_coordinator_vanished_model_is_a_repair_until_it_returns(
    hass: HomeAssistant, provider: FakeProvider, issue_registry: ir.IssueRegistry
) -> None:
    entry = await set_up(hass, make_entry(provider))

    def repairs() -> int:
        return sum(domain == DOMAIN and issue.active for (domain, _), issue in issue_registry.issues.items())

    assert repairs() == 0
    served, provider.models = provider.models, [{"id": "another"}]
    await coordinator_of(entry).check_now(models=True)
    assert repairs() == 2  # the agent's and the AI task's
    provider.models = served
    await coordinator_of(entry).check_now(models=True)
    assert repairs() == 0


async def test_coordinator_refresh_during_a_check_updates_the_models(hass: HomeAssistant, provider: FakeProvider) -> None:
    provider.status = {"object": "status"}
    entry = await set_up(hass, make_entry(provider))
    provider.received.clear()
    provider.status_gate = asyncio.Event()
    checking = asyncio.create_task(coordinator_of(entry).check_now())
    await until(lambda: "/v1/status" in provider.paths)
    provider.models = [{"id": "new-model"}]
    refreshing = asyncio.create_task(coordinator_of(entry).check_now(models=True))
    await run_pending_tasks()
    assert not checking.done()
    provider.status_gate.set()
    await asyncio.gather(checking, refreshing)
    assert [model.id for model in entry.runtime_data.member.models] == ["new-model"]


async def sleeping(hass: HomeAssistant, provider: FakeProvider, actions: list[dict[str, Any]]) -> MockConfigEntry:
    """A provider that sleeps and has a wake action."""
    await provider.stop()
    return await set_up(hass, make_entry(provider, options={CONF_WAKE_ACTION: actions, CONF_WAKE_WAIT: 10}))


async def test_coordinator_request_wakes_a_sleeping_provider(hass: HomeAssistant, provider: FakeProvider) -> None:
    woken: list[str] = []

    async def wake(call: ServiceCall) -> None:
        woken.append(call.data["mac"])
        await provider.start()

    hass.services.async_register("test", "wake", wake)
    hass.states.async_set("input_text.mac", "aa:bb")
    action = {"action": "test.wake", "data": {"mac": "{{ states('input_text.mac') }}"}}
    await sleeping(hass, provider, [action])
    assert (await ask(hass, model="test-model"))["text"] == "Hello there."
    assert woken == ["aa:bb"]  # templates are filled in


@pytest.mark.parametrize(
    "action",
    [
        {"action": "test.is_not_there"},
        {"action": "this is no action at all"},
        {"wrong": 1},
    ],
)
async def test_coordinator_failed_wake_action_leads_to_the_next_provider(
    hass: HomeAssistant, provider: FakeProvider, caplog: pytest.LogCaptureFixture, action: dict[str, Any]
) -> None:
    entry = await sleeping(hass, provider, [action])
    async with running(FakeProvider(id=SECOND_ID)) as second:
        other = await set_up(hass, make_entry(second, title="The other one", options={"priority": 200}))
        async with asyncio.timeout(5):  # half of the time that it would wait for the sleeper
            answer = await ask(hass, model="test-model")
        assert answer["provider"] == "The other one"
        assert answer["attempts"][0]["failure"].startswith("Test provider did not wake up")
        assert "The action that wakes Test provider failed" in caplog.text
        assert await hass.config_entries.async_unload(other.entry_id)
    hass.config_entries.async_update_entry(entry, options={})
    await hass.async_block_till_done()
    assert entry.runtime_data.member.wake is None


async def test_coordinator_answer_after_a_goodbye_makes_the_provider_online(hass: HomeAssistant, provider: FakeProvider) -> None:
    entry = await set_up(hass, make_entry(provider))
    await heard(hass, provider)
    say_goodbye(hass, record_of(provider))
    provider.received.clear()
    await ask(hass, config_entry_id=entry.entry_id)  # a last resort, and it turns out that it still lives
    assert provider.paths == ["/v1/chat/completions"]
    assert entry.runtime_data.member.state is ProviderState.HEALTHY


async def test_coordinator_pinned_certificate_is_required(hass: HomeAssistant, provider: FakeProvider) -> None:
    url = provider.base_url.replace("http:", "https:")
    entry = await set_up(hass, make_entry(provider, base_url=url, fingerprint="A" * 43))
    assert entry.runtime_data.member.state is ProviderState.OFFLINE  # it speaks no TLS at all
    assert provider.paths == []


async def test_coordinator_debug_logs_contain_no_key(
    hass: HomeAssistant, provider: FakeProvider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    provider.key = "sesame-open-up"
    entry = await set_up(hass, make_entry(provider))
    await heard(hass, provider, ephemeral_key="sesame-open-up")
    await ask(hass)
    await coordinator_of(entry).check_now(models=True)
    mine = [record.getMessage() for record in caplog.records if "zeroconf_ai" in record.name]
    assert mine
    assert not [message for message in mine if "sesame" in message]
