"""The search of the network for servers that advertise nothing, in the flow."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from functools import partial
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
import sys
from types import ModuleType
from typing import Any

import pytest

from custom_components.zeroconf_ai.const import CONF_BASE_URL, DOMAIN
from custom_components.zeroconf_ai.core.presence.network_scan import Known, NetworkScan
from custom_components.zeroconf_ai.core.presence.server_kinds import SERVER_KINDS
from custom_components.zeroconf_ai.flows import probe
from custom_components.zeroconf_ai.provider import network_scan
from homeassistant.components import network
from homeassistant.config_entries import SOURCE_USER
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers.service_info.dhcp import DhcpServiceInfo

from ..support.clouds.ollama import FakeOllama
from ..support.clouds.server import FakeCloud, locked_engine

pytestmark = pytest.mark.usefixtures("checked_texts", "ready")

HERE = IPv4Network("127.0.0.1/32")


@pytest.fixture
async def ollama(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeOllama]:
    """An Ollama server on the only machine of the only network."""

    async def known(_: HomeAssistant) -> list[Known]:
        return [Known(IPv4Address("127.0.0.1"), "gpu *box*")]

    async with FakeOllama() as fake:
        kinds = tuple(replace(kind, port=fake.port, other_ports=()) for kind in SERVER_KINDS if kind.id == "ollama")
        monkeypatch.setattr(network_scan, "home_networks", lambda _: (HERE,))
        monkeypatch.setattr(network_scan, "_known", known)
        monkeypatch.setattr(network_scan, "NetworkScan", partial(NetworkScan, kinds=kinds, table=lambda: None))
        yield fake


async def begin(hass: HomeAssistant) -> Mapping[str, Any]:
    """Start the search."""
    result: Mapping[str, Any] = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    return await submit(hass, result, {"next_step_id": "scan"})


async def submit(hass: HomeAssistant, result: Mapping[str, Any], fields: dict[str, Any] | None = None) -> Mapping[str, Any]:
    """Fill in the form that is shown, or go on after a search."""
    return await hass.config_entries.flow.async_configure(result["flow_id"], fields)


async def after(hass: HomeAssistant, result: Mapping[str, Any]) -> Mapping[str, Any]:
    """The step after the search."""
    assert (result["type"], result["progress_action"]) == (FlowResultType.SHOW_PROGRESS, "scan")
    await hass.async_block_till_done()
    return await submit(hass, result)


async def test_scan_offers_what_it_finds_and_adds_it_by_its_name(hass: HomeAssistant, ollama: FakeOllama) -> None:
    assert ollama.received == []
    result = await after(hass, await begin(hass))
    assert result["step_id"] == "scanned"
    assert (result["description_placeholders"]["count"], result["description_placeholders"]["networks"]) == ("1", str(HERE))
    (field,) = result["data_schema"].schema.values()
    (server, by_hand) = field.config["options"]
    assert server["label"].startswith("Ollama on gpu *box* (qwen3:8b, ")
    assert by_hand["value"] == "enter_address"
    await ollama.stop()
    result = await submit(hass, result, {"provider": server["value"]})
    assert result["errors"] == {"base": "cannot_connect"}
    await ollama.start()
    result = await submit(hass, result, {"provider": server["value"]})
    result = await submit(hass, result, {})
    assert (result["type"], result["title"]) == (FlowResultType.CREATE_ENTRY, "Ollama on gpu *box*")
    assert result["data"][CONF_BASE_URL] == f"{ollama.root}/v1"
    await hass.async_block_till_done()
    again = await after(hass, await begin(hass))
    assert again["description_placeholders"]["count"] == "0"  # it is set up
    result = await submit(hass, again, {"provider": "enter_address"})
    assert result["step_id"] == "user"


async def test_scan_ends_with_its_flow(hass: HomeAssistant, ollama: FakeOllama, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = asyncio.Event()

    async def endless(_: NetworkScan) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    monkeypatch.setattr(NetworkScan, "run", endless)
    result = await begin(hass)
    await asyncio.sleep(0)
    hass.config_entries.flow.async_abort(result["flow_id"])
    async with asyncio.timeout(10):
        await ended.wait()


async def test_scan_asks_the_networks_of_enabled_adapters(hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch) -> None:
    def adapter(address: str, *, enabled: bool) -> dict[str, Any]:
        return {"enabled": enabled, "ipv4": [{"address": address, "network_prefix": 24}], "ipv6": []}

    async def adapters(_: HomeAssistant) -> list[dict[str, Any]]:
        return [adapter("192.168.1.2", enabled=True), adapter("192.168.7.2", enabled=False)]

    monkeypatch.setattr(network, "async_get_adapters", adapters)
    assert await network_scan._interfaces(hass) == [IPv4Interface("192.168.1.2/24")]


async def test_scan_knows_the_devices_of_dhcp_and_of_multicast_dns(hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch) -> None:
    helpers = ModuleType("homeassistant.components.dhcp.helpers")
    device = DhcpServiceInfo(ip="192.168.1.9", hostname="gpu", macaddress="021300000009")
    nonsense = DhcpServiceInfo(ip="nowhere", hostname="x", macaddress="021300000008")
    helpers.async_discovered_service_info = lambda _: [device, nonsense]  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "homeassistant.components.dhcp", ModuleType("homeassistant.components.dhcp"))
    monkeypatch.setitem(sys.modules, helpers.__name__, helpers)
    before = await network_scan._known(hass)
    assert Known(IPv4Address("192.168.1.9"), "gpu") not in before  # the integration is not set up
    hass.config.components.add("dhcp")
    assert Known(IPv4Address("192.168.1.9"), "gpu") in await network_scan._known(hass)


@pytest.fixture
async def locked(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeCloud]:
    """A vLLM server with an API key on the only machine of the only network."""
    models = {"object": "list", "data": [{"id": "qwen3", "object": "model", "owned_by": "vllm"}]}
    bodies = {"/version": {"version": "0.12.0"}, "/metrics": "vllm:num_requests_running 0\n", "/health": ""}
    answers = {path: (200, "application/json", body) for path, body in {**bodies, "/v1/models": models}.items()}
    async with locked_engine(answers, bodies, refused_as={"error": "Unauthorized"}) as fake:
        kinds = tuple(replace(kind, port=fake.port, other_ports=()) for kind in SERVER_KINDS)
        monkeypatch.setattr(network_scan, "home_networks", lambda _: (HERE,))
        monkeypatch.setattr(network_scan, "NetworkScan", partial(NetworkScan, kinds=kinds, table=lambda: None))
        yield fake


async def test_scan_marks_a_server_with_a_key_and_asks_for_it(hass: HomeAssistant, locked: FakeCloud) -> None:
    result = await after(hass, await begin(hass))
    (field,) = result["data_schema"].schema.values()
    server = field.config["options"][0]
    assert server["label"] == "vLLM on 127.0.0.1 (requires an API key)"
    result = await submit(hass, result, {"provider": server["value"]})
    assert (result["step_id"], result["description_placeholders"]["name"]) == ("scanned_key", "vLLM on 127.0.0.1")
    result = await submit(hass, result, {"api_key": "sk-wrong"})
    assert result["errors"] == {"base": "invalid_auth"}
    result = await submit(hass, result, {"api_key": locked.key})
    assert (result["type"], result["title"]) == (FlowResultType.CREATE_ENTRY, "vLLM on 127.0.0.1")
    assert result["data"] | {"server_kind": "vllm", "api_key": locked.key} == result["data"]


async def test_entered_address_of_a_server_with_a_key_names_it(
    hass: HomeAssistant, locked: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    result: Mapping[str, Any] = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    result = await submit(hass, result, {"next_step_id": "provider"})
    advanced = {"ssl": False, "verify_ssl": True}
    async with locked_engine(
        {}, refused_as={"detail": "Sign in"}
    ) as stranger:  # a device that refuses everything, on a port that comes first
        monkeypatch.setattr(probe, "USUAL_PORTS", (stranger.port, locked.port))
        result = await submit(hass, result, {"host": "127.0.0.1", "advanced": advanced})
        assert result["errors"] == {"base": "needs_key_named"}
        assert result["description_placeholders"]["reason"] == f"vLLM (http://127.0.0.1:{locked.port}/v1)"
        result = await submit(hass, result, {"host": "127.0.0.1", "api_key": locked.key, "advanced": advanced})
    assert (result["type"], result["title"]) == (FlowResultType.CREATE_ENTRY, "vLLM on 127.0.0.1")
