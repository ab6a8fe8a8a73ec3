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
def test_state_lies_where_the_system_wants_it(
    platform: str, variable: str | None, folder: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setenv(variable or "HOME", str(tmp_path))
    assert state_folder() == tmp_path / folder


def test_without_a_word_of_the_system_it_lies_in_the_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert state_folder() == tmp_path / ".local" / "state" / "zeroconf-ai"
