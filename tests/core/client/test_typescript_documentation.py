"""The examples of docs/typescript.md, as they stand, against a real provider."""

from collections.abc import Iterator
from pathlib import Path
import re
import shutil
import socket
import subprocess

import pytest

from ...support.command import environment, serving
from ...support.typescript import COMPILER, FOLDER, build, program

EXAMPLES = re.findall(r"```ts\n(.*?)```", (Path(__file__).parents[3] / "docs" / "typescript.md").read_text(), re.DOTALL)


@pytest.fixture(scope="module")
def running(own_loopback: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[subprocess.Popen[str]]]:
    """All examples at once, each of which waits two seconds for answers of the network, beside an advertised demo provider."""
    if len(socket.if_nameindex()) > 1:
        pytest.skip("needs a network namespace: the examples would search the machine's")
    build()
    folder = tmp_path_factory.mktemp("documented")
    home = environment(folder, {"HOME": str(folder)})
    pipe = subprocess.PIPE
    with serving(folder):
        started = [
            subprocess.Popen(program(example), cwd=FOLDER, stdout=pipe, stderr=pipe, text=True, env=home) for example in EXAMPLES
        ]
        yield started
        for process in started:
            process.kill()
            process.communicate()


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_typescript_example_runs_and_prints(running: list[subprocess.Popen[str]], number: int) -> None:
    printed, errors = running[number].communicate(timeout=60)
    assert errors == ""
    assert running[number].returncode == 0
    assert printed.strip()


def test_typescript_examples_have_the_right_types(tmp_path: Path) -> None:
    """Node only leaves types out; the compiler checks them."""
    build()
    folder = FOLDER / f"documented-{tmp_path.name}"
    folder.mkdir()
    try:
        for number, example in enumerate(EXAMPLES):
            (folder / f"example{number}.ts").write_text(f"{example}\nexport {{}};\n")
        config = '{"extends": "../tsconfig.json", "include": ["."]}'
        (folder / "tsconfig.json").write_text(config)
        done = subprocess.run([*COMPILER, "-p", str(folder)], cwd=FOLDER, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (0, "")
    finally:
        shutil.rmtree(folder)
