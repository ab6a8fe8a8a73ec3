"""`zeroconf-ai models held|load|unload|pull|delete`."""

import asyncio
from collections.abc import AsyncIterator
import json
from pathlib import Path

import pytest

from tests.support.clouds.ollama import PLAIN, THINKER, FakeOllama
from tests.support.command import run


@pytest.fixture
async def ollama() -> AsyncIterator[FakeOllama]:
    async with FakeOllama() as fake:
        yield fake


async def test_models_of_a_server_are_loaded_downloaded_and_deleted(ollama: FakeOllama, tmp_path: Path) -> None:
    async def models(*arguments: str) -> str:
        done = await asyncio.to_thread(run, tmp_path, "models", *arguments, "--provider", ollama.root)
        assert done.returncode == 0, done.stderr
        return done.stdout

    listed, installed, loaded = await asyncio.gather(
        models("held", "--json"), models("pull", "new:1b"), models("load", PLAIN, "--keep-alive", "2h", "--json")
    )
    assert {one["name"]: one["loaded"] for one in json.loads(listed)["models"]}[THINKER] is True
    assert installed == "new:1b is installed.\n"
    assert json.loads(loaded) == {"model": PLAIN, "ok": True}
    assert ollama.bodies("/api/generate")[0]["keep_alive"] == "2h"
    table, unloaded, deleted = await asyncio.gather(
        models("held"), models("unload", THINKER), models("delete", "new:1b", "--yes")
    )
    assert "5.2 GB" in table
    assert (unloaded, deleted) == (f"{THINKER} is unloaded.\n", "new:1b is deleted.\n")
    assert (set(ollama.loaded), "new:1b" in ollama.installed) == ({PLAIN}, False)


async def test_model_that_does_not_exist_is_one_error_line(ollama: FakeOllama, tmp_path: Path) -> None:
    done = await asyncio.to_thread(run, tmp_path, "models", "pull", "missing", "--provider", ollama.root)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)
    assert "file does not exist" in done.stderr
