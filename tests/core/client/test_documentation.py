"""The examples of docs/python.md, as they stand, against a real provider."""

from collections.abc import Iterator
from pathlib import Path
import re
import socket
import subprocess
import sys

import pytest

from ...support.command import environment, serving

EXAMPLES = re.findall(r"```python\n(.*?)```", (Path(__file__).parents[3] / "docs" / "python.md").read_text(), re.DOTALL)


@pytest.fixture(scope="module", autouse=True)
def provider(own_loopback: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A demo provider that is advertised; without a network of its own, the examples would search the machine's."""
    if len(socket.if_nameindex()) > 1:
        pytest.skip("needs a network namespace")
    with serving(tmp_path_factory.mktemp("documented")):
        yield


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_example_runs_and_prints(example: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", example], capture_output=True, text=True, check=False, timeout=60, env=environment(tmp_path)
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip()
