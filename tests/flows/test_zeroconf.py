"""Providers that advertise themselves: which are offered, with which texts, and how one is set up."""

from dataclasses import replace
import socket
from typing import Any
from unittest.mock import patch

from aiohttp import web
import pytest
import pytest_socket

from custom_components.zeroconf_ai.const import CONF_BASE_URL, CONF_EPHEMERAL, CONF_PROVIDER_ID, CONF_SERVICE_NAME, DOMAIN
from custom_components.zeroconf_ai.core.backends.egress import Egress
from custom_components.zeroconf_ai.core.protocol.record import SATURN_TYPE, Placement, ServiceRecord
from custom_components.zeroconf_ai.data import DATA, endpoint_of
from homeassistant.config_entries import SOURCE_USER
from homeassistant.const import CONF_API_KEY
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.setup import async_setup_component

from ..support.fakes.provider import FakeProvider, serving
from ..support.home_assistant.discovery import announced, discover, submit
from ..support.home_assistant.entries import announce, make_entry, record_of, set_up

pytestmark = pytest.mark.usefixtures("checked_texts", "ready")

OTHER_ID = "22222222-2222-4222-8222-222222222222"


async def test_discovered_provider_is_set_up_after_confirmation(hass: HomeAssistant, provider: FakeProvider) -> None:
    provider.models = [{"id": "qwen3:8b"}, {"id": "llama3"}, {"id": "gemma3"}, {"id": "nomic-embed-text"}]
    result = await discover(
        hass, announced(provider, txt={"capabilities": "completion,tools", "cost": "metered", "backend": "proxy"})
    )
    assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "discovery_confirm")
    assert result["data_schema"] is not None
    assert not result["data_schema"].schema
    shown = result["description_placeholders"]
    assert shown is not None
    assert shown["name"] == "GPU box"
    assert shown["address"] == provider.base_url
    assert shown["models"] == "qwen3:8b, llama3, gemma3"
    assert shown["capabilities"] == "chat, tools (device control)"
    assert shown["cost"] == "usage-based billing"
    assert "outside your network" in shown["placement"]
    (flow,) = hass.config_entries.flow.async_progress()
    assert flow["context"]["title_placeholders"] == {"name": "GPU box (qwen3:8b, llama3 (+1); usage-based billing)"}
    assert flow["context"]["configuration_url"] == f"http://127.0.0.1:{provider.port}"
    assert flow["context"]["confirm_only"]
    assert flow["context"]["unique_id"] == provider.id

    result = await submit(hass, result)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["title"] == "GPU box"
    assert result["data"] == {
        CONF_BASE_URL: provider.base_url,
        CONF_PROVIDER_ID: provider.id,
        CONF_SERVICE_NAME: "GPU box",
    }
    assert {subentry.title for subentry in result["result"].subentries.values()} == {"GPU box Agent", "GPU box AI Task"}
    await hass.async_block_till_done()
    assert hass.states.get("conversation.gpu_box_agent") is not None


async def test_discovered_provider_is_probed_by_the_flow_and_not_by_the_set_up(
    hass: HomeAssistant, provider: FakeProvider
) -> None:
    provider.status = {"queue": {"active": 1, "depth": 0, "max_concurrent": 3}}
    result = await discover(hass, announced(provider))
    provider.received.clear()
    entry = (await submit(hass, result))["result"]
    await hass.async_block_till_done()
    assert provider.paths.count("/v1/models") == provider.paths.count("/v1/status") == 1
    assert provider.paths[-1] != "/v1/health"  # the set-up of the entry sends no request
    member = entry.runtime_data.member
    assert (member.online, member.known, member.latency is not None) == (True, True, True)
    assert [model.id for model in member.models] == ["test-model"]
    assert member.limiter.limit == 3
    assert await hass.config_entries.async_reload(entry.entry_id)
    assert provider.paths.count("/v1/models") == 2  # a later set-up requests them again


async def test_markup_in_an_advertisement_is_shown_as_text(hass: HomeAssistant, provider: FakeProvider) -> None:
    picture = "![x](http://evil.example/p.png)"
    provider.models = [{"id": f"m{picture}"}, {"id": "<img src=http://evil.example/p.png>"}, {"id": "qwen3\u202e:8b"}]
    result = await discover(hass, announced(provider, name=f"GPU \u200b{picture}", txt={"models": "x"}))
    shown = result["description_placeholders"]
    assert shown is not None
    assert shown["name"] == r"GPU !\[x\](http\://evil.example/p.png)"
    assert shown["models"] == r"m!\[x\](http\://evil.example/p.png), \<img src=http\://evil.example/p.png>, qwen3:8b"
    assert shown["address"] == provider.base_url
    (flow,) = hass.config_entries.flow.async_progress()
    assert flow["context"]["title_placeholders"]["name"].startswith(f"GPU {picture} (m{picture}")  # shown as plain text
    result = await submit(hass, result)
    assert result["title"] == f"GPU {picture}"


async def test_reason_of_a_refused_advertisement_is_shown_as_text(hass: HomeAssistant, provider: FakeProvider) -> None:
    result = await discover(hass, announced(provider, name="[x](http://evil.example)", txt={"version": "<b>9</b>.0"}))
    assert result["type"] is FlowResultType.ABORT
    shown = result["description_placeholders"]
    assert shown is not None
    assert shown["name"] == r"\[x\](http\://evil.example)"
    assert "<b>" not in shown["reason"].replace(r"\<", "")


async def test_advertisements_of_both_service_types_are_one_flow(hass: HomeAssistant, provider: FakeProvider) -> None:
    await discover(hass, announced(provider))
    second = await discover(hass, announced(provider, service_type=SATURN_TYPE, txt={"version": "1.0"}))
    assert (second["type"], second["reason"]) == (FlowResultType.ABORT, "already_in_progress")


async def test_discovered_provider_is_used_at_the_first_answering_address(hass: HomeAssistant, provider: FakeProvider) -> None:
    pytest_socket.socket_allow_hosts(["127.0.0.1", "127.0.0.2"])  # no server listens at the latter
    result = await discover(hass, announced(provider, addresses=("127.0.0.2", "127.0.0.1")))
    assert result["description_placeholders"] is not None
    assert result["description_placeholders"]["address"] == provider.base_url


async def test_own_advertisement_is_not_offered(hass: HomeAssistant, provider: FakeProvider) -> None:
    await async_setup_component(hass, DOMAIN, {})
    hass.data[DATA].discovery.own_ids.add(provider.id or "")
    result = await discover(hass, announced(provider))
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "own_advertisement")
    assert not provider.paths


@pytest.mark.parametrize(
    ("txt", "reason"),
    [({"version": "2.0"}, "unsupported_version"), ({"tls": "1", "fp": "short"}, "invalid_record")],
)
async def test_advertisement_that_is_unusable_aborts_with_the_reason(
    hass: HomeAssistant, provider: FakeProvider, txt: dict[str, str], reason: str
) -> None:
    result = await discover(hass, announced(provider, txt=txt))
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, reason)
    assert result["description_placeholders"] is not None
    assert result["description_placeholders"]["name"] == "GPU box"


async def test_advertisement_without_a_port_aborts(hass: HomeAssistant, provider: FakeProvider) -> None:
    info = announced(provider)
    info.port = None
    result = await discover(hass, info)
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "invalid_record")


async def test_advertisement_without_answer_is_not_offered(hass: HomeAssistant, provider: FakeProvider) -> None:
    await provider.stop()
    result = await discover(hass, announced(provider))
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "cannot_connect")


async def test_another_provider_at_the_advertised_address_is_not_offered(hass: HomeAssistant, provider: FakeProvider) -> None:
    result = await discover(hass, announced(provider, txt={"id": OTHER_ID}))
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "identity_mismatch")


async def test_advertisement_without_an_id_is_offered(hass: HomeAssistant, provider: FakeProvider) -> None:
    result = await discover(hass, announced(provider, txt={"id": ""}))
    assert result["step_id"] == "discovery_confirm"


@pytest.mark.parametrize(("open_health", "txt"), [(False, {}), (True, {"auth": "token"})])
async def test_discovered_provider_requiring_a_key_shows_a_key_field(
    hass: HomeAssistant, provider: FakeProvider, *, open_health: bool, txt: dict[str, str]
) -> None:
    provider.key, provider.open_health = "right", open_health
    result = await discover(hass, announced(provider, txt=txt))
    assert result["step_id"] == "discovery_confirm"
    assert result["data_schema"] is not None
    assert list(result["data_schema"].schema) == [CONF_API_KEY]
    assert "confirm_only" not in hass.config_entries.flow.async_progress()[0]["context"]
    assert result["description_placeholders"] is not None
    assert result["description_placeholders"]["models"] == "test-model"
    result = await submit(hass, result, {CONF_API_KEY: "wrong"})
    assert result["errors"] == {"base": "invalid_auth"}
    result = await submit(hass, result, {CONF_API_KEY: "right"})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"][CONF_API_KEY] == "right"


async def test_discovered_unknown_models_are_shown_as_unknown(hass: HomeAssistant, provider: FakeProvider) -> None:
    provider.key, provider.open_health = "right", False
    await discover(hass, announced(provider, txt={"models": ""}))
    (flow,) = hass.config_entries.flow.async_progress()
    assert flow["context"]["title_placeholders"] == {"name": "GPU box (models not known yet; free)"}


async def test_discovered_change_before_the_confirmation_can_be_corrected(hass: HomeAssistant, provider: FakeProvider) -> None:
    result = await discover(hass, announced(provider))
    await provider.stop()
    result = await submit(hass, result)
    assert result["errors"] == {"base": "cannot_connect"}
    provider.key, provider.open_health = "new", False
    await provider.start()
    result = await submit(hass, result)
    assert result["errors"] == {"base": "needs_key"}
    assert "confirm_only" not in hass.config_entries.flow.async_progress()[0]["context"]
    result = await submit(hass, result, {CONF_API_KEY: "new"})
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_discovered_provider_moved_before_the_confirmation_is_shown_first(
    hass: HomeAssistant, provider: FakeProvider, moved: FakeProvider
) -> None:
    await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})  # a flow that is about none
    provider.key = moved.key = "secret"
    result = await discover(hass, announced(provider, txt={"auth": "token"}))
    second = await discover(hass, announced(moved, txt={"auth": "token"}))
    assert (second["type"], second["reason"]) == (FlowResultType.ABORT, "already_in_progress")
    result = await submit(hass, result, {CONF_API_KEY: "secret"})
    assert result["errors"] == {"base": "moved"}
    assert result["description_placeholders"] is not None
    assert result["description_placeholders"]["address"] == moved.base_url
    assert "secret" not in moved.keys
    result = await submit(hass, result, {CONF_API_KEY: "secret"})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"][CONF_BASE_URL] == moved.base_url


async def test_cloud_beacon_key_is_used_and_never_stored(
    hass: HomeAssistant, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A beacon may only point at a public host, which no test reaches: the record is made to point here instead.
    provider.key, provider.open_health = "short-lived", False
    read = ServiceRecord.from_txt
    monkeypatch.setattr(
        ServiceRecord, "from_txt", lambda *args, **options: replace(read(*args, **options), api_base=provider.base_url)
    )
    txt = {"version": "1.0", "deployment": "cloud", "ephemeral_key": "short-lived", "auth": "token"}
    result = await discover(hass, announced(provider, service_type=SATURN_TYPE, txt=txt))
    assert result["data_schema"] is not None
    assert not result["data_schema"].schema
    assert result["description_placeholders"] is not None
    assert result["description_placeholders"]["placement"] == "by a cloud service outside your network"
    provider.key = txt["ephemeral_key"] = "short-lived-too"
    await discover(hass, announced(provider, service_type=SATURN_TYPE, txt=txt))
    result = await submit(hass, result)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"][CONF_EPHEMERAL] is True
    assert "short-lived" not in str(result["result"].as_dict())


@pytest.mark.parametrize("allowed", [True, False])
async def test_cloud_beacon_host_is_contacted_only_at_public_addresses(
    hass: HomeAssistant, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch, *, allowed: bool
) -> None:
    async def resolve(_: str, port: int, **__: Any) -> Any:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    url = f"http://beacon.example:{provider.port}/v1"  # https only, but no test has a certificate for it
    read = ServiceRecord.from_txt
    monkeypatch.setattr(ServiceRecord, "from_txt", lambda *args, **options: replace(read(*args, **options), api_base=url))
    monkeypatch.setattr(hass.loop, "getaddrinfo", resolve)
    if allowed:  # as if it were a public address
        monkeypatch.setattr(Egress, "allows", lambda *_: True)
    result = await discover(hass, announced(provider, service_type=SATURN_TYPE, txt={"deployment": "cloud"}))
    if not allowed:
        assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "cannot_connect")
        assert not provider.paths
        return
    result = await submit(hass, result)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    stored = result["result"].data
    assert stored[CONF_BASE_URL] == url
    assert endpoint_of(stored).public_only
    assert not endpoint_of({**stored, CONF_BASE_URL: provider.base_url}).public_only
    assert not endpoint_of({CONF_BASE_URL: url}).public_only  # entered manually


async def test_local_provider_is_not_followed_to_the_internet(hass: HomeAssistant, provider: FakeProvider) -> None:
    entry = await set_up(hass, make_entry(provider))
    await provider.stop()
    txt = {"deployment": "cloud", "api_base": "https://beacon.example/v1"}
    with patch.object(Egress, "resolve") as resolve:
        await discover(hass, announced(provider, service_type=SATURN_TYPE, txt=txt))
        announce(hass, record_of(provider, placement=Placement.CLOUD, api_base=txt["api_base"]))
        await hass.async_block_till_done()
    resolve.assert_not_called()
    assert entry.data[CONF_BASE_URL] == provider.base_url


async def test_advertised_web_page_is_not_offered(hass: HomeAssistant, provider: FakeProvider) -> None:
    async def page(_: web.BaseRequest) -> web.Response:
        return web.Response(text="<html>", content_type="text/html")

    async with serving(page) as port:
        info = announced(provider)
        info.port = port
        result = await discover(hass, info)
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "not_a_provider")
