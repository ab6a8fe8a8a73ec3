"""Neither a key nor a prompt follows an advertisement to an address that is neither confirmed nor proven."""

import base64
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
import hashlib
from ipaddress import ip_address
from pathlib import Path
import ssl
from typing import Any, override

import aiohttp
from aiohttp import web
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
import pytest_socket

from custom_components.zeroconf_ai import issues
from custom_components.zeroconf_ai.const import CONF_BASE_URL, CONF_FINGERPRINT, CONF_REFUSED, DOMAIN
from custom_components.zeroconf_ai.core.protocol.record import SATURN_TYPE, Cost, Placement, ServiceRecord
from custom_components.zeroconf_ai.core.server.tls.certificates import Hosts
from custom_components.zeroconf_ai.core.server.tls.server_tls import ServerTls
from custom_components.zeroconf_ai.diagnostics import async_get_config_entry_diagnostics
from custom_components.zeroconf_ai.markdown import code
from homeassistant.components.repairs import RepairsFlowManager, repairs_flow_manager
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component

from ..support.fakes.provider import FakeProvider, running
from ..support.home_assistant.entries import announce, ask, make_entry, record_of, say_goodbye, set_up

pytestmark = pytest.mark.usefixtures("checked_texts", "ready")

GENERATED_KEY = "zai_example-key-of-the-tests-0000000"


class Relay(FakeProvider):
    """An impostor that has its health checks answered by the provider itself."""

    def __init__(self, living: FakeProvider) -> None:
        super().__init__(id=living.id)
        self.living = living

    @override
    async def _health(self, request: web.Request) -> web.Response:
        self.challenged += "challenge" in request.query
        url = f"http://127.0.0.1:{self.living.port}{request.path_qs}"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            return web.json_response(await answer.json())


@pytest.fixture
async def impostor(provider: FakeProvider) -> AsyncIterator[FakeProvider]:
    """Another server with the provider's public id, which accepts any key."""
    async with running(FakeProvider(id=provider.id)) as fake:
        yield fake


@pytest.fixture
async def repairs(hass: HomeAssistant, ready: None) -> RepairsFlowManager:
    """The manager of repair flows."""
    await async_setup_component(hass, "repairs", {})
    manager = repairs_flow_manager(hass)
    assert manager is not None
    return manager


async def hear(hass: HomeAssistant, record: ServiceRecord) -> None:
    """It is announced, and what follows from that has happened."""
    announce(hass, record)
    await hass.async_block_till_done(wait_background_tasks=True)


def question_of(hass: HomeAssistant, entry: MockConfigEntry) -> str | None:
    """The repair issue of the provider's identity, or None."""
    issue = ir.async_get(hass).async_get_issue(DOMAIN, f"{issues.IDENTITY_CHANGED}_{entry.entry_id}")
    return issue.translation_key if issue is not None else None


async def assert_untouched(hass: HomeAssistant, entry: MockConfigEntry, confirmed: str, *others: FakeProvider) -> None:
    """The entry stays at its address, and the others get neither a key nor a prompt."""
    await ask(hass, fails=True)
    assert entry.data[CONF_BASE_URL] == confirmed
    assert entry.runtime_data.backend.base_url == confirmed
    for other in others:
        assert set(other.keys) <= {None}
        assert other.requests == []


@pytest.mark.parametrize("key", [GENERATED_KEY, "chosen secret"])
async def test_impostor_with_the_same_id_gets_nothing_and_creates_a_repair(
    hass: HomeAssistant, provider: FakeProvider, impostor: FakeProvider, key: str
) -> None:
    provider.key = key
    entry = await set_up(hass, make_entry(provider))
    await provider.stop()
    await hear(hass, record_of(impostor))
    assert question_of(hass, entry) == issues.PROVIDER_MOVED
    await assert_untouched(hass, entry, provider.base_url, impostor)
    assert impostor.challenged == (key == GENERATED_KEY)
    await provider.start()
    await entry.runtime_data.coordinator.check_now()
    assert question_of(hass, entry) is None
    assert (await ask(hass))["text"] == "Hello there."


async def test_impostor_is_not_followed_after_a_restart_with_the_provider_asleep(
    hass: HomeAssistant, provider: FakeProvider, impostor: FakeProvider
) -> None:
    provider.key = GENERATED_KEY
    entry = await set_up(hass, make_entry(provider))
    await provider.stop()
    assert await hass.config_entries.async_unload(entry.entry_id)
    announce(hass, record_of(impostor, cost=Cost.METERED, models=("evil",)))
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert question_of(hass, entry) == issues.PROVIDER_MOVED
    assert entry.runtime_data.backend.info.advertised_models == ()
    await assert_untouched(hass, entry, provider.base_url, impostor)
    assert await hass.config_entries.async_reload(entry.entry_id)
    await assert_untouched(hass, entry, provider.base_url, impostor)


async def test_impostor_that_relays_the_challenge_to_the_provider_proves_nothing(
    hass: HomeAssistant, provider: FakeProvider
) -> None:
    """The provider is at an unknown address, and answers every request."""
    async with running(FakeProvider(id=provider.id, key=GENERATED_KEY, proves=True)) as living, running(Relay(living)) as relay:
        provider.key = GENERATED_KEY
        entry = await set_up(hass, make_entry(provider))
        await provider.stop()
        await hear(hass, record_of(relay))
        assert (relay.challenged, living.challenged) == (1, 1)
        assert question_of(hass, entry) == issues.PROVIDER_MOVED
        await assert_untouched(hass, entry, provider.base_url, relay)
        # The provider itself, advertised beside the impostor, proves the key and is followed.
        await hear(hass, replace(record_of(living, "The real one"), host="real.local."))
        assert entry.data[CONF_BASE_URL] == living.base_url
        assert question_of(hass, entry) is None
        assert (await ask(hass))["text"] == "Hello there."
        assert set(relay.keys) == {None}


async def test_provider_that_moved_and_proves_the_key_is_followed_without_a_question(
    hass: HomeAssistant, provider: FakeProvider, impostor: FakeProvider
) -> None:
    moved = impostor
    provider.key = moved.key = GENERATED_KEY
    moved.proves = True
    entry = await set_up(hass, make_entry(provider))
    await provider.stop()
    await hear(hass, record_of(moved))
    assert entry.data[CONF_BASE_URL] == moved.base_url
    assert question_of(hass, entry) is None
    assert (await ask(hass))["text"] == "Hello there."
    assert moved.keys[-1] == GENERATED_KEY


async def saturn_moved(hass: HomeAssistant, provider: FakeProvider, moved: FakeProvider) -> MockConfigEntry:
    """A Saturn server at another address: it wants its key on every path, names no id and knows no proof."""
    provider.key = moved.key = "saturn's key"
    provider.open_health = moved.open_health = False
    moved.id = None
    entry = await set_up(hass, make_entry(provider))
    await provider.stop()
    await hear(hass, record_of(moved, id=provider.id, service_type=SATURN_TYPE))
    await assert_untouched(hass, entry, provider.base_url, moved)
    assert question_of(hass, entry) == issues.PROVIDER_MOVED
    return entry


async def begin_repair(repairs: RepairsFlowManager, entry: MockConfigEntry) -> str:
    """Open the repair's flow; its id."""
    result = await repairs.async_init(DOMAIN, context={"issue_id": f"{issues.IDENTITY_CHANGED}_{entry.entry_id}"})
    assert (result["type"], result["step_id"]) == (FlowResultType.MENU, "init")
    flow_id: str = result["flow_id"]
    return flow_id


async def test_saturn_moved_is_followed_after_confirmation(
    hass: HomeAssistant, provider: FakeProvider, impostor: FakeProvider, repairs: RepairsFlowManager
) -> None:
    entry = await saturn_moved(hass, provider, impostor)
    flow_id = await begin_repair(repairs, entry)
    result = await repairs.async_configure(flow_id, {"next_step_id": "accept"})
    assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "accept")
    assert result["description_placeholders"] is not None
    assert result["description_placeholders"]["address"] == code(impostor.base_url)
    assert set(impostor.keys) == {None}
    result = await repairs.async_configure(flow_id, {})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()
    assert entry.data[CONF_BASE_URL] == impostor.base_url
    assert question_of(hass, entry) is None
    assert (await ask(hass))["text"] == "Hello there."
    assert impostor.keys[-1] == "saturn's key"


async def test_address_refused_by_the_owner_creates_no_further_repair(
    hass: HomeAssistant, provider: FakeProvider, impostor: FakeProvider, repairs: RepairsFlowManager
) -> None:
    entry = await saturn_moved(hass, provider, impostor)
    result = await repairs.async_configure(await begin_repair(repairs, entry), {"next_step_id": "keep"})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done(wait_background_tasks=True)
    assert entry.data[CONF_REFUSED] == [impostor.base_url]
    await hear(hass, record_of(impostor, id=provider.id, service_type=SATURN_TYPE, models=("again",)))
    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert question_of(hass, entry) is None
    await assert_untouched(hass, entry, provider.base_url, impostor)
    assert impostor.base_url not in str(await async_get_config_entry_diagnostics(hass, entry))
    async with running(FakeProvider(id=provider.id)) as third:
        await hear(hass, record_of(third, service_type=SATURN_TYPE))
        assert question_of(hass, entry) == issues.PROVIDER_MOVED  # another address is another question
        await hear(hass, record_of(third, id="gone"))
        result = await repairs.async_configure(await begin_repair(repairs, entry), {"next_step_id": "accept"})
        provider.id, third.id = third.id, "somebody else"
        result = await repairs.async_configure(result["flow_id"], {})
        assert result["errors"] == {"base": "unique_id_mismatch"}
        assert set(third.keys) == {None}


async def test_repair_of_a_move_ends_with_the_advertisement_and_the_entry(
    hass: HomeAssistant, provider: FakeProvider, impostor: FakeProvider, repairs: RepairsFlowManager
) -> None:
    entry = await saturn_moved(hass, provider, impostor)
    flow_id = await begin_repair(repairs, entry)
    say_goodbye(hass, record_of(impostor, id=provider.id, service_type=SATURN_TYPE))
    assert question_of(hass, entry) is None
    coordinator = entry.runtime_data.coordinator
    await hass.config_entries.async_remove(entry.entry_id)
    issues.provider_moved(coordinator, record_of(impostor), impostor.base_url, issues.PROVIDER_MOVED)  # seen a moment too late
    result = await repairs.async_configure(flow_id, {"next_step_id": "keep"})
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "gone")


async def test_keyless_provider_moved_is_followed_by_its_id(
    hass: HomeAssistant, provider: FakeProvider, impostor: FakeProvider
) -> None:
    entry = await set_up(hass, make_entry(provider))
    await hear(hass, record_of(impostor))
    assert entry.data[CONF_BASE_URL] == provider.base_url  # it still answers there
    assert impostor.paths == []
    await provider.stop()
    await hear(hass, record_of(impostor, models=("another",)))
    assert entry.data[CONF_BASE_URL] == impostor.base_url
    assert question_of(hass, entry) is None


@pytest.mark.parametrize("changes", [{"id": None}, {"key": "give me one", "open_health": False}], ids=["no id", "wants a key"])
async def test_keyless_provider_is_not_followed_to_a_server_without_id(
    hass: HomeAssistant, provider: FakeProvider, changes: dict[str, Any]
) -> None:
    """Otherwise a reauthentication would send the user's key to another server."""
    entry = await set_up(hass, make_entry(provider))
    async with running(FakeProvider(**{"id": provider.id, **changes})) as other:
        await provider.stop()
        await hear(hass, record_of(other, id=provider.id))
        assert question_of(hass, entry) == issues.PROVIDER_MOVED
        await assert_untouched(hass, entry, provider.base_url, other)
        assert not [flow for flow in hass.config_entries.flow.async_progress() if flow["context"]["source"] == "reauth"]


def fingerprint_of(provider: FakeProvider) -> str:
    """SHA-256 of a server's certificate, base64url."""
    pem = ssl.get_server_certificate((provider.host, provider.port))
    return base64.urlsafe_b64encode(hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).digest()).decode().rstrip("=")


async def test_encryption_turned_off_is_not_followed_even_with_a_proof(
    hass: HomeAssistant, provider: FakeProvider, certificate: ssl.SSLContext, repairs: RepairsFlowManager
) -> None:
    async with running(FakeProvider(id=provider.id, key=GENERATED_KEY, ssl=certificate)) as secure:
        fingerprint = await hass.async_add_executor_job(fingerprint_of, secure)
        entry = await set_up(hass, make_entry(secure, fingerprint=fingerprint))
        assert (await ask(hass))["text"] == "Hello there."
        await secure.stop()
        provider.key, provider.proves = GENERATED_KEY, True
        await hear(hass, record_of(provider))
        assert question_of(hass, entry) == issues.CERTIFICATE_CHANGED
        await assert_untouched(hass, entry, secure.base_url, provider)
        assert provider.challenged == 0
        # At a new address with its certificate it needs no more than that.
        await secure.start(port=0)
    async with running(FakeProvider(id=provider.id, key=GENERATED_KEY, ssl=certificate)) as moved:
        await hear(hass, record_of(moved, tls=True, fingerprint=fingerprint))
        assert entry.data[CONF_BASE_URL] == moved.base_url
        assert question_of(hass, entry) is None
        assert (await ask(hass))["text"] == "Hello there."
        await moved.stop()
        # The user confirms that the encryption was turned off.
        await hear(hass, record_of(provider))
        flow_id = await begin_repair(repairs, entry)
        await repairs.async_configure(flow_id, {"next_step_id": "accept"})
        assert (await repairs.async_configure(flow_id, {}))["type"] is FlowResultType.CREATE_ENTRY
        await hass.async_block_till_done()
        assert (entry.data[CONF_BASE_URL], entry.data.get(CONF_FINGERPRINT)) == (provider.base_url, None)


class Renewed(FakeProvider):
    """A provider with a certificate of `ServerTls`, which answers with its hand-over."""

    def __init__(self, tls: ServerTls, provider_id: str | None) -> None:
        super().__init__(id=provider_id, key=GENERATED_KEY, ssl=tls.context)
        self.tls = tls

    @override
    async def _health(self, request: web.Request) -> web.Response:
        steps = self.tls.hand_over(request.query.get("handover", ""))
        return web.json_response({"status": "ok", "id": self.id, "handover": [step.to_json() for step in steps]})


async def test_renewed_certificate_is_followed_with_a_signature_of_the_pinned_one_only(
    hass: HomeAssistant, provider: FakeProvider, tmp_path: Path
) -> None:
    def made(folder: str, days: int) -> ServerTls:
        tls = ServerTls(tmp_path / folder, provider.id or "", "x", now=lambda: datetime.now(UTC) + timedelta(days=days))
        tls.refresh(Hosts.of((), ()))
        return tls

    former = await hass.async_add_executor_job(made, "own", 0)
    async with running(Renewed(former, provider.id)) as first:
        entry = await set_up(hass, make_entry(first, fingerprint=former.fingerprint))
        assert (await ask(hass))["text"] == "Hello there."
    other = await hass.async_add_executor_job(made, "other", 0)
    async with running(Renewed(other, provider.id)) as stranger:
        await hear(hass, record_of(stranger, tls=True, fingerprint=other.fingerprint))
        assert question_of(hass, entry) == issues.CERTIFICATE_CHANGED
        await assert_untouched(hass, entry, first.base_url, stranger)
        assert entry.data[CONF_FINGERPRINT] == former.fingerprint
    renewed = await hass.async_add_executor_job(made, "own", 300)
    async with running(Renewed(renewed, provider.id)) as again:
        await hear(hass, record_of(again, tls=True, fingerprint=renewed.fingerprint))
        assert (entry.data[CONF_BASE_URL], entry.data[CONF_FINGERPRINT]) == (again.base_url, renewed.fingerprint)
        assert question_of(hass, entry) is None
        assert (await ask(hass))["text"] == "Hello there."


async def test_record_with_several_addresses_is_used_at_the_proven_one(hass: HomeAssistant, provider: FakeProvider) -> None:
    """An impostor's address in front of the provider's own, on the same port."""
    pytest_socket.socket_allow_hosts(["127.0.0.1", "127.0.0.2"])
    provider.key = GENERATED_KEY
    entry = await set_up(hass, make_entry(provider))
    await provider.stop()
    async with running(FakeProvider(id=provider.id, host="127.0.0.2", key=GENERATED_KEY, proves=True)) as moved:
        wrong = FakeProvider(id=provider.id, port=moved.port)
        async with running(wrong):
            addresses = tuple(ip_address(text) for text in ("127.0.0.1", "127.0.0.2"))
            await hear(hass, record_of(moved, addresses=addresses))
            assert entry.data[CONF_BASE_URL] == moved.base_url
            assert (await ask(hass))["text"] == "Hello there."
            assert set(wrong.keys) == {None}


async def test_cloud_record_with_another_upstream_needs_confirmation(
    hass: HomeAssistant, provider: FakeProvider, impostor: FakeProvider
) -> None:
    provider.key = "first"
    entry = await set_up(hass, make_entry(provider, ephemeral=True, api_key=None))
    beacon: dict[str, Any] = {"placement": Placement.CLOUD, "api_base": provider.base_url}
    await hear(hass, record_of(provider, ephemeral_key="first", **beacon))
    assert (await ask(hass))["text"] == "Hello there."
    provider.key = "second"
    await hear(hass, record_of(provider, ephemeral_key="second", **beacon))
    assert (await ask(hass))["text"] == "Hello there."
    await provider.stop()
    await hear(hass, record_of(provider, ephemeral_key="third", **(beacon | {"api_base": impostor.base_url})))
    assert question_of(hass, entry) == issues.PROVIDER_MOVED
    await assert_untouched(hass, entry, provider.base_url, impostor)
    assert impostor.paths == []
    assert entry.runtime_data.backend.key == "second"


async def test_ephemeral_provider_is_not_followed_while_it_answers_where_it_was(
    hass: HomeAssistant, provider: FakeProvider, impostor: FakeProvider
) -> None:
    entry = await set_up(hass, make_entry(provider, ephemeral=True))
    await hear(hass, record_of(impostor, ephemeral_key="impostor's"))
    assert entry.runtime_data.backend.base_url == provider.base_url
    assert entry.runtime_data.backend.key is None
    await ask(hass)
    assert impostor.requests == []
    assert len(provider.requests) == 1
