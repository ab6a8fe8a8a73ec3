"""`zeroconf-ai keys`: create, list, change and revoke API keys."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
import time
from typing import Any

import click

from ..accounting.budget import Scope
from ..accounting.keys.client_key import ClientKey
from ..accounting.keys.key_store import KeyStore
from ..accounting.periods import Period
from ..accounting.store import AccountingStore
from . import state
from .databases import database_option, existing_database
from .errors import CommandError
from .key_options import changed_fields, duration, new_fields, options_of_a_change, options_of_a_new_key
from .output import json_option, print_json
from .remembered import complete_keys, remember
from .tables import Column, Styled, print_table

_COLUMNS = (
    Column("Name", usual=16),
    Column("Secret"),
    Column("Owner", usual=12, rank=3),
    Column("Labels", usual=12, rank=2),
    Column("Allowed", usual=12, rank=1),
    Column("State"),
    Column("Expires", rank=4),
    Column("Last used"),
    Column("ID", rank=5),
)
_STATE_COLOURS = {"enabled": "green", "disabled": "yellow", "expired": "red"}
_url_option = click.option(
    "--url", default="http://localhost:8000/v1", show_default=True, help="The gateway's URL in the printed example."
)
_key_argument = click.argument("key", shell_complete=complete_keys)


@click.group("keys")
def command() -> None:
    """Create, list and revoke API keys of clients.

    KEY is the ID or name of an API key, or a unique prefix of its ID, name or secret. A running gateway with the same database
    applies every change within a second.
    """


@command.command("create")
@click.argument("name")
@options_of_a_new_key
@_url_option
@database_option
@json_option
def create(
    name: str, url: str, database: str | None, as_json: bool, budgets: tuple[tuple[int, Period], ...], **options: Any
) -> None:
    """Create an API key for NAME. Its secret is shown only once and is not stored."""

    async def do(store: AccountingStore) -> None:
        key, secret = await store.keys.create(name, actor="command", **new_fields(options))
        await _set_budgets(store, key, budgets)
        _show_secret(key, secret, url, as_json=as_json)

    _with_store(database, do, may_create=True)


@command.command("update")
@_key_argument
@options_of_a_change
@database_option
@json_option
def update(key: str, database: str | None, as_json: bool, budgets: tuple[tuple[int, Period], ...], **options: Any) -> None:
    """Change KEY.

    Options that are not given keep their values. Models, endpoints, LLM APIs, hosted tools and labels are added.
    """

    async def do(store: AccountingStore) -> None:
        found = _find(store.keys, key)
        if options["no_limits"]:
            periods = {period for _, period in budgets}
            for budget in store.budgets.of(Scope.KEY, found.id):
                if budget.period not in periods:
                    await store.budgets.remove(budget.id, actor="command")
        found = await store.keys.update(found.id, actor="command", **changed_fields(found, options))
        await _set_budgets(store, found, budgets)
        _show(found, f'"{found.name}" ({found.prefix}…) is changed', as_json=as_json)

    _with_store(database, do)


async def _set_budgets(store: AccountingStore, key: ClientKey, budgets: Iterable[tuple[int, Period]]) -> None:
    for amount, period in budgets:
        await store.budgets.set(Scope.KEY, key.id, amount, period, actor="command")


@command.command("list")
@click.option("--label", metavar="TEXT", help="List only API keys with this label.")
@database_option
@json_option
def list_keys(label: str | None, database: str | None, as_json: bool) -> None:
    """List the API keys, without their secrets."""

    async def do(keys: KeyStore) -> None:
        found = [key for key in keys if label is None or label in key.labels]
        if as_json:
            print_json([key_json(key) for key in found])
        elif found:
            print_table(_COLUMNS, map(_row, found))
        elif len(keys):
            click.echo(f"No API key has the label {label!r}.", err=True)
        else:
            click.echo("There is no API key yet. Create one: zeroconf-ai keys create NAME", err=True)

    _with_keys(database, do)


@command.command("revoke")
@_key_argument
@database_option
@json_option
def revoke(key: str, database: str | None, as_json: bool) -> None:
    """Revoke KEY permanently."""

    async def do(keys: KeyStore) -> None:
        found = _find(keys, key)
        await keys.revoke(found.id, actor="command")
        _show(found, f'"{found.name}" ({found.prefix}…) is revoked', as_json=as_json)

    _with_keys(database, do)


@command.command("rotate")
@_key_argument
@click.option(
    "--overlap",
    callback=duration,
    default="24h",
    show_default=True,
    help="How long the old secret stays valid.",
)
@_url_option
@database_option
@json_option
def rotate(key: str, overlap: float, url: str, database: str | None, as_json: bool) -> None:
    """Create a new secret for KEY, shown only once."""

    async def do(keys: KeyStore) -> None:
        _show_secret(*await keys.rotate(_find(keys, key).id, overlap, actor="command"), url, as_json=as_json)

    _with_keys(database, do)


@command.command("enable")
@_key_argument
@database_option
@json_option
def enable(key: str, database: str | None, as_json: bool) -> None:
    """Enable KEY."""
    _set_enabled(key, database, enabled=True, as_json=as_json)


@command.command("disable")
@_key_argument
@database_option
@json_option
def disable(key: str, database: str | None, as_json: bool) -> None:
    """Disable KEY until it is enabled again."""
    _set_enabled(key, database, enabled=False, as_json=as_json)


@command.command("confirm-loss")
@database_option
@json_option
def confirm_loss(database: str | None, as_json: bool) -> None:
    """Confirm the loss of API keys and budgets, so that a running gateway uses metered backends again."""

    async def do(store: AccountingStore) -> None:
        needed = store.loss_unconfirmed
        if needed:
            await store.confirm_loss(actor="command")
        if as_json:
            print_json({"confirmed": needed})
        elif needed:
            click.echo("Metered backends answer again.")
        else:
            click.echo("No loss of API keys and budgets needs to be confirmed.", err=True)

    _with_store(database, do)


def _set_enabled(key: str, database: str | None, *, enabled: bool, as_json: bool) -> None:
    async def do(keys: KeyStore) -> None:
        found = await keys.update(_find(keys, key).id, actor="command", enabled=enabled)
        _show(found, f'"{found.name}" ({found.prefix}…) is {"enabled" if enabled else "disabled"}', as_json=as_json)

    _with_keys(database, do)


def _with_keys(database: str | None, do: Callable[[KeyStore], Awaitable[None]]) -> None:
    """Run `do` with the API keys of the database. Raises CommandError or DatabaseError if it cannot be used."""
    _with_store(database, lambda store: do(store.keys))


def _with_store(database: str | None, do: Callable[[AccountingStore], Awaitable[None]], *, may_create: bool = False) -> None:
    """Run `do` with the opened accounting store; `may_create`: a new database may be created.

    Raises CommandError or DatabaseError if it cannot be used.
    """
    hint = "Create an API key: zeroconf-ai keys create NAME. Or set another --database."
    where = (database or state.database_file()) if may_create else existing_database(database, hint)

    async def run() -> None:
        store = await AccountingStore.open(where, set_damaged_aside=False)
        try:
            await do(store)
            if not database:
                remember(replace=True, keys=[key.name for key in store.keys])
        finally:
            await store.close()

    asyncio.run(run())


def _find(keys: KeyStore, text: str) -> ClientKey:
    """The key that matches `text`. Raises CommandError unless exactly one does."""
    found = [key for key in keys if text in (key.id, key.name)]
    found = found or [key for key in keys if text and (key.id.startswith(text) or key.name.startswith(text))]
    # A complete secret is compared by its stored prefix: looking it up would count as its use.
    found = found or [key for key in keys if len(text) >= 5 and (key.prefix.startswith(text) or text.startswith(key.prefix))]
    if len(found) > 1:
        several = ", ".join(f"{key.name} ({key.id[:8]})" for key in found[:10])
        raise CommandError(f"More than one API key matches: {several}.", "Use the ID.", kind="ambiguous")
    if not found:
        raise CommandError("No API key matches.", "List all: zeroconf-ai keys list", kind="not_found")
    return found[0]


def _show(key: ClientKey, line: str, *, as_json: bool) -> None:
    if as_json:
        print_json(key_json(key))
    else:
        click.echo(line)


def _show_secret(key: ClientKey, secret: str, url: str, *, as_json: bool) -> None:
    if as_json:
        print_json(key_json(key) | {"secret": secret})
        return
    click.echo(secret)
    body = '{"model": "auto", "messages": [{"role": "user", "content": "Hello!"}]}'
    base = url.rstrip("/")
    click.echo(
        f"Shown only once. Try it:\n  curl {base}/chat/completions -H 'Authorization: Bearer {secret}' -d '{body}'",
        err=True,
    )


def key_json(key: ClientKey) -> dict[str, Any]:
    """One API key in the output of `--json`."""
    return {
        "id": key.id,
        "name": key.name,
        "prefix": key.prefix,
        "certificate_expires": _iso(key.certificate_expires),
        "user_id": key.user_id,
        "device": key.device,
        "models": list(key.models),
        "endpoints": list(key.endpoints),
        "background": key.background,
        "home_only": key.home_only,
        "enabled": key.enabled,
        "state": _state(key),
        "created": _iso(key.created),
        "expires": _iso(key.expires),
        "last_used": _iso(key.last_used),
        "former_secret_until": _iso(key.former_until),
        "requests_per_minute": key.requests_per_minute,
        "tokens_per_minute": key.tokens_per_minute,
        "parallel": key.parallel,
        "labels": list(key.labels),
        "llm_apis": list(key.llm_apis),
        "hosted_tools": list(key.hosted_tools),
    }


def _row(key: ClientKey) -> tuple[str | Styled, ...]:
    state = _state(key)
    return (
        key.name,
        f"certificate {key.prefix}…" if key.certificate else f"{key.prefix}…",
        key.device or key.user_id or "",
        ", ".join(key.labels),
        ", ".join((*key.models, *key.endpoints)) or "everything",
        Styled(state, _STATE_COLOURS[state]),
        _minute(_ends(key)) or "never",
        _minute(key.last_used) or "never",
        key.id,
    )


def _state(key: ClientKey) -> str:
    if not key.enabled:
        return "disabled"
    ends = _ends(key)
    return "expired" if ends is not None and time.time() >= ends else "enabled"


def _ends(key: ClientKey) -> float | None:
    """When the key or its certificate expires; a certificate is renewed by its client before."""
    return min((end for end in (key.expires, key.certificate_expires) if end is not None), default=None)


def _iso(moment: float | None) -> str | None:
    return None if moment is None else datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")


def _minute(moment: float | None) -> str:
    return "" if moment is None else f"{datetime.fromtimestamp(moment).astimezone():%Y-%m-%d %H:%M}"
