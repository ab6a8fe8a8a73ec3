"""Two gateways that discover each other, in Home Assistant and on its own: both answer, without request loops."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
import time
from typing import Any

import aiohttp
import pytest

from devhome.client import HomeClient
from devhome.gateway import DOMAIN, Gateway
from devhome.namespaces import Lan
from devhome.process import ManagedProcess
from devhome.provider import COMMAND, MODEL

from .conftest import StartProvider
from .gateway_home import until_served
from .steps import add

NAME = "House AI"
MOST = 6
"""Maximum requests at one gateway for two that cannot be answered: retries are allowed, loops are not."""
QUESTION: dict[str, Any] = {"messages": [{"role": "user", "content": "Who are you?"}]}


@dataclass(frozen=True)
class Relay:
    """The other gateway."""

    process: ManagedProcess
    gateway: Gateway


async def open_gateway(client: HomeClient) -> Gateway:
    """Add a gateway that requires no key and is advertised, by its flow."""
    step = await client.start_flow(DOMAIN)
    await client.continue_flow(step["flow_id"], {"next_step_id": "gateway"})
    fields = {"name": NAME, "auth": "none", "networks": ["10.213.0.0/24"], "advertise": True}
    step = await client.continue_flow(step["flow_id"], fields)
    assert step["step_id"] == "gateway_open", step
    done = await client.continue_flow(step["flow_id"])
    return Gateway(done["result"]["entry_id"], f"{client.url}/v1", "unused")


@pytest.fixture
async def relay(lan: Lan, tmp_path: Path, started: list[ManagedProcess]) -> AsyncIterator[Relay]:
    """`zeroconf-ai serve --discovered`: it serves the discovered providers that require no key, and is advertised."""
    host = lan.host("relay")
    options = ("--name", "Relay", "--host", "0.0.0.0", "--port", "8600", "--id-file", str(tmp_path / "relay.id"))
    command = ("env", f"XDG_STATE_HOME={tmp_path}", str(COMMAND), "serve", "--discovered", "--open", *options)
    process = ManagedProcess("The relay", command, tmp_path / "relay.log", host=host)
    started.append(process)
    process.start()

    async def ready() -> bool:
        return "serving" in process.output()

    await process.until(ready, 30)
    yield Relay(process, Gateway("", f"http://{host.ipv4}:8600/v1", "unused"))
    await process.stop()


async def chat_with(gateway: Gateway, model: str, request_id: str) -> tuple[int, Any, str]:
    """Status, answer, and the name of the provider that answered."""
    body = {**QUESTION, "model": model}
    timeout = aiohttp.ClientTimeout(20)
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.post(f"{gateway.base_url}/chat/completions", json=body, headers={"X-Request-ID": request_id}) as response,
    ):
        return response.status, await response.json(), response.headers.get("X-ZeroconfAI-Provider", "")


async def requests_of(gateway: Gateway) -> int:
    """The number of requests that it has received."""
    async with aiohttp.ClientSession() as session, session.get(f"{gateway.base_url}/status") as response:
        return int((await response.json())["usage"]["total"]["requests"])


async def test_gateways_using_each_other_answer_without_loops(
    client: HomeClient, start_provider: StartProvider, relay: Relay
) -> None:
    gpu = await start_provider("gpu", name="Gaming PC")
    house = await open_gateway(client)
    await add(client, "Relay")
    await until_served(house, MODEL, "homeassistant/assist")
    await until_served(relay.gateway, MODEL, "homeassistant/assist")

    # Each serves the other's models too.
    status, answer, by = await chat_with(house, MODEL, "req-house")
    assert (status, by) == (200, "Relay")
    assert MODEL in answer["choices"][0]["message"]["content"]
    status, answer, by = await chat_with(relay.gateway, "homeassistant/assist", "req-relay")
    assert (status, by) == (200, NAME)
    assert answer["choices"][0]["message"]["content"]
    status, _, by = await chat_with(relay.gateway, MODEL, "req-direct")
    assert status == 200

    # Its own advertisement has no card.
    titles = [flow["context"]["title_placeholders"]["name"] for flow in await client.flows_in_progress(DOMAIN)]
    assert not [title for title in titles if title.startswith(NAME)]

    # Both soon refuse a request that cannot be answered, although each lists the model of the other.
    gpu.process.kill()
    before = await requests_of(house), await requests_of(relay.gateway)
    for gateway in (house, relay.gateway):
        begun = time.monotonic()
        status, refusal, _ = await chat_with(gateway, MODEL, "req-round")
        assert status in (404, 502, 503, 508), refusal
        assert refusal["error"]["message"]
        assert time.monotonic() - begun < 15
    after = await requests_of(house), await requests_of(relay.gateway)
    assert all(now - then <= MOST for now, then in zip(after, before, strict=True))


async def test_gateway_request_with_its_own_id_in_via_is_refused_as_a_loop(client: HomeClient, relay: Relay) -> None:
    house = await open_gateway(client)
    await add(client, "Relay")
    await until_served(relay.gateway, "homeassistant/assist")
    async with aiohttp.ClientSession() as session:
        for gateway in (house, relay.gateway):
            async with session.get(f"{gateway.base_url}/health") as response:
                own_id = (await response.json())["id"]
            async with session.post(
                f"{gateway.base_url}/chat/completions", json=QUESTION, headers={"Via": f"1.1 somebody, 1.1 {own_id}"}
            ) as response:
                assert response.status == 508
                assert (await response.json())["error"]["code"] == "loop_detected"
