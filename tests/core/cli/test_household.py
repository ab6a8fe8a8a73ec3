"""`zeroconf-ai household`, and `serve` with the code that it makes."""

import json
import os
from pathlib import Path
import time
from typing import Any
import urllib.request

import aiohttp
import pytest

from zeroconf_ai.cli.network import open_zeroconf
from zeroconf_ai.lan.discovery import DiscoveryManager
from zeroconf_ai.protocol.household import HouseholdCode, HouseholdKey
from zeroconf_ai.protocol.record import MAX_TXT, Auth

from ...support.command import COMMAND, LO, line_of, run, serving, started
from ...support.waiting import until_in_thread

pytestmark = pytest.mark.usefixtures("own_loopback")


def test_household_command_prints_a_code_alone_on_stdout(tmp_path: Path) -> None:
    done = run(tmp_path, "household", "--name", "Attic")
    assert done.returncode == 0
    code = HouseholdCode.parse(done.stdout)
    assert done.stdout == f"{code.text}\n"
    assert code.name == "attic"
    assert "ZEROCONF_AI_HOUSEHOLD_FILE" in done.stderr
    assert json.loads(run(tmp_path, "household", "--json").stdout).keys() == {"household"}
    assert run(tmp_path, "household", "--name", "a:b").returncode == 2


def test_serve_code_that_was_chosen_is_refused_without_being_repeated(tmp_path: Path) -> None:
    done = run(tmp_path, "serve", "--demo", "--household", "hunter2-hunter2")
    assert done.returncode == 2
    assert "no household code" in done.stderr
    assert "hunter2" not in done.stderr
    (tmp_path / "serve.yaml").write_text("server: {household: hunter2}\nproviders: [{id: attic, type: ollama}]\n")
    done = run(tmp_path, "serve", "--config", str(tmp_path / "serve.yaml"))
    assert done.returncode == 1
    assert "no household code" in done.stderr
    assert "hunter2" not in done.stderr


async def test_serve_with_a_household_advertises_a_token_that_its_members_can_use(tmp_path: Path) -> None:
    code, name = HouseholdCode.generate(), f"Member {os.getpid()}"
    file = tmp_path / "household.code"
    file.write_text(f"{code.text}\n")
    key = HouseholdKey(code)
    env = {"ZEROCONF_AI_HOUSEHOLD_FILE": str(file)}
    limits = ("--household-tokens-per-hour", "200", "--household-cost-per-hour", "0.5")
    with serving(tmp_path, "--name", name, "--key", "zai_example", *limits, env=env) as server:
        async with open_zeroconf(("127.0.0.1",)) as zeroconf, DiscoveryManager(zeroconf) as manager:
            [record] = [found.record for found in await manager.scan_network() if found.record.name == name]
        assert record.auth is Auth.TOKEN
        assert record.sealed_token is not None
        assert sum(len(f"{key}={value}") + 1 for key, value in record.to_txt().items()) <= MAX_TXT
        opened = key.open(record.sealed_token, server.ready["id"], time.time())
        asked: dict[str, Any] = {"headers": {"Authorization": f"Bearer {opened.token}"}}
        async with aiohttp.ClientSession() as session:
            body = {"model": "demo-rules", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 20}
            async with session.post(f"{server.url}/chat/completions", json=body, **asked) as response:
                assert response.status == 200
            async with session.get(f"{server.url}/usage", **asked) as response:
                assert response.status == 403
            body["max_tokens"] = 500
            async with session.post(f"{server.url}/chat/completions", json=body, **asked) as response:
                assert (response.status, (await response.json())["error"]["code"]) == (429, "rate_limit_exceeded")
        assert server.stop() == 0
        assert server.process.stderr is not None
        said = server.process.stderr.read().decode()
    assert opened.token not in said
    assert code.passphrase[:4] not in said


def test_commands_use_a_provider_of_the_household_without_a_key(tmp_path: Path) -> None:
    code, name = HouseholdCode.generate().text, f"Ours {os.getpid()}"
    ours, theirs = {"ZEROCONF_AI_HOUSEHOLD": code}, {"ZEROCONF_AI_HOUSEHOLD": HouseholdCode.generate().text}
    with serving(tmp_path, "--name", name, "--key", "zai_example", env=ours) as server:
        done = run(tmp_path / "a", "ask", "hello", *LO, env=ours)
        assert (done.returncode, done.stderr) == (0, "")
        done = run(tmp_path / "b", "ask", "hello", "--provider", name, *LO, env=ours)
        assert (done.returncode, done.stderr) == (0, "")
        done = run(tmp_path / "a", "ask", "hello", "--provider", name, *LO, env=theirs)
        assert done.returncode != 0
        assert "belongs to another household" in done.stderr
        done = run(tmp_path / "b", "ask", "hello", *LO, env={"ZEROCONF_AI_HOUSEHOLD": "hunter2"})
        assert "no household code" in done.stderr
        assert "hunter2" not in done.stderr
        more = ("--name", f"{name} again", "--key", "zai_other", "--host", "127.0.0.1", "--discovered", "--json")
        with started(tmp_path / "c", [*COMMAND, "serve", *more], ours) as process:
            try:
                second = json.loads(line_of(process))["url"]
                until_in_thread(lambda: {"demo-rules", "demo-embed"} <= _models(second, "zai_other"), seconds=30)
            finally:
                process.terminate()
        assert server.stop() == 0


def _models(url: str, key: str) -> set[str]:
    asked = urllib.request.Request(f"{url}/models", headers={"Authorization": f"Bearer {key}"})
    with urllib.request.urlopen(asked, timeout=10) as response:
        return {model["id"] for model in json.load(response)["data"]}


def test_serve_without_a_key_needs_no_token(tmp_path: Path) -> None:
    name = f"Open {os.getpid()}"
    with serving(tmp_path, "--name", name, "--household", HouseholdCode.generate().text) as server:
        assert server.ready["auth"] == "none"
