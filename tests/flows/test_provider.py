"""Adding a provider by its address: every form of address, each thing that can be wrong with it, and the way on from there."""

import base64
from collections.abc import Mapping
from pathlib import Path
import ssl
from typing import Any

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes
import pytest

from custom_components.zeroconf_ai.const import (
    CONF_BASE_URL,
    CONF_FINGERPRINT,
    CONF_PROVIDER_ID,
    CONF_SERVICE_NAME,
    DOMAIN,
    SUBENTRY_AI_TASK,
    SUBENTRY_CONVERSATION,
)
from custom_components.zeroconf_ai.data import DATA
from homeassistant.config_entries import SOURCE_USER, ConfigFlowResult
from homeassistant.const import CONF_API_KEY, CONF_LLM_HASS_API, CONF_MODEL
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.setup import async_setup_component

from ..support.fakes.provider import FakeProvider, running, serving
from ..support.home_assistant.entries import announce, make_entry, record_of, set_up
from ..support.ports import free_port

pytestmark = pytest.mark.usefixtures("checked_texts", "ready")


def address(host: str, *, tls: bool = False, verify: bool = True, **fields: Any) -> dict[str, Any]:
    """The filled-in form."""
    return {"host": host, **fields, "advanced": {"ssl": tls, "verify_ssl": verify}}


async def begin(hass: HomeAssistant) -> ConfigFlowResult:
    """Open the flow, and choose to add a provider."""
    result = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    assert (result["type"], result["step_id"]) == (FlowResultType.MENU, "add")
    return await submit(hass, result, {"next_step_id": "provider"})


async def submit(hass: HomeAssistant, result: Mapping[str, Any], fields: dict[str, Any]) -> ConfigFlowResult:
    """Fill in the form that is shown."""
    return await hass.config_entries.flow.async_configure(result["flow_id"], fields)


async def assert_recovers(hass: HomeAssistant, result: Mapping[str, Any], provider: FakeProvider) -> None:
    """The same flow ends well once the right address is entered."""
    result = await submit(hass, result, address(provider.base_url, api_key=provider.key or "unused"))
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_address_entered_creates_an_entry_with_agent_and_task(hass: HomeAssistant, provider: FakeProvider) -> None:
    result = await begin(hass)
    assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "user")
    result = await submit(hass, result, address(f"127.0.0.1:{provider.port}"))
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["title"] == "127.0.0.1"
    entry = result["result"]
    assert entry.data == {CONF_BASE_URL: provider.base_url, CONF_PROVIDER_ID: provider.id}
    assert entry.unique_id == provider.id
    made = {subentry.subentry_type: subentry for subentry in entry.subentries.values()}
    assert made[SUBENTRY_CONVERSATION].title == "127.0.0.1 Agent"
    assert made[SUBENTRY_CONVERSATION].data == {CONF_MODEL: "test-model", CONF_LLM_HASS_API: ["assist"]}
    assert made[SUBENTRY_AI_TASK].title == "127.0.0.1 AI Task"
    assert made[SUBENTRY_AI_TASK].data == {CONF_MODEL: "test-model"}


async def test_agent_of_a_model_without_tools_has_no_llm_api(hass: HomeAssistant, provider: FakeProvider) -> None:
    provider.models = [{"id": "embed-small"}, {"id": "talker", "capabilities": ["completion"]}]
    result = await submit(hass, await begin(hass), address(provider.base_url))
    data = {subentry.subentry_type: subentry.data for subentry in result["result"].subentries.values()}
    assert data[SUBENTRY_CONVERSATION] == {CONF_MODEL: "talker"}


@pytest.mark.parametrize(
    "form",
    [
        "127.0.0.1:{port}",
        "http://127.0.0.1:{port}",
        "HTTP://127.0.0.1:{port}/",
        "http://127.0.0.1:{port}/v1/",
        " http://127.0.0.1:{port}/v1/chat/completions ",
        "127.0.0.1:{port}/v1/models",
    ],
)
async def test_address_in_each_form_finds_the_provider(hass: HomeAssistant, provider: FakeProvider, form: str) -> None:
    result = await submit(hass, await begin(hass), address(form.format(port=provider.port)))
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"][CONF_BASE_URL] == provider.base_url


async def test_address_with_a_separate_port_finds_the_provider(hass: HomeAssistant, provider: FakeProvider) -> None:
    result = await submit(hass, await begin(hass), address("127.0.0.1", port=provider.port))
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"][CONF_BASE_URL] == provider.base_url


@pytest.mark.parametrize("wrong", ["", "ftp://gpu.local", "http://", "http://me:secret@gpu.local", "gpu box", "gpu:99999"])
async def test_address_that_is_invalid_shows_an_error(hass: HomeAssistant, provider: FakeProvider, wrong: str) -> None:
    result = await submit(hass, await begin(hass), address(wrong))
    assert result["errors"] == {"base": "invalid_url"}
    assert result["description_placeholders"] is not None
    assert "secret" not in result["description_placeholders"]["reason"]
    await assert_recovers(hass, result, provider)


async def test_address_without_a_server_shows_an_error(hass: HomeAssistant, provider: FakeProvider) -> None:
    port = free_port()
    result = await submit(hass, await begin(hass), address("127.0.0.1", port=port))
    assert result["errors"] == {"base": "cannot_connect"}
    assert result["description_placeholders"] is not None
    assert result["description_placeholders"]["reason"] == "127.0.0.1 could not be reached: the connection was refused"
    await assert_recovers(hass, result, provider)


async def test_provider_reporting_unavailable_shows_an_error(hass: HomeAssistant, provider: FakeProvider) -> None:
    provider.health_status = 503
    result = await submit(hass, await begin(hass), address(provider.base_url))
    assert result["errors"] == {"base": "cannot_connect"}
    provider.health_status = 200
    await assert_recovers(hass, result, provider)


@pytest.mark.parametrize("open_health", [True, False])
async def test_provider_requiring_a_key_accepts_only_a_valid_key(
    hass: HomeAssistant, provider: FakeProvider, *, open_health: bool
) -> None:
    provider.key, provider.open_health = "the-right-key", open_health
    result = await submit(hass, await begin(hass), address(provider.base_url))
    assert result["errors"] == {"base": "needs_key"}
    result = await submit(hass, result, address(provider.base_url, api_key="a-wrong-key"))
    assert result["errors"] == {"base": "invalid_auth"}
    result = await submit(hass, result, address(provider.base_url, api_key="the-right-key"))
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"][CONF_API_KEY] == "the-right-key"


async def _page(_: web.BaseRequest) -> web.Response:
    return web.Response(text="<html>It works!</html>", content_type="text/html")


async def _nothing(_: web.BaseRequest) -> web.Response:
    return web.Response(status=404, text="not found")


async def _elsewhere(_: web.BaseRequest) -> web.Response:
    return web.Response(status=302, headers={"Location": "https://192.0.2.1/login"})


async def _bad_request(_: web.BaseRequest) -> web.Response:
    return web.Response(status=400, text="what?")


@pytest.mark.parametrize("answer", [_page, _nothing, _elsewhere, _bad_request])
async def test_address_of_another_server_shows_an_error(hass: HomeAssistant, provider: FakeProvider, answer: Any) -> None:
    async with serving(answer) as port:
        result = await submit(hass, await begin(hass), address(f"127.0.0.1:{port}"))
    assert result["errors"] == {"base": "not_a_provider"}
    await assert_recovers(hass, result, provider)


async def test_provider_that_forbids_the_request_shows_an_error(hass: HomeAssistant, provider: FakeProvider) -> None:
    async def refuse(_: web.BaseRequest) -> web.Response:
        return web.json_response({"error": {"message": "Your network may not."}}, status=403)

    async with serving(refuse) as port:
        result = await submit(hass, await begin(hass), address(f"127.0.0.1:{port}"))
    assert result["errors"] == {"base": "not_allowed"}
    assert result["description_placeholders"] == {"reason": "the provider refused the request"}
    await assert_recovers(hass, result, provider)


async def test_provider_with_a_newer_protocol_shows_an_error(hass: HomeAssistant, provider: FakeProvider) -> None:
    provider.status = {"object": "status", "id": provider.id, "version": "2.0"}
    result = await submit(hass, await begin(hass), address(provider.base_url))
    assert result["errors"] == {"base": "unsupported_version"}
    provider.status["version"] = "1.7"
    await assert_recovers(hass, result, provider)


async def test_provider_without_a_chat_model_shows_an_error(hass: HomeAssistant, provider: FakeProvider) -> None:
    provider.models = [{"id": "nomic-embed-text"}]
    result = await submit(hass, await begin(hass), address(provider.base_url))
    assert result["errors"] == {"base": "no_models"}
    provider.models = [{"id": "qwen3:8b"}]
    await assert_recovers(hass, result, provider)


async def test_status_invalid_does_not_prevent_the_set_up(hass: HomeAssistant, provider: FakeProvider) -> None:
    async def answer(request: web.BaseRequest) -> web.Response:
        if request.path == "/v1/models":
            return web.json_response({"data": [{"id": "m"}]})
        return web.json_response({"status": "ok"}, status=200 if request.path == "/v1/health" else 500)

    async with serving(answer) as port:
        result = await submit(hass, await begin(hass), address(f"127.0.0.1:{port}"))
        assert result["type"] is FlowResultType.CREATE_ENTRY
        assert result["title"] == "127.0.0.1"
        assert result["result"].unique_id is None
        again = await submit(hass, await begin(hass), address(f"127.0.0.1:{port}"))
        assert again["reason"] == "already_configured"


async def test_provider_id_in_the_status_is_the_unique_id(hass: HomeAssistant, provider: FakeProvider) -> None:
    provider.id, provider.status = None, {"object": "status", "id": "told-by-status", "version": "1.0"}
    result = await submit(hass, await begin(hass), address(provider.base_url))
    assert result["result"].unique_id == "told-by-status"


async def test_self_signed_certificate_is_refused_until_verification_is_off(
    hass: HomeAssistant, certificate: ssl.SSLContext
) -> None:
    # The server's side of a handshake that the client breaks off is no error of Home Assistant's.
    hass.loop.set_exception_handler(None)
    async with running(FakeProvider(ssl=certificate)) as secure:
        result = await submit(hass, await begin(hass), address(f"127.0.0.1:{secure.port}", tls=True))
        assert result["errors"] == {"base": "invalid_certificate"}
        result = await submit(hass, result, address(f"127.0.0.1:{secure.port}", tls=True, verify=False))
        assert result["type"] is FlowResultType.CREATE_ENTRY
        assert result["data"] == {CONF_BASE_URL: secure.base_url, CONF_PROVIDER_ID: secure.id, "verify_ssl": False}


async def test_advertised_certificate_is_pinned_for_an_entered_address(
    hass: HomeAssistant, certificate: ssl.SSLContext, tmp_path: Path
) -> None:
    """Also for an address without https."""
    pem = x509.load_pem_x509_certificate((tmp_path / "server.pem").read_bytes())
    pin = base64.urlsafe_b64encode(pem.fingerprint(hashes.SHA256())).decode().rstrip("=")
    await async_setup_component(hass, DOMAIN, {})
    async with running(FakeProvider(ssl=certificate)) as secure:
        announce(hass, record_of(secure, "GPU box", tls=True, fingerprint=pin))
        for entered in (f"127.0.0.1:{secure.port}", secure.base_url):
            result = await submit(hass, await begin(hass), {"provider": "enter_address"})
            result = await submit(hass, result, address(entered))
            assert result["type"] is FlowResultType.CREATE_ENTRY
            assert (result["data"][CONF_BASE_URL], result["data"][CONF_FINGERPRINT]) == (secure.base_url, pin)
            await hass.config_entries.async_remove(result["result"].entry_id)
            await hass.async_block_till_done()


async def test_https_only_port_says_so(hass: HomeAssistant) -> None:
    error = {"message": "This port speaks HTTPS.", "type": "invalid_request_error", "code": "https_required"}

    async def refuse(_: web.BaseRequest) -> web.Response:
        return web.json_response({"error": error}, status=400)

    async with serving(refuse) as port:
        result = await submit(hass, await begin(hass), address(f"127.0.0.1:{port}"))
    assert result["errors"] == {"base": "needs_tls"}


async def test_provider_that_is_already_configured_aborts(hass: HomeAssistant, provider: FakeProvider) -> None:
    await set_up(hass, make_entry(provider))
    result = await submit(hass, await begin(hass), address(provider.base_url))
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "already_configured")


async def test_own_gateway_is_not_added(hass: HomeAssistant, provider: FakeProvider) -> None:
    await async_setup_component(hass, DOMAIN, {})
    hass.data[DATA].discovery.own_ids.add(provider.id or "")
    result = await submit(hass, await begin(hass), address(provider.base_url))
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "own_advertisement")


async def test_discovered_providers_are_offered_first(hass: HomeAssistant, provider: FakeProvider) -> None:
    await async_setup_component(hass, DOMAIN, {})
    announce(hass, record_of(provider, "GPU box", models=("a", "b", "c")))
    result = await begin(hass)
    assert result["step_id"] == "found"
    assert result["data_schema"] is not None
    selector = result["data_schema"].schema["provider"]
    assert [option["label"] for option in selector.config["options"]] == ["GPU box (a, b (+1); free)", "enter_address"]
    result = await submit(hass, result, {"provider": provider.id})
    assert result["step_id"] == "discovery_confirm"
    result = await submit(hass, result, {})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["title"] == "GPU box"


async def test_discovered_provider_that_fails_leads_back_to_the_choice(hass: HomeAssistant, provider: FakeProvider) -> None:
    await async_setup_component(hass, DOMAIN, {})
    record = record_of(provider, "GPU box")
    announce(hass, record)
    result = await begin(hass)
    await provider.stop()
    result = await submit(hass, result, {"provider": provider.id})
    assert (result["step_id"], result["errors"]) == ("found", {"base": "cannot_connect"})
    hass.data[DATA].discovery.registry.remove((record.service_type, record.name))
    result = await submit(hass, result, {"provider": provider.id})
    assert (result["step_id"], result["errors"]) == ("found", {"base": "gone"})
    result = await submit(hass, result, {"provider": "enter_address"})
    assert result["step_id"] == "user"
    await provider.start()
    await assert_recovers(hass, result, provider)


async def test_address_of_an_advertised_provider_uses_its_name(hass: HomeAssistant, provider: FakeProvider) -> None:
    await async_setup_component(hass, DOMAIN, {})
    announce(hass, record_of(provider, "GPU box"))
    result = await submit(hass, await begin(hass), {"provider": "enter_address"})
    result = await submit(hass, result, address(provider.base_url))
    assert result["title"] == "GPU box"
    assert result["data"][CONF_SERVICE_NAME] == "GPU box"


async def test_configured_providers_are_not_offered_again(hass: HomeAssistant, provider: FakeProvider) -> None:
    await set_up(hass, make_entry(provider))
    announce(hass, record_of(provider))
    announce(hass, record_of(provider, "Same address", id="another-id"))
    assert (await begin(hass))["step_id"] == "user"
