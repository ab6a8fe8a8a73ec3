"""Where the command keeps things."""

from pathlib import Path
import sys

import pytest

from zeroconf_ai.cli.errors import CommandError
from zeroconf_ai.cli.state import cost_alerts_told, home_only, id_in, identity, known_databases, save_home_only, trust_file
from zeroconf_ai.config.state_folder import state_folder
from zeroconf_ai.lan.trust import TrustStore
from zeroconf_ai.protocol.errors import UnavailableError


@pytest.mark.parametrize(
    ("platform", "variable", "folder"),
    [
        ("linux", "XDG_STATE_HOME", "zeroconf-ai"),
        ("win32", "LOCALAPPDATA", "zeroconf-ai"),
        ("darwin", None, "Library/Application Support/zeroconf-ai"),
    ],
)
def test_state_directory_follows_xdg(
    platform: str, variable: str | None, folder: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setenv(variable or "HOME", str(tmp_path))
    assert state_folder() == tmp_path / folder


def test_state_directory_without_xdg_is_in_the_home_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert state_folder() == tmp_path / ".local" / "state" / "zeroconf-ai"


def test_home_only_is_stored_for_each_server_and_on_if_the_file_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert not home_only("first")
    save_home_only("first", True)
    save_home_only("second", True)
    save_home_only("second", False)
    assert (home_only("first"), home_only("second")) == (True, False)
    file = tmp_path / "zeroconf-ai" / "home-only.json"
    for broken in ("[", '"first"', "{}"):
        file.write_text(broken)
        assert home_only("second"), broken
    file.unlink()
    file.with_suffix(".new").mkdir()
    with pytest.raises(UnavailableError, match="applies until the next start"):
        save_home_only("first", True)


def test_state_files_that_are_too_large_count_as_unreadable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    folder = tmp_path / "zeroconf-ai"
    folder.mkdir()
    padding = b" " * (4 * 1024**2)
    for name, content in {
        "home-only.json": b'["first"%s]',
        "databases.json": b'{"a": "b"%s}',
        "cost-alerts.json": b'{"2026-11": [1]%s}',
        "trusted.json": b'[{"id": "1", "name": "first"}%s]',
    }.items():
        (folder / name).write_bytes(content % b"")
    assert (home_only("second"), known_databases(), cost_alerts_told()) == (False, {"a": "b"}, {"2026-11": [1]})
    assert TrustStore(trust_file()).pin("1") is not None
    for file in folder.glob("*.json"):
        file.write_bytes(file.read_bytes()[:-1] + padding + file.read_bytes()[-1:])
    assert (home_only("second"), known_databases(), cost_alerts_told()) == (True, {}, {})
    assert TrustStore(trust_file()).pin("1") is None
    assert trust_file().with_suffix(".unreadable").exists()


@pytest.mark.parametrize("content", [b"x" * 5_000_000, b"\xff\xfe"])
def test_state_file_of_an_id_that_contains_something_else_is_named(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "id"
    file.write_bytes(content)
    with pytest.raises(CommandError, match="does not contain a UUID"), identity(file):
        pytest.fail("the content was used")
    assert len(id_in(file)) <= 64
