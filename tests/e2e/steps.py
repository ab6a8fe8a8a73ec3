"""A user's steps with a provider, by the API of Home Assistant's frontend."""

import os
from typing import Any

from devhome.client import HomeClient, eventually

DOMAIN = "zeroconf_ai"


def machine_is_busy() -> bool:
    """Whether more processes are ready to run than there are cores: then durations say nothing about the product."""
    return os.getloadavg()[0] > (os.cpu_count() or 1)


async def discovered(client: HomeClient, name: str, seconds: float = 10) -> dict[str, Any]:
    """Wait for the discovered card with a title that begins with `name`, and return it."""

    async def look() -> dict[str, Any] | None:
        flows = await client.flows_in_progress(DOMAIN)
        titled = (flow for flow in flows if flow["context"]["title_placeholders"]["name"].startswith(name))
        return next(titled, None)

    found = await eventually(look, timeout=seconds)
    assert found is not None
    return found


async def add(client: HomeClient, name: str, key: str | None = None, seconds: float = 10) -> str:
    """Confirm the discovered card; the new entry's id."""
    flow = await discovered(client, name, seconds)
    step = await client.continue_flow(flow["flow_id"], {} if key is None else {"api_key": key})
    assert step["type"] == "create_entry", step
    return str(step["result"]["entry_id"])


async def pipeline_of(client: HomeClient, name: str) -> str:
    """Wait for the assistant with this name, and return its id."""

    async def look() -> str | None:
        pipelines = (await client.call("assist_pipeline/pipeline/list"))["pipelines"]
        return next((pipeline["id"] for pipeline in pipelines if pipeline["name"] == name), None)

    found = await eventually(look, timeout=10)
    assert found is not None
    return found


async def model_pipeline_of(client: HomeClient, name: str) -> str:
    """The id of the assistant with this name, after it is set to send every sentence to the model."""
    pipeline_id = await pipeline_of(client, name)
    pipelines = (await client.call("assist_pipeline/pipeline/list"))["pipelines"]
    (fields,) = [pipeline for pipeline in pipelines if pipeline.pop("id") == pipeline_id]
    await client.call("assist_pipeline/pipeline/update", pipeline_id=pipeline_id, **fields | {"prefer_local_intents": False})
    return pipeline_id


async def add_agent(client: HomeClient, entry_id: str, **options: Any) -> str:
    """Add an agent to an entry by its form; the agent's entity id."""
    before = set(await client.states())
    step = await client.start_flow([entry_id, "conversation"], kind="subentries")
    fields = {"name": "Any provider", "model": "auto", "llm_hass_api": ["assist"], "advanced": {}, **options}
    done = await client.continue_flow(step["flow_id"], fields, kind="subentries")
    assert done["type"] == "create_entry", done

    async def look() -> str | None:
        fresh = set(await client.states()) - before
        return next((entity_id for entity_id in fresh if entity_id.startswith("conversation.")), None)

    found = await eventually(look, timeout=10)
    assert found is not None
    return found


async def enable(client: HomeClient, entry_id: str, *entity_ids: str) -> None:
    """Enable entities of an entry that are disabled by default."""

    async def registered() -> bool:
        listed = await client.call("config/entity_registry/list")
        return set(entity_ids) <= {entity["entity_id"] for entity in listed}

    await eventually(registered)
    for entity_id in entity_ids:
        await client.call("config/entity_registry/update", entity_id=entity_id, disabled_by=None)
    await client.call_service("homeassistant", "reload_config_entry", {"entry_id": entry_id})


async def state_is(client: HomeClient, entity_id: str, wanted: str, seconds: float = 10) -> None:
    """Wait until an entity has a state."""

    async def look() -> bool:
        return await client.state(entity_id) == wanted

    await eventually(look, timeout=seconds)
