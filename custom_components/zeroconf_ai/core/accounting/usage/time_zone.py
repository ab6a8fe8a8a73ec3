"""The time zone of this machine with all its rules, not just the current offset."""

from datetime import UTC, tzinfo
import os
from pathlib import Path
from zoneinfo import ZoneInfo

_LOCAL = Path("/etc/localtime")


def local_zone() -> tzinfo:
    """The zone of `TZ`, else of this machine, else UTC. Reads files."""
    try:
        if name := os.environ.get("TZ", "").removeprefix(":"):
            return ZoneInfo(name)
        with _LOCAL.open("rb") as file:
            return ZoneInfo.from_file(file, key="local")
    except OSError, ValueError:
        return UTC
