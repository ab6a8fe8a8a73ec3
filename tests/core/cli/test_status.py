"""`zeroconf-ai status`, with one server of this user that has API keys."""

from collections.abc import Iterator
import json
from pathlib import Path
import stat
from typing import Any

from click.testing import CliRunner, Result
import pytest
from rich.cells import cell_len

from zeroconf_ai.cli import main, status
from zeroconf_ai.cli.running import RunningServer, noted, running_servers
from zeroconf_ai.cli.tables import Styled
from zeroconf_ai.server.access.auth_throttle import FAILURES

from ...support.command import Server, serving
from ...support.waiting import until_in_thread

ID = "0d3c8c9e-2b2f-5d53-9d0c-6f1f3c0a7e55"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state of the user who runs the server."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[Server]:
    """A server with a database of API keys."""
    with serving(home, "--keys", "--no-advertise", "--name", "Attic") as running:
        yield running


def called(state: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Result:
    """A command of the user with this state, in this process."""
    monkeypatch.setenv("XDG_STATE_HOME", str(state))
    done = CliRunner().invoke(main, arguments, prog_name="zeroconf-ai")
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def told(state: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> dict[str, Any]:
    """The only server that `status --json` shows."""
    done = called(state, monkeypatch, "status", "--json", *arguments)
    assert done.stderr == ""
    [found] = json.loads(done.stdout)["servers"]
    assert isinstance(found, dict)
    return found


def test_status_of_the_own_server_shows_providers_keys_and_budgets(
    server: Server, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert called(home, monkeypatch, "keys", "create", "Phone", "--budget", "5/month").exit_code == 0
    assert called(home, monkeypatch, "keys", "disable", "First key").exit_code == 0
    until_in_thread(lambda: told(home, monkeypatch)["budgets"])  # the server reads changes of the database once a second
    found = told(home, monkeypatch)
    assert (found["name"], found["id"], found["url"], found["status"]) == ("Attic", server.ready["id"], server.url, "ok")
    assert (found["page"], found["pid"]) == (server.ready["page"], server.process.pid)
    assert (found["running"], found["waiting"], found["requests_today"]) == (0, 0, 0)
    assert [member["state"] for member in found["providers"]] == ["healthy"]
    assert [budget["amount"] for budget in found["budgets"]] == [5.0]
    done = called(home, monkeypatch, "status")
    assert (done.exit_code, done.stderr) == (0, "")
    assert "API keys: 2 (1 disabled)\n" in done.stdout
    assert "Requests: 0 running, 0 waiting; 0 today\n" in done.stdout
    [line] = [line for line in done.stdout.splitlines() if line.startswith("demo-rules")]
    assert line.split()[:3] == ["demo-rules", "healthy", "0/4"]
    [line] = [line for line in done.stdout.splitlines() if line.startswith("Phone")]
    assert line.split() == ["Phone", "month", "0", "USD", "5", "USD", "0", "%"]


def test_status_by_url_shows_what_the_key_may_see(
    server: Server, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = ("--provider", server.url.removesuffix("/v1"))
    admin = called(home, monkeypatch, "keys", "create", "Admin", "--endpoint", "admin").stdout.strip()
    client = called(home, monkeypatch, "keys", "create", "Client").stdout.strip()
    until_in_thread(lambda: "Client" in {key["name"] for key in told(home, monkeypatch)["keys"]})
    nothing = told(tmp_path, monkeypatch, *url)
    assert (nothing["name"], nothing["status"], nothing["running"], nothing["providers"]) == ("Attic", "ok", None, None)
    everything = told(tmp_path, monkeypatch, *url, "--key", admin)
    assert [member["name"] for member in everything["providers"]] == ["demo-rules"]
    assert {"Admin", "Client"} <= {key["name"] for key in everything["keys"]}
    assert client not in json.dumps(everything)
    for _ in range(FAILURES + 1):  # also when the page refuses to look at keys from this address
        own = told(tmp_path, monkeypatch, *url, "--key", client)
        assert (own["running"], own["requests_today"], own["providers"], own["keys"]) == (0, 0, None, None)
    done = called(tmp_path, monkeypatch, "status", *url, "--key", client)
    assert (done.exit_code, done.stderr) == (0, "The key of an administrator shows more: --key\n")
    wrong = called(tmp_path, monkeypatch, "status", *url, "--key", "zai_wrong")
    assert (wrong.exit_code, wrong.stdout) == (1, "")
    assert wrong.stderr == "Error: The provider refused the API key. Set another --key or ZEROCONF_AI_KEY.\n"


def test_status_of_a_server_that_does_not_answer_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = called(tmp_path, monkeypatch, "status", "--provider", "http://127.0.0.1:9")
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "connection was refused" in done.stderr


def test_status_without_a_server_says_how_to_start_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = called(tmp_path, monkeypatch, "status")
    assert (done.exit_code, done.stdout.startswith("No server runs. Start one: zeroconf-ai serve.")) == (3, True)
    done = called(tmp_path, monkeypatch, "status", "--json")
    assert (done.exit_code, json.loads(done.stdout)) == (3, {"servers": []})


def test_status_ignores_a_server_that_is_gone_or_another_one(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    for url in ("http://127.0.0.1:9/v1", server.url):
        with noted(RunningServer(ID, "Ghost", url, 1)):
            assert called(tmp_path, monkeypatch, "status").exit_code == 3


def test_running_server_has_a_private_file_until_it_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    server = RunningServer(ID, "Attic", "http://192.0.2.10:8000/v1", 7, None, "the secret")
    assert "the secret" not in repr(server)
    with noted(server), noted(server):
        [file] = (tmp_path / "zeroconf-ai" / "running").iterdir()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert running_servers() == [server]
        for damaged in (b"", b"[]", b"{}", b'{"id": 1}', b"\xff"):
            file.with_name("damaged.json").write_bytes(damaged)
            assert running_servers() == [server]
        file.with_name("damaged.json").unlink()
    assert running_servers() == []


def test_running_server_without_a_place_for_its_file_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    with noted(RunningServer(ID, "Attic", "http://192.0.2.10:8000/v1", 7)):
        assert running_servers() == []


def test_status_of_hostile_values_fits_and_is_printable(capsys: pytest.CaptureFixture[str]) -> None:
    member = {"name": "x\x1b[2J" * 40, "state": "offline", "models": [{"id": "\u202em" * 90}], "models_total": 3, "enabled": True}
    budget = {"owner": "\n" * 9, "period": "month", "spent": 9.5, "amount": 10, "percent": 95}
    found = {"name": "a\x1bb", "url": "u\nv", "page": "p\x07", "status": "ok", "uptime_seconds": 7200.0, "version": "1\x1b"}
    more = {"running": 1, "waiting": 2, "requests_today": 3, "cost_today": {"EUR": 0.5}, "cost_month": {"USD": 1.0}}
    rest = {"home_only": True, "keys": [], "providers": [member], "budgets": [budget], "currency": "EUR"}
    status._print({**found, **more, **rest})
    out = capsys.readouterr().out
    assert all(line.isprintable() for line in out.splitlines())
    assert out.startswith("ab  uv  ok, up 2 h, version 1\nPage: p\n")
    assert "Requests: 1 running, 2 waiting; 3 today (0.5 EUR), 1 USD this month\nNo request leaves the home.\n" in out
    assert status._budget_row(budget, "EUR")[-1] == Styled("95 %", "yellow")
    assert cell_len(out.splitlines()[-1]) < 60
