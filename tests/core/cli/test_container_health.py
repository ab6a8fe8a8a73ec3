"""The health check of the container image, as the Dockerfile runs it."""

import json
from pathlib import Path
import re
import subprocess
import sys
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from ...support.command import COMMAND, environment, line_of, serving, started
from ...support.ports import free_port

pytestmark = pytest.mark.usefixtures("own_loopback")

DOCKERFILE = Path(__file__).parents[3] / "Dockerfile"


def checked(state: Path, **variables: str) -> int:
    """The exit code of the image's command."""
    (found,) = re.findall(r"^HEALTHCHECK .*\\\n\s+CMD (\[.*\])$", DOCKERFILE.read_text("utf-8"), re.MULTILINE)
    command = json.loads(found)
    assert command[0] == "python3"
    done = subprocess.run(
        [sys.executable, *command[1:]], env=environment(state, variables), timeout=60, check=False, capture_output=True
    )
    assert done.stderr == b""
    return done.returncode


def test_container_with_a_server_on_any_port_is_healthy_until_it_ends(tmp_path: Path) -> None:
    assert checked(tmp_path) == 1
    with serving(tmp_path, "--no-advertise") as server:
        assert checked(tmp_path, http_proxy=f"http://127.0.0.1:{free_port()}") == 0
        assert server.stop() == 0
        assert checked(tmp_path) == 1


def test_container_whose_provider_is_offline_is_healthy_and_one_that_another_server_answers_for_is_not(tmp_path: Path) -> None:
    upstream = ("--upstream", f"ollama=http://127.0.0.1:{free_port()}")
    listening = ("--host", "127.0.0.1", "--port", str(free_port()), "--no-advertise", "--open", "--json")
    with started(tmp_path, [*COMMAND, "serve", *listening, *upstream]) as process:
        try:
            ready = json.loads(line_of(process))
            with pytest.raises(HTTPError, match="503") as refused:
                urlopen(f"{ready['url']}/health", timeout=10)
            refused.value.close()
            assert checked(tmp_path) == 0
            note = tmp_path / "zeroconf-ai/running" / f"{ready['id']}.json"
            other = "00000000-0000-4000-8000-000000000001"
            note.with_stem(other).write_text(note.read_text("utf-8").replace(ready["id"], other), encoding="utf-8")
            note.unlink()
            assert checked(tmp_path) == 1
        finally:
            process.kill()
