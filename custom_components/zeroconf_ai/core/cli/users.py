"""`zeroconf-ai users`: list, block and forget the people who have signed in to the portal."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import click

from ..accounting.store import AccountingStore
from ..accounting.users.user import User
from .databases import database_option, existing_database
from .errors import CommandError
from .output import json_option, print_json
from .tables import Column, Styled, print_table

_COLUMNS = (
    Column("Name", usual=16),
    Column("Mail", usual=20, rank=2),
    Column("Subject", usual=12, rank=3),
    Column("Keys"),
    Column("State"),
    Column("Signed in"),
    Column("ID", rank=4),
)
_user_argument = click.argument("user")


@click.group("users")
def command() -> None:
    """List, block and forget the people who have signed in to the portal.

    USER is the ID, the subject, the mail address or the name of a person. A running gateway with the same database applies every
    change within a second.
    """


@command.command("list")
@database_option
@json_option
def list_users(database: str | None, as_json: bool) -> None:
    """List the people."""

    async def do(store: AccountingStore) -> None:
        found = [(user, sum(key.user_id == user.id for key in store.keys)) for user in store.users]
        if as_json:
            print_json([user_json(user) | {"keys": count} for user, count in found])
        elif found:
            print_table(_COLUMNS, [_row(user, count) for user, count in found])
        else:
            click.echo("Nobody has signed in to the portal yet.", err=True)

    _with_store(database, do)


@command.command("block")
@_user_argument
@database_option
@json_option
def block(user: str, database: str | None, as_json: bool) -> None:
    """Refuse all requests with the API keys of USER."""
    _set_blocked(user, database, blocked=True, as_json=as_json)


@command.command("unblock")
@_user_argument
@database_option
@json_option
def unblock(user: str, database: str | None, as_json: bool) -> None:
    """Accept the API keys of USER again."""
    _set_blocked(user, database, blocked=False, as_json=as_json)


@command.command("forget")
@_user_argument
@database_option
@json_option
def forget(user: str, database: str | None, as_json: bool) -> None:
    """Revoke the API keys of USER, and delete all data of the person. Sums keep the usage anonymously.

    Who is still allowed may sign in again, as a new person: block USER instead to prevent that.
    """

    async def do(store: AccountingStore) -> None:
        found = _find(store, user)
        await store.forget(user_id=found.id, actor="command")
        _show(found, f"{found.identity.name} is forgotten", as_json=as_json)

    _with_store(database, do)


def _set_blocked(user: str, database: str | None, *, blocked: bool, as_json: bool) -> None:
    async def do(store: AccountingStore) -> None:
        found = await store.users.block(_find(store, user).id, blocked=blocked, actor="command")
        _show(found, f"{found.identity.name} is {'blocked' if blocked else 'no longer blocked'}", as_json=as_json)

    _with_store(database, do)


def _with_store(database: str | None, do: Callable[[AccountingStore], Awaitable[None]]) -> None:
    """Run `do` with the opened accounting store. Raises CommandError or DatabaseError if it cannot be used."""
    where = existing_database(database, "Start a server with a portal, or set another --database.")

    async def run() -> None:
        store = await AccountingStore.open(where, set_damaged_aside=False)
        try:
            await do(store)
        finally:
            await store.close()

    asyncio.run(run())


def _find(store: AccountingStore, text: str) -> User:
    """The person that matches `text`. Raises CommandError unless exactly one does."""
    users = list(store.users)
    found = [user for user in users if text in (user.id, user.identity.subject)]
    found = found or [user for user in users if text.casefold() in (_mail(user).casefold(), user.identity.name.casefold())]
    if len(found) > 1:
        several = ", ".join(f"{user.identity.name} ({user.id})" for user in found[:10])
        raise CommandError(f"More than one person matches: {several}.", "Use the ID.", kind="ambiguous")
    if not found:
        raise CommandError("No person matches.", "List all: zeroconf-ai users list", kind="not_found")
    return found[0]


def _mail(user: User) -> str:
    return user.identity.email or ""


def _show(user: User, line: str, *, as_json: bool) -> None:
    if as_json:
        print_json(user_json(user))
    else:
        click.echo(line)


def user_json(user: User) -> dict[str, Any]:
    """One person in the output of `--json`."""
    person = user.identity
    return {
        "id": user.id,
        "name": person.name,
        "email": person.email,
        "issuer": person.issuer,
        "subject": person.subject,
        "groups": list(person.groups),
        "blocked": user.blocked,
        "created": _iso(user.created),
        "signed_in": _iso(user.signed_in),
    }


def _row(user: User, keys: int) -> tuple[str | Styled, ...]:
    state = Styled("blocked", "yellow") if user.blocked else Styled("active", "green")
    signed_in = f"{datetime.fromtimestamp(user.signed_in).astimezone():%Y-%m-%d %H:%M}"
    return user.identity.name, _mail(user), user.identity.subject, str(keys), state, signed_in, user.id


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")
