"""The gateway's entry: set-up, options that apply at once, unloading, and the end of Home Assistant."""

import asyncio
from collections.abc import AsyncIterator
import gc
from pathlib import Path
from types import MappingProxyType
from typing import Any, override

from aiohttp import web
import pytest
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.zeroconf_ai.const import (
    CONF_AUTH,
    CONF_CONCURRENCY,
    CONF_ENABLED,
    CONF_FIRST_KEY,
    CONF_OWN_PORT,
    CONF_OWN_PORT_TLS,
    CONF_STRATEGY,
    CONF_VIRTUAL_MODELS,
    DOMAIN,
    SUBENTRY_BACKEND,
)
from custom_components.zeroconf_ai.core.admin.chat.details import RequestWatch
from custom_components.zeroconf_ai.core.backends.zeroconfai import fingerprint_ssl
from custom_components.zeroconf_ai.core.engine import Engine
from custom_components.zeroconf_ai.core.routing.policy import Policy, Strategy
from custom_components.zeroconf_ai.core.server.garbage_collection import THRESHOLD
from custom_components.zeroconf_ai.data import DATA, gateway_entry
from custom_components.zeroconf_ai.gateway.runtime import gateway_runtime
from custom_components.zeroconf_ai.gateway.separate_port import OWN_PORT_CLOSED
from homeassistant.config_entries import ConfigEntryState, ConfigSubentry
from homeassistant.const import CONF_API_KEY, EVENT_HOMEASSISTANT_STOP
from homeassistant.core import CoreState, HomeAssistant
from homeassistant.helpers import device_registry as dr, issue_registry as ir
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.setup import async_setup_component

from ..support.fakes.provider import FakeProvider, Paused, running, stall
from ..support.home_assistant.entries import agent_data, ask, make_entry, set_up
from ..support.home_assistant.gateway import CHAT, CHAT_PATH, KEY, bearer, box, gateway_with, runtime_of, streaming
from ..support.home_assistant.gateway_entry import GATEWAY_ID
from ..support.home_assistant.states import state_of
from ..support.ports import free_port
from ..support.waiting import never_answer, until

pytestmark = pytest.mark.usefixtures("ready_to_serve")


def given(engine: Engine) -> tuple[str | None, int | None, list[str]]:
    """The engine's data from a gateway: id, limit and members."""
    return engine.own_id, engine.limiter.limit, [member.name for member in engine.pool]


@pytest.fixture
async def second(socket_enabled: None) -> AsyncIterator[FakeProvider]:
    async with running(FakeProvider(id=None, models=[{"id": "second-model"}])) as fake:
        yield fake


async def test_runtime_configures_the_engine_and_resets_it_when_unloaded(hass: HomeAssistant, provider: FakeProvider) -> None:
    options = {CONF_STRATEGY: "cost", CONF_CONCURRENCY: 3, CONF_VIRTUAL_MODELS: {"quick": {"targets": ["test-model"]}}}
    entry = await set_up(hass, gateway_with(box(provider), options=options))
    engine = hass.data[DATA].engine
    assert entry.state is ConfigEntryState.LOADED
    assert (gateway_entry(hass), gateway_runtime(hass)) == (entry, entry.runtime_data)
    assert given(engine) == (GATEWAY_ID, 3, ["Assist", "Box"])
    assert engine.policy.strategy is Strategy.COST
    assert list(engine.policy.virtual_models) == ["quick"]
    assert {model.id for _, model in engine.models()} == {"homeassistant/assist", "test-model"}
    assert gc.get_threshold()[0] == THRESHOLD
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert gc.get_threshold()[0] < THRESHOLD
    assert gateway_runtime(hass) is None
    assert given(engine) == (None, None, [])
    assert isinstance(engine.recorder, RequestWatch)  # that of the page's chats, which need no gateway
    assert engine.policy == Policy()
    assert await hass.config_entries.async_setup(entry.entry_id)
    assert [member.name for member in engine.pool] == ["Assist", "Box"]


async def test_runtime_first_key_is_stored_once(hass: HomeAssistant) -> None:
    entry = await set_up(hass, gateway_with())
    assert CONF_FIRST_KEY not in entry.data
    assert [(key.name, key.prefix) for key in runtime_of(entry).store.keys] == [("First key", KEY[:8])]
    assert await hass.config_entries.async_reload(entry.entry_id)
    assert runtime_of(entry).store.keys.verify(KEY).name == "First key"


async def test_runtime_device_has_the_gateways_name(hass: HomeAssistant) -> None:
    entry = await set_up(hass, gateway_with())
    hass.config_entries.async_update_entry(entry, title="Kitchen")
    await hass.async_block_till_done()
    device = dr.async_get(hass).async_get(runtime_of(entry).device_id)
    assert device is not None
    assert (device.name, runtime_of(entry).server.name) == ("Kitchen", "Kitchen")


async def test_runtime_start_does_not_wait_for_a_backend_without_answer(hass: HomeAssistant, socket_enabled: None) -> None:
    hass.set_state(CoreState.starting)
    asked = asyncio.Event()

    class Silent(FakeProvider):
        @override
        async def _health(self, request: web.Request) -> web.Response:
            asked.set()
            await never_answer()

        @override
        async def _models(self, request: web.Request) -> web.Response:
            asked.set()
            await never_answer()

    async with running(Silent()) as silent:
        entry = gateway_with(box(silent))
        await async_setup_component(hass, "homeassistant", {})
        entry.add_to_hass(hass)
        assert await hass.config_entries.async_setup(entry.entry_id)
        await asked.wait()
        assert entry.state is ConfigEntryState.LOADED
        assert await hass.config_entries.async_unload(entry.entry_id)


async def test_runtime_database_that_cannot_be_opened_is_reported_and_retried(hass: HomeAssistant, tmp_path: Any) -> None:
    (tmp_path / "file").touch()
    url = f"sqlite:///{tmp_path}/file/zeroconf_ai.db"
    entry = gateway_with(options={"database_url": url})
    await async_setup_component(hass, "homeassistant", {})
    entry.add_to_hass(hass)
    assert not await hass.config_entries.async_setup(entry.entry_id)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    assert entry.error_reason_translation_key == "database_failed"
    assert hass.data[DATA].engine.own_id is None


async def test_runtime_options_apply_to_the_next_request_only(
    hass: HomeAssistant, provider: FakeProvider, second: FakeProvider, hass_client_no_auth: ClientSessionGenerator
) -> None:
    paused = Paused()
    provider.answers = [paused]
    entry = await set_up(hass, gateway_with(box(provider)))
    client = await hass_client_no_auth()
    runtime = runtime_of(entry)
    async with streaming(client) as response:
        await paused.begun.wait()
        hass.config_entries.async_update_entry(entry, options={CONF_STRATEGY: "latency", CONF_CONCURRENCY: 7, CONF_AUTH: "none"})
        stored = next(iter(entry.subentries.values()))
        hass.config_entries.async_update_subentry(entry, stored, data={**stored.data, "priority": 7})
        added = box(second, "Second")
        hass.config_entries.async_add_subentry(
            entry,
            ConfigSubentry(
                data=MappingProxyType(dict(added["data"])), subentry_type=SUBENTRY_BACKEND, title="Second", unique_id=None
            ),
        )
        await hass.async_block_till_done()
        paused.go.set()
        assert b"two" in await response.read()
    assert entry.runtime_data is runtime
    engine = hass.data[DATA].engine
    assert (engine.policy.strategy, engine.limiter.limit) == (Strategy.LATENCY, 7)
    assert [(member.name, member.priority) for member in engine.pool if member.name != "Assist"] == [("Box", 7), ("Second", 100)]
    answer = await client.post(CHAT_PATH, json=CHAT | {"model": "second-model"})
    assert answer.status == 200


async def test_runtime_removed_backend_is_removed_from_the_pool(hass: HomeAssistant, provider: FakeProvider) -> None:
    entry = await set_up(hass, gateway_with(box(provider)))
    hass.config_entries.async_remove_subentry(entry, next(iter(entry.subentries)))
    await hass.async_block_till_done()
    assert [member.name for member in hass.data[DATA].engine.pool] == ["Assist"]


async def test_runtime_turned_off_refuses_requests_with_the_reason(
    hass: HomeAssistant, provider: FakeProvider, hass_client_no_auth: ClientSessionGenerator
) -> None:
    entry = await set_up(hass, gateway_with(box(provider), options={CONF_ENABLED: False}))
    client = await hass_client_no_auth()
    refused = await client.post(CHAT_PATH, json=CHAT, headers=bearer())
    assert refused.status == 503
    assert "disabled" in (await refused.json())["error"]["message"]
    health = await client.get("/v1/health")
    assert (health.status, (await health.json())["status"]) == (503, "unavailable")
    assert not runtime_of(entry).enabled
    hass.config_entries.async_update_entry(entry, options={CONF_ENABLED: True})
    await hass.async_block_till_done()
    assert (await client.post(CHAT_PATH, json=CHAT, headers=bearer())).status == 200


async def test_runtime_unloaded_answers_503_until_it_is_loaded(
    hass: HomeAssistant, provider: FakeProvider, hass_client_no_auth: ClientSessionGenerator
) -> None:
    entry = await set_up(hass, gateway_with(box(provider)))
    client = await hass_client_no_auth()
    assert await hass.config_entries.async_unload(entry.entry_id)
    refused = await client.post(CHAT_PATH, json=CHAT, headers=bearer())
    assert refused.status == 503
    assert (await refused.json())["error"]["message"].startswith("No gateway is running in this Home Assistant")
    assert (await client.get("/v1/health")).status == 503
    assert (await client.post("/v1/messages", json={})).status == 503
    assert await hass.config_entries.async_setup(entry.entry_id)
    assert (await client.post(CHAT_PATH, json=CHAT, headers=bearer())).status == 200


async def test_runtime_stop_of_home_assistant_refuses_new_and_ends_running_requests(
    hass: HomeAssistant, provider: FakeProvider, hass_client_no_auth: ClientSessionGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custom_components.zeroconf_ai.gateway.runtime.STOP_SECONDS", 0.1)
    paused = Paused()
    provider.answers = [paused]
    await set_up(hass, gateway_with(box(provider)))
    client = await hass_client_no_auth()
    async with streaming(client) as response:
        await paused.begun.wait()
        hass.bus.async_fire(EVENT_HOMEASSISTANT_STOP)
        body = await response.read()
    assert b"The server is stopping" in body
    refused = await client.post(CHAT_PATH, json=CHAT, headers=bearer())
    assert refused.status == 503


async def test_runtime_providers_with_their_own_entries_are_backends(
    hass: HomeAssistant, provider: FakeProvider, hass_client_no_auth: ClientSessionGenerator
) -> None:
    await set_up(hass, make_entry(provider))
    entry = await set_up(hass, gateway_with())
    client = await hass_client_no_auth()
    answer = await client.post(CHAT_PATH, json=CHAT, headers=bearer())
    assert (answer.status, answer.headers["X-ZeroconfAI-Provider"]) == (200, "Test provider")
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert (await ask(hass))["text"] == "Hello there."


async def test_runtime_request_of_an_action_is_recorded_and_in_the_metrics(
    hass: HomeAssistant, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    await set_up(hass, make_entry(provider))
    entry = await set_up(hass, gateway_with())
    kept: list[Any] = []
    monkeypatch.setattr(runtime_of(entry).store.ledger, "record", kept.append)
    await ask(hass)
    assert [(record.source, record.backend_name) for record in kept] == [("action", "Test provider")]
    assert b'provider="Test provider"' in runtime_of(entry).metrics.render()


async def test_runtime_agents_of_the_gateway_use_any_backend(hass: HomeAssistant, provider: FakeProvider) -> None:
    entry = await set_up(hass, gateway_with(box(provider), agent_data("Gateway agent", model="auto")))
    assert state_of(hass, "conversation.gateway_agent").state != "unavailable"
    said = await hass.services.async_call(
        "conversation", "process", {"text": "Hi", "agent_id": "conversation.gateway_agent"}, blocking=True, return_response=True
    )
    assert said is not None
    assert provider.requests[0]["model"] == "test-model"
    agent = next(subentry for subentry in entry.subentries.values() if subentry.title == "Gateway agent")
    runtime = entry.runtime_data
    hass.config_entries.async_update_subentry(entry, agent, title="Renamed")
    await hass.async_block_till_done()
    assert entry.runtime_data is not runtime  # entities are created again


async def test_runtime_backend_refusing_its_key_starts_reauthentication(hass: HomeAssistant, provider: FakeProvider) -> None:
    provider.key = "right"
    entry = await set_up(hass, gateway_with(box(provider, **{CONF_API_KEY: "wrong"})))
    await hass.async_block_till_done()
    flows = hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    assert [(flow["context"]["source"], flow["context"]["entry_id"]) for flow in flows] == [("reauth", entry.entry_id)]


async def test_separate_port_serves_the_gateways_and_ollamas_paths(hass: HomeAssistant, provider: FakeProvider) -> None:
    port = free_port()
    hass.http.server_host = ["127.0.0.1"]
    entry = await set_up(hass, gateway_with(box(provider), options={CONF_OWN_PORT: port}))
    session = async_get_clientsession(hass)
    url = f"http://127.0.0.1:{port}"
    async with session.post(f"{url}{CHAT_PATH}", json=CHAT, headers=bearer()) as answer:
        assert answer.status == 200
    async with session.get(f"{url}/api/tags", headers=bearer()) as answer:
        assert answer.status == 200
    async with session.post(f"{url}{CHAT_PATH}", json=CHAT) as answer:
        assert answer.status == 401
    assert await hass.config_entries.async_unload(entry.entry_id)
    with pytest.raises(OSError, match="Connect"):
        await asyncio.open_connection("127.0.0.1", port)


async def test_separate_port_with_tls_presents_its_own_certificate_and_keeps_it(
    hass: HomeAssistant, provider: FakeProvider, tmp_path: Path
) -> None:
    hass.config.config_dir = str(tmp_path)
    port = free_port()
    hass.http.server_host = ["127.0.0.1"]
    entry = await set_up(hass, gateway_with(box(provider), options={CONF_OWN_PORT: port, CONF_OWN_PORT_TLS: True}))
    tls = entry.runtime_data.separate_port.tls
    assert tls is not None
    session, pinned = async_get_clientsession(hass), fingerprint_ssl(tls.fingerprint)
    async with session.post(f"https://127.0.0.1:{port}{CHAT_PATH}", json=CHAT, headers=bearer(), ssl=pinned) as answer:
        assert answer.status == 200
    async with session.get(f"https://127.0.0.1:{port}/ca.pem", ssl=pinned) as answer:
        assert await answer.read() == tls.authority_pem
    async with session.post(f"http://127.0.0.1:{port}{CHAT_PATH}", json=CHAT) as answer:
        assert (answer.status, (await answer.json())["error"]["code"]) == (400, "https_required")
    record = entry.runtime_data.presence._record()
    assert (record.port, record.tls, record.fingerprint) == (port, True, tls.fingerprint)
    hass.config_entries.async_update_entry(entry, options={CONF_OWN_PORT: port})
    await hass.async_block_till_done()
    assert entry.runtime_data.separate_port.tls is None
    assert not entry.runtime_data.presence._record().tls
    hass.config_entries.async_update_entry(entry, options={CONF_OWN_PORT: port, CONF_OWN_PORT_TLS: True})
    await hass.async_block_till_done()
    record = entry.runtime_data.presence._record()
    assert (record.tls, record.fingerprint) == (True, tls.fingerprint)


async def test_separate_port_changed_completes_requests_on_the_former(hass: HomeAssistant, provider: FakeProvider) -> None:
    paused = Paused()
    provider.answers = [paused]
    former, latter = free_port(), free_port()
    hass.http.server_host = ["127.0.0.1"]
    entry = await set_up(hass, gateway_with(box(provider), options={CONF_OWN_PORT: former}))
    session = async_get_clientsession(hass)
    body = CHAT | {"stream": True}
    async with session.post(f"http://127.0.0.1:{former}{CHAT_PATH}", json=body, headers=bearer()) as response:
        await paused.begun.wait()
        hass.config_entries.async_update_entry(entry, options={CONF_OWN_PORT: latter})
        await hass.async_block_till_done()
        async with session.get(f"http://127.0.0.1:{latter}/v1/models", headers=bearer()) as models:
            assert models.status == 200
        paused.go.set()
        assert b"two" in await response.read()


async def test_separate_port_in_use_is_a_repair(
    hass: HomeAssistant, provider: FakeProvider, hass_client_no_auth: ClientSessionGenerator
) -> None:
    hass.http.server_host = ["127.0.0.1"]
    entry = await set_up(hass, gateway_with(box(provider), options={CONF_OWN_PORT: provider.port}))
    assert entry.state is ConfigEntryState.LOADED
    issue = ir.async_get(hass).async_get_issue(DOMAIN, OWN_PORT_CLOSED)
    assert issue is not None
    assert issue.translation_placeholders is not None
    assert issue.translation_placeholders["port"] == str(provider.port)
    client = await hass_client_no_auth()
    assert (await client.post(CHAT_PATH, json=CHAT, headers=bearer())).status == 200
    hass.config_entries.async_update_entry(entry, options={})
    await hass.async_block_till_done()
    assert ir.async_get(hass).async_get_issue(DOMAIN, OWN_PORT_CLOSED) is None


async def test_runtime_unloaded_ends_running_requests_after_a_delay(
    hass: HomeAssistant, provider: FakeProvider, hass_client_no_auth: ClientSessionGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custom_components.zeroconf_ai.gateway.runtime.DRAIN_SECONDS", 0.1)
    provider.answers = [stall()]
    entry = await set_up(hass, gateway_with(box(provider)))
    client = await hass_client_no_auth()
    request = asyncio.ensure_future(client.post(CHAT_PATH, json=CHAT, headers=bearer()))
    await until(lambda: provider.requests)
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert (await request).status == 503
