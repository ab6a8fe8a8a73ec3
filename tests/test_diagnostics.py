"""Diagnostics are complete and contain no private data."""

import json
from typing import Any

import pytest
from pytest_homeassistant_custom_component.components.diagnostics import get_diagnostics_for_config_entry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator
from syrupy.assertion import SnapshotAssertion
from syrupy.filters import paths

from custom_components.zeroconf_ai.const import CONF_EXTRA_BODY, CONF_WAKE_ACTION
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component

from .support.fakes.provider import FakeProvider, refuse
from .support.home_assistant.entries import agent_data, announce, ask, make_entry, record_of, set_up
from .support.home_assistant.gateway import KEY as CLIENT_KEY, box, gateway_with
from .support.home_assistant.gateway_entry import GATEWAY_ID

KEY = "sk-very-secret"
SECRETS = (KEY, "127.0.0.1", "Anna", "anna", "aa:bb:cc:dd:ee:ff", "test.local", "11111111-1111", "beekeeper")


async def diagnose(hass: HomeAssistant, hass_client: ClientSessionGenerator, entry: Any) -> Any:
    assert await async_setup_component(hass, "diagnostics", {})
    return await get_diagnostics_for_config_entry(hass, hass_client, entry)


async def test_diagnostics(
    hass: HomeAssistant, provider: FakeProvider, hass_client: ClientSessionGenerator, snapshot: SnapshotAssertion
) -> None:
    provider.key = KEY
    provider.models.append({"id": "embedder", "capabilities": ["embeddings"], "warm": False})
    provider.status = {
        "object": "status",
        "id": provider.id,
        "queue": {"depth": 1},
        "usage": {"total": {"requests": 3, "cost": 0.25}},
    }
    wake = [{"action": "wake_on_lan.send_magic_packet", "data": {"mac": "aa:bb:cc:dd:ee:ff"}}]
    agent = agent_data("Anna's assistant", prompt="You are a beekeeper.", **{CONF_EXTRA_BODY: '{"user": "anna"}'})
    entry = await set_up(
        hass, make_entry(provider, title="Anna's PC", entry_id="01PROVIDER", subentries=[agent], options={CONF_WAKE_ACTION: wake})
    )
    announce(hass, record_of(provider, "Anna's PC", fingerprint="abc"))
    await hass.async_block_till_done(wait_background_tasks=True)
    await ask(hass, prompt="Where are my bees, says the beekeeper?")
    provider.answers = [refuse(400, f"no {KEY} at 127.0.0.1")]
    await ask(hass, fails=True)
    found = await diagnose(hass, hass_client, entry)
    assert [secret for secret in SECRETS if secret in json.dumps(found)] == []
    assert found["provider"]["latency_seconds"] > 0
    moments = ("entry.created_at", "entry.modified_at", "entry.subentries.0.subentry_id", "advertisement.last_seen")
    assert found == snapshot(exclude=paths(*moments, "provider.latency_seconds", "provider.last_seen"))


async def test_diagnostics_of_a_provider_never_reached_are_complete(
    hass: HomeAssistant, provider: FakeProvider, hass_client: ClientSessionGenerator
) -> None:
    await provider.stop()
    entry = await set_up(hass, make_entry(provider))
    entry.runtime_data.coordinator.last_exception = RuntimeError("at http://127.0.0.1")
    found = await diagnose(hass, hass_client, entry)
    assert found["provider"]["state"] == "offline"
    assert found["provider"]["had_error"] is True
    assert found["provider"]["health"] is found["provider"]["status"] is found["advertisement"] is None
    assert found["coordinator"]["last_exception"] == "RuntimeError"
    assert "127.0.0.1" not in json.dumps(found)


@pytest.mark.usefixtures("ready_to_serve")
async def test_diagnostics_of_the_gateway_contain_no_private_data(
    hass: HomeAssistant, provider: FakeProvider, hass_client: ClientSessionGenerator
) -> None:
    provider.key = KEY
    backend = box(provider, "Anna's box", api_key=KEY, headers={"X-Token": "anna"})
    options = {"networks": ["192.0.2.0/24"], "cors_origins": ["https://anna.example.net"], "admin_contact": "anna@home.example"}
    entry = await set_up(hass, gateway_with(backend, options=options))
    found = await diagnose(hass, hass_client, entry)
    assert found["keys"] == {"all": 1, "enabled": 1, "of_users": 0}
    assert (found["gateway"]["enabled"], found["gateway"]["needs_key"], found["advertisement"]) == (True, True, None)
    assert len(found["backends"]) == 2
    said = json.dumps(found)
    for secret in (*SECRETS, CLIENT_KEY, CLIENT_KEY[:8], GATEWAY_ID, "192.0.2", "anna.example.net", "anna@home"):
        assert secret not in said
