"""The actions on the models that servers hold, and the sensors of what is loaded."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser

from custom_components.zeroconf_ai.const import CONF_BASE_URL, DOMAIN
from custom_components.zeroconf_ai.usage.shared_store import SHARED_STORE
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError, Unauthorized
from homeassistant.helpers import entity_registry as er

from ..support.clouds.ollama import PLAIN, THINKER, FakeOllama
from ..support.home_assistant.entries import set_up, settle
from ..support.home_assistant.states import state_of

pytestmark = pytest.mark.usefixtures("ready")


@pytest.fixture
async def ollama() -> AsyncIterator[FakeOllama]:
    async with FakeOllama() as fake:
        yield fake


@pytest.fixture
async def entry(hass: HomeAssistant, ollama: FakeOllama) -> MockConfigEntry:
    """A provider that is an Ollama server."""
    return await set_up(hass, MockConfigEntry(domain=DOMAIN, title="GPU", data={CONF_BASE_URL: f"{ollama.root}/v1"}))


async def do(hass: HomeAssistant, action: str, **data: Any) -> None:
    await hass.services.async_call(DOMAIN, action, data, blocking=True)


async def test_actions_load_unload_download_and_delete_models(
    hass: HomeAssistant, ollama: FakeOllama, entry: MockConfigEntry
) -> None:
    which = {"config_entry_id": entry.entry_id}
    await do(hass, "load_model", **which, model=PLAIN, keep_alive="2h")
    assert ollama.bodies("/api/generate")[-1]["keep_alive"] == "2h"
    await settle(hass)
    assert state_of(hass, "sensor.gpu_loaded_models").state == "2"
    assert state_of(hass, "sensor.gpu_loaded_models").attributes["models"] == [PLAIN, THINKER]
    await do(hass, "unload_model", **which, model=PLAIN)
    assert set(ollama.loaded) == {THINKER}
    await do(hass, "pull_model", **which, model="new:1b")
    assert "new:1b" in ollama.installed
    listed: Any = await hass.services.async_call(DOMAIN, "list_models", {}, blocking=True, return_response=True)
    (server,) = listed["servers"]
    assert (server["config_entry_id"], server["name"]) == (entry.entry_id, "GPU")
    assert "new:1b" in {model["name"] for model in server["models"]}
    await do(hass, "delete_model", **which, model="new:1b")
    assert "new:1b" not in ollama.installed
    store = hass.data[SHARED_STORE].store
    assert store is not None
    recorded = [(event.act, event.actor, event.subject) for event in reversed(await store.audit.list())]
    changes = [("load", PLAIN), ("unload", PLAIN), ("pull", "new:1b"), ("delete", "new:1b")]
    assert recorded == [(f"model.{act}", "", f"{entry.entry_id} {model}") for act, model in changes]
    for action in ("load_model", "delete_model"):
        with pytest.raises(ServiceValidationError):
            await do(hass, action, **which, model="new:1b")
    with pytest.raises(HomeAssistantError):
        await do(hass, "pull_model", **which, model="missing")
    with pytest.raises(ServiceValidationError):
        await do(hass, "load_model", config_entry_id="nobody", model=PLAIN)


async def test_actions_are_for_administrators(hass: HomeAssistant, entry: MockConfigEntry, hass_read_only_user: MockUser) -> None:
    data = {"config_entry_id": entry.entry_id, "model": PLAIN}
    for action in ("load_model", "unload_model", "pull_model", "delete_model"):
        with pytest.raises(Unauthorized):
            await hass.services.async_call(DOMAIN, action, data, blocking=True, context=Context(user_id=hass_read_only_user.id))


async def test_memory_of_the_graphics_card_is_a_disabled_sensor(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    registry = er.async_get(hass)
    known = registry.async_get("sensor.gpu_graphics_memory_in_use")
    assert known is not None
    assert known.disabled_by is er.RegistryEntryDisabler.INTEGRATION
    registry.async_update_entity(known.entity_id, disabled_by=None)
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    assert float(state_of(hass, known.entity_id).state) == pytest.approx(5_000_000_000 / 1024**3)
