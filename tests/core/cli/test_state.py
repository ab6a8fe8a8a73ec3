"""Where the command keeps things."""

from pathlib import Path
import sys

import pytest

from zeroconf_ai.cli.state import home_only, save_home_only, state_folder
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
