"""The gateway's entities and those of its backends: what they show of real requests, and what they set."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any, cast
from unittest.mock import patch
from uuid import UUID

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import mock_restore_cache_with_extra_data, snapshot_platform
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator
from syrupy.assertion import SnapshotAssertion

from custom_components.zeroconf_ai.const import (
    CONF_ADVERTISE,
    CONF_BASE_URL,
    CONF_CONCURRENCY,
    CONF_ENABLED,
    CONF_OWN_PORT,
    CONF_STRATEGY,
)
from custom_components.zeroconf_ai.core.accounting.budget import Scope
from custom_components.zeroconf_ai.core.accounting.periods import Period
from custom_components.zeroconf_ai.core.protocol.errors import UpstreamConnectionError
from custom_components.zeroconf_ai.core.protocol.values import NANO
from custom_components.zeroconf_ai.core.routing.policy import Strategy
from custom_components.zeroconf_ai.core.routing.pool.member import Member
from custom_components.zeroconf_ai.core.routing.pool.pool import Pool
from custom_components.zeroconf_ai.data import DATA
from custom_components.zeroconf_ai.gateway import advertisement
from custom_components.zeroconf_ai.gateway.entry import PLATFORMS
from homeassistant.config_entries import ConfigSubentryData, ConfigSubentryDataWithId
from homeassistant.const import ATTR_ENTITY_ID, CONF_API_KEY, STATE_OFF, STATE_ON, STATE_UNKNOWN, Platform
from homeassistant.core import HomeAssistant, State
from homeassistant.helpers import entity_registry as er

from ..support.fakes.provider import FakeProvider, Paused, refuse, running
from ..support.home_assistant.entries import make_entry, set_up, settle
from ..support.home_assistant.gateway import CHAT, CHAT_PATH, bearer, box, gateway_with, runtime_of, streaming
from ..support.home_assistant.gateway_entry import home_agent_data
from ..support.home_assistant.states import value, values
from ..support.home_assistant.usage import only_key, spend
from ..support.ports import free_port
from ..support.waiting import until
from .test_advertisement import Network

pytestmark = pytest.mark.usefixtures("ready_to_serve", "all_entities_enabled")

WITH_ENTITIES = [platform for platform in PLATFORMS if platform not in (Platform.AI_TASK, Platform.CONVERSATION)]


def numbered(subentry: ConfigSubentryData, subentry_id: str) -> ConfigSubentryData:
    """The subentry with an id that is known beforehand."""
    return cast(ConfigSubentryData, ConfigSubentryDataWithId(**subentry, subentry_id=subentry_id))


def pool_of(hass: HomeAssistant) -> Pool:
    return hass.data[DATA].engine.pool


def member_called(hass: HomeAssistant, name: str) -> Member:
    return next(member for member in pool_of(hass) if member.name == name)


async def use(hass: HomeAssistant, service: str, entity_id: str, **data: Any) -> None:
    """Call a service of an entity's domain."""
    domain = entity_id.partition(".")[0]
    await hass.services.async_call(domain, service, {ATTR_ENTITY_ID: entity_id, **data}, blocking=True)
    await hass.async_block_till_done()


async def until_done(hass: HomeAssistant, condition: Callable[[], bool]) -> None:
    """Wait for a condition, and for Home Assistant to process its effects."""
    await until(condition)
    await hass.async_block_till_done()


@pytest.mark.parametrize("platform", WITH_ENTITIES)
async def test_all_entities(
    hass: HomeAssistant,
    provider: FakeProvider,
    entity_registry: er.EntityRegistry,
    snapshot: SnapshotAssertion,
    freezer: FrozenDateTimeFactory,
    platform: Platform,
) -> None:
    freezer.move_to("2026-11-20T20:00:00+00:00")
    backend = numbered(box(provider, max_concurrent=2), "01BOX")
    agent = numbered(home_agent_data(title="House"), "01HOUSE")
    with (
        patch("custom_components.zeroconf_ai.gateway.entry.PLATFORMS", [platform]),
        patch(
            "custom_components.zeroconf_ai.core.accounting.keys.key_changes.uuid4", return_value=UUID(int=1)
        ),  # unique ids hold it
    ):
        entry = await set_up(hass, gateway_with(backend, agent, entry_id="01GATEWAY"))
        member = member_called(hass, "Box")
        member.latency, member.last_seen, member.last_error = 0.0125, 1795200000.0, "it was busy"
        key = only_key(entry)
        for scope, subject in ((Scope.HOUSEHOLD, None), (Scope.BACKEND, "01BOX"), (Scope.KEY, key.id)):
            await runtime_of(entry).store.budgets.set(scope, subject, 2 * NANO, Period.MONTH)
        await spend(hass, entry, 0.5, backend_id="01BOX", key_id=key.id)
        await settle(hass)
        await snapshot_platform(hass, entity_registry, snapshot, entry.entry_id)


async def test_all_entities_of_a_device_have_different_names(
    hass: HomeAssistant, provider: FakeProvider, entity_registry: er.EntityRegistry
) -> None:
    async with running(FakeProvider(id="22222222-2222-4222-8222-222222222222")) as other:
        await set_up(hass, make_entry(other))
        await set_up(hass, gateway_with(box(provider), home_agent_data(title="House")))
        await settle(hass)
        names = [(entity.device_id, entity.original_name) for entity in entity_registry.entities.values()]
    assert [name for name, count in Counter(names).items() if count > 1] == []


async def test_gateway_requests_tokens_and_errors_are_counted(
    hass: HomeAssistant, provider: FakeProvider, hass_client_no_auth: ClientSessionGenerator
) -> None:
    await set_up(hass, gateway_with(box(provider)))
    assert values(hass, "test_gateway", "requests", "last_answered_by") == ["0", STATE_UNKNOWN]
    client = await hass_client_no_auth()
    for _ in range(2):
        assert (await client.post(CHAT_PATH, json=CHAT, headers=bearer())).status == 200
    provider.answers = [refuse(400, "no")]
    assert (await client.post(CHAT_PATH, json=CHAT, headers=bearer())).status == 400
    assert (await client.post(CHAT_PATH, json=CHAT, headers=bearer("zai_wrong"))).status == 401  # not counted
    await settle(hass)
    assert values(hass, "test_gateway", "requests", "errors", "tokens", "failovers") == ["3", "1", "30", "0"]
    assert values(hass, "test_gateway", "active_requests", "waiting_requests") == ["0", "0"]
    assert values(hass, "box", "requests", "errors", "tokens_in", "tokens_out") == ["2", "1", "24", "6"]
    last = hass.states.get("sensor.test_gateway_last_answered_by")
    assert last is not None
    assert (last.state, last.attributes["model"]) == ("Box", "test-model")


async def test_gateway_failover_is_counted_and_an_event(
    hass: HomeAssistant, provider: FakeProvider, hass_client_no_auth: ClientSessionGenerator
) -> None:
    provider.answers = [refuse(429, "too busy")]
    async with running(FakeProvider(id=None)) as second:
        entry = await set_up(hass, gateway_with(box(provider, priority=1), box(second, "Second", priority=2)))
        client = await hass_client_no_auth()
        assert (await client.post(CHAT_PATH, json=CHAT, headers=bearer())).status == 200
        await settle(hass)
        assert values(hass, "test_gateway", "requests", "errors", "failovers") == ["1", "0", "1"]
        assert value(hass, "sensor.test_gateway_last_answered_by") == "Second"
        told = hass.states.get("event.box_availability")
        assert told is not None
        assert (told.attributes["event_type"], told.attributes["to"]) == ("failover", "Second")
        assert await hass.config_entries.async_unload(entry.entry_id)


async def test_gateway_running_and_waiting_requests_are_shown(
    hass: HomeAssistant, provider: FakeProvider, hass_client_no_auth: ClientSessionGenerator
) -> None:
    paused = Paused()
    provider.answers = [paused]
    entry = await set_up(hass, gateway_with(box(provider, max_concurrent=1)))
    client = await hass_client_no_auth()
    load = ("active_requests", "waiting_requests")
    async with streaming(client) as first:
        await paused.begun.wait()
        second = asyncio.ensure_future(client.post(CHAT_PATH, json=CHAT | {"stream": True}, headers=bearer()))
        await until_done(hass, lambda: runtime_of(entry).coordinator.waiting == 1)
        await settle(hass)
        assert values(hass, "test_gateway", *load) == ["2", "1"]
        assert values(hass, "box", *load) == ["1", "1"]
        paused.go.set()
        await first.read()
        await (await second).read()
    await settle(hass)
    assert values(hass, "test_gateway", *load) == ["0", "0"]
    assert values(hass, "box", *load) == ["0", "0"]


async def test_gateway_requests_waiting_for_its_own_limit_are_shown(
    hass: HomeAssistant, provider: FakeProvider, hass_client_no_auth: ClientSessionGenerator
) -> None:
    paused = Paused()
    provider.answers = [paused]
    await set_up(hass, gateway_with(box(provider), options={CONF_CONCURRENCY: 1}))
    client = await hass_client_no_auth()
    async with streaming(client) as first:
        await paused.begun.wait()
        await settle(hass)
        second = asyncio.ensure_future(client.post(CHAT_PATH, json=CHAT | {"stream": True}, headers=bearer()))
        await until_done(hass, lambda: hass.data[DATA].engine.limiter.waiting == 1)
        await settle(hass)
        assert values(hass, "test_gateway", "active_requests", "waiting_requests") == ["1", "1"]
        paused.go.set()
        await first.read()
        await (await second).read()


async def test_gateway_totals_continue_after_a_reload_and_a_new_address(
    hass: HomeAssistant, provider: FakeProvider, hass_client_no_auth: ClientSessionGenerator
) -> None:
    entry = await set_up(hass, gateway_with(box(provider)))
    client = await hass_client_no_auth()

    async def ask_once() -> None:
        assert (await client.post(CHAT_PATH, json=CHAT, headers=bearer())).status == 200
        await settle(hass)

    await ask_once()
    assert await hass.config_entries.async_reload(entry.entry_id)
    await settle(hass)
    assert values(hass, "test_gateway", "requests", "tokens") == ["1", "15"]
    assert values(hass, "box", "requests", "tokens_in") == ["1", "12"]
    await ask_once()
    async with running(FakeProvider(id=None)) as elsewhere:
        subentry = next(iter(entry.subentries.values()))
        moved = {**subentry.data, CONF_BASE_URL: elsewhere.base_url}
        hass.config_entries.async_update_subentry(entry, subentry, data=moved)
        await settle(hass)
        await ask_once()
        assert len(elsewhere.requests) == 1
        assert values(hass, "box", "requests", "tokens_in") == ["3", "36"]
        # Removed from the engine and added again: it gets no requests while it is disabled.
        hass.config_entries.async_update_subentry(entry, subentry, data={**moved, CONF_ENABLED: False, CONF_API_KEY: "other"})
        await settle(hass)
        hass.config_entries.async_update_subentry(entry, subentry, data=moved)
        await settle(hass)
        await ask_once()
    assert values(hass, "test_gateway", "requests", "tokens") == ["4", "60"]
    assert values(hass, "box", "requests", "tokens_in") == ["4", "48"]
    assert await hass.config_entries.async_unload(entry.entry_id)


async def test_gateway_failovers_and_errors_are_restored_after_a_restart(hass: HomeAssistant, provider: FakeProvider) -> None:
    restored: list[tuple[State, dict[str, Any]]] = [
        (State(entity_id, "41"), {"native_value": 41, "native_unit_of_measurement": None})
        for entity_id in ("sensor.test_gateway_failovers", "sensor.box_errors")
    ]
    mock_restore_cache_with_extra_data(hass, restored)
    await set_up(hass, gateway_with(box(provider)))
    assert value(hass, "sensor.test_gateway_failovers") == value(hass, "sensor.box_errors") == "41"


async def test_gateway_status_follows_its_backends(hass: HomeAssistant, provider: FakeProvider) -> None:
    entry = await set_up(hass, gateway_with(box(provider)))
    pool, status = pool_of(hass), "sensor.test_gateway_status"
    assert value(hass, status) == "running"
    member = member_called(hass, "Box")
    for _ in range(3):
        pool.record_failure(member, UpstreamConnectionError("gone"))
    await settle(hass)
    assert value(hass, status) == "degraded"  # Assist is there all the same
    assist = member_called(hass, "Assist")
    for _ in range(3):
        pool.record_failure(assist, UpstreamConnectionError("gone"))
    await settle(hass)
    assert value(hass, status) == "no_backend"
    pool.record_success(member)
    pool.record_success(assist)
    await settle(hass)
    assert value(hass, status) == "running"
    hass.config_entries.async_update_entry(entry, options={CONF_ENABLED: False})
    await hass.async_block_till_done()
    assert value(hass, status) == "off"


async def test_gateway_turned_off_refuses_requests_and_is_not_advertised(
    hass: HomeAssistant,
    provider: FakeProvider,
    hass_client_no_auth: ClientSessionGenerator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network = Network()
    monkeypatch.setattr(advertisement, "Advertiser", network.advertiser)
    entry = await set_up(hass, gateway_with(box(provider), options={CONF_OWN_PORT: free_port()}))
    runtime = runtime_of(entry)
    client = await hass_client_no_auth()
    assert value(hass, "switch.test_gateway_advertise_on_the_network") == STATE_OFF
    await use(hass, "turn_on", "switch.test_gateway_advertise_on_the_network")
    await until_done(hass, lambda: network.now is not None)
    assert entry.options[CONF_ADVERTISE] is True
    assert value(hass, "switch.test_gateway_advertise_on_the_network") == STATE_ON
    await use(hass, "turn_off", "switch.test_gateway_answer_requests")
    assert value(hass, "switch.test_gateway_answer_requests") == STATE_OFF
    assert (await client.post(CHAT_PATH, json=CHAT, headers=bearer())).status == 503
    await until_done(hass, lambda: network.now is None)
    await use(hass, "turn_on", "switch.test_gateway_answer_requests")
    assert (await client.post(CHAT_PATH, json=CHAT, headers=bearer())).status == 200
    await until_done(hass, lambda: network.now is not None)
    assert entry.runtime_data is runtime  # all of it without a reload
    assert await hass.config_entries.async_unload(entry.entry_id)


async def test_gateway_strategy_and_concurrency_apply_immediately(hass: HomeAssistant, provider: FakeProvider) -> None:
    entry = await set_up(hass, gateway_with(box(provider)))
    runtime, engine = runtime_of(entry), hass.data[DATA].engine
    assert value(hass, "select.test_gateway_routing_strategy") == "priority"
    assert value(hass, "number.test_gateway_concurrent_requests") == "0"
    await use(hass, "select_option", "select.test_gateway_routing_strategy", option="least_busy")
    await use(hass, "set_value", "number.test_gateway_concurrent_requests", value=6)
    assert (engine.policy.strategy, engine.limiter.limit) == (Strategy.LEAST_BUSY, 6)
    assert value(hass, "select.test_gateway_routing_strategy") == "least_busy"
    assert value(hass, "number.test_gateway_concurrent_requests") == "6"
    assert (entry.options[CONF_STRATEGY], entry.options[CONF_CONCURRENCY]) == ("least_busy", 6)
    await use(hass, "set_value", "number.test_gateway_concurrent_requests", value=0)
    assert engine.limiter.limit is None
    assert entry.runtime_data is runtime
