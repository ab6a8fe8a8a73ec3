"""The developer's Home Assistant, on which all other end-to-end tests are based."""

from pathlib import Path

import pytest

from devhome import DevHomeError
from devhome.browser import open_browser, show
from devhome.client import HomeClient, HttpError, eventually
from devhome.home import Home
from devhome.namespaces import Lan

from .conftest import StartHome

DEMO_STATES = {
    "light.kitchen_light": "off",
    "light.living_room_lamp": "off",
    "light.bedroom_light": "off",
    "switch.coffee_machine": "off",
    "sensor.living_room_temperature": "21.5",
    "sensor.bedroom_humidity": "47",
}


async def test_home_first_start_has_demo_entities_and_no_warnings(home: Home, client: HomeClient) -> None:
    states = await client.states()
    assert {entity_id: states[entity_id]["state"] for entity_id in DEMO_STATES} == DEMO_STATES
    exposed = (await client.call("homeassistant/expose_entity/list"))["exposed_entities"]
    assert {entity_id for entity_id, assistants in exposed.items() if assistants.get("conversation")} == set(DEMO_STATES)
    assert (await client.rest("GET", "/api/config"))["recovery_mode"] is False
    assert home.installed_requirements() == []
    assert home.complaints() == []


async def test_assist_turns_a_named_light_on(client: HomeClient) -> None:
    async with client.subscribe("subscribe_events", event_type="state_changed") as changes:
        run = await client.assist("turn on the kitchen light")
        async for change in changes:
            if change["data"]["entity_id"] == "light.kitchen_light":
                assert change["data"]["new_state"]["state"] == "on"
                break
    assert run.speech == "Turned on the light"


async def test_home_restart_keeps_owner_areas_and_lights(home: Home, start_home: StartHome) -> None:
    async with home.client() as client:
        await client.call_service("light", "turn_on", {"entity_id": "light.bedroom_light", "brightness_pct": 40})
    assert await home.stop() == 0

    again = await start_home(folder=home.folder)

    assert again.login == home.login
    async with again.client() as client:
        light = (await client.states())["light.bedroom_light"]
        assert (light["state"], light["attributes"]["brightness"]) == ("on", 102)
        (entry,) = (await client.call("config/entity_registry/get_entries", entity_ids=["light.bedroom_light"])).values()
        assert entry["area_id"] == "bedroom"


async def test_home_revoked_token_is_replaced_by_the_password(home: Home, start_home: StartHome) -> None:
    async with home.client() as client:

        async def revoked() -> bool:
            try:
                await client.rest("GET", "/api/")
            except HttpError as error:
                return error.status == 401
            return False

        await client.call("auth/delete_all_refresh_tokens", token_type="long_lived_access_token")
        # Home Assistant revokes the token of this request two seconds later.
        await eventually(revoked)
    await home.stop()

    again = await start_home(folder=home.folder)

    assert again.login.password == home.login.password
    assert again.login.token != home.login.token
    async with again.client() as client:
        assert await client.state("light.kitchen_light") == "off"


async def test_home_that_cannot_start_reports_the_reason(start_home: StartHome, tmp_path: Path) -> None:
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "configuration.yaml").write_text("frontend: [")
    with pytest.raises(DevHomeError, match=r"(?s)recovery mode.*configuration\.yaml"):
        await start_home(folder=folder)


async def test_browser_opens_the_ui_logged_in(home: Home) -> None:
    async with open_browser(home.url, home.login.token) as page:
        await show(page, home.url)
        await page.get_by_text("Welcome Developer").wait_for()
        await page.get_by_text("Kitchen", exact=True).wait_for()


async def test_home_two_instances_run_on_their_hosts(lan: Lan, start_home: StartHome) -> None:
    first, second = await start_home("one"), await start_home("two", port=8400)
    assert first.url == f"http://{lan.host('one').ipv4}:8123"
    assert second.url == f"http://{lan.host('two').ipv4}:8400"
    async with first.client() as one, second.client() as two:
        await one.call_service("light", "turn_on", {"entity_id": "light.kitchen_light"})
        assert (await one.state("light.kitchen_light"), await two.state("light.kitchen_light")) == ("on", "off")
