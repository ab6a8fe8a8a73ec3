"""`zeroconf-ai connectors`: the machines that are connected to a running `serve` over the relay."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import click

from ..protocol.values import printable
from .admin_session import AdminSession
from .errors import CommandError
from .local_page import run_command, server_option, with_page
from .output import json_option, print_json
from .tables import Column, print_table

_COLUMNS: Final = (Column("Name"), Column("State"), Column("Models", rank=1), Column("Last seen", rank=2), Column("Id", rank=3))


@click.group("connectors")
def command() -> None:
    """Pair, list and remove the machines that `zeroconf-ai connect` connects to a running server of this machine."""


@command.command("list")
@server_option
@json_option
def list_connectors(server: str | None, as_json: bool) -> None:
    """List the connectors."""
    found = _connectors(run_command(server, "relay", {}))
    if as_json:
        print_json({"connectors": found})
        return
    print_table(_COLUMNS, (_row(one) for one in found))


@command.command("pair")
@server_option
@json_option
def pair(server: str | None, as_json: bool) -> None:
    """Make a one-time code, and print the command for the other machine."""
    found = run_command(server, "relay/pair", {})
    if as_json:
        print_json(found)
        return
    click.echo("On the other machine, run:\n")
    click.echo(f"    {found['command']}\n")
    click.echo(f"and enter this code within {found['seconds_left'] // 60} minutes: {found['code']}")
    click.echo("Replace the host by a name under which the other machine reaches this server.")


@command.command("rename")
@click.argument("connector")
@click.argument("name")
@server_option
@json_option
def rename(connector: str, name: str, server: str | None, as_json: bool) -> None:
    """Rename CONNECTOR."""
    _change(server, connector, "relay/update", {"name": name}, f"{connector} is now {name}.", as_json=as_json)


@command.command("enable")
@click.argument("connector")
@server_option
@json_option
def enable(connector: str, server: str | None, as_json: bool) -> None:
    """Let CONNECTOR connect again."""
    _change(server, connector, "relay/update", {"enabled": True}, f"{connector} may connect.", as_json=as_json)


@command.command("disable")
@click.argument("connector")
@server_option
@json_option
def disable(connector: str, server: str | None, as_json: bool) -> None:
    """Disconnect CONNECTOR, and refuse it until it is enabled."""
    _change(server, connector, "relay/update", {"enabled": False}, f"{connector} is disconnected.", as_json=as_json)


@command.command("remove")
@click.argument("connector")
@server_option
@json_option
def remove(connector: str, server: str | None, as_json: bool) -> None:
    """Forget CONNECTOR, which must be paired again."""
    _change(server, connector, "relay/remove", {}, f"{connector} is removed.", as_json=as_json)


def _connectors(found: Mapping[str, Any]) -> list[Any]:
    """Raises CommandError for a server without a database to store them in."""
    if found["connectors"] is None:
        raise CommandError("This server takes no connectors.", "Start it with --keys: zeroconf-ai serve --keys", kind="no_relay")
    known: list[Any] = found["connectors"]
    return known


def _change(server: str | None, connector: str, name: str, body: Mapping[str, Any], text: str, *, as_json: bool) -> None:
    async def act(session: AdminSession) -> Mapping[str, Any]:
        known = _connectors(await session.command("relay", {}))
        found = [one for one in known if connector in (one["id"], one["name"])]
        if len(found) != 1:
            message = f"There is no connector {connector}." if not found else f"Several connectors are named {connector}."
            raise CommandError(message, "zeroconf-ai connectors list", kind="not_found")
        return await session.command(name, {**body, "connector_id": found[0]["id"]})

    with_page(server, act)
    if as_json:
        print_json({"connector": connector, "ok": True})
    else:
        click.echo(text)


def _row(one: Mapping[str, Any]) -> tuple[str, ...]:
    state = "connected" if one["connected"] else "away" if one["enabled"] else "disabled"
    seen = "" if one["last_seen"] is None else f"{datetime.fromtimestamp(one['last_seen']).astimezone():%Y-%m-%d %H:%M}"
    models = [printable(str(model)) for model in one["models"]]
    more = f" and {len(models) - 2} more" if len(models) > 2 else ""
    return printable(one["name"]), state, ", ".join(models[:2]) + more, seen, one["id"]
