"""Where the command keeps things."""

from pathlib import Path
import sys

import pytest

from zeroconf_ai.cli.state import state_folder


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
