"""Backends of the gateway are added and changed: each is probed before it is saved, and no secret goes to another server."""

import json
from pathlib import Path
import ssl
from typing import Any

from aiohttp import web
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.zeroconf_ai.core.config.backend_types import BACKEND_TYPES
from custom_components.zeroconf_ai.flows.backend import TYPES
from custom_components.zeroconf_ai.gateway.backend_storage import config_of
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType

from ..support.clouds.anthropic import FakeAnthropic
from ..support.clouds.gemini import FakeGemini
from ..support.clouds.ollama import FakeOllama
from ..support.clouds.openai import FakeOpenAI
from ..support.clouds.server import locked_engine
from ..support.fakes.provider import FakeProvider, running, serving
from ..support.home_assistant.backend_flow import at, backends, begin, change, details, offered, submit
from ..support.home_assistant.entries import make_entry, set_up
from ..support.home_assistant.gateway_entry import backend_data, make_gateway

pytestmark = pytest.mark.usefixtures("checked_texts", "ready")

KEY = "sk-canary-0123456789"
TLS_ON = {"verify_ssl": True}


async def test_backend_form_adds_ollama_in_two_steps(hass: HomeAssistant, gateway: MockConfigEntry) -> None:
    async with FakeOllama() as ollama:
        result = await begin(hass, gateway, "ollama")
        assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "ollama")
        result = await submit(hass, result, at(ollama.root.removeprefix("http://")))
        assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "details")
        currencies = {"currency": "USD", "home_currency": "EUR"}
        assert result["description_placeholders"] == {"reason": "", "type": "Ollama", "count": "4", **currencies}
        assert "qwen3:8b" in offered(result, "models")
        result = await submit(
            hass, result, details("Attic", ["qwen3:8b"], aliases="gpt-4o = qwen3:8b\n\n", max_concurrent=2, monthly_limit=2.5)
        )
        assert result["type"] is FlowResultType.CREATE_ENTRY
        await hass.async_block_till_done()
        (subentry,) = backends(gateway)
        assert subentry.title == "Attic"
        assert subentry.data == {
            "type": "ollama",
            "base_url": ollama.root,
            "models": ["qwen3:8b"],
            "aliases": {"gpt-4o": "qwen3:8b"},
            "priority": 50,
            "weight": 1,
            "queue_length": 32,
            "max_concurrent": 2,
            "monthly_limit": 2.5,
            "first_token_timeout": 30,
            "answer_timeout": 300,
        }
        config = config_of(subentry)
        assert (config.id, config.monthly_limit, config.max_concurrent) == (subentry.subentry_id, 2_500_000_000, 2)
        json.dumps(subentry.as_dict())


@pytest.mark.parametrize(("kind", "fake"), [("openai", FakeOpenAI), ("anthropic", FakeAnthropic), ("gemini", FakeGemini)])
async def test_backend_form_of_a_cloud_accepts_only_a_valid_key(
    hass: HomeAssistant, gateway: MockConfigEntry, caplog: pytest.LogCaptureFixture, kind: str, fake: Any
) -> None:
    caplog.set_level("DEBUG")
    async with fake(key=KEY) as cloud:
        result = await begin(hass, gateway, kind)
        result = await submit(hass, result, at(cloud.root, "sk-canary-wrong"))
        assert (result["step_id"], result["errors"]) == (kind, {"base": "invalid_auth"})
        assert "canary" not in str(result["description_placeholders"])
        result = await submit(hass, result, at(cloud.root, f" {KEY}\n"))
        assert result["step_id"] == "details"
        result = await submit(hass, result, details(kind, input_price=3, output_price="15"))
        assert result["type"] is FlowResultType.CREATE_ENTRY
        await hass.async_block_till_done()
    (subentry,) = backends(gateway)
    assert subentry.data["api_key"] == KEY
    assert subentry.data["base_url"] == cloud.base_url
    assert "canary" not in caplog.text


async def test_backend_form_of_each_type_has_its_default_address(hass: HomeAssistant, gateway: MockConfigEntry) -> None:
    for kind in TYPES:
        result = await begin(hass, gateway, kind)
        assert (result["type"], result["step_id"]) == (FlowResultType.FORM, kind)
        fields = {str(field): field for field in result["data_schema"].schema}
        said = fields["base_url"].description
        assert (said["suggested_value"] if said else None) == BACKEND_TYPES[kind].endpoint
        assert ("headers" in fields) == (kind == "openai_compatible")
        hass.config_entries.subentries.async_abort(result["flow_id"])


async def test_backend_form_headers_are_sent_and_never_shown(hass: HomeAssistant, gateway: MockConfigEntry) -> None:
    async with FakeOpenAI(key=None) as server:
        result = await begin(hass, gateway, "openai_compatible")
        result = await submit(hass, result, at(server.base_url, headers="X-Team: canary-home\nnonsense"))
        assert (result["errors"], result["description_placeholders"]["reason"]) == ({"base": "header_invalid"}, "2")
        result = await submit(hass, result, at(server.base_url, headers="X-Team: canary-home"))
        assert result["step_id"] == "details"
        assert server.last.headers["X-Team"] == "canary-home"
        await submit(hass, result, details())
        await hass.async_block_till_done()
        (subentry,) = backends(gateway)
        result = await change(hass, gateway, subentry)
        assert "canary" not in str(result["data_schema"].schema)
        result = await submit(hass, result, at(server.base_url, headers="X-Team: ***\nX-Room: attic"))
        assert server.last.headers["X-Team"] == "canary-home"
        await submit(hass, result, details())
        await hass.async_block_till_done()
    assert backends(gateway)[0].data["headers"] == {"X-Team": "canary-home", "X-Room": "attic"}


async def _page(_: web.BaseRequest) -> web.Response:
    return web.Response(text="<html>router</html>", content_type="text/html")


async def _missing(_: web.BaseRequest) -> web.Response:
    return web.json_response({"detail": "Not Found"}, status=404)


async def _forbidden(_: web.BaseRequest) -> web.Response:
    return web.json_response({"error": {"message": "not from there"}}, status=403)


async def _locked(_: web.BaseRequest) -> web.Response:
    return web.json_response({"error": {"message": "who are you?"}}, status=401)


@pytest.mark.parametrize(
    ("answer", "error"),
    [(_page, "not_a_provider"), (_missing, "not_a_provider"), (_forbidden, "not_allowed"), (_locked, "needs_key")],
)
async def test_backend_form_another_server_shows_an_error(
    hass: HomeAssistant, gateway: MockConfigEntry, answer: Any, error: str
) -> None:
    async with serving(answer) as port, FakeOpenAI(key=None) as good:
        result = await submit(hass, await begin(hass, gateway, "openai_compatible"), at(f"http://127.0.0.1:{port}/v1"))
        assert result["errors"] == {"base": error}
        assert (await submit(hass, result, at(good.base_url)))["step_id"] == "details"


async def test_backend_form_connection_errors_are_shown(hass: HomeAssistant, gateway: MockConfigEntry) -> None:
    async with FakeOllama() as ollama:
        result = await submit(hass, await begin(hass, gateway, "ollama"), at("http://"))
        assert result["errors"] == {"base": "invalid_url"}
        result = await submit(hass, result, at(ollama.root.replace("http:", "https:")))
        assert result["errors"] == {"base": "no_tls"}
    result = await submit(hass, result, at(ollama.root))
    assert result["errors"] == {"base": "cannot_connect"}
    assert backends(gateway) == []


@pytest.mark.parametrize("ending", ["", "/", "/api", "/v1", "/v1/models"])
async def test_backend_form_ollama_address_in_each_form_is_accepted(
    hass: HomeAssistant, gateway: MockConfigEntry, ending: str
) -> None:
    async with FakeOllama() as ollama:
        result = await submit(hass, await begin(hass, gateway, "ollama"), at(ollama.root + ending))
        assert result["step_id"] == "details"


async def test_backend_form_second_of_a_type_is_added_and_the_same_address_aborts(
    hass: HomeAssistant, gateway: MockConfigEntry
) -> None:
    async with FakeOllama() as first, FakeOllama() as second, FakeOllama() as third:
        names = ("Ollama", "Ollama (127.0.0.1)", "Ollama (127.0.0.1) 2")
        for ollama, name in zip((first, second, third), names, strict=True):
            result = await submit(hass, await begin(hass, gateway, "ollama"), at(ollama.root))
            assert next(field.default() for field in result["data_schema"].schema if field == "name") == name
            assert (await submit(hass, result, details(name)))["type"] is FlowResultType.CREATE_ENTRY
        result = await submit(hass, await begin(hass, gateway, "ollama"), at(f"{first.root}/"))
        assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "already_configured")
    assert len(backends(gateway)) == 3


async def test_backend_reconfigured_keeps_the_key_and_fields_without_a_form(hass: HomeAssistant, tmp_path: Path) -> None:
    async with FakeOpenAI(key=KEY) as cloud:
        stored: dict[str, Any] = {
            "aliases": {"big": "gpt-4.1"},
            "tags": ["work"],
            "max_concurrent": 3,
            "models": ["old"],
        }
        entry = await set_up(hass, make_gateway(tmp_path, backend_data("openai", cloud.base_url, api_key=KEY, **stored)))
        (subentry,) = backends(entry)
        result = await change(hass, entry, subentry)
        assert (result["step_id"], result["description_placeholders"]["name"]) == ("reconfigure", "Attic")
        assert KEY not in str(result["data_schema"].schema)
        result = await submit(hass, result, at(cloud.base_url))
        assert result["step_id"] == "details"
        assert "old" in offered(result, "models")
        result = await submit(hass, result, details("Cloud", aliases="small = o4-mini"))
        assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "reconfigure_successful")
        await hass.async_block_till_done()
    changed = entry.subentries[subentry.subentry_id]
    assert (changed.title, changed.data["api_key"], changed.data["tags"]) == ("Cloud", KEY, ["work"])
    assert changed.data["aliases"] == {"small": "o4-mini"}
    assert not {"max_concurrent", "models"} & changed.data.keys()


async def test_backend_reconfigured_to_another_host_does_not_send_the_stored_key(hass: HomeAssistant, tmp_path: Path) -> None:
    async with FakeOpenAI(key=KEY) as cloud, FakeOpenAI(key="sk-canary-other") as other:
        entry = await set_up(hass, make_gateway(tmp_path, backend_data("openai", cloud.base_url, api_key=KEY)))
        (subentry,) = backends(entry)
        result = await change(hass, entry, subentry)
        result = await submit(hass, result, at(other.base_url))
        assert result["errors"] == {"base": "key_for_new_host"}
        assert other.received == []
        result = await submit(hass, result, at(other.base_url, "sk-canary-other"))
        assert result["step_id"] == "details"
        await submit(hass, result, details())
        await hass.async_block_till_done()
        assert entry.subentries[subentry.subentry_id].data["api_key"] == "sk-canary-other"
        assert all(KEY not in str(received.headers) for received in other.received)


async def test_backend_form_unverified_certificate_requires_verification_turned_off(
    hass: HomeAssistant, certificate: ssl.SSLContext, tmp_path: Path
) -> None:
    # The server's side of a handshake that the client breaks off is no error of Home Assistant's.
    hass.loop.set_exception_handler(None)
    entry = make_gateway(tmp_path)
    entry.add_to_hass(hass)  # and not loaded: only the flow sends requests
    async with running(FakeProvider(ssl=certificate)) as server:
        result = await submit(hass, await begin(hass, entry, "openai_compatible"), at(server.base_url))
        assert result["errors"] == {"base": "invalid_certificate"}
        result = await submit(hass, result, at(server.base_url, verify=False))
        await submit(hass, result, details())
    (subentry,) = backends(entry)
    assert subentry.data["verify_ssl"] is False
    assert config_of(subentry).verify_ssl is False


async def test_backend_form_warns_once_of_an_address_that_is_set_up_in_another_way(
    hass: HomeAssistant, gateway: MockConfigEntry
) -> None:
    async with FakeOpenAI(key=KEY) as server:
        result = await submit(hass, await begin(hass, gateway, "openai"), at(server.base_url, KEY))
        await submit(hass, result, details("openai"))
        result = await begin(hass, gateway, "openai_compatible")
        result = await submit(hass, result, at(server.base_url, KEY))
        assert (result["step_id"], result["errors"]) == ("openai_compatible", {"base": "address_in_use"})
        assert result["description_placeholders"]["reason"] == "openai"
        result = await submit(hass, result, at(server.base_url, KEY))
        assert result["step_id"] == "details"


async def test_backend_form_warns_of_the_address_of_a_provider(
    hass: HomeAssistant, gateway: MockConfigEntry, provider: FakeProvider
) -> None:
    await set_up(hass, make_entry(provider))
    result = await submit(hass, await begin(hass, gateway, "openai_compatible"), at(provider.base_url))
    assert result["errors"] == {"base": "address_in_use"}
    assert result["description_placeholders"]["reason"] == "Test provider"


async def test_ollama_that_is_entered_as_any_server_is_added_with_its_own_api(
    hass: HomeAssistant, gateway: MockConfigEntry
) -> None:
    async with FakeOllama() as ollama:
        result = await submit(hass, await begin(hass, gateway, "openai_compatible"), at(f"{ollama.root}/v1"))
        assert (result["step_id"], result["description_placeholders"]["type"]) == ("details", "Ollama")
        await submit(hass, result, details(num_ctx=9000))
        (backend,) = backends(gateway)
        assert (backend.data["type"], backend.data["base_url"], backend.data["num_ctx"]) == ("ollama", ollama.root, 9000)
        again = await submit(hass, await begin(hass, gateway, "openai_compatible"), at(ollama.root))
        assert again["errors"] == {"base": "address_in_use"}
        assert (await submit(hass, again, at(ollama.root)))["reason"] == "already_configured"


async def test_backend_of_a_server_with_another_path_gets_that_path(hass: HomeAssistant, gateway: MockConfigEntry) -> None:
    page = (200, "text/html", "<!doctype html>")
    listed = {"object": "list", "data": [{"id": "qwen3", "object": "model", "owned_by": "ollama"}]}
    config = {"status": True, "name": "Open WebUI", "version": "0.6.40"}
    paths = {"/v1/health": page, "/v1/models": page, "/api/models": (200, "application/json", listed)}
    fake = locked_engine({**paths, "/api/config": (200, "application/json", config)}, ["/api/config", "/v1/health", "/v1/models"])
    async with fake:
        result = await submit(hass, await begin(hass, gateway, "openai_compatible"), at(fake.root, fake.key))
        assert result["step_id"] == "details"
        await submit(hass, result, details())
        (backend,) = gateway.get_subentries_of_type("backend")
    assert (backend.data["type"], backend.data["base_url"]) == ("openai_compatible", f"{fake.root}/api")
