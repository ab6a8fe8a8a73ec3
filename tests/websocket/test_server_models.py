"""The page's commands that control the models of servers, and their events in the audit log."""

from typing import Any

from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import WebSocketGenerator

from custom_components.zeroconf_ai.const import CONF_BASE_URL, DOMAIN
from custom_components.zeroconf_ai.usage.shared_store import SHARED_STORE
from homeassistant.core import HomeAssistant

from ..support.clouds.ollama import PLAIN, THINKER, FakeOllama
from ..support.home_assistant.entries import set_up


async def test_server_models_are_controlled_by_the_page_and_the_changes_recorded(
    hass: HomeAssistant, ready: None, hass_ws_client: WebSocketGenerator
) -> None:
    async with FakeOllama() as ollama:
        entry = await set_up(hass, MockConfigEntry(domain=DOMAIN, title="GPU", data={CONF_BASE_URL: f"{ollama.root}/v1"}))
        client = await hass_ws_client(hass)

        async def ask(act: str = "", **fields: Any) -> dict[str, Any]:
            await client.send_json_auto_id({"type": f"zeroconf_ai/server_models{act}", **fields})
            answer: dict[str, Any] = await client.receive_json()
            return answer

        async def change(act: str, model: str, **fields: Any) -> bool:
            return bool((await ask(f"/{act}", backend_id=entry.entry_id, model=model, **fields))["success"])

        assert await change("load", PLAIN, keep_alive="2h")
        assert set(ollama.loaded) == {PLAIN, THINKER}
        assert await change("unload", PLAIN)
        assert set(ollama.loaded) == {THINKER}
        assert await change("pull", "new:1b")
        await hass.async_block_till_done(wait_background_tasks=True)
        (server,) = (await ask())["result"]["servers"]
        while server["pulls"][0]["state"] == "running":
            (server,) = (await ask())["result"]["servers"]
        assert "new:1b" in {model["name"] for model in server["models"]} | set(ollama.installed)
        assert not await change("cancel", "new:1b")
        assert await change("delete", "new:1b")
        assert "new:1b" not in ollama.installed
        assert not await change("load", "new:1b")
    store = hass.data[SHARED_STORE].store
    assert store is not None
    recorded = {(event.act, event.subject): event.actor for event in await store.audit.list()}
    changes = (("load", PLAIN), ("unload", PLAIN), ("pull", "new:1b"), ("delete", "new:1b"))
    assert recorded.keys() == {(f"model.{act}", f"{entry.entry_id} {model}") for act, model in changes}
    assert all(recorded.values())
