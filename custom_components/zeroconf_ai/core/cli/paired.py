"""The state of `zeroconf-ai connect`: its key, the houses that it is paired with, and the one-time code of a pairing."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
import sys
from threading import Lock

import aiohttp
import click
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ..config.state_folder import state_folder
from ..protocol.pairing import MAX_TYPED, CodeError, read_code
from ..relay.dial import ConnectError, pair
from ..relay.key_file import KeyFileError, load_or_create
from ..relay.paired_houses import PairedHouse, StateError, load_houses, save_houses, with_house
from .errors import CommandError

_STDIN = "-"
_SAVING = Lock()
"""Held while the file is changed: several links of one process change it."""

type _Change = Callable[[tuple[PairedHouse, ...]], tuple[PairedHouse, ...]]


def folder() -> Path:
    """The folder of the state, which only this user can read."""
    return state_folder() / "connector"


def id_file() -> Path:
    """The file with the id of the connector. It is locked while the connector runs."""
    return folder() / "id"


def limits_file() -> Path:
    """The database with the monthly costs of backends with limits."""
    return folder() / "limits.db"


def own_key() -> Ed25519PrivateKey:
    """The connector's private key, which is made the first time. Raises CommandError."""
    try:
        return load_or_create(folder() / "key.pem")
    except KeyFileError as err:
        raise CommandError(str(err), "Set XDG_STATE_HOME to another folder.", kind="file_error") from None


def houses() -> tuple[PairedHouse, ...]:
    """The houses. Raises CommandError."""
    try:
        return load_houses(_file())
    except StateError as err:
        raise CommandError(str(err), kind="file_error") from None


def store(house: PairedHouse) -> None:
    """Store a house, in place of the one at the same address. Raises CommandError."""
    _save(lambda known: with_house(known, house))


def update(house: PairedHouse) -> None:
    """Store what has changed of a house, unless it was forgotten meanwhile. Raises CommandError."""
    _save(lambda known: tuple(house if one.url == house.url and one.key == house.key else one for one in known))


def forget(url: str) -> None:
    """Forget a house. Raises CommandError."""
    if all(house.url != url for house in houses()):
        raise CommandError("This machine is not paired with that address.", kind="not_found")
    _save(lambda known: tuple(house for house in known if house.url != url))


def code_of(file: Path | None, host: str) -> str:
    """The one-time code in a file (`-`: on stdin), or as a person types it. Raises CommandError; no error repeats the code."""
    hint = "Get one in Home Assistant or on the page of the house, and pass it as --code-file FILE, or type it in a terminal."
    try:
        if file is not None:
            text = sys.stdin.readline(MAX_TYPED + 1) if str(file) == _STDIN else _read(file)
        elif sys.stdin.isatty():
            text = click.prompt(f"One-time code of {host}", hide_input=False, err=True)
        else:
            raise CommandError(
                f"This machine is not paired with {host}, and no one-time code was given.", hint, kind="not_paired"
            )
        return read_code(text)
    except CodeError as err:
        raise CommandError(f"The one-time code cannot be read: {err}.", hint, kind="invalid_code") from None


def pair_now(url: str, pin: str | None, name: str, code: str) -> PairedHouse:
    """Pair with a house, and store it. Raises CommandError."""

    async def run() -> PairedHouse:
        async with aiohttp.ClientSession() as session:
            return await pair(session, url, pin, own_key(), name, code)

    try:
        house = asyncio.run(run())
    except ConnectError as err:
        message = f"This machine could not be paired: {str(err).rstrip('.')}."
        raise CommandError(message, kind="not_paired" if err.refused else "unreachable") from None
    store(house)
    return house


def with_pin(house: PairedHouse, pin: str | None) -> PairedHouse:
    """A house with the fingerprint that its owner has passed, which replaces a former one. Raises CommandError."""
    if pin is None or pin == house.pin:
        return house
    changed = replace(house, pin=pin)
    store(changed)
    return changed


def _file() -> Path:
    return folder() / "houses.json"


def _save(change: _Change) -> None:
    try:
        with _SAVING:
            save_houses(_file(), change(load_houses(_file())))
    except StateError as err:
        raise CommandError(str(err), kind="file_error") from None


def _read(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return opened.read(MAX_TYPED + 1).decode().strip()
    except (OSError, UnicodeDecodeError) as err:
        reason = err.strerror if isinstance(err, OSError) else "it is no text"
        raise CommandError(f"{file} cannot be read: {reason}.", kind="file_error") from None
