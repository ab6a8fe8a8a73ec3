"""`zeroconf-ai database`: the version of the database's tables, and the way back to an earlier one."""

import click

from ..accounting.storage.versions import downgrade_tables, table_versions
from .databases import database_option, existing_database
from .output import json_option, print_json
from .tables import Column, Styled, print_table

_COLUMNS = (Column(""), Column("Version"), Column("Adds", usual=20))
_LATER = "Tables of a later ZeroConf AI"


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Show the version of the database's tables, or return to an earlier one before you install an earlier ZeroConf AI."""


@command.command()
@database_option
@json_option
def version(database: str | None, as_json: bool) -> None:
    """Print the version of the tables, and all versions with what each added."""
    found = table_versions(existing_database(database))
    if as_json:
        known = [{"version": name, "adds": doc} for name, doc in found.known]
        print_json({"version": found.current, "known": known})
        return
    rows = [*found.known]
    if found.current is not None and found.current not in dict(rows):
        rows.append((found.current, _LATER))
    print_table(_COLUMNS, ((Styled("*", "green") if name == found.current else "", name, adds) for name, adds in rows))
    if found.current is None:
        click.echo("The database has no tables yet.", err=True)


@command.command()
@click.argument("version")
@database_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def downgrade(version: str, database: str | None, yes: bool, as_json: bool) -> None:
    """Return the tables to VERSION; what later versions added is deleted.

    Stop all gateways that use the database first. A backup of an SQLite file is made before; back up PostgreSQL yourself.
    """
    where = existing_database(database)
    if not yes:
        message = f"Return to version {version}, and delete what later versions added? No gateway may be running."
        click.confirm(message, abort=True, err=True)
    backup = downgrade_tables(where, version)
    if as_json:
        print_json({"version": version, "backup": None if backup is None else str(backup)})
        return
    click.echo(f"The tables have version {version}." + (f" A backup is at {backup}." if backup is not None else ""))
