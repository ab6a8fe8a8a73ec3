"""Secrets and prompts are not in the logs, errors, reports and files of a real Home Assistant."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from devhome.client import HomeClient, eventually
from devhome.gateway import DOMAIN, Gateway, add_backend, add_gateway, is_taken
from devhome.home import Home
from devhome.namespaces import Lan
from tests.support.clouds.openai import FakeOpenAI, FakeOpenRouter
from tests.support.clouds.server import Fault, Refusal, Reply

from .gateway_home import until_served
from .sdks import CHAT_MODEL

pytestmark = pytest.mark.asyncio(loop_scope="module")

BACKEND_KEY = "canaryBackendKey4711"
HEADER = "canaryHeaderValue0815"
PASSWORD = "canaryUrlPassword2342"
WRONG_KEY = "zai_canaryWrongKey6677canaryWrongKey6677"
PROMPT = "canaryPromptOfSomebody1984"
ANSWER = "canaryAnswerOfTheModel1985"
TOOL = "canaryToolArgument1986"
OTHER_MODEL = "vendor/large"

CHATTY = ("custom_components.zeroconf_ai", "aiohttp", "sqlalchemy", "alembic", "homeassistant.components.http", "asyncio")


@dataclass
class Told:
    """All texts that it returned: bodies, headers, reports."""

    secrets: Mapping[str, str]
    """Name → value."""
    words: Mapping[str, str]
    heard: dict[str, str]
    """Source → text."""
    folder: Path


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def told(lan: Lan, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Told]:
    home = Home(tmp_path_factory.mktemp("canaries") / "config", host=lan.host("tester"))
    heard: dict[str, str] = {}
    try:
        await home.start()
        async with home.client() as client, FakeOpenAI(key=BACKEND_KEY) as cloud, FakeOpenRouter(key=None) as other:
            await client.call_service("logger", "set_level", dict.fromkeys(CHATTY, "debug"))
            gateway = await add_gateway(client)
            assert await is_taken(gateway)
            await add_backends(client, gateway, cloud, other, heard)
            await until_served(gateway, CHAT_MODEL, OTHER_MODEL)
            secrets = {
                "gateway key": gateway.key,
                "backend key": BACKEND_KEY,
                "header": HEADER,
                "password": PASSWORD,
                "wrong key": WRONG_KEY,
                "token": home.login.token,
            }
            await requests(gateway, home.login.token, cloud, heard)
            await reports(client, gateway, heard)
        assert await home.stop() == 0  # Home Assistant has written its files
        yield Told(secrets, {"prompt": PROMPT, "answer": ANSWER, "tool": TOOL}, heard, home.folder)
    finally:
        await home.stop()


async def add_backends(client: HomeClient, gateway: Gateway, cloud: FakeOpenAI, other: FakeOpenAI, heard: dict[str, str]) -> None:
    """Add a backend with a key and one with a header, and try to add one with a password in its address."""
    await add_backend(client, gateway.entry_id, "openai", {"base_url": cloud.base_url, "api_key": BACKEND_KEY}, name="Cloud")
    headers = {"base_url": other.base_url, "headers": f"X-House: {HEADER}"}
    await add_backend(client, gateway.entry_id, "openai_compatible", headers, name="Other")
    assert other.last.headers["X-House"] == HEADER
    step = await client.start_flow([gateway.entry_id, "backend"], kind="subentries")
    await client.continue_flow(step["flow_id"], {"next_step_id": "openai_compatible"}, kind="subentries")
    address = {"advanced": {}, "base_url": other.base_url.replace("//", f"//house:{PASSWORD}@")}
    step = await client.continue_flow(step["flow_id"], address, kind="subentries")
    # The form shows the entered address; its errors and placeholders must not contain the password.
    said = [step.get(part) for part in ("errors", "reason", "description_placeholders", "title")]
    heard["the answer to a password in an address"] = json.dumps(said)


async def requests(gateway: Gateway, token: str, cloud: FakeOpenAI, heard: dict[str, str]) -> None:
    """Send requests with every kind of result, with the key and with Home Assistant's token."""
    function = {"name": "look", "arguments": json.dumps({"what": TOOL})}
    body: dict[str, Any] = {
        "model": CHAT_MODEL,
        "messages": [
            {"role": "user", "content": PROMPT},
            {"role": "assistant", "tool_calls": [{"id": "call_1", "type": "function", "function": function}]},
            {"role": "tool", "tool_call_id": "call_1", "content": TOOL},
        ],
    }
    rounds: list[tuple[str, Any, dict[str, Any], int]] = [
        ("an answer", Reply(ANSWER), {}, 200),
        ("a stream", Reply(ANSWER), {"stream": True}, 200),
        ("a bad parameter", Reply(ANSWER), {"temperature": 99}, 400),
        ("an unknown model", Reply(ANSWER), {"model": "no-such-model"}, 404),
        ("an answer of the other", Reply(ANSWER), {"model": OTHER_MODEL}, 200),
        ("a stream that breaks off", Fault("error"), {"stream": True}, 200),
        ("a provider's complaint", Refusal(400, f"Not with {BACKEND_KEY}"), {}, 400),
        ("a provider's failure", Refusal(500, f"Failed with {BACKEND_KEY} and Bearer {BACKEND_KEY}"), {}, 502),
    ]
    async with aiohttp.ClientSession() as session:

        async def post(what: str, key: str, more: Mapping[str, Any], path: str = "chat/completions") -> int:
            headers = {"Authorization": f"Bearer {key}"}
            async with session.post(f"{gateway.base_url}/{path}", json={**body, **more}, headers=headers) as response:
                heard[what] = f"{response.headers} {await response.text()}"
                return response.status

        for what, outcome, more, status in rounds:
            cloud.outcomes = [outcome]
            assert await post(what, gateway.key, more) == status, heard[what]
        cloud.outcomes = [Reply(ANSWER)]
        assert await post("a wrong key", WRONG_KEY, {}) == 401
        await post("an answer to Home Assistant's user", token, {})
        await post("an Anthropic client's error", gateway.key, {"max_tokens": -1}, "messages")
        cloud.key = "another-key-from-now-on"
        assert await post("a backend's key that is not taken any more", gateway.key, {}) >= 400
        for path in ("models", "status", "metrics", "health"):
            headers = {"Authorization": f"Bearer {gateway.key}"}
            async with session.get(f"{gateway.base_url}/{path}", headers=headers) as response:
                assert response.status == 200
                heard[f"/v1/{path}"] = f"{response.headers} {await response.text()}"


async def reports(client: HomeClient, gateway: Gateway, heard: dict[str, str]) -> None:
    """Collect the data of Home Assistant's pages and downloads."""
    heard["diagnostics"] = json.dumps(await client.rest("GET", f"/api/diagnostics/config_entry/{gateway.entry_id}"))
    heard["entries"] = json.dumps(await client.call("config_entries/get", domain=DOMAIN))
    heard["subentries"] = json.dumps(await client.call("config_entries/subentries/list", entry_id=gateway.entry_id))
    heard["flows"] = json.dumps(await client.call("config_entries/flow/progress"))
    heard["states"] = json.dumps(await client.states())
    heard["issues"] = json.dumps(await client.call("repairs/list_issues"))

    async def reported() -> Any:
        return json.dumps(await client.call("system_log/list"))

    heard["system log"] = await eventually(reported)


def leaks(secrets: Mapping[str, str], texts: Mapping[str, str]) -> list[str]:
    return [f"{name} in {where}" for name, secret in secrets.items() for where, text in texts.items() if secret in text]


async def test_secrets_are_in_no_answer_and_no_report(told: Told) -> None:
    assert ANSWER in told.heard["an answer"], "the texts contain the answer"
    assert OTHER_MODEL in told.heard["diagnostics"]
    assert leaks(told.secrets, told.heard) == []


async def test_prompts_are_in_no_report(told: Told) -> None:
    reports = {where: text for where, text in told.heard.items() if not where.startswith("a")}
    assert "diagnostics" in reports
    assert leaks(told.words, reports) == []


async def test_secrets_and_prompts_are_in_no_log(told: Told) -> None:
    logs = {path.name: path.read_text(errors="replace") for path in told.folder.glob("*.log*")}
    assert any("DEBUG" in text and "custom_components.zeroconf_ai" in text for text in logs.values())
    assert leaks({**told.secrets, **told.words}, logs) == []


async def test_keys_are_stored_only_as_hashes_and_prompts_nowhere(told: Told) -> None:
    secrets = {name: told.secrets[name] for name in ("gateway key", "wrong key", "password", "token")}
    files = {
        str(path.relative_to(told.folder)): path.read_bytes().decode(errors="replace")
        for path in told.folder.rglob("*")
        if path.is_file() and not path.is_relative_to(told.folder / "custom_components") and path.name != "developer-login.json"
    }
    assert any(name.startswith("zeroconf_ai.db") for name in files)
    assert ".storage/core.config_entries" in files
    assert leaks({**secrets, **told.words}, files) == []
    database = {name: text for name, text in files.items() if name.startswith("zeroconf_ai.db")}
    assert leaks(told.secrets, database) == []
