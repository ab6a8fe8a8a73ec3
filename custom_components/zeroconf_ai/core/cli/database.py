"""`zeroconf-ai database`: the version of the database's tables, and the way back to an earlier one."""

from pathlib import Path

import click
import orjson

from ..accounting.storage.database import DatabaseError, parse_url
from ..accounting.storage.versions import downgrade_tables, table_versions
from . import state
from .keys import database_option


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Show the version of the database's tables, or return to an earlier one before you install an earlier ZeroConf AI."""


@command.command()
@database_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def version(database: str | None, as_json: bool) -> None:
    """Print the version of the tables, and all versions with what each added."""
    try:
        found = table_versions(_existing(database))
    except DatabaseError as err:
        raise click.ClickException(str(err)) from None
    if as_json:
        known = [{"version": name, "adds": doc} for name, doc in found.known]
        click.echo(orjson.dumps({"version": found.current, "known": known}))
        return
    for name, doc in found.known:
        click.echo(f"{'*' if name == found.current else ' '} {name}  {doc}")
    if found.current not in dict(found.known):
        click.echo("The database has no tables yet." if found.current is None else f"* {found.current}  of a later ZeroConf AI")


@command.command()
@click.argument("version")
@database_option
@click.option("--yes", is_flag=True, help="Do not ask.")
def downgrade(version: str, database: str | None, yes: bool) -> None:
    """Return the tables to VERSION; what later versions added is deleted.

    Stop all gateways that use the database first. A backup of an SQLite file is made before; back up PostgreSQL yourself.
    """
    where = _existing(database)
    if not yes:
        message = f"Return to version {version}, and delete what later versions added? No gateway may be running."
        click.confirm(message, abort=True, err=True)
    try:
        backup = downgrade_tables(where, version)
    except DatabaseError as err:
        raise click.ClickException(str(err)) from None
    click.echo(f"The tables have version {version}." + (f" A backup is at {backup}." if backup is not None else ""))


def _existing(database: str | None) -> str | Path:
    """The database to open. Raises click.ClickException if its file does not exist."""
    where: str | Path = database or state.database_file()
    try:
        url = parse_url(where)
    except DatabaseError as err:
        raise click.ClickException(str(err)) from None
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        raise click.ClickException(f"There is no database at {url.database}. Set another --database.")
    return where
