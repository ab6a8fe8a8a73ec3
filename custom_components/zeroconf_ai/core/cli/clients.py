"""`zeroconf-ai clients`: give client certificates of the server that runs on this machine."""

from collections.abc import Mapping
from typing import Any

import click

from ..protocol.values import printable
from .admin_session import AdminSession
from .errors import CommandError
from .key_options import new_fields, options_of_a_new_client
from .local_page import server_option, with_page
from .output import json_option, print_json
from .tables import Column, print_table

_COLUMNS = (Column("Digits"), Column("Name", usual=20), Column("Address", usual=15), Column("Minutes left", rank=1, right=True))
_request_argument = click.argument("request", metavar="DIGITS")


@click.group("clients")
def command() -> None:
    """Give client certificates of `serve --tls`, by a one-time code or by approval.

    A client gets one with `zeroconf-ai enroll`. It is listed, limited, disabled and revoked like an API key: zeroconf-ai keys.
    """


@command.command("code")
@click.option("--name", metavar="TEXT", help="The name of the client.  [default: what it calls itself]")
@click.option("--again", metavar="KEY", help="For this client, by its ID in `keys list`: it enrols again and keeps its limits.")
@options_of_a_new_client
@server_option
@json_option
def code(server: str | None, as_json: bool, again: str | None, **fields: Any) -> None:
    """Make a one-time code, with which one client gets a certificate. It is valid for five minutes and three tries."""
    body = {name: value for name, value in new_fields(fields).items() if value not in (None, (), False)}
    if again is not None:
        if body:
            raise click.UsageError("With --again, the client keeps its limits. Change them with `zeroconf-ai keys update`.")
        body = {"key_id": again}
    found = _run(server, "clients/code", body)
    if as_json:
        print_json(found)
        return
    click.echo(found["code"]["code"])
    click.echo(
        "It is valid for five minutes and three tries. Type it on the client after this command:\n"
        f"  zeroconf-ai enroll {found['address']} --pin {found['pin']}",
        err=True,
    )


@command.command("requests")
@server_option
@json_option
def requests(server: str | None, as_json: bool) -> None:
    """List the clients that wait for approval. Approve one only if its screen shows the same digits."""
    found = _run(server, "clients", {})
    if as_json:
        print_json(found["pending"])
    elif not found["pending"]:
        click.echo("No client waits for approval. A client asks with: zeroconf-ai enroll HOST --ask-owner", err=True)
    else:
        print_table(_COLUMNS, [_row(one) for one in found["pending"]])


@command.command("approve")
@_request_argument
@click.option("--name", metavar="TEXT", help="The name of the client.  [default: what it calls itself]")
@server_option
@json_option
def approve(request: str, name: str | None, server: str | None, as_json: bool) -> None:
    """Approve the client whose screen shows DIGITS."""
    _decide(server, "clients/approve", request, {} if name is None else {"name": name}, "has a certificate now", as_json=as_json)


@command.command("refuse")
@_request_argument
@server_option
@json_option
def refuse(request: str, server: str | None, as_json: bool) -> None:
    """Refuse the client with these DIGITS in the list of requests."""
    _decide(server, "clients/refuse", request, {}, "is refused", as_json=as_json)


@command.command("replace-ca")
@click.confirmation_option("--yes", help="Do not ask.", prompt="All clients have to enrol again. Replace the authority?")
@server_option
@json_option
def replace_ca(server: str | None, as_json: bool) -> None:
    """Replace the certificate authority for clients, such as after its private key was copied. All certificates end."""
    found = _run(server, "clients/replace_authority", {})
    if as_json:
        print_json(found)
    else:
        click.echo("The authority is replaced. All clients have to enrol again.")


def _decide(server: str | None, name: str, digits: str, fields: Mapping[str, Any], done: str, *, as_json: bool) -> None:
    wanted = digits.replace(" ", "")

    async def decide(session: AdminSession) -> Mapping[str, Any]:
        pending = (await session.command("clients", {})).get("pending", ())
        found = [one for one in pending if wanted == one["check"]]
        if len(found) != 1:
            raise CommandError("No waiting client has these digits.", "List all: zeroconf-ai clients requests", kind="not_found")
        await session.command(name, {"request_id": found[0]["id"], **fields})
        return dict(found[0])

    found = with_page(server, decide)
    if as_json:
        print_json(found)
    else:
        click.echo(f"{printable(found['name'])} ({found['address']}) {done}.")


def _run(server: str | None, name: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The answer to a command of the page. Raises CommandError, ApiError."""

    async def ask(session: AdminSession) -> Mapping[str, Any]:
        found = await session.command(name, body)
        if not found["offered"]:
            message = "The server gives no client certificates."
            raise CommandError(message, "Start it with TLS and keys: zeroconf-ai serve --tls", kind="not_offered")
        return found

    return with_page(server, ask)


def _row(one: Mapping[str, Any]) -> tuple[str, ...]:
    return f"{one['check'][:3]} {one['check'][3:]}", printable(one["name"]), one["address"], str(round(one["seconds_left"] / 60))
