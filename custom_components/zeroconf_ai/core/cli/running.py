"""This user's running servers on this machine: each `zeroconf-ai serve` keeps a file in the state folder while it runs."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
import logging
import os
from pathlib import Path
from typing import Final
from uuid import UUID

import orjson

from ..config.state_folder import state_folder
from ..protocol import json

_LOGGER = logging.getLogger(__name__)
_MAX_BYTES: Final = 64 * 1024
_MAX_FILES: Final = 100


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server with a file. It may have crashed since: only its health endpoint shows whether it still runs."""

    id: str
    name: str
    url: str
    """Its base URL, which ends in `/v1`."""
    pid: int
    page: str | None = None
    """The address of its page; None: it has no page."""
    secret: str | None = field(default=None, repr=False)
    """Secret that logs in to its page; None: it has no page. Only this user can read the file."""
    fingerprint: str | None = None
    """The fingerprint of its certificate; None: it speaks plain HTTP."""


@contextmanager
def noted(server: RunningServer) -> Iterator[None]:
    """Keep the file of a server inside the block. A failure is logged: the server runs without it."""
    file = _folder() / f"{UUID(server.id)}.json"
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = file.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
            opened.write(orjson.dumps(asdict(server)))
        fresh.replace(file)
    except OSError as err:
        _LOGGER.info("`zeroconf-ai status` will not find this server: %s cannot be written: %s", file, err.strerror)
    try:
        yield
    finally:
        with suppress(OSError):
            file.unlink()


def running_servers() -> list[RunningServer]:
    """The servers with a file, sorted by name. Blocking."""
    try:
        files = sorted(_folder().glob("*.json"))[:_MAX_FILES]
    except OSError:
        return []
    return sorted(filter(None, map(_read, files)), key=lambda server: server.name.casefold())


def _folder() -> Path:
    return state_folder() / "running"


def _read(file: Path) -> RunningServer | None:
    try:
        with file.open("rb") as opened:
            found = json.loads(opened.read(_MAX_BYTES))
        page, secret = (None if found[name] is None else str(found[name]) for name in ("page", "secret"))
        pin = found.get("fingerprint")
        server_id, name, url = (str(found[key]) for key in ("id", "name", "url"))
        return RunningServer(server_id, name, url, int(found["pid"]), page, secret, None if pin is None else str(pin))
    except (OSError, json.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError):
        return None
