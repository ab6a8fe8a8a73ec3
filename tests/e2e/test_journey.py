"""The first use with real processes: discovery, set-up, answers, failover, offline, recovery."""

import time

from devhome.client import HomeClient, eventually
from devhome.home import Home
from devhome.namespaces import Lan

from .conftest import StartProvider
from .steps import add, add_agent, discovered, enable, machine_is_busy, model_pipeline_of, pipeline_of, state_is


async def test_discovered_provider_is_confirmed_and_answers_in_assist(
    client: HomeClient, home: Home, start_provider: StartProvider
) -> None:
    provider = await start_provider(name="Gaming PC")
    begun = time.monotonic()
    card = await discovered(client, "Gaming PC")
    assert time.monotonic() - begun < 2 or machine_is_busy()
    assert "demo-rules" in card["context"]["title_placeholders"]["name"]
    assert card["context"]["configuration_url"] == provider.base_url.removesuffix("/v1")

    await add(client, "Gaming PC")
    await state_is(client, "sensor.gaming_pc_status", "healthy")
    states = await client.states()
    assert "binary_sensor.gaming_pc_connectivity" not in states, "it is disabled by default"
    assert states["conversation.gaming_pc_agent"]["state"] == "unknown"
    assert "ai_task.gaming_pc_ai_task" in states

    run = await client.assist("Turn on the bedroom light", pipeline=await pipeline_of(client, "Gaming PC"))
    assert run.data("intent-end")["processed_locally"] is True, "Home Assistant's own sentences go first"

    assistant = await model_pipeline_of(client, "Gaming PC")
    run = await client.assist("Turn on the kitchen light", pipeline=assistant)
    await state_is(client, "light.kitchen_light", "on")
    assert run.data("intent-end")["processed_locally"] is False
    assert sum(bool(delta.get("content")) for delta in run.deltas) > 3, "it came word by word"
    calls = [call for delta in run.deltas for call in delta.get("tool_calls") or []]
    assert [call["tool_name"] for call in calls] == ["intent__HassTurnOn"]
    assert "kitchen light" in run.speech.lower()

    await state_is(client, "sensor.gaming_pc_requests", "2")
    assert home.installed_requirements() == []
    assert home.complaints() == []


async def test_ai_task_returns_data_in_the_requested_structure(client: HomeClient, start_provider: StartProvider) -> None:
    await start_provider(name="Gaming PC")
    await add(client, "Gaming PC")
    await state_is(client, "sensor.gaming_pc_status", "healthy")
    structure = {
        "title": {"selector": {"text": {}}, "required": True},
        "lamps": {"selector": {"number": {"min": 1, "max": 9}}, "required": True},
    }
    task = {"task_name": "count", "instructions": "Count the lamps.", "entity_id": "ai_task.gaming_pc_ai_task"}
    answer = await client.call_service("ai_task", "generate_data", task | {"structure": structure}, response=True)
    assert isinstance(answer["data"]["title"], str)
    assert 1 <= answer["data"]["lamps"] <= 9


async def test_failover_first_provider_killed_uses_the_next(client: HomeClient, start_provider: StartProvider) -> None:
    first = await start_provider("gpu", name="First")
    await start_provider("pi", name="Second")
    entry = await add(client, "First")
    await add(client, "Second")
    await state_is(client, "sensor.second_status", "healthy")
    await enable(client, entry, "number.first_priority", "event.first_availability")
    await client.call_service("number", "set_value", {"entity_id": "number.first_priority", "value": 1})
    agent = await add_agent(client, entry)
    run = await client.assist("Turn on the bedroom light", pipeline=agent)
    await state_is(client, "light.bedroom_light", "on")
    await state_is(client, "sensor.first_requests", "2")
    assert await client.state("sensor.second_requests") == "0"

    first.process.kill()
    run = await client.assist("Turn off the bedroom light", pipeline=agent)
    await state_is(client, "light.bedroom_light", "off")
    assert "bedroom light" in run.speech.lower()
    await state_is(client, "sensor.second_requests", "2")
    event = (await client.states())["event.first_availability"]
    assert event["attributes"]["event_type"] == "failover"
    assert event["attributes"]["to"] == "Second"


async def test_goodbye_is_offline_within_a_second_and_a_return_seen_immediately(
    client: HomeClient, start_provider: StartProvider
) -> None:
    provider = await start_provider(name="Gaming PC")
    await add(client, "Gaming PC")
    await state_is(client, "sensor.gaming_pc_status", "healthy")
    stopping = provider.stop()
    begun = time.monotonic()
    assert await stopping == 0
    await state_is(client, "sensor.gaming_pc_status", "offline", seconds=1)
    assert time.monotonic() - begun < 5
    assert await client.state("conversation.gaming_pc_agent") == "unavailable"

    await provider.start()
    await state_is(client, "sensor.gaming_pc_status", "healthy", seconds=3)
    assert await client.state("conversation.gaming_pc_agent") == "unknown"


async def test_provider_killed_without_goodbye_is_detected_by_probes(client: HomeClient, start_provider: StartProvider) -> None:
    provider = await start_provider(name="Gaming PC")
    await add(client, "Gaming PC")
    await state_is(client, "sensor.gaming_pc_status", "healthy")
    provider.process.kill()
    for _ in range(3):
        await client.call_service("homeassistant", "update_entity", {"entity_id": "sensor.gaming_pc_status"})
    await state_is(client, "sensor.gaming_pc_status", "offline")
    assert await client.state("conversation.gaming_pc_agent") == "unavailable"
    await provider.start()  # its advertisement is unchanged, so it is nothing new for a cache
    await state_is(client, "sensor.gaming_pc_status", "healthy", seconds=3)


async def test_provider_moved_is_followed(client: HomeClient, lan: Lan, start_provider: StartProvider) -> None:
    provider = await start_provider("gpu", name="Gaming PC")
    await add(client, "Gaming PC")
    await state_is(client, "sensor.gaming_pc_status", "healthy")
    await provider.stop()
    await state_is(client, "sensor.gaming_pc_status", "offline", seconds=2)
    moved = await start_provider("gpu", name="Gaming PC", port=8600, id_file=provider.id_file)
    await state_is(client, "sensor.gaming_pc_status", "healthy", seconds=10)
    assert moved.base_url.endswith(":8600/v1")
    run = await client.assist("Turn on the living room lamp", pipeline=await model_pipeline_of(client, "Gaming PC"))
    assert "living room lamp" in run.speech.lower()
    assert await client.flows_in_progress("zeroconf_ai") == []


async def test_provider_with_a_key_requests_it_and_a_wrong_one_can_be_corrected(
    client: HomeClient, start_provider: StartProvider
) -> None:
    await start_provider(name="Locked", key="zai_example-right-key")
    card = await discovered(client, "Locked")
    step = await client.continue_flow(card["flow_id"], {"api_key": "zai_example-wrong-key"})
    assert step["type"] == "form"
    assert step["errors"] == {"base": "invalid_auth"}
    step = await client.continue_flow(card["flow_id"], {"api_key": "zai_example-right-key"})
    assert step["type"] == "create_entry"
    await state_is(client, "sensor.locked_status", "healthy")
    run = await client.assist("Turn on the kitchen light", pipeline=await model_pipeline_of(client, "Locked"))
    assert "kitchen light" in run.speech.lower()


async def test_discovered_card_disappears_with_its_provider(client: HomeClient, start_provider: StartProvider) -> None:
    provider = await start_provider(name="Passing by")
    await discovered(client, "Passing by")
    await provider.stop()

    async def gone() -> bool:
        return await client.flows_in_progress("zeroconf_ai") == []

    await eventually(gone, timeout=3)
