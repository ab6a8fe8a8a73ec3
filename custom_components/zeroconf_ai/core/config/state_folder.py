"""The folder of the files that the command and the client library keep between runs."""

import os
from pathlib import Path
import sys
from typing import Final

ENROLMENTS: Final = "clients"
"""The folder in it with client certificates (`backends.enrolments`)."""


def state_folder() -> Path:
    """The platform's folder for state files of the user (XDG on Linux). This function does not create it."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    return base / "zeroconf-ai"
