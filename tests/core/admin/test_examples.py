"""The examples that are shown with a new API key, run as they are printed against a real gateway with keys."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
import json
from pathlib import Path
import sys

import pytest
import yaml

from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.admin.examples import examples
from zeroconf_ai.server.access.guard import Guard

from ...support.server import Served, served

NODE = Path(sys.prefix) / "bin" / "node"
NODE_PACKAGES = Path(__file__).parents[2] / "e2e" / "clients"
BASE_URL, SECRET = "http://192.0.2.10:8123/v1", "zai_an0example0key0of0these0tests0"


@asynccontextmanager
async def gateway_with_a_key(folder: Path, **limits: tuple[str, ...]) -> AsyncIterator[tuple[Served, str]]:
    """A gateway with the demo backend, and the secret of a key."""
    store = await AccountingStore.open(folder / "gateway.db")
    _, secret = await store.keys.create("Laptop", **limits)  # type: ignore[arg-type]
    async with served(access=Guard(store.keys), ledger=store.ledger) as server:
        yield server, secret
    await store.close()


async def run(*command: str) -> str:
    """What a program prints; it must succeed within a minute."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
    async with asyncio.timeout(60):
        printed, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return printed.decode()


async def test_example_of_curl_runs_as_printed(tmp_path: Path) -> None:
    async with gateway_with_a_key(tmp_path) as (server, secret):
        answer = json.loads(await run("sh", "-c", examples(server.url, secret)["curl"]))
    assert answer["choices"][0]["message"]["content"]


async def test_example_of_python_runs_as_printed(tmp_path: Path) -> None:
    async with gateway_with_a_key(tmp_path) as (server, secret):
        assert (await run(sys.executable, "-c", examples(server.url, secret)["python"])).strip()


async def test_example_of_javascript_runs_as_printed(tmp_path: Path) -> None:
    script = tmp_path / "example.mjs"
    (tmp_path / "node_modules").symlink_to(NODE_PACKAGES / "node_modules")
    async with gateway_with_a_key(tmp_path) as (server, secret):
        script.write_text(examples(server.url, secret)["javascript"])
        assert (await run(str(NODE), str(script))).strip()


async def test_example_with_a_wrong_key_is_refused(tmp_path: Path) -> None:
    async with gateway_with_a_key(tmp_path) as (server, _):
        answer = json.loads(await run("sh", "-c", examples(server.url, SECRET)["curl"]))
    assert answer["error"]["message"] == "Invalid API key."


def test_examples_of_programs_have_the_settings_that_these_programs_read() -> None:
    shown = examples(BASE_URL, SECRET)
    provider = json.loads(shown["opencode"])["provider"]["home"]
    assert provider["npm"] == "@ai-sdk/openai-compatible"
    assert provider["options"] == {"baseURL": BASE_URL, "apiKey": SECRET}
    assert provider["models"] == {"auto": {"name": "auto"}}
    (model,) = yaml.safe_load(shown["continue"])["models"]
    assert (model["provider"], model["model"], model["apiBase"], model["apiKey"]) == ("openai", "auto", BASE_URL, SECRET)
    assert "export ANTHROPIC_BASE_URL=http://192.0.2.10:8123\n" in shown["claude_code"]
    assert f"export ANTHROPIC_AUTH_TOKEN={SECRET}\n" in shown["claude_code"]
    assert f"-e OPENAI_API_BASE_URL={BASE_URL} " in shown["open_webui"]
    assert f"-e OPENAI_API_KEY={SECRET} " in shown["open_webui"]


@pytest.mark.parametrize("name", ["curl", "open_webui", "claude_code"])
async def test_examples_for_a_shell_are_valid(name: str) -> None:
    assert await run("sh", "-n", "-c", examples(BASE_URL, SECRET)[name]) == ""


@pytest.mark.parametrize("base_url", ["https://ai.example.net/v1", "http://[fd00::1]:8124/v1", "http://box.local:8000/v1"])
def test_examples_have_the_address_that_was_given(base_url: str) -> None:
    for name, text in examples(base_url, SECRET).items():
        assert base_url.removesuffix("/v1") in text, name
        assert SECRET in text, name
