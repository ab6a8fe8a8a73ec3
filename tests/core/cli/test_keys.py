"""`zeroconf-ai keys`, and that a server that runs knows of what it does."""

from collections.abc import Mapping
from contextlib import closing
import inspect
import json
from pathlib import Path
import re
import sqlite3
import subprocess
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from zeroconf_ai.accounting.keys.client_key import ADMIN, SCOPES
from zeroconf_ai.accounting.keys.key_store import KeyStore
from zeroconf_ai.cli.keys import command
from zeroconf_ai.server.endpoints import ROUTES

from ...support.command import run, serving
from ...support.waiting import until_in_thread

SECRET = re.compile(r"zai_[A-Za-z0-9_-]{32}")


def keys(state: Path, *arguments: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return run(state, "keys", *arguments, env=env)


def listed(state: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(keys(state, "list", "--json").stdout)
    return found


def refused(done: subprocess.CompletedProcess[str]) -> str:
    assert (done.returncode, done.stdout) == (1, "")
    assert "Traceback" not in done.stderr
    return done.stderr


def status_of(url: str, secret: str) -> int:
    """The server's answer to a request with this secret."""
    request = Request(f"{url}/models", headers={"Authorization": f"Bearer {secret}"})
    try:
        with urlopen(request, timeout=20) as response:
            return int(response.status)
    except HTTPError as err:
        with err:
            return err.code


def test_keys_created_secret_is_shown_once_and_not_stored(tmp_path: Path) -> None:
    done = keys(tmp_path, "create", "Phone")
    secret = done.stdout.strip()
    assert (done.returncode, SECRET.fullmatch(secret) is not None) == (0, True)
    assert f"curl http://localhost:8000/v1/chat/completions -H 'Authorization: Bearer {secret}'" in done.stderr
    file = tmp_path / "zeroconf-ai" / "gateway.db"
    assert file.stat().st_mode & 0o777 == 0o600
    assert secret.encode()[8:] not in file.read_bytes()
    for arguments in (("list",), ("list", "--json")):
        shown = keys(tmp_path, *arguments)
        assert secret not in shown.stdout
        assert secret[:8] in shown.stdout


def test_keys_permissions_are_stored_and_listed(tmp_path: Path) -> None:
    made = json.loads(
        keys(
            tmp_path,
            *("create", "[b]Phone", "--device", "phone", "--user", "u1", "--model", "qwen*", "--model", "auto"),
            *("--endpoint", "chat", "--background", "--home-only", "--expires", "2099-01-01T00:00+00:00", "--json"),
        ).stdout
    )
    assert SECRET.fullmatch(made.pop("secret"))
    assert listed(tmp_path) == [made]
    assert (made["name"], made["device"], made["user_id"], made["background"], made["state"]) == (
        "[b]Phone",
        "phone",
        "u1",
        True,
        "enabled",
    )
    assert (made["models"], made["endpoints"], made["expires"]) == (["qwen*", "auto"], ["chat"], "2099-01-01T00:00:00+00:00")
    assert made["home_only"]
    assert not json.loads(keys(tmp_path, "update", "[b]Phone", "--no-home-only", "--json").stdout)["home_only"]
    assert not json.loads(keys(tmp_path, "update", "[b]Phone", "--parallel", "2", "--json").stdout)["home_only"]
    assert json.loads(keys(tmp_path, "update", "[b]Phone", "--home-only", "--json").stdout)["home_only"]
    table = keys(tmp_path, "list").stdout
    for cell in ("[b]Phone", made["prefix"], "phone", "qwen*, auto, chat", "enabled", "never", made["id"]):
        assert cell in table


def test_keys_labels_are_stored_listed_added_and_removed(tmp_path: Path) -> None:
    made = json.loads(keys(tmp_path, "create", "Tablet", "--label", "Kitchen", "--label", "[b]app", "--json").stdout)
    keys(tmp_path, "create", "Phone")
    assert made["labels"] == ["Kitchen", "[b]app"]
    assert "Kitchen, [b]app" in keys(tmp_path, "list").stdout
    assert [key["name"] for key in json.loads(keys(tmp_path, "list", "--label", "Kitchen", "--json").stdout)] == ["Tablet"]
    assert "No API key has the label 'Bath'" in keys(tmp_path, "list", "--label", "Bath").stderr
    changed = json.loads(keys(tmp_path, "update", "Tablet", "--label", "Bath", "--json").stdout)
    assert changed["labels"] == ["Bath", "Kitchen", "[b]app"]
    assert json.loads(keys(tmp_path, "update", "Tablet", "--parallel", "2", "--json").stdout)["labels"] == changed["labels"]
    assert json.loads(keys(tmp_path, "update", "Tablet", "--no-labels", "--label", "Attic", "--json").stdout)["labels"] == [
        "Attic"
    ]
    many = [argument for number in range(10) for argument in ("--label", str(number))]
    assert "at most 10 labels" in refused(keys(tmp_path, "update", "Tablet", *many))


def test_keys_hosted_tools_are_granted_added_and_removed(tmp_path: Path) -> None:
    def granted(*command: str) -> Any:
        return json.loads(keys(tmp_path, *command, "--json").stdout)["hosted_tools"]

    assert granted("create", "Laptop", "--hosted-tool", "mcp", "--hosted-tool", "web_search") == ["web_search", "mcp"]
    assert granted("update", "Laptop", "--hosted-tool", "server_url") == ["web_search", "mcp", "server_url"]
    assert granted("update", "Laptop", "--parallel", "2") == ["web_search", "mcp", "server_url"]
    assert granted("update", "Laptop", "--no-hosted-tools") == []
    assert "'shell' is not one of" in keys(tmp_path, "update", "Laptop", "--hosted-tool", "shell").stderr


def test_keys_every_field_of_a_key_has_an_option_and_is_shown(tmp_path: Path) -> None:
    fields = set(inspect.signature(KeyStore.create).parameters) - {"self", "most_of_user", "actor"}
    assert fields > {"llm_apis", "hosted_tools", "home_only"}
    for name in ("create", "update"):
        assert fields <= {parameter.name for parameter in command.commands[name].params}, name
    keys(tmp_path, "create", "Phone")
    assert fields <= listed(tmp_path)[0].keys()


def test_keys_every_field_is_changed_by_update_and_removed(tmp_path: Path) -> None:
    keys(tmp_path, "create", "Phone", "--model", "qwen*", "--expires", "7d")
    changes = ("--name", "Tablet", "--user", "bo", "--device", "tablet", "--model", "gemma*", "--endpoint", "chat")
    more = ("--llm-api", "assist", "--llm-api", "mcp-1", "--background", "--home-only", "--expires", "never")
    assert keys(tmp_path, "update", "Phone", *changes, *more).returncode == 0
    (key,) = listed(tmp_path)
    assert (key["name"], key["user_id"], key["device"], key["expires"]) == ("Tablet", "bo", "tablet", None)
    assert (key["models"], key["endpoints"], key["llm_apis"]) == (["qwen*", "gemma*"], ["chat"], ["assist", "mcp-1"])
    assert (key["background"], key["home_only"]) == (True, True)
    assert "Only an API key of a user" in refused(keys(tmp_path, "update", "Tablet", "--no-owner"))
    removed = ("--no-owner", "--no-llm-apis", "--no-models", "--model", "phi*", "--no-endpoints", "--no-background")
    assert keys(tmp_path, "update", "Tablet", *removed).returncode == 0
    (key,) = listed(tmp_path)
    assert (key["user_id"], key["device"], key["llm_apis"], key["endpoints"]) == (None, None, [], [])
    assert (key["models"], key["background"], key["home_only"]) == (["phi*"], False, True)
    assert "Only an API key of a user" in refused(keys(tmp_path, "create", "Radio", "--llm-api", "assist"))


def test_keys_are_changed_by_name_id_or_prefix(tmp_path: Path) -> None:
    made = json.loads(keys(tmp_path, "create", "Phone", "--json").stdout)
    assert keys(tmp_path, "disable", "Phone").stdout == f'"Phone" ({made["prefix"]}…) is disabled\n'
    assert listed(tmp_path)[0]["state"] == "disabled"
    assert keys(tmp_path, "enable", made["id"]).stdout == f'"Phone" ({made["prefix"]}…) is enabled\n'
    rotated = json.loads(keys(tmp_path, "rotate", made["prefix"], "--overlap", "1h", "--json").stdout)
    assert rotated["id"] == made["id"]
    assert rotated["secret"] != made["secret"]
    assert rotated["former_secret_until"] is not None
    assert keys(tmp_path, "revoke", rotated["secret"]).returncode == 0
    done = keys(tmp_path, "list")
    assert (done.returncode, done.stdout) == (0, "")
    assert "There is no API key yet" in done.stderr


def test_keys_ambiguous_name_is_refused(tmp_path: Path) -> None:
    for name in ("Phone 1", "Phone 2"):
        keys(tmp_path, "create", name)
    assert "More than one API key matches" in refused(keys(tmp_path, "revoke", "Phone"))
    assert "No API key matches" in refused(keys(tmp_path, "revoke", "Tablet"))
    assert "No API key matches" in refused(keys(tmp_path, "revoke", ""))
    assert len(listed(tmp_path)) == 2


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("create", "x", "--expires", "2000-01-01"), "is in the past"),
        (("create", "x", "--expires", "soon"), "is not a duration"),
        (("create", "x", "--expires", "20-20"), "is not a date"),
        (("create", "x", "--endpoint", "everything"), "everything"),
        (("create", "x", "--label", "a,b"), "no comma"),
        (("rotate", "x", "--overlap", "1 year"), "is not a duration"),
    ],
)
def test_keys_invalid_options_are_reported(tmp_path: Path, arguments: tuple[str, ...], told: str) -> None:
    done = keys(tmp_path, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr


def test_keys_missing_database_is_an_error(tmp_path: Path) -> None:
    assert "There is no database" in refused(keys(tmp_path, "list", "--database", str(tmp_path / "typo.db")))
    assert not (tmp_path / "typo.db").exists()


def test_keys_damaged_database_is_reported_and_not_changed(tmp_path: Path) -> None:
    file = tmp_path / "gateway.db"
    file.write_bytes(b"no database" * 1000)
    assert "Start the gateway" in refused(keys(tmp_path, "list", "--database", str(file)))
    assert file.read_bytes() == b"no database" * 1000


def test_keys_database_password_is_never_printed(tmp_path: Path) -> None:
    secret = {"ZEROCONF_AI_DATABASE": "mysql://user:canary-password@192.0.2.1/name"}
    error = refused(keys(tmp_path, "list", env=secret))
    assert "Only SQLite and PostgreSQL" in error
    assert "canary" not in error


def test_keys_endpoint_groups_equal_the_servers() -> None:
    assert {route.scope for route in ROUTES if not route.public} <= {*SCOPES, ADMIN}


def test_keys_changes_reach_a_running_server(tmp_path: Path) -> None:
    def becomes(status: int, secret: str) -> bool:
        # Who asks this often with a key that is not known (yet, or any more) is slowed down, which is not what is waited for.
        wanted = {status, 429} if status == 401 else {status}
        until_in_thread(lambda: status_of(server.url, secret) in wanted)
        return True

    first = keys(tmp_path, "create", "First").stdout.strip()
    with serving(tmp_path, "--keys", "--no-advertise") as server:
        assert server.ready["auth"] == "token"
        assert status_of(server.url, first) == 200
        assert status_of(server.url, first[:-1]) == 401
        second = keys(tmp_path, "create", "Second").stdout.strip()
        assert becomes(200, second)
        keys(tmp_path, "disable", "Second")
        assert becomes(403, second)
        keys(tmp_path, "revoke", "First")
        assert becomes(401, first)
        assert server.stop() == 0


def test_keys_requests_are_recorded_for_the_key(tmp_path: Path) -> None:
    file = tmp_path / "other" / "gateway.db"
    made = json.loads(keys(tmp_path, "create", "Phone", "--database", str(file), "--json").stdout)
    with serving(tmp_path, "--keys", "--database", str(file), "--no-advertise") as server:
        body = json.dumps({"messages": [{"role": "user", "content": "count to 3"}]}).encode()
        headers = {"Authorization": f"Bearer {made['secret']}", "Content-Type": "application/json"}
        with urlopen(Request(f"{server.url}/chat/completions", body, headers), timeout=20) as response:
            assert response.status == 200
        assert server.stop() == 0
    connection = sqlite3.connect(file)
    found = connection.execute("SELECT key_id, caller, outcome, completion_tokens > 0 FROM generations").fetchall()
    used = connection.execute("SELECT last_used IS NOT NULL FROM keys").fetchall()
    connection.close()
    assert (found, used) == ([(made["id"], "Phone", "ok", 1)], [(1,)])


def test_keys_limits_and_budgets_are_set_changed_and_removed(tmp_path: Path) -> None:
    file = tmp_path / "gateway.db"
    where = ("--database", str(file))
    limits = ("--requests-per-minute", "5", "--tokens-per-minute", "1000", "--parallel", "2")
    made = json.loads(
        keys(tmp_path, "create", "Phone", *limits, "--budget", "5/month", "--budget", "0.5/day", *where, "--json").stdout
    )
    assert (made["requests_per_minute"], made["tokens_per_minute"], made["parallel"]) == (5, 1000, 2)
    changed = json.loads(keys(tmp_path, "update", "Phone", "--parallel", "3", "--budget", "1/month", *where, "--json").stdout)
    assert (changed["requests_per_minute"], changed["parallel"]) == (5, 3)

    def budgets() -> list[tuple[str, int]]:
        with closing(sqlite3.connect(file)) as connection:
            return connection.execute("SELECT period, amount FROM budgets WHERE scope = 'key' ORDER BY period").fetchall()

    assert budgets() == [("day", 500_000_000), ("month", 1_000_000_000)]
    bare = json.loads(keys(tmp_path, "update", "Phone", "--no-limits", "--budget", "2/day", *where, "--json").stdout)
    assert (bare["requests_per_minute"], bare["tokens_per_minute"], bare["parallel"]) == (None, None, None)
    assert budgets() == [("day", 2_000_000_000)]
    wrong = keys(tmp_path, "update", "Phone", "--budget", "5", *where)
    assert (wrong.returncode, "Write an amount and a period" in wrong.stderr) == (2, True)
