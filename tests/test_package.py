"""The Python package: built as it would be published, installed where there is no Home Assistant, and used there."""

import itertools
import json
from pathlib import Path
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile

from packaging.requirements import Requirement
from packaging.version import Version
import pytest

from .support.command import line_of, started
from .support.ports import free_port

ROOT = Path(__file__).parents[1]
UV = str(Path(sys.prefix) / "bin" / "uv")

USE = """
import asyncio, importlib.metadata, sys
import zeroconf_ai
from zeroconf_ai.backends.demo.backend import DemoBackend
from zeroconf_ai.engine import Caller, Engine, Source
from zeroconf_ai.protocol.request import Kind, Request

async def main():
    engine = Engine()
    member = engine.add(DemoBackend())
    await engine.checker.check(member)
    request = Request.parse(Kind.CHAT, {"messages": [{"role": "user", "content": "Hello"}], "stream": True})
    async with engine.run(request, Caller(Source.CLI)) as reply:
        chunks = [chunk async for chunk in reply.chunks()]
    await engine.close()
    return len(chunks)

assert asyncio.run(main()) > 3
assert importlib.metadata.version("zeroconf-ai") == zeroconf_ai.__version__
assert not [name for name in sys.modules if name.partition(".")[0] in ("homeassistant", "custom_components")]
"""

ASK = """
from zeroconf_ai import SyncClient

with SyncClient("{url}") as ai:
    print(ai.chat("Hello").text)
"""


def run(*command: str, cwd: Path | None = None) -> str:
    """The output of a command. Fails the test with all output if the command fails."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of what belongs to it."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for name in ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md"):
        shutil.copy(ROOT / name, source)
    core = Path("custom_components/zeroconf_ai/core")
    shutil.copytree(ROOT / core, source / core, ignore=shutil.ignore_patterns("__pycache__"))
    run(UV, "build", "--quiet", "--wheel", "--python", sys.executable, "--out-dir", str(out), cwd=source)
    (built,) = out.glob("*.whl")
    return built


def test_wheel_contains_only_the_package(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "zeroconf_ai/py.typed" in names
    assert "zeroconf_ai/engine.py" in names
    assert {name.split("/")[0].partition("-")[0] for name in names} == {"zeroconf_ai"}


@pytest.mark.parametrize("environment", [sys.prefix, ROOT / ".venv-lowest"], ids=["newest Python", "lowest Python"])
def test_wheel_without_home_assistant_works(wheel: Path, tmp_path: Path, socket_enabled: None, environment: str | Path) -> None:
    run(UV, "venv", "--quiet", "--python", str(Path(environment) / "bin" / "python"), str(tmp_path / "env"))
    python = str(tmp_path / "env" / "bin" / "python")
    run(UV, "pip", "install", "--quiet", "--python", python, str(wheel))
    installed = {package["name"] for package in json.loads(run(UV, "pip", "list", "--python", python, "--format", "json"))}
    assert "homeassistant" not in installed
    run(python, "-c", USE, cwd=tmp_path)
    command = str(tmp_path / "env" / "bin" / "zeroconf-ai")
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert run(command, "--version", cwd=tmp_path).strip().endswith(f" {version}")
    assert "discover" in run(command, "--help", cwd=tmp_path)
    options = ("--demo", "--delay", "0", "--no-advertise", "--host", "127.0.0.1", "--port", str(free_port()), "--json")
    with started(tmp_path, [command, "serve", *options]) as server:
        try:
            url = json.loads(line_of(server, 60))["url"]
            assert run(python, "-c", ASK.format(url=url), cwd=tmp_path).strip()
        finally:
            server.terminate()
            server.communicate()
    assert server.returncode == 0


def test_lowest_versions_of_the_libraries_are_those_that_are_tested() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pinned = re.findall(r"^([\w-]+)==(\S+)", (ROOT / "tests/core/lowest.txt").read_text(), re.MULTILINE)
    tested = {name: Version(version) for name, version in pinned}
    declared = [*project["dependencies"], *itertools.chain.from_iterable(project["optional-dependencies"].values())]
    lowest = {
        requirement.name: Version(bound.version)
        for requirement in map(Requirement, declared)
        for bound in requirement.specifier
        if bound.operator == ">="
    }
    assert len(lowest) > 10
    assert lowest == {name: tested[name] for name in lowest}, "make tests/core/lowest.txt again: its first line says how"
