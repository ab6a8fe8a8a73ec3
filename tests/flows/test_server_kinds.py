"""Servers that are recognized at an entered address, and clouds that are added as providers."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.zeroconf_ai.const import CONF_BASE_URL, CONF_KEEP_ALIVE, CONF_NUM_CTX, CONF_SERVER_KIND, DOMAIN
from custom_components.zeroconf_ai.core.backends.ollama.context import suggested_size
from custom_components.zeroconf_ai.core.protocol.record import Cost, Placement
from custom_components.zeroconf_ai.flows import probe
from homeassistant.config_entries import SOURCE_USER, ConfigEntry
from homeassistant.const import CONF_API_KEY, CONF_TYPE
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import issue_registry as ir

from ..support.clouds.anthropic import FakeAnthropic
from ..support.clouds.gemini import FakeGemini
from ..support.clouds.ollama import PLAIN, FakeOllama
from ..support.clouds.server import FakeCloud
from ..support.home_assistant.assist import make_kitchen
from ..support.home_assistant.entries import ask, make_entry, set_up
from ..support.home_assistant.gateway_entry import backend_data, make_gateway

pytestmark = pytest.mark.usefixtures("checked_texts", "ready")


@pytest.fixture
async def ollama() -> AsyncIterator[FakeOllama]:
    async with FakeOllama() as fake:
        yield fake


async def begin(hass: HomeAssistant, step: str) -> Mapping[str, Any]:
    """Open the flow, and choose what to add."""
    result = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    return await submit(hass, result, {"next_step_id": step})


async def submit(hass: HomeAssistant, result: Mapping[str, Any], fields: dict[str, Any]) -> Mapping[str, Any]:
    """Fill in the form that is shown."""
    return await hass.config_entries.flow.async_configure(result["flow_id"], fields)


def address(host: str, **fields: Any) -> dict[str, Any]:
    """The filled-in form."""
    return {"host": host, **fields, "advanced": {"ssl": False, "verify_ssl": True}}


def suggested(result: Mapping[str, Any], field: str) -> Any:
    """The suggested value of a field."""
    (found,) = (key for key in result["data_schema"].schema if key == field)
    return None if found.description is None else found.description["suggested_value"]


def entry_of(result: Mapping[str, Any]) -> ConfigEntry:
    """The created entry."""
    entry: ConfigEntry = result["result"]
    return entry


async def test_ollama_added_by_its_address_gets_the_context_that_assist_needs(hass: HomeAssistant, ollama: FakeOllama) -> None:
    make_kitchen(hass, "Lamp")
    result = await submit(hass, await begin(hass, "provider"), address(ollama.root.removeprefix("http://")))
    assert result["step_id"] == "model_options"
    placeholders = result["description_placeholders"]
    assert (placeholders["server"], placeholders["count"]) == ("Ollama", "4")
    size = suggested_size(int(placeholders["tokens"]), 40_960)
    assert suggested(result, CONF_NUM_CTX) == size
    result = await submit(hass, result, {CONF_NUM_CTX: size, CONF_KEEP_ALIVE: "soon"})
    assert result["errors"] == {CONF_KEEP_ALIVE: "keep_alive_invalid"}
    result = await submit(hass, result, {CONF_NUM_CTX: size, CONF_KEEP_ALIVE: "always"})
    assert (result["type"], result["title"]) == (FlowResultType.CREATE_ENTRY, "Ollama on 127.0.0.1")
    entry = entry_of(result)
    assert (entry.data[CONF_SERVER_KIND], entry.data[CONF_BASE_URL]) == ("ollama", f"{ollama.root}/v1")
    assert dict(entry.options) == {CONF_NUM_CTX: size, CONF_KEEP_ALIVE: "-1"}
    await hass.async_block_till_done()
    await ask(hass, model=PLAIN)
    (body,) = ollama.bodies("/api/chat")
    assert (body["options"]["num_ctx"], body["keep_alive"]) == (size, -1)


async def test_ollama_of_an_earlier_version_is_recognized_and_keeps_its_entities(hass: HomeAssistant, ollama: FakeOllama) -> None:
    entry = MockConfigEntry(domain=DOMAIN, title="Old", data={CONF_BASE_URL: f"{ollama.root}/v1"})
    await set_up(hass, entry)
    assert (entry.unique_id, dict(entry.data)) == (None, {CONF_BASE_URL: f"{ollama.root}/v1", CONF_SERVER_KIND: "ollama"})
    assert entry.runtime_data.backend._native.backend._upstream.timeouts.first_token == 120  # it loads models first
    result: Mapping[str, Any] = await hass.config_entries.options.async_init(entry.entry_id)
    fields = {"health_interval": 30, "first_token_timeout": 120, "wake_wait": 60}
    result = await hass.config_entries.options.async_configure(
        result["flow_id"], {**fields, CONF_NUM_CTX: 12_288, CONF_KEEP_ALIVE: "nonsense"}
    )
    assert result["errors"] == {CONF_KEEP_ALIVE: "keep_alive_invalid"}
    await hass.config_entries.options.async_configure(
        result["flow_id"], {**fields, CONF_NUM_CTX: 12_288, CONF_KEEP_ALIVE: "always"}
    )
    await hass.async_block_till_done()
    assert (entry.options[CONF_NUM_CTX], entry.options[CONF_KEEP_ALIVE]) == (12_288, "-1")
    await ask(hass, model=PLAIN)
    assert ollama.bodies("/api/chat")[0]["options"]["num_ctx"] == 12_288
    shown: Mapping[str, Any] = await hass.config_entries.options.async_init(entry.entry_id)
    assert suggested(shown, CONF_KEEP_ALIVE) == "always"


async def test_bare_host_is_looked_for_on_the_usual_ports(
    hass: HomeAssistant, ollama: FakeOllama, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert probe.USUAL_PORTS[:5] == (8000, 11434, 1234, 8080, 4000)
    assert probe.USUAL_PORTS[-1] is None
    monkeypatch.setattr(probe, "USUAL_PORTS", (9, ollama.port, 13))
    result = await submit(hass, await begin(hass, "provider"), address("127.0.0.1"))
    assert result["step_id"] == "model_options"
    result = await submit(hass, result, {})
    assert (result["title"], dict(entry_of(result).options)) == ("Ollama on 127.0.0.1", {})


async def test_same_server_as_provider_and_backend_is_warned_of(hass: HomeAssistant, ollama: FakeOllama, tmp_path: Path) -> None:
    gateway = await set_up(hass, make_gateway(tmp_path, backend_data("ollama", ollama.root)))
    result = await submit(hass, await begin(hass, "provider"), address(ollama.root))
    assert result["errors"] == {"base": "address_in_use"}
    assert result["description_placeholders"]["reason"] == "Attic"
    result = await submit(hass, result, address(ollama.root))
    entry = entry_of(await submit(hass, result, {}))
    await hass.async_block_till_done()
    issues = ir.async_get(hass)
    issue = issues.async_get_issue(DOMAIN, f"same_server_{entry.entry_id}")
    assert issue is not None
    placeholders = issue.translation_placeholders or {}
    assert (placeholders["provider"], placeholders["backend"]) == ("Ollama on 127.0.0.1", "Attic")
    (backend,) = gateway.get_subentries_of_type("backend")
    hass.config_entries.async_remove_subentry(gateway, backend.subentry_id)
    await hass.async_block_till_done()
    assert issues.async_get_issue(DOMAIN, f"same_server_{entry.entry_id}") is None


@pytest.mark.parametrize(("step", "make"), [("anthropic", FakeAnthropic), ("gemini", FakeGemini)])
async def test_cloud_is_added_as_a_provider_by_its_key(hass: HomeAssistant, step: str, make: type[FakeCloud]) -> None:
    async with make() as cloud:
        result = await begin(hass, step)
        assert suggested(result, CONF_BASE_URL).startswith("https://")
        form = {CONF_BASE_URL: cloud.base_url, CONF_API_KEY: "wrong", "advanced": {"verify_ssl": True}}
        result = await submit(hass, result, form)
        assert result["errors"] == {"base": "invalid_auth"}
        result = await submit(hass, result, {**form, CONF_API_KEY: cloud.key})
        assert result["type"] is FlowResultType.CREATE_ENTRY
        entry = entry_of(result)
        await hass.async_block_till_done()
        assert entry.data == {CONF_TYPE: step, CONF_BASE_URL: cloud.base_url, CONF_API_KEY: cloud.key}
        info = entry.runtime_data.member.backend.info
        assert (info.placement, info.cost) == (Placement.CLOUD, Cost.METERED)
        answer = await ask(hass)
        assert answer["text"]
        assert entry.runtime_data.member.terms.listed is not None  # what a request costs is known
        again = await submit(hass, await begin(hass, step), {**form, CONF_API_KEY: cloud.key})
        assert (again["type"], again["reason"]) == (FlowResultType.ABORT, "already_configured")
        cloud.key = "sk-new-0123456789"
        await entry.runtime_data.coordinator.check_now(models=True)
        await hass.async_block_till_done()
        (flow,) = hass.config_entries.flow.async_progress()
        result = await submit(hass, flow, {CONF_API_KEY: cloud.key})
        assert result["reason"] == "reauth_successful"


async def test_provider_with_this_protocol_has_no_fields_of_ollama(hass: HomeAssistant, provider: Any) -> None:
    entry = await set_up(hass, make_entry(provider))
    result: Mapping[str, Any] = await hass.config_entries.options.async_init(entry.entry_id)
    assert not {CONF_NUM_CTX, CONF_KEEP_ALIVE} & set(result["data_schema"].schema)
