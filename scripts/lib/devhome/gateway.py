"""The gateway of a running home, set up as its owner would: through the flows."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
import json
from pathlib import Path
from typing import Any

import aiohttp

from . import DevHomeError
from .client import HomeClient, Json
from .config_folder import write_json

DOMAIN = "zeroconf_ai"


@dataclass(frozen=True, slots=True)
class Gateway:
    """Where it is and how it is spoken to."""

    entry_id: str
    base_url: str
    key: str


async def kept_gateway(client: HomeClient, file: Path, *, advertise: bool) -> Gateway:
    """The gateway of a home that is started again and again; its key is kept in `file`, which only its owner may read."""
    entries = await client.call("config_entries/get", domain=DOMAIN)
    entry_id = next((entry["entry_id"] for entry in entries if "backend" in entry["supported_subentry_types"]), None)
    if entry_id is None:
        gateway = await add_gateway(client, advertise=advertise)
    else:
        key = kept_key(file)
        gateway = Gateway(entry_id, f"{client.url}/v1", key)
        if not await is_taken(gateway):
            made = await client.call_service(DOMAIN, "create_key", {"name": "Development"}, response=True)
            gateway = Gateway(entry_id, gateway.base_url, made["secret"])
    write_json(file, asdict(gateway))
    return gateway


def kept_key(file: Path) -> str:
    """The key in the file; empty if there is none."""
    return str(json.loads(file.read_text(encoding="utf-8"))["key"]) if file.exists() else ""


async def is_taken(gateway: Gateway) -> bool:
    """Whether the gateway accepts the key."""
    headers = {"Authorization": f"Bearer {gateway.key}"}
    async with aiohttp.ClientSession() as session, session.get(f"{gateway.base_url}/models", headers=headers) as response:
        return response.status == 200


async def add_gateway(client: HomeClient, *, name: str = "Demo home AI", **settings: Any) -> Gateway:
    """Add the gateway; `settings` are fields of its form. Raises DevHomeError if there is already one."""
    step = await client.start_flow(DOMAIN)
    if step["step_id"] != "add":
        await client.rest("DELETE", f"/api/config/config_entries/flow/{step['flow_id']}")
        raise DevHomeError(f"{client.url} already has a gateway")
    flow = step["flow_id"]
    await client.continue_flow(flow, {"next_step_id": "gateway"})
    shown = expect(await client.continue_flow(flow, {"name": name, **settings}), "gateway_key")["description_placeholders"]
    done = expect(await client.continue_flow(flow), None)
    return Gateway(done["result"]["entry_id"], shown["base_url"], shown["key"])


async def add_backend(
    client: HomeClient, entry_id: str, kind: str, connection: Mapping[str, Any], *, name: str = "Upstream", **details: Any
) -> None:
    """Add a backend of a type; `connection` and `details` are fields of its two forms."""
    step = await client.start_flow([entry_id, "backend"], kind="subentries")
    flow = step["flow_id"]
    await client.continue_flow(flow, {"next_step_id": kind}, kind="subentries")
    form = expect(await client.continue_flow(flow, {"advanced": {}, **connection}, kind="subentries"), "details")
    names = {part["name"]: {field["name"] for field in part["schema"]} for part in form["data_schema"] if "schema" in part}
    sections = {part: {key: value for key, value in details.items() if key in fields} for part, fields in names.items()}
    expect(await client.continue_flow(flow, {"name": name, **sections}, kind="subentries"), None)


def expect(step: Json, step_id: str | None) -> Json:
    """The step, if it is the form with this name, or for None the end of the flow. Raises DevHomeError for any other step."""
    if step["type"] == "create_entry" if step_id is None else step.get("step_id") == step_id and not step.get("errors"):
        return step
    raise DevHomeError(f"expected {step_id or 'the end of the flow'}, but it is {step}")
