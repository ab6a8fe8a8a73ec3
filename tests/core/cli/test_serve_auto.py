"""`zeroconf-ai serve` without arguments: what runs on this machine is served, behind an API key that is made for it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.support.clouds.ollama import FakeOllama
from tests.support.clouds.openai import FakeOpenAI
from tests.support.clouds.server import Reply, engine
from tests.support.waiting import until

from ...support.command import COMMAND, line_of, started
from .test_serve_upstreams import QUIET, SECRET, gateway

pytestmark = pytest.mark.usefixtures("own_loopback")

CLOSED = ("--auth", "token", *QUIET)


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def status(http: aiohttp.ClientSession, url: str, key: str | None = None) -> int:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    async with http.get(f"{url}/models", headers=headers) as response:
        return response.status


async def test_serve_without_arguments_shares_local_engines_behind_a_first_key(
    tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    ollama, lmstudio = (
        FakeOllama(Reply("attic"), key=None),
        engine(
            **{
                "v1__models": (200, "application/json", {"data": [{"id": "late", "owned_by": "organization_owner"}]}),
                "lmstudio-greeting": (200, "application/json", {"lmstudio": True}),
            }
        ),
    )
    await ollama.start(11434)
    async with gateway(tmp_path, *CLOSED, verbose=False) as served:
        key = served.ready["key"]
        assert key.startswith("zai_")
        assert served.ready["auth"] == "token"
        assert await status(http, served.ready["url"]) == 401
        client = served.client.with_options(api_key=key)
        answer = await client.chat.completions.create(model="auto", messages=[{"role": "user", "content": "Hi"}])
        assert answer.choices[0].message.content == "attic"

        async def serves(model: str) -> bool:
            return model in [listed.id for listed in (await client.models.list()).data]

        await lmstudio.start(1234)
        await until(lambda: serves("late"))
        await ollama.stop()

        async def stopped() -> bool:
            return not await serves("phi4:latest")

        await until(stopped)
        said = await served.stop()
    await lmstudio.stop()
    assert "Found Ollama at http://127.0.0.1:11434" in said
    assert "Found LM Studio at http://127.0.0.1:1234/v1" in said
    assert "Ollama at http://127.0.0.1:11434 has stopped" in said
    assert key not in said
    stored = b"".join(file.read_bytes() for file in (tmp_path / "zeroconf-ai").iterdir() if file.is_file())
    assert key.encode() not in stored
    async with gateway(tmp_path, *CLOSED) as again:
        assert "key" not in again.ready
        assert await status(http, again.ready["url"], key) == 200


async def test_serve_finding_nothing_says_what_to_do_and_takes_no_stranger(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    stranger = engine(v1__models=(200, "application/json", {"data": [{"id": "m", "owned_by": "me"}]}))
    await stranger.start(8080)
    async with gateway(tmp_path, "--open", *QUIET) as served:
        assert await served.models() == []
        said = await served.stop()
    await stranger.stop()
    assert "No AI was found on this machine. Looked for Ollama (port 11434), LM Studio (port 1234)," in said
    assert "OPENAI_API_KEY" in said
    assert "--upstream TYPE=URL" in said


async def test_serve_auto_uses_keys_of_clouds_only_behind_a_key(tmp_path: Path) -> None:
    env = {"ANTHROPIC_API_KEY": SECRET, "PROVIDER_ANTHROPIC_TIMEOUTS_PROBE": "0.1"}
    async with gateway(tmp_path / "open", "--open", *QUIET, env=env, verbose=False) as served:
        said = await served.stop()
    assert "ANTHROPIC_API_KEY is not used: with --open, everybody" in said
    async with gateway(tmp_path / "closed", *CLOSED, env=env, verbose=False) as served:
        said = await served.stop()
    assert "Found ANTHROPIC_API_KEY in the environment" in said
    assert "Not served yet: Anthropic" in said
    assert SECRET not in said


async def test_serve_upstream_auto_is_added_to_others(tmp_path: Path) -> None:
    async with FakeOpenAI(Reply("cloud")) as cloud:
        ollama = FakeOllama(Reply("attic"), key=None)
        await ollama.start(11434)
        options = ("--upstream", f"openai={cloud.root}", "--upstream", "auto")
        async with gateway(tmp_path, *options, *QUIET, env={"PROVIDER_OPENAI_API_KEY": SECRET}) as served:
            assert await served.ask("gpt-4.1") == "cloud"
            assert await served.ask("phi4:latest") == "attic"
            assert await served.ask("ollama") == "attic"
        await ollama.stop()


async def test_serve_file_of_the_server_is_used_and_options_go_first(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    async with FakeOllama(Reply("attic"), key=None) as attic, FakeOpenAI(Reply("cloud")) as cloud:
        file = tmp_path / "server.yaml"
        file.write_text(
            f"""\
server:
  hostname: "ai-server-1"
  port: 8765
  priority: 7
  auth_mode: token
  admin: admin@home.local
backends:
  - {{name: ollama-local, type: ollama, endpoint: "{attic.root}"}}
  - {{name: openai-proxy, type: openai, endpoint: "{cloud.root}", api_key: "${{CLOUD_KEY}}", cost_limit: 50.00}}
  - {{name: router, type: router-llm, routing_logic: complexity_based, fallback_chain: [ollama-local, openai-proxy]}}
usage_tracking:
  enabled: true
  storage: sqlite
"""
        )
        async with gateway(tmp_path, "--config", str(file), *QUIET, closed=True, env={"CLOUD_KEY": SECRET}) as served:
            ready = served.ready
            assert (ready["name"], ready["port"], ready["auth"]) == ("ai-server-1", 8765, "token")
            client = served.client.with_options(api_key=ready["key"])

            async def ask(text: str) -> str | None:
                question: Any = [{"role": "user", "content": text}]
                answer = await client.chat.completions.create(model="router", messages=question)
                return answer.choices[0].message.content

            assert await ask("turn on the light") == "attic"
            assert await ask("Prove step by step, compare the trade-offs, and explain why:\n```python\nimport x\n```") == "cloud"
            await attic.stop()
            assert await ask("turn on the light") == "cloud"
            async with http.get(f"{ready['url']}/usage", headers={"Authorization": f"Bearer {ready['key']}"}) as response:
                assert response.status == 200
        async with gateway(tmp_path, "--config", str(file), "--name", "Mine", "--open", *QUIET, env={"CLOUD_KEY": "x"}) as served:
            assert (served.ready["name"], served.ready["auth"]) == ("Mine", "none")
            assert "spend the money of openai-proxy" in await served.stop()


async def test_serve_first_lines_contain_the_key_once(tmp_path: Path) -> None:
    command = [*COMMAND, "serve", "--host", "127.0.0.1", *QUIET]
    with started(tmp_path, command) as process:
        lines = [await asyncio.to_thread(line_of, process, 90.0) for _ in range(7)]
        process.terminate()
        await asyncio.to_thread(process.communicate, timeout=20)
    text = "".join(lines)
    secret = text.partition("API key: ")[2].partition("\n")[0]
    assert secret.startswith("zai_")
    assert f"OPENAI_API_KEY={secret}" in text
    assert f"-H 'Authorization: Bearer {secret}'" in text
    assert "Home Assistant" in text
