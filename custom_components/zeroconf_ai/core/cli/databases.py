"""The database that a command uses."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ..accounting.storage.database import parse_url
from . import state
from .errors import CommandError


def database_option[F: Callable[..., Any]](function: F) -> F:
    """Add `--database`, for all commands that use the database."""
    return click.option(
        "--database",
        metavar="FILE|URL",
        envvar="ZEROCONF_AI_DATABASE",
        help=f"The database of API keys and usage: a file, or postgresql://… (ZEROCONF_AI_DATABASE hides its password from `ps`)."
        f"  [default: {state.database_file()}]",
    )(function)


def existing_database(database: str | None, hint: str = "Set another --database.") -> str | Path:
    """The database to open: a mistyped path must not look like an empty database.

    Raises CommandError if its file does not exist, DatabaseError for an invalid URL.
    """
    where: str | Path = database or state.database_file()
    url = parse_url(where)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        raise CommandError(f"There is no database at {url.database}.", hint, kind="not_found")
    return where
