"""The files that the commands keep between runs.

The provider's own ID, trusted identities, cached providers, the database, and the home-only switch.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
import logging
from pathlib import Path
import socket
import sys
from typing import IO, Any
from uuid import UUID, getnode, uuid5

import orjson

from ..config.state_folder import ENROLMENTS, state_folder
from ..protocol import json
from ..protocol.errors import UnavailableError
from .errors import CommandError

if sys.platform != "win32":
    import fcntl

_LOGGER = logging.getLogger(__name__)

_COST_ALERTS = "cost-alerts.json"
"""The thresholds of costs of which people were notified."""
_DATABASES = "databases.json"
"""The ids of the databases that `serve --keys` has used, by their addresses' digests."""
_HOME_ONLY = "home-only.json"
"""The ids of the providers whose home-only switch is on."""
_MAX_BYTES = 4 * 1024**2
"""Maximum size of a state file. A larger file is cut off, so that it is not valid JSON."""
_MAX_ID_CHARACTERS = 64
_NAMESPACE = UUID("0d3c8c9e-2b2f-5d53-9d0c-6f1f3c0a7e55")


def id_file() -> Path:
    """The file with the provider ID of `zeroconf-ai serve`."""
    return state_folder() / "id"


def trust_file() -> Path:
    """The file with the identities of providers that have been used."""
    return state_folder() / "trusted.json"


def chat_history_file() -> Path:
    """The history file of lines typed in chats."""
    return state_folder() / "chat-history"


def chat_sessions_file() -> Path:
    """The database of named chats."""
    return state_folder() / "chats.db"


def tls_folder(provider_id: str) -> Path:
    """The certificates and private keys of `zeroconf-ai serve --tls` with this ID."""
    return state_folder() / "tls" / str(UUID(provider_id))


def relay_folder(provider_id: str) -> Path:
    """The folder with the key of a server's relay."""
    return state_folder() / "relay" / str(UUID(provider_id))


def authority_file(provider_id: str) -> Path:
    """The certificate authority of `zeroconf-ai serve --tls` with this ID (`server.tls.identity_files.AUTHORITY`)."""
    return tls_folder(provider_id) / "ca.pem"


def enrolments_folder() -> Path:
    """The client certificates with which providers know this user."""
    return state_folder() / ENROLMENTS


def database_file() -> Path:
    """The default database of API keys and usage."""
    return state_folder() / "gateway.db"


def image_folder() -> Path:
    """The folder of images whose database is on a server."""
    return state_folder() / "images"


def providers_file() -> Path:
    """The file in which `zeroconf-ai serve --discovered` caches providers."""
    return state_folder() / "providers.json"


def known_databases() -> dict[str, str]:
    """The ids of the databases that were opened before, by their addresses (`address_digest`)."""
    try:
        found = _read(_DATABASES)
    except (OSError, json.JSONDecodeError):
        return {}
    return {key: value for key, value in found.items() if isinstance(value, str)} if isinstance(found, dict) else {}


def _read(name: str) -> Any:
    """The JSON value of a state file. Raises OSError, JSONDecodeError."""
    with (state_folder() / name).open("rb") as opened:
        return json.loads(opened.read(_MAX_BYTES))


def remember_database(address: str, database_id: str) -> None:
    """Store the id of a database, by which a lost database is recognized later. Raises CommandError."""
    known = known_databases()
    if known.get(address) == database_id:
        return
    file = state_folder() / _DATABASES
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh = file.with_suffix(".new")
        fresh.write_bytes(orjson.dumps({**known, address: database_id}))
        fresh.replace(file)
    except OSError as err:
        message = f"The database ID cannot be saved in {file}: {err.strerror}."
        raise CommandError(message, "Set XDG_STATE_HOME to another folder.", kind="file_error") from None


def cost_alerts_told() -> dict[str, list[int]]:
    """The thresholds of costs, in nano-units, of which people were notified, by month; empty if the file cannot be read."""
    try:
        found = _read(_COST_ALERTS)
    except (OSError, json.JSONDecodeError):
        return {}
    months = found.items() if isinstance(found, dict) else ()
    return {month: [value for value in values if isinstance(value, int)] for month, values in months if isinstance(values, list)}


def save_cost_alerts_told(told: Mapping[str, Sequence[int]]) -> None:
    """Store the thresholds of `cost_alerts_told`. If that fails, they are told again after the next start."""
    file = state_folder() / _COST_ALERTS
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh = file.with_suffix(".new")
        fresh.write_bytes(orjson.dumps(dict(told)))
        fresh.replace(file)
    except OSError as err:
        _LOGGER.warning("The alerts that were sent cannot be saved in %s: %s", file, err.strerror)


def home_only(provider_id: str) -> bool:
    """Whether the home-only switch of a provider is on. A file that cannot be read means that it is: nothing leaves the home."""
    return provider_id in _home_only_ids(unreadable=[provider_id])


def save_home_only(provider_id: str, enabled: bool) -> None:
    """Store the home-only switch of a provider. Raises UnavailableError."""
    ids = {other for other in _home_only_ids() if other != provider_id} | ({provider_id} if enabled else set())
    file = state_folder() / _HOME_ONLY
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh = file.with_suffix(".new")
        fresh.write_bytes(orjson.dumps(sorted(ids)))
        fresh.replace(file)
    except OSError as err:
        raise UnavailableError(
            f"The switch applies until the next start: it cannot be saved in {file}: {err.strerror}."
        ) from None


def _home_only_ids(unreadable: Sequence[str] = ()) -> list[str]:
    try:
        found = _read(_HOME_ONLY)
    except FileNotFoundError:
        return []
    except (OSError, json.JSONDecodeError):
        return list(unreadable)
    return [value for value in found if isinstance(value, str)] if isinstance(found, list) else list(unreadable)


@contextmanager
def identity(file: Path, command: str = "serve") -> Iterator[str]:
    """Lock `file`, so that no second `command` uses its UUID, and yield the UUID, which is created the first time.

    Raises CommandError if the file cannot be used or is locked.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle = file.open("a+", encoding="utf-8", errors="replace")
    except OSError as err:
        message = f"The provider ID cannot be saved in {file}: {err.strerror}."
        raise CommandError(message, "Set another --id-file.", kind="file_error") from None
    with handle:
        _lock(handle, file, command)
        handle.seek(0)
        text = handle.read(_MAX_ID_CHARACTERS).strip()
        if not text:
            text = str(_make(file))
            handle.write(f"{text}\n")
            handle.flush()
        try:
            yield str(UUID(text))
        except ValueError:
            message = f"{file} does not contain a UUID."
            raise CommandError(message, "Delete it, or set another --id-file.", kind="file_error") from None


def id_in(file: Path) -> str:
    """What a file of `identity` contains. Raises OSError."""
    with file.open(encoding="utf-8", errors="replace") as handle:
        return handle.read(_MAX_ID_CHARACTERS).strip()


def _make(file: Path) -> UUID:
    """A UUIDv5 of host name and MAC address, and of a path other than the default, for a second server on one machine."""
    parts = [socket.gethostname(), f"{getnode():012x}"]
    if file.resolve() != id_file().resolve():
        parts.append(str(file.resolve()))
    return uuid5(_NAMESPACE, "|".join(parts))


def _lock(handle: IO[str], file: Path, command: str) -> None:
    if sys.platform == "win32":
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        message = f"Another `zeroconf-ai {command}` already uses the ID in {file}."
        other = "End it, or set XDG_STATE_HOME to another folder."
        hint = "Set another file: --id-file OTHER_FILE." if command == "serve" else other
        raise CommandError(message, hint, kind="id_in_use") from None
