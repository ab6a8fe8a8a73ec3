"""`zeroconf-ai discover`."""

import json
import os
from pathlib import Path
import signal
import subprocess

import pytest

from zeroconf_ai.cli.discover import CAPABILITY_NAMES

from ...support.command import COMMAND, LO, Server, line_of, run, serving, started
from .conftest import NAME

pytestmark = pytest.mark.usefixtures("own_loopback")


def test_discover_json_is_one_array_with_all_fields(provider: Server, tmp_path: Path) -> None:
    done = run(tmp_path, "discover", "--json", *LO)
    assert (done.returncode, done.stderr) == (0, "")
    [found] = [entry for entry in json.loads(done.stdout) if entry["name"] == NAME]
    assert found["id"] == provider.ready["id"]
    assert found["url"] == provider.url
    assert found["models"] == ["demo-rules", "demo-embed"]
    assert found["capabilities"] == ["completion", "embeddings", "json", "streaming", "tools"]
    assert (found["auth"], found["cost"], found["backend"], found["priority"]) == ("none", "free", "local", 100)
    assert (found["trust"], found["state"], found["error"]) == ("new", "healthy", None)
    assert 0 < found["latency_ms"] < 2000


def test_discover_table_shows_the_provider(provider: Server, tmp_path: Path) -> None:
    done = run(tmp_path, "discover", *LO)
    assert done.returncode == 0
    [line] = [line for line in done.stdout.splitlines() if NAME in line]
    for cell in (provider.url, "demo-rules, demo-embed", "none", "100", "free", "healthy", provider.ready["id"]):
        assert cell in line


def test_discover_name_with_markup_is_shown_unchanged(tmp_path: Path) -> None:
    name = f"[red]{os.getpid()}[/nope]"
    with serving(tmp_path, "--name", name):
        done = run(tmp_path, "discover", *LO)
    assert done.returncode == 0
    assert name in done.stdout


def test_discover_provider_with_a_key_is_healthy(tmp_path: Path) -> None:
    name = f"Locked {os.getpid()}"
    with serving(tmp_path, "--name", name, "--key", "zai_example", "--priority", "7"):
        found = json.loads(run(tmp_path, "discover", "--json", *LO).stdout)
    [entry] = [entry for entry in found if entry["name"] == name]
    assert (entry["auth"], entry["state"], entry["priority"]) == ("token", "healthy", 7)


def test_discover_watch_json_prints_each_change(tmp_path: Path) -> None:
    name = f"Watched {os.getpid()}"
    command = [*COMMAND, "discover", "--watch", "--json", *LO]
    with started(tmp_path, command) as process:

        def next_change(*kinds: str) -> dict[str, str]:
            while True:
                change = json.loads(line_of(process))
                if change["provider"]["name"] == name and change["change"] in kinds:
                    return dict(change)

        with serving(tmp_path, "--name", name) as server:
            next_change("added")
            server.stop()
            next_change("removed")
        process.terminate()


def test_discover_watch_prints_lines_until_ctrl_c(provider: Server, tmp_path: Path) -> None:
    with started(tmp_path, [*COMMAND, "discover", "--watch", *LO]) as process:
        line = line_of(process)
        while "healthy" not in line:
            line = line_of(process)
        assert f" {NAME}  {provider.url}  healthy, " in line
        assert line.split()[1] == "state"
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert process.communicate()[1] == b""


def test_discover_changed_identity_is_marked(provider: Server, tmp_path: Path) -> None:
    (tmp_path / "zeroconf-ai").mkdir()
    pins = [{"id": "somebody else", "name": NAME, "fingerprint": None}]
    (tmp_path / "zeroconf-ai" / "trusted.json").write_text(json.dumps(pins))
    assert "identity changed" in run(tmp_path, "discover", *LO).stdout


def test_discover_without_providers_is_an_empty_list_and_a_hint(tmp_path: Path) -> None:
    code = (
        "import sys; from zeroconf_ai.lan import discovery\n"
        "async def nobody(self, seconds, force=False): return []\n"
        "discovery.DiscoveryManager.scan_network = nobody\n"
        "from zeroconf_ai.cli import main; main(['discover', '--interface', '127.0.0.1', *sys.argv[1:]])"
    )
    done = [
        subprocess.run([COMMAND[0], "-c", code, *more], capture_output=True, text=True, timeout=60, check=False)
        for more in ([], ["--json"])
    ]
    assert [found.returncode for found in done] == [0, 0]
    assert done[0].stdout == ""
    assert "No provider was found" in done[0].stderr
    assert (json.loads(done[1].stdout), done[1].stderr) == ([], "")


def test_discover_unknown_interface_is_one_error_line(tmp_path: Path) -> None:
    done = run(tmp_path, "discover", "--interface", "192.0.2.77")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: Multicast DNS is not available")
    assert "Traceback" not in done.stderr


def test_capability_names_equal_those_of_the_user_interface() -> None:
    texts = json.loads((Path(__file__).parents[3] / "custom_components/zeroconf_ai/translations/en.json").read_text())
    assert texts["selector"]["capability"]["options"] == CAPABILITY_NAMES
