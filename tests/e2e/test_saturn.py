"""Saturn 1.1.0, unmodified, is discovered, set up and used, and discovers this project's provider."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from devhome.client import HomeClient
from devhome.namespaces import Lan
from devhome.process import ManagedProcess

from .conftest import StartProvider
from .saturn import PROGRAM, TOKEN, run_fallback
from .steps import discovered, model_pipeline_of, state_is


@pytest.fixture
async def saturn(lan: Lan, tmp_path: Path, started: list[ManagedProcess]) -> AsyncIterator[ManagedProcess]:
    """Saturn's own fallback server. It advertises an api_base of 127.0.0.1."""
    host = lan.host("saturn")
    process = run_fallback(host, tmp_path)
    started.append(process)

    async def answers() -> bool:
        url = f"http://{host.ipv4}:8700/v1/health"
        try:
            async with aiohttp.ClientSession() as session, session.get(url) as response:
                return response.status == 401
        except aiohttp.ClientError:
            return False

    await process.until(answers, 60)
    yield process
    await process.stop()


@pytest.mark.usefixtures("saturn")
async def test_saturn_is_discovered_requires_its_token_and_answers_in_assist(client: HomeClient, lan: Lan) -> None:
    card = await discovered(client, "fallback", seconds=15)
    assert card["context"]["configuration_url"] == f"http://{lan.host('saturn').ipv4}:8700"
    wrong = await client.continue_flow(card["flow_id"], {"api_key": "not-the-token"})
    assert wrong["errors"] == {"base": "invalid_auth"}
    done = await client.continue_flow(card["flow_id"], {"api_key": TOKEN})
    assert done["type"] == "create_entry"
    title = done["title"]
    status = next(entity_id for entity_id in await client.states() if entity_id.endswith("_status") and "fallback" in entity_id)
    await state_is(client, status, "healthy")
    run = await client.assist("Hello there", pipeline=await model_pipeline_of(client, title))
    assert sum(bool(delta.get("content")) for delta in run.deltas) > 2, "it came word by word"
    assert run.speech


async def test_saturn_clients_find_the_provider(lan: Lan, tmp_path: Path, start_provider: StartProvider) -> None:
    provider = await start_provider("gpu", name="Gaming PC")
    command = ("env", f"HOME={tmp_path}", str(PROGRAM), "discover")
    looking = ManagedProcess("saturn discover", command, tmp_path / "discover.log", host=lan.host("saturn")).start()
    assert await looking.wait() == 0
    assert "Gaming PC" in looking.output()
    assert f":{provider.port}" in looking.output()
