"""The clients' packages: npm's in .cache/clients; uv keeps PyPI's in its own cache, one environment for each script."""

from collections.abc import Sequence
import json
import os
from pathlib import Path
import re
import shutil
import subprocess
import sys

from devhome import REPOSITORY, DevHomeError

from .programs import SCRIPTS, Program

_HERE = Path(__file__).parent
FOLDER = REPOSITORY / ".cache" / "clients"
PACKAGES = FOLDER / "node_modules"
BIN = REPOSITORY / ".venv" / "bin"
"""The folder of Python, Node and npm."""
PYTHON = str(BIN / "python")
_TOOLS = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "zeroconf-ai" / "tools" / "bin"
_FILES = ("package.json", "package-lock.json")


def install() -> None:
    """Install the packages from npm unless the same are there. Raises DevHomeError if that fails."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for script in SCRIPTS.glob("*.mjs"):  # Node looks for packages above a script's folder
        (FOLDER / script.name).write_bytes(script.read_bytes())
    wanted = {name: (_HERE / name).read_bytes() for name in _FILES}
    marker = PACKAGES / ".installed"
    if marker.exists() and marker.read_bytes() == b"".join(wanted.values()):
        return
    sys.stderr.write("clients: installing the clients from npm (about 1.5 GB)\n")
    for name, content in wanted.items():
        (FOLDER / name).write_bytes(content)
    # `npm ci` refuses a lock without the optional packages of other platforms. Installation scripts are not run: the
    # platform's packages hold the binaries.
    command = [str(BIN / "npm"), "install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False)
    if done.returncode:
        raise DevHomeError(f"npm could not install the clients:\n{done.stderr[-2000:]}")
    marker.write_bytes(b"".join(wanted.values()))


def prepare(programs: Sequence[Program]) -> None:
    """Let uv install the packages of the Python clients: where the clients run, there is no network. Raises DevHomeError."""
    for program in programs:
        if program.python:
            command = [uv(), "sync", "--quiet", "--python", PYTHON, "--script", str(SCRIPTS / program.script)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise DevHomeError(f"uv could not install {program.package}:\n{done.stderr[-2000:]}")


def uv() -> str:
    """The path of uv, which scripts/setup installs. Raises DevHomeError if it is missing."""
    found = shutil.which("uv", path=os.pathsep.join((str(_TOOLS), os.environ["PATH"])))
    if found is None:
        raise DevHomeError("uv is missing; run scripts/setup")
    return found


def start_command(program: Program) -> list[str]:
    """The command that runs a library's script."""
    script = str(SCRIPTS / program.script)
    if program.python:
        return [uv(), "run", "--quiet", "--offline", "--python", PYTHON, "--script", script]
    return [str(BIN / "node"), str(FOLDER / program.script)]


def version(program: Program) -> str:
    """The version of a client's package."""
    if program.python:
        text = (SCRIPTS / program.script).read_text("utf-8")
        found = re.search(rf'"{program.package}(?:\[\w+\])?==([\d.]+)"', text)
        return found[1] if found else "?"
    manifest: dict[str, str] = json.loads((_HERE / "package.json").read_text("utf-8"))["dependencies"]
    return manifest[program.package]
