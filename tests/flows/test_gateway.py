"""The gateway is added, changed, and its backends get new keys."""

from collections.abc import Mapping
import hashlib
import json
from pathlib import Path
import re
from typing import Any
from unittest.mock import Mock, patch

import pytest
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.zeroconf_ai.const import (
    CONF_ADDRESS_PARALLEL,
    CONF_ADDRESS_REQUESTS_PER_MINUTE,
    CONF_ADDRESS_TOKENS_PER_MINUTE,
    CONF_ADVERTISE,
    CONF_AUTH,
    CONF_MACS,
    CONF_NETWORKS,
    CONF_OWN_PORT,
    CONF_STRATEGY,
    CONF_SUBENTRY_ID,
    DOMAIN,
    KIND_GATEWAY,
    SUBENTRY_BACKEND,
    SUBENTRY_HOME_AGENT,
)
from custom_components.zeroconf_ai.core.accounting.admission import RateLimits
from custom_components.zeroconf_ai.core.protocol.errors import AuthenticationError
from homeassistant.config_entries import SOURCE_REAUTH, SOURCE_USER, ConfigEntry, ConfigEntryState, ConfigFlowContext
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers.network import NoURLAvailableError

from ..support.clouds.openai import FakeOpenAI
from ..support.fakes.provider import FakeProvider
from ..support.home_assistant.entries import make_entry, set_up
from ..support.home_assistant.gateway_entry import backend_data, make_gateway

pytestmark = pytest.mark.usefixtures("checked_texts", "ready")

OPEN = {CONF_AUTH: "none", CONF_NETWORKS: ["192.168.1.7/24", "fd00::/8"]}


@pytest.fixture(autouse=True)
def own_folder(hass: HomeAssistant, tmp_path: Path) -> None:
    """Home Assistant's configuration folder is temporary."""
    hass.config.config_dir = str(tmp_path)


async def begin(hass: HomeAssistant) -> Mapping[str, Any]:
    """Open the flow, and choose the gateway."""
    result = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    assert (result["type"], result["step_id"]) == (FlowResultType.MENU, "add")
    assert result["menu_options"] == ["provider", "scan", "connector", "anthropic", "gemini", "gateway"]
    return await submit(hass, result, {"next_step_id": "gateway"})


async def submit(hass: HomeAssistant, result: Mapping[str, Any], fields: dict[str, Any]) -> Mapping[str, Any]:
    """Submit the form that is shown."""
    return await hass.config_entries.flow.async_configure(result["flow_id"], fields)


def form(**fields: Any) -> dict[str, Any]:
    """The filled-in form of a new gateway."""
    return {"name": "Home AI", CONF_AUTH: "token", CONF_ADVERTISE: False, CONF_STRATEGY: "priority", **fields}


def shown_secret(result: Mapping[str, Any]) -> str:
    """The key that a form shows."""
    secret: str = result["description_placeholders"]["key"]
    assert re.fullmatch(r"zai_[\w-]{32}", secret)
    return secret


def everything(entry: ConfigEntry) -> str:
    """All that is stored of an entry."""
    return json.dumps(entry.as_dict(), default=str)


def files_with(folder: Path, secret: str) -> list[Path]:
    """The files that hold a secret; there are some without."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    return [path for path in files if secret.encode() in path.read_bytes()]


async def test_gateway_first_key_works_and_is_stored_nowhere_in_plain_text(
    hass: HomeAssistant, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level("DEBUG")
    hass.config.internal_url = "http://192.0.2.10:8123"
    result = await begin(hass)
    assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "gateway")
    result = await submit(hass, result, form())
    assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "gateway_key")
    secret = shown_secret(result)
    shown = result["description_placeholders"]
    assert shown["base_url"] == "http://192.0.2.10:8123/v1"
    assert shown["curl"].startswith("curl http://192.0.2.10:8123/v1/chat/completions")
    assert f"Authorization: Bearer {secret}" in shown["curl"]
    for example in (shown["curl"], shown["python"]):
        assert "homeassistant/assist" in example
        assert '[{"role": "user", "content": "Which lights are on?"}]' in example
    assert f'OpenAI(base_url="http://192.0.2.10:8123/v1", api_key="{secret}")' in shown["python"]
    compile(shown["python"], "snippet", "exec")

    result = await submit(hass, result, {})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()
    entry = result["result"]
    assert (entry.title, entry.unique_id, entry.data["kind"]) == ("Home AI", KIND_GATEWAY, KIND_GATEWAY)
    assert entry.options == {CONF_AUTH: "token", CONF_NETWORKS: [], CONF_ADVERTISE: False, CONF_STRATEGY: "priority"}
    (agent,) = entry.subentries.values()
    assert (agent.subentry_type, agent.title, dict(agent.data)) == (SUBENTRY_HOME_AGENT, "Assist", {})
    assert entry.state is ConfigEntryState.LOADED

    keys = entry.runtime_data.store.keys
    assert (keys.verify(secret).name, keys.verify(secret).prefix) == ("First key", secret[:8])
    with pytest.raises(AuthenticationError):
        keys.verify(secret[:-1] + "~")
    assert secret not in everything(entry)
    assert secret not in caplog.text
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert not await hass.async_add_executor_job(files_with, tmp_path, secret)


async def test_gateway_first_key_is_stored_as_a_hash(hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch) -> None:
    async def leave(_: HomeAssistant, __: ConfigEntry) -> bool:
        return True

    monkeypatch.setattr("custom_components.zeroconf_ai.async_setup_gateway", leave)
    result = await submit(hass, await begin(hass), form(**{CONF_ADVERTISE: True}))
    secret = shown_secret(result)
    entry = (await submit(hass, result, {}))["result"]
    digest = hashlib.sha256(secret.encode()).hexdigest()
    assert entry.data["first_key"] == {"name": "First key", "digest": digest, "prefix": secret[:8]}
    assert entry.options[CONF_ADVERTISE] is True  # there is a key, so nothing speaks against it
    assert secret not in everything(entry)


async def test_gateway_separate_port_is_in_the_snippets(hass: HomeAssistant) -> None:
    hass.config.internal_url = "http://192.0.2.10:8123"
    result = await submit(hass, await begin(hass), form(**{CONF_OWN_PORT: 11434}))
    shown = result["description_placeholders"]
    assert shown["base_url"] == "http://192.0.2.10:11434/v1"


async def test_gateway_snippets_without_a_home_address_have_the_default_address(
    hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custom_components.zeroconf_ai.flows.snippets.get_url", Mock(side_effect=NoURLAvailableError))
    result = await submit(hass, await begin(hass), form())
    shown = result["description_placeholders"]
    assert shown["base_url"] == "http://homeassistant.local:8123/v1"


async def test_gateway_without_key_needs_a_confirmation(hass: HomeAssistant) -> None:
    result = await submit(hass, await begin(hass), form(**OPEN))
    assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "gateway_open")
    assert result["description_placeholders"] == {"networks": "`192.168.1.0/24`, `fd00::/8`"}
    result = await submit(hass, result, {})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()
    entry = result["result"]
    assert entry.options[CONF_AUTH] == "none"
    assert entry.options[CONF_NETWORKS] == ["192.168.1.0/24", "fd00::/8"]
    assert "first_key" not in entry.data
    assert list(entry.runtime_data.store.keys) == []


@pytest.mark.parametrize(
    ("fields", "error", "reason"),
    [
        ({CONF_AUTH: "none", CONF_NETWORKS: []}, "network_needed", ""),
        ({CONF_AUTH: "none", CONF_NETWORKS: ["home"]}, "network_invalid", "home"),
        ({CONF_AUTH: "none", CONF_NETWORKS: ["0.0.0.0/0"]}, "network_not_private", "0.0.0.0/0"),
        ({CONF_NETWORKS: ["10.0.0.0/8", "8.8.8.0/24"]}, "network_not_private", "8.8.8.0/24"),
        ({CONF_OWN_PORT: 8123}, "port_taken", "8123"),
    ],
)
async def test_gateway_form_errors_can_be_corrected(hass: HomeAssistant, fields: dict[str, Any], error: str, reason: str) -> None:
    class Api:
        port = 8123
        use_ssl = False

    hass.config.api = Api()  # type: ignore[assignment]
    result = await submit(hass, await begin(hass), form(**fields))
    assert (result["type"], result["step_id"], result["errors"]) == (FlowResultType.FORM, "gateway", {"base": error})
    assert result["description_placeholders"] == {"reason": reason}
    result = await submit(hass, result, form())
    assert result["step_id"] == "gateway_key"


async def test_gateway_second_set_up_aborts(hass: HomeAssistant, provider: FakeProvider, tmp_path: Path) -> None:
    first = await begin(hass)
    await set_up(hass, make_gateway(tmp_path))
    assert (await submit(hass, first, form()))["reason"] == "gateway_exists"
    result: Mapping[str, Any] = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    assert (result["type"], result["menu_options"]) == (
        FlowResultType.MENU,
        ["provider", "scan", "connector", "anthropic", "gemini"],
    )
    result = await submit(hass, result, {"next_step_id": "provider"})
    assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "user")
    advanced = {"ssl": False, "verify_ssl": True}
    result = await submit(hass, result, {"host": provider.base_url, "advanced": advanced})
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_gateway_reconfigured_changes_the_access(hass: HomeAssistant, tmp_path: Path) -> None:
    entry = await set_up(hass, make_gateway(tmp_path, options={CONF_STRATEGY: "cost"}))
    result: Mapping[str, Any] = await entry.start_reconfigure_flow(hass)
    assert result["step_id"] == "reconfigure_gateway"
    result = await submit(hass, result, {"name": "House", **OPEN})
    assert result["step_id"] == "gateway_open"
    assert entry.options[CONF_AUTH] == "token"
    result = await submit(hass, result, {})
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "reconfigure_successful")
    await hass.async_block_till_done()
    assert (entry.title, entry.options[CONF_AUTH], entry.options[CONF_STRATEGY]) == ("House", "none", "cost")
    assert not entry.runtime_data.server.access.required

    result = await entry.start_reconfigure_flow(hass)
    result = await submit(hass, result, {"name": "House", CONF_AUTH: "none", CONF_NETWORKS: ["192.168.1.0/24", "fd00::/8"]})
    assert result["reason"] == "reconfigure_successful"  # unchanged, so it needs no confirmation
    result = await entry.start_reconfigure_flow(hass)
    result = await submit(hass, result, {"name": "House", CONF_AUTH: "token", CONF_NETWORKS: ["nowhere"]})
    assert result["errors"] == {"base": "network_invalid"}
    certified = {"name": "House", CONF_AUTH: "mtls", CONF_OWN_PORT: 8500}
    result = await submit(hass, result, certified)
    assert result["errors"] == {"base": "mtls_needs_tls"}
    result = await submit(hass, result, {"name": "House", CONF_AUTH: "token"})
    assert result["reason"] == "reconfigure_successful"
    await hass.async_block_till_done()
    assert (entry.options[CONF_AUTH], entry.options[CONF_NETWORKS]) == ("token", [])


async def test_gateway_devices_and_limits_of_addresses_apply_without_a_key(
    hass: HomeAssistant, tmp_path: Path, hass_client_no_auth: ClientSessionGenerator
) -> None:
    entry = await set_up(hass, make_gateway(tmp_path, options={**OPEN, CONF_NETWORKS: ["127.0.0.0/8"]}))
    open_form: dict[str, Any] = {"name": "House", CONF_AUTH: "none", CONF_NETWORKS: ["127.0.0.0/8"]}
    result: Mapping[str, Any] = await entry.start_reconfigure_flow(hass)
    result = await submit(hass, result, {**open_form, CONF_MACS: ["00:00:5e:00:53"]})
    assert result["errors"] == {"base": "mac_invalid"}
    limits = {CONF_ADDRESS_REQUESTS_PER_MINUTE: 2, CONF_ADDRESS_TOKENS_PER_MINUTE: 5000, CONF_ADDRESS_PARALLEL: 1}
    result = await submit(hass, result, {**open_form, CONF_MACS: ["00-00-5E-00-53-01", " "], **limits})
    assert result["reason"] == "reconfigure_successful"
    await hass.async_block_till_done()
    assert entry.options[CONF_MACS] == ["00:00:5e:00:53:01"]
    runtime = entry.runtime_data
    assert runtime.store.limits.per_address == RateLimits(2, 5000, 1)
    client = await hass_client_no_auth()
    chat = {"model": "auto", "messages": [{"role": "user", "content": "Hello"}]}
    statuses = [(await client.post("/v1/chat/completions", json=chat)).status for _ in range(3)]  # this machine is allowed
    assert statuses[-1] == 429
    assert 429 not in statuses[:2]
    with patch("custom_components.zeroconf_ai.core.lan.neighbours.Neighbours.is_own", return_value=False):
        answer = await client.get("/v1/models")
    assert (answer.status, (await answer.json())["error"]["code"]) == (403, "network_not_allowed")
    result = await submit(hass, await entry.start_reconfigure_flow(hass), open_form)
    await hass.async_block_till_done()
    assert runtime.store.limits.per_address == RateLimits()
    assert (await client.get("/v1/models")).status == 200


async def test_backend_reauthentication_replaces_a_refused_key(
    hass: HomeAssistant, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    async with FakeOpenAI(key="sk-canary-good") as cloud:
        entry = await set_up(hass, make_gateway(tmp_path, backend_data("openai", cloud.base_url, api_key="sk-canary-stale")))
        (subentry,) = entry.get_subentries_of_type(SUBENTRY_BACKEND)
        for flow in hass.config_entries.flow.async_progress_by_handler(DOMAIN):
            hass.config_entries.flow.async_abort(flow["flow_id"])
        context = ConfigFlowContext(source=SOURCE_REAUTH, entry_id=entry.entry_id)
        result: Mapping[str, Any] = await hass.config_entries.flow.async_init(
            DOMAIN, context=context, data={**entry.data, CONF_SUBENTRY_ID: subentry.subentry_id}
        )
        assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "reauth_backend")
        assert result["description_placeholders"] == {"name": "Attic", "reason": ""}
        result = await submit(hass, result, {"api_key": "sk-canary-wrong"})
        assert result["errors"] == {"base": "invalid_auth"}
        result = await submit(hass, result, {"api_key": " sk-canary-good "})
        assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "backend_reauthenticated")
        await hass.async_block_till_done()
        assert entry.subentries[subentry.subentry_id].data["api_key"] == "sk-canary-good"
        assert entry.subentries[subentry.subentry_id].data["base_url"] == cloud.base_url
    assert "sk-canary" not in caplog.text


async def test_backend_reauthentication_of_a_removed_backend_aborts(hass: HomeAssistant, tmp_path: Path) -> None:
    entry = await set_up(hass, make_gateway(tmp_path))
    context = ConfigFlowContext(source=SOURCE_REAUTH, entry_id=entry.entry_id)
    result = await hass.config_entries.flow.async_init(DOMAIN, context=context, data={CONF_SUBENTRY_ID: "gone"})
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "backend_gone")


async def test_provider_entry_does_not_support_backends(hass: HomeAssistant, provider: FakeProvider, tmp_path: Path) -> None:
    entry = await set_up(hass, make_entry(provider))
    gateway = await set_up(hass, make_gateway(tmp_path))
    both = {"conversation", "ai_task_data", "stt", "tts"}
    assert set(entry.supported_subentry_types) == both
    assert set(gateway.supported_subentry_types) == both | {"backend", "home_agent"}
