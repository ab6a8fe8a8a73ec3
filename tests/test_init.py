"""The life of an entry: set up, asleep, reloaded, failed, removed, and set up again, with nothing left behind."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from unittest.mock import patch

from aiohttp import web
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import WebSocketGenerator

from custom_components.zeroconf_ai import async_remove_config_entry_device, issues
from custom_components.zeroconf_ai.const import CONF_BASE_URL, DOMAIN
from custom_components.zeroconf_ai.core.protocol.status import ProviderState
from custom_components.zeroconf_ai.data import DATA
from homeassistant.components import conversation
from homeassistant.components.conversation import ConversationEntityFeature
from homeassistant.config_entries import ConfigEntryDisabler, ConfigEntryState
from homeassistant.const import CONF_API_KEY, CONF_PROMPT, EVENT_HOMEASSISTANT_CLOSE, EVENT_HOMEASSISTANT_STOP, STATE_UNAVAILABLE
from homeassistant.core import Context, CoreState, HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er, issue_registry as ir
from homeassistant.helpers.device_registry import DeviceEntryType
from homeassistant.setup import async_setup_component

from .support.fakes.chunks import delta
from .support.fakes.provider import FakeProvider, running
from .support.home_assistant.entries import AGENT, TASK, agent_data, announce, ask, make_entry, record_of, say_goodbye, set_up
from .support.home_assistant.states import state_of
from .support.waiting import run_pending_tasks, stopped_loop_clock, until

STATUS = "sensor.test_provider_status"


def status(hass: HomeAssistant) -> str:
    return state_of(hass, STATUS).state


def watchers(hass: HomeAssistant) -> tuple[int, ...]:
    """How many listen to what outlives an entry."""
    shared = hass.data[DATA]
    on_bus = hass.bus.async_listeners()
    return (
        sum(1 for _ in shared.engine.pool),
        sum(len(listeners) for listeners in shared.engine.pool._listeners.values()),
        shared.discovery.registry.subscribers,
        on_bus.get(EVENT_HOMEASSISTANT_STOP, 0),
        on_bus.get(EVENT_HOMEASSISTANT_CLOSE, 0),
    )


@asynccontextmanager
async def black_hole() -> AsyncIterator[int]:
    """A port that accepts connections and never answers."""
    connections: list[asyncio.StreamWriter] = []

    async def swallow(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)

    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        for writer in connections:
            writer.close()
        server.close()
        await server.wait_closed()


async def test_set_up_creates_a_device_for_provider_and_agents(
    hass: HomeAssistant, provider: FakeProvider, device_registry: dr.DeviceRegistry
) -> None:
    entry = await set_up(hass, make_entry(provider))
    device = device_registry.async_get(entry.runtime_data.device_id)
    assert isinstance(device, dr.DeviceEntry)
    assert (device.name, device.model, device.sw_version) == ("Test provider", None, "1.2.3")
    assert device.configuration_url == provider.base_url.removesuffix("/v1")
    assert device.entry_type is DeviceEntryType.SERVICE
    agents = [each for each in dr.async_entries_for_config_entry(device_registry, entry.entry_id) if each.id != device.id]
    assert {agent.via_device_id for agent in agents} == {device.id}
    assert len(agents) == len(entry.subentries) == 2


async def test_set_up_of_an_offline_provider_succeeds_and_recovers(hass: HomeAssistant, provider: FakeProvider) -> None:
    await provider.stop()
    entry = await set_up(hass, make_entry(provider))
    assert entry.state is ConfigEntryState.LOADED
    assert status(hass) == "offline"
    for entity_id in (AGENT, TASK):
        agent = hass.states.get(entity_id)
        assert agent is not None
        assert agent.state == STATE_UNAVAILABLE
    await provider.start()
    await entry.runtime_data.coordinator.async_refresh()
    await hass.async_block_till_done()
    assert status(hass) == "healthy"
    agent = hass.states.get(AGENT)
    assert agent is not None
    assert agent.state != STATE_UNAVAILABLE


async def test_set_up_does_not_wait_for_a_provider_without_answer(hass: HomeAssistant, provider: FakeProvider) -> None:
    hass.set_state(CoreState.not_running)
    async with black_hole() as port:
        entry = make_entry(provider, base_url=f"http://127.0.0.1:{port}/v1")
        await async_setup_component(hass, "homeassistant", {})
        await async_setup_component(hass, DOMAIN, {})
        entry.add_to_hass(hass)
        with stopped_loop_clock():
            assert await hass.config_entries.async_setup(entry.entry_id)
            assert entry.state is ConfigEntryState.LOADED
            # It can be unloaded while that check still waits.
            assert await hass.config_entries.async_unload(entry.entry_id)


async def test_reload_leaves_no_listener(hass: HomeAssistant, provider: FakeProvider) -> None:
    entry = await set_up(hass, make_entry(provider))
    before = watchers(hass)
    # In the pool the coordinator listens; to the network the coordinator, and what offers providers.
    assert before[:3] == (1, 1, 2)
    for _ in range(3):
        assert await hass.config_entries.async_reload(entry.entry_id)
        await hass.async_block_till_done()
    assert watchers(hass) == before
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert watchers(hass) == (0, 0, 1, *before[3:])


async def test_set_up_failure_leaves_nothing_and_can_be_retried(hass: HomeAssistant, provider: FakeProvider) -> None:
    await async_setup_component(hass, "homeassistant", {})
    await async_setup_component(hass, DOMAIN, {})
    before = watchers(hass)
    entry = make_entry(provider)
    entry.add_to_hass(hass)
    with patch.object(hass.config_entries, "async_forward_entry_setups", side_effect=RuntimeError("a platform is broken")):
        assert not await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert entry.state is ConfigEntryState.SETUP_ERROR
    assert watchers(hass)[:3] == before[:3]
    assert await hass.config_entries.async_reload(entry.entry_id)
    assert (await ask(hass))["provider"] == "Test provider"


async def test_shutdown_stops_discovery_first_and_removes_providers_last(hass: HomeAssistant, provider: FakeProvider) -> None:
    await set_up(hass, make_entry(provider))
    shared = hass.data[DATA]
    hass.bus.async_fire(EVENT_HOMEASSISTANT_STOP)
    await hass.async_block_till_done()
    assert not shared.discovery.running
    assert (await ask(hass))["text"] == "Hello there."  # whoever is still talking may end
    hass.bus.async_fire(EVENT_HOMEASSISTANT_CLOSE)
    await hass.async_block_till_done()
    assert list(shared.engine.pool) == []


async def test_reload_does_not_interrupt_a_running_request(hass: HomeAssistant, provider: FakeProvider) -> None:
    entry = await set_up(hass, make_entry(provider))
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def slowly(_: web.Request) -> web.StreamResponse:
        asked.set()
        await go_on.wait()
        chunk = delta("At last.", finish="stop")["choices"][0]
        return web.json_response({"choices": [{"message": chunk["delta"], "finish_reason": "stop"}]})

    provider.answers = [slowly]
    answer = hass.async_create_task(ask(hass))
    await asked.wait()
    assert await hass.config_entries.async_reload(entry.entry_id)
    go_on.set()
    assert (await answer)["text"] == "At last."
    assert entry.runtime_data.member.active == 0


async def test_entry_removed_and_added_again_works(hass: HomeAssistant, provider: FakeProvider) -> None:
    entry = await set_up(hass, make_entry(provider))
    assert await hass.config_entries.async_remove(entry.entry_id)
    await hass.async_block_till_done()
    assert hass.states.get(STATUS) is None
    assert watchers(hass)[:3] == (0, 0, 1)
    again = await set_up(hass, make_entry(provider))
    answer = await ask(hass)
    assert answer["config_entry_id"] == again.entry_id != entry.entry_id
    announce(hass, record_of(provider))
    say_goodbye(hass, record_of(provider))
    assert again.runtime_data.member.state is ProviderState.OFFLINE


async def test_entry_removed_during_a_check_leaves_no_error(hass: HomeAssistant, provider: FakeProvider) -> None:
    entry = await set_up(hass, make_entry(provider))
    coordinator = entry.runtime_data.coordinator
    async with black_hole() as port:
        moved = {**entry.data, CONF_BASE_URL: f"http://127.0.0.1:{port}/v1"}
        hass.config_entries.async_update_entry(entry, data=moved)
        coordinator.apply_data()
        checking = asyncio.create_task(coordinator.check_now())
        await run_pending_tasks(50)
        assert not checking.done()
        with stopped_loop_clock():
            assert (await hass.config_entries.async_remove(entry.entry_id))["require_restart"] is False
            await checking
    assert list(hass.data[DATA].engine.pool) == []


async def test_advertisement_during_the_set_up_is_used(hass: HomeAssistant, provider: FakeProvider) -> None:
    await async_setup_component(hass, "homeassistant", {})
    await async_setup_component(hass, DOMAIN, {})
    record = record_of(provider, priority=3)
    async with running(FakeProvider(id=provider.id)) as moved:
        await provider.stop()  # it is at another port now, and the entry does not know it
        entry = make_entry(provider)
        entry.add_to_hass(hass)
        setting_up = hass.async_create_task(hass.config_entries.async_setup(entry.entry_id))
        await until(lambda: hasattr(entry, "runtime_data"))
        assert entry.state is ConfigEntryState.SETUP_IN_PROGRESS
        announce(hass, record_of(moved, priority=3))
        assert await setting_up
        await hass.async_block_till_done(wait_background_tasks=True)
        assert entry.data[CONF_BASE_URL] == moved.base_url != record.base_url()
        assert status(hass) == "healthy"
        assert entry.runtime_data.member.priority == 3


async def test_advertisement_before_the_set_up_is_used(hass: HomeAssistant, provider: FakeProvider) -> None:
    await async_setup_component(hass, "homeassistant", {})
    await async_setup_component(hass, DOMAIN, {})
    async with running(FakeProvider(id=provider.id)) as moved:
        await provider.stop()
        announce(hass, record_of(moved, priority=4))
        entry = await set_up(hass, make_entry(provider))
        assert entry.data[CONF_BASE_URL] == moved.base_url
        assert entry.runtime_data.member.priority == 4
        assert status(hass) == "healthy"


async def test_goodbye_is_offline_within_a_second_and_an_advertisement_online(
    hass: HomeAssistant, provider: FakeProvider
) -> None:
    await set_up(hass, make_entry(provider))
    record = record_of(provider)
    announce(hass, record)
    await hass.async_block_till_done(wait_background_tasks=True)
    say_goodbye(hass, record)
    assert status(hass) == "offline"
    agent = hass.states.get(AGENT)
    assert agent is not None
    assert agent.state == STATE_UNAVAILABLE
    announce(hass, record)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert status(hass) == "healthy"


async def test_goodbye_of_another_provider_is_ignored(hass: HomeAssistant, provider: FakeProvider) -> None:
    await set_up(hass, make_entry(provider))
    other = record_of(FakeProvider(id="22222222-2222-4222-8222-222222222222", port=9), "Another")
    announce(hass, other)
    say_goodbye(hass, other)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert status(hass) == "healthy"


async def test_advertisements_in_great_number_leave_no_task(hass: HomeAssistant, provider: FakeProvider) -> None:
    entry = await set_up(hass, make_entry(provider))
    before = watchers(hass)
    for number in range(100):
        announce(hass, record_of(provider, models=(f"model-{number % 3}",)))
    await hass.async_block_till_done(wait_background_tasks=True)
    assert not entry._background_tasks
    assert not entry._tasks
    assert watchers(hass) == before
    assert not hass.data[DATA].engine.checker._running


async def test_entry_new_key_is_used_without_a_reload(hass: HomeAssistant, provider: FakeProvider) -> None:
    provider.key, provider.open_health = "new", False
    entry = await set_up(hass, make_entry(provider, api_key="old"))
    member = entry.runtime_data.member
    assert status(hass) == "unauthorized"
    assert [flow["context"]["source"] for flow in hass.config_entries.flow.async_progress()] == ["reauth"]
    hass.config_entries.async_update_entry(entry, data={**entry.data, CONF_API_KEY: "new"})
    await hass.async_block_till_done()
    assert status(hass) == "healthy"
    assert entry.runtime_data.member is member


async def test_log_offline_and_recovered_are_each_logged_once(
    hass: HomeAssistant, provider: FakeProvider, caplog: pytest.LogCaptureFixture
) -> None:
    entry = await set_up(hass, make_entry(provider))
    await provider.stop()
    for _ in range(6):
        await entry.runtime_data.coordinator.check_now()
    assert caplog.text.count("Test provider is offline: ") == 1
    await provider.start()
    for _ in range(3):
        await entry.runtime_data.coordinator.check_now()
    assert caplog.text.count("Test provider is back") == 1
    assert caplog.text.count("Test provider is offline: ") == 1


async def test_log_provider_never_reached_is_logged(
    hass: HomeAssistant, provider: FakeProvider, caplog: pytest.LogCaptureFixture
) -> None:
    await provider.stop()
    entry = await set_up(hass, make_entry(provider))
    await entry.runtime_data.coordinator.check_now()
    assert caplog.text.count("Test provider is offline: ") == 1


async def test_entry_with_a_changed_agent_or_name_is_reloaded(hass: HomeAssistant, provider: FakeProvider) -> None:
    entry = await set_up(hass, make_entry(provider, subentries=[agent_data()]))
    member = entry.runtime_data.member
    subentry = next(iter(entry.subentries.values()))
    hass.config_entries.async_update_subentry(entry, subentry, data={**subentry.data, CONF_PROMPT: "Be kind."})
    await hass.async_block_till_done()
    changed = entry.runtime_data.member
    assert changed is not member
    hass.config_entries.async_update_entry(entry, title="New name")
    await hass.async_block_till_done()
    assert entry.runtime_data.member is not changed
    assert entry.runtime_data.member.name == "New name"


async def test_device_is_removed_with_its_agent_and_not_manually(
    hass: HomeAssistant,
    provider: FakeProvider,
    device_registry: dr.DeviceRegistry,
    entity_registry: er.EntityRegistry,
    hass_ws_client: WebSocketGenerator,
) -> None:
    entry = await set_up(hass, make_entry(provider))
    agent = next(each for each in entry.subentries.values() if each.subentry_type == "conversation")
    devices = dr.async_entries_for_config_entry(device_registry, entry.entry_id)
    assert [await async_remove_config_entry_device(hass, entry, device) for device in devices] == [False, False, False]
    hass.config_entries.async_remove_subentry(entry, agent.subentry_id)
    await hass.async_block_till_done()
    assert hass.states.get(AGENT) is None
    assert entity_registry.async_get(AGENT) is None
    assert len(dr.async_entries_for_config_entry(device_registry, entry.entry_id)) == 2
    left_over = device_registry.async_get_or_create(config_entry_id=entry.entry_id, identifiers={(DOMAIN, "gone")})
    assert await async_setup_component(hass, "config", {})
    client = await hass_ws_client(hass)
    assert (await client.remove_device(left_over.id))["success"]


async def test_entry_removed_deletes_its_repairs(
    hass: HomeAssistant, provider: FakeProvider, issue_registry: ir.IssueRegistry
) -> None:
    entry = await set_up(hass, make_entry(provider, subentries=[agent_data(model="vanished")]))
    subentry_id = next(iter(entry.subentries))
    assert issue_registry.async_get_issue(DOMAIN, f"{issues.MODEL_VANISHED}_{subentry_id}") is not None
    await hass.config_entries.async_remove(entry.entry_id)
    assert not [issue for (domain, _), issue in issue_registry.issues.items() if domain == DOMAIN and issue.active]


async def test_unload_makes_agents_of_other_entries_unavailable(hass: HomeAssistant, provider: FakeProvider) -> None:
    """An `auto` agent of a provider that is offline lives on the others."""
    await provider.stop()
    await set_up(hass, make_entry(provider, subentries=[agent_data(model="auto")]))

    def available() -> bool:
        return state_of(hass, AGENT).state != STATE_UNAVAILABLE

    assert not available()
    async with running(FakeProvider(id="22222222-2222-4222-8222-222222222222")) as second:
        other: MockConfigEntry = await set_up(hass, make_entry(second, title="The other one", subentries=[]))
        assert available()
        assert await hass.config_entries.async_unload(other.entry_id)
        await hass.async_block_till_done()
        assert not available()


@pytest.mark.parametrize("apis", [["assist"], []])
async def test_agent_with_an_llm_api_has_the_control_feature(
    hass: HomeAssistant, provider: FakeProvider, apis: list[str]
) -> None:
    await set_up(hass, make_entry(provider, subentries=[agent_data(llm_hass_api=apis)]))
    agent = hass.states.get(AGENT)
    assert agent is not None
    says = bool(agent.attributes["supported_features"] & ConversationEntityFeature.CONTROL)
    await conversation.async_converse(hass, "Hello", None, Context(), agent_id=AGENT)
    assert says is bool(apis) is ("tools" in provider.requests[0])


async def test_entry_disabled_can_be_enabled_again(hass: HomeAssistant, provider: FakeProvider) -> None:
    entry = await set_up(hass, make_entry(provider))
    await hass.config_entries.async_set_disabled_by(entry.entry_id, ConfigEntryDisabler.USER)
    assert list(hass.data[DATA].engine.pool) == []
    await hass.config_entries.async_set_disabled_by(entry.entry_id, None)
    await hass.async_block_till_done()
    assert status(hass) == "healthy"
